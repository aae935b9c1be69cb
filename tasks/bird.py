"""BIRD (Li et al., NeurIPS 2023) and its mini-dev, read from the folders as published.

bird-bench.github.io: train/ with train.json, dev_20240627/ with dev.json; bird-bench/mini_dev: MINIDEV/ with
mini_dev_sqlite.json.  The databases are beside the questions, in train_databases or dev_databases, which come as ZIP
files within the ZIP file of dev and train.
"""

from tasks.source import Found, Source, pick_files, read_published

_DEV = (("dev.json",), ("mini_dev_sqlite.json",))
_FILES = {"train": (("train.json",), *_DEV), "test": (*_DEV, ("test.json",))}
_DATABASES = ("train_databases", "dev_databases", "test_databases")


def read_bird(source: Source) -> Found:
    """Return BIRD's questions with their evidence; `path` is the folder, or one of its JSON files."""
    return read_published(source, pick_files(source, _FILES), _DATABASES, "SQL", number_under="question_id")
