"""Spider (Yu et al., EMNLP 2018) and its variants, read from the folders as published.

These are, with the folder or file that `path` names; where a variant has no databases, or only those it changed,
data.databases names Spider's `database` folder:

- Spider, CSpider: the folder with train_spider.json, dev.json and `database`;
- Spider-Syn (Gan et al., ACL 2021; ygan/Spider-Syn): the folder Spider-Syn, no databases; of its two questions the
  one with synonyms is asked.  WorstCaseDevSet/Adv(BERT).json and its like are named themselves;
- Spider-DK (Gan et al., EMNLP 2021; ygan/Spider-DK): the repository, which has three databases of its own;
- Spider-Realistic (Deng et al., NAACL 2021; zenodo 5205322): spider-realistic.json, no databases;
- Dr.Spider (Chang et al., ICLR 2023; awslabs/diagnostic-robustness-text-to-sql): data/NAME, one perturbation a
  folder, whose script data_preprocess.py copies Spider's databases; without it those of data/Spider-dev are read;
- Spider-CG (Gan et al., NAACL 2022; ygan/SpiderSS-SpiderCG): dev-CG_SUB.json and its like, no databases.
"""

from tasks.source import Found, Source, pick_files, read_published

_FILES = {
    "train": (("train_spider.json", "train_others.json"), ("train.json",)),
    "test": (
        ("dev.json",),
        ("test.json",),
        ("Spider-DK.json",),
        ("spider-realistic.json",),
        ("questions_post_perturbation.json",),
        ("questions.json",),
    ),
}
_DATABASES = (
    "database",
    "test_database",
    "database_post_perturbation",
    "databases",
    "databases_pre_perturbation",
    "../Spider-dev/databases",
)


def read_spider(source: Source) -> Found:
    """Return Spider's questions, or a variant's; `path` is the folder, or one of its JSON files."""
    files = pick_files(source, _FILES)
    return read_published(source, files, _DATABASES, "query", else_under={"question": "SpiderSynQuestion"})
