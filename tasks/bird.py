"""BIRD (Li et al., NeurIPS 2023) and its mini-dev, read from the folder as published."""

from collections import Counter

from tasks.source import Found, Question, Source, find_database, no_databases, pick_files, read_items
from tasks.spider import MISSING

_DEV = (("dev.json",), ("mini_dev_sqlite.json",))
_FILES = {"train": (("train.json",), *_DEV), "test": (*_DEV, ("test.json",))}


def read_bird(source: Source) -> Found:
    """Return BIRD's questions with their evidence; `path` is the folder, or one of its JSON files."""
    questions, dropped = [], Counter()
    for file in pick_files(source, _FILES):
        folders = [file.parent / name for name in ("train_databases", "dev_databases", "test_databases")]
        for number, item in enumerate(read_items(source, file, ("db_id", "SQL", "question"))):
            database = find_database(folders, item["db_id"])
            if database is None:
                dropped[MISSING] += 1
                continue
            task_id = f"{file.stem}-{item.get('question_id', number)}"
            evidence = item.get("evidence") or ""
            questions.append(Question(task_id, item["question"], str(evidence), item["SQL"], str(database)))
    if not questions and dropped:
        raise no_databases(source, folders)
    return questions, dropped
