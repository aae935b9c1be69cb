"""Whose the questions of each `data.source` are, for what is published."""

SOURCES = {
    "sample": "planql's own sample questions",
    "spider": "Spider (Yu et al., EMNLP 2018)",
    "bird": "BIRD (Li et al., NeurIPS 2023)",
    "kaggledbqa": "KaggleDBQA (Lee et al., ACL 2021)",
    "gretel": "Gretel's synthetic_text_to_sql",
    "jsonl": "questions of the publisher's own",
}
LICENCES = {
    **dict.fromkeys(("spider", "bird", "kaggledbqa"), "cc-by-sa-4.0"),
    **dict.fromkeys(("gretel", "sample"), "apache-2.0"),
}
ON_THE_HUB = {"spider": "xlangai/spider", "gretel": "gretelai/synthetic_text_to_sql"}
