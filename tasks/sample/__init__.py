"""The embedded corpus: made-up databases with questions and gold SQL, the same for the same seed."""

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Literal

from configs.paths import cache_folder
from sandbox import database_file
from tasks.sample.domain import read_domains
from tasks.sample.grammar import ask_all
from tasks.sample.rows import make_rows, script
from tasks.task import Task


def load_sample(seed: int = 0) -> tuple[Task, ...]:
    """Return all questions of all domains; their databases are built in the cache where they are not there yet."""
    return _load(seed, cache_folder())


@cache
def _load(seed: int, built_in: Path) -> tuple[Task, ...]:
    tasks: list[Task] = []
    for domain in read_domains():
        rows = make_rows(domain, seed)
        text = script(domain, rows)
        database = str(database_file(text))
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(text)
            asked = ask_all(domain, rows, connection, seed)
        tasks += [
            Task(f"{domain.name}-{n:03}", q.question, q.evidence, q.sql, database, q.level)
            for n, q in enumerate(asked, 1)
        ]
    return tuple(tasks)


def split_of(task: Task) -> Literal["train", "validation", "test"]:
    """Return the split that a task of this corpus belongs to: that of its database."""
    name = task.task_id.rpartition("-")[0]
    return next(domain.split for domain in read_domains() if domain.name == name)
