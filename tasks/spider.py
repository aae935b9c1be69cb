"""Spider (Yu et al., EMNLP 2018), read from the folder as published."""

from collections import Counter

from tasks.source import Found, Question, Source, find_database, no_databases, pick_files, read_items

_FILES = {
    "train": (("train_spider.json", "train_others.json"), ("train.json",)),
    "test": (("dev.json",), ("test.json",)),
}
MISSING = "database file is missing"


def read_spider(source: Source) -> Found:
    """Return Spider's questions; `path` is the folder, or one of its JSON files."""
    questions, dropped = [], Counter()
    for file in pick_files(source, _FILES):
        folders = [file.parent / "database", file.parent / "test_database"]
        for number, item in enumerate(read_items(source, file, ("db_id", "query", "question"))):
            database = find_database(folders, item["db_id"])
            if database is None:
                dropped[MISSING] += 1
                continue
            task_id = f"{file.stem}-{number}"
            questions.append(Question(task_id, item["question"], "", item["query"], str(database)))
    if not questions and dropped:
        raise no_databases(source, folders)
    return questions, dropped
