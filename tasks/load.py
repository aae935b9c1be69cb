"""The questions of a run: read, checked, and split so that no database, or else no query, stands in two parts."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from configs.errors import ConfigError
from configs.schema import Data
from tasks.bird import read_bird
from tasks.gold import check_gold
from tasks.gretel import read_gretel
from tasks.jsonl import read_own
from tasks.kaggledbqa import read_kaggledbqa
from tasks.sample import load_sample, split_of
from tasks.schema import read_schema
from tasks.source import Found, Source
from tasks.spider import read_spider
from tasks.task import Task

READERS: dict[str, Callable[[Source], Found]] = {
    "spider": read_spider,
    "bird": read_bird,
    "kaggledbqa": read_kaggledbqa,
    "gretel": read_gretel,
    "jsonl": read_own,
}

Parts = tuple[tuple[Task, ...], tuple[Task, ...], tuple[Task, ...]]
"""Train, validation and test."""


@dataclass(frozen=True)
class Splits:
    """The parts of the data; `dropped` counts the questions left out, by reason."""

    train: tuple[Task, ...]
    validation: tuple[Task, ...]
    test: tuple[Task, ...]
    dropped: dict[str, int]


def load_tasks(data: Data, seed: int) -> Splits:
    """Return the questions that `data` describes, split as data.split says; the same for the same seed.

    A test part of its own (`data.test_path`) is taken whole, and its questions are taken out of the others.
    """
    if data.source == "sample":
        return _load_sample(data, seed)
    tasks, dropped = _load_part("data.path", str(data.path), "train", data)
    if data.test_path is None:
        return Splits(*SPLITS[data.split](tasks, data.validation_share, data.test_share, seed), dict(dropped))
    test, more_dropped = _load_part("data.test_path", data.test_path, "test", data)
    tasks, repeated = _without(tasks, test)
    dropped += more_dropped + repeated
    if not tasks:
        raise ConfigError(f"data.path: every question of {data.path} stands in the test part too; split them first")
    train, validation, _ = SPLITS[data.split](tasks, data.validation_share, 0.0, seed)
    return Splits(train, validation, _with_own_ids(test, tasks), dict(dropped))


def _load_sample(data: Data, seed: int) -> Splits:
    """Return the embedded corpus in its own fixed split, so that scores on it can be compared.

    Split by questions, it is only its training databases': the others stay unseen by whatever is trained.
    """
    tasks, dropped = _narrow(list(load_sample()), data.max_columns)
    if not tasks:
        raise ConfigError(f"data.max_columns {data.max_columns} leaves no database of the sample; raise it")
    if data.split == "questions":
        tasks = [task for task in tasks if split_of(task) == "train"]
        return Splits(*split_by_question(tasks, data.validation_share, data.test_share, seed), dict(+dropped))
    return Splits(*_parts(tasks, split_of), dict(+dropped))


def sample_of_test(splits: Splits, count: int, seed: int) -> list[Task]:
    """Return `count` test questions, or all if there are no more, in the order of their ids; the same for a seed."""
    tasks = sorted(splits.test, key=lambda task: task.task_id)
    chosen = random.Random(seed).sample(tasks, count) if len(tasks) > count else tasks
    return sorted(chosen, key=lambda task: task.task_id)


def split_by_database(tasks: list[Task], validation_share: float, test_share: float, seed: int) -> Parts:
    """Return train, validation and test; the shares are shares of the databases, which stay whole.

    A share above zero gets at least one database where there are three or more.
    """
    databases = sorted({task.database for task in tasks}, key=lambda path: (Path(path).stem, path))
    random.Random(seed).shuffle(databases)
    test = _share_of(databases, test_share)
    validation = _share_of(databases, validation_share)
    if test + validation >= len(databases) and test + validation:
        raise ConfigError(
            f"data.test_share {test_share} and data.validation_share {validation_share} leave none of "
            f"{len(databases)} databases for training; lower them"
        )
    part = dict.fromkeys(databases, "train")
    part |= dict.fromkeys(databases[:test], "test")
    part |= dict.fromkeys(databases[test : test + validation], "validation")
    return _parts(tasks, lambda task: part[task.database])


def split_by_question(tasks: list[Task], validation_share: float, test_share: float, seed: int) -> Parts:
    """Return train, validation and test; the shares are shares of each database's different queries.

    Questions with the same query stay together: a paraphrase of a question that was trained on would be no test.
    """
    queries: dict[str, list[str]] = {}
    for task in tasks:
        queries.setdefault(task.database, []).append(task.gold_sql)
    part: dict[tuple[str, str], str] = {}
    for database, found in queries.items():
        different = sorted(set(found))
        random.Random(f"{seed}-{Path(database).stem}").shuffle(different)
        test, validation = (round(len(different) * share) for share in (test_share, validation_share))
        for place, query in enumerate(different):
            name = "test" if place < test else "validation" if place < test + validation else "train"
            part[database, query] = name
    parts = _parts(tasks, lambda task: part[task.database, task.gold_sql])
    for key, share, kept in zip(("validation", "test"), (validation_share, test_share), parts[1:], strict=True):
        if (share and not kept) or not parts[0]:
            most = max((len(set(found)) for found in queries.values()), default=0)
            raise ConfigError(
                f"data.split questions: data.{key}_share {share} of at most {most} different queries a database "
                "leaves a part without questions; change the share, or data.split: databases"
            )
    return parts


SPLITS = {"databases": split_by_database, "questions": split_by_question}


def _parts(tasks: list[Task], part_of: Callable[[Task], str]) -> Parts:
    """Return the tasks of each part, in their order."""
    train, validation, test = (
        tuple(task for task in tasks if part_of(task) == name) for name in ("train", "validation", "test")
    )
    return train, validation, test


def _share_of(databases: list[str], share: float) -> int:
    count = round(len(databases) * share)
    return max(count, 1) if share and len(databases) >= 3 else count


def _load_part(key: str, path: str, part: Literal["train", "test"], data: Data) -> tuple[list[Task], Counter]:
    found, dropped = READERS[data.source](Source(key, path, part, data))
    tasks, bad_gold = check_gold(found, f"{data.source} {Path(path).resolve()}")
    _refuse_repeated_ids(key, path, tasks)
    tasks, wide = _narrow(tasks, data.max_columns)
    dropped = dropped + bad_gold + wide
    if not tasks:
        why = "; ".join(f"{count} × {reason}" for reason, count in dropped.most_common(3)) or "it is empty"
        raise ConfigError(f"{key}: no usable question in {path} ({why}); use other data")
    return tasks, dropped


def _refuse_repeated_ids(key: str, path: str, tasks: list[Task]) -> None:
    repeated = [task_id for task_id, count in Counter(task.task_id for task in tasks).items() if count > 1]
    if repeated:
        raise ConfigError(f"{key}: {path}: task_id {repeated[0]!r} stands twice; give each row its own")


def _narrow(tasks: list[Task], max_columns: int | None) -> tuple[list[Task], Counter]:
    """Return the tasks over databases of at most `max_columns` columns, and the count of the others."""
    if max_columns is None:
        return tasks, Counter()
    narrow = {database for database in {task.database for task in tasks} if width(database) <= max_columns}
    kept = [task for task in tasks if task.database in narrow]
    return kept, Counter({f"schema wider than {max_columns} columns": len(tasks) - len(kept)})


def width(database: str) -> int:
    """Return how many columns the tables of a database have together."""
    return sum(len(table.columns) for table in read_schema(database, examples=0).tables)


def _without(tasks: list[Task], test: list[Task]) -> tuple[list[Task], Counter]:
    asked = {(task.question, task.gold_sql) for task in test}
    kept = [task for task in tasks if (task.question, task.gold_sql) not in asked]
    return kept, Counter({"stands in the test part too": len(tasks) - len(kept)})


def _with_own_ids(test: list[Task], others: list[Task]) -> tuple[Task, ...]:
    """Return the test tasks under ids that no other task has."""
    if not {task.task_id for task in test} & {task.task_id for task in others}:
        return tuple(test)
    return tuple(replace(task, task_id=f"test-{task.task_id}") for task in test)
