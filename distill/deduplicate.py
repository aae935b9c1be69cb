"""Which questions ask for the same in the same words, and are asked once only."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from distill.sameness import names_of, skeleton, words
from tasks.task import Task

DUPLICATE = "duplicate"


def deduplicate(tasks: Sequence[Task], per_query: int | None, workers: int) -> tuple[tuple[Task, ...], Counter[str]]:
    """Return the tasks without duplicates, in their order, and how many are left out for which reason.

    Duplicates have the same words (with their evidence), the same SQL skeleton, and databases with the same
    tables and columns; the first by task_id stays.  Paraphrases are none.
    per_query: questions of one database with one and the same query that stay, at most; None: all.
    """
    in_order = sorted(tasks, key=lambda task: task.task_id)
    twice = _repeated(in_order, workers)
    left = [task for task in in_order if task not in twice]
    many = _beyond(left, per_query, workers) if per_query else set()
    kept = tuple(task for task in tasks if task not in twice | many)
    counts = {DUPLICATE: len(twice), f"more than {per_query} questions of one query": len(many)}
    return kept, +Counter(counts)


def _repeated(tasks: Sequence[Task], workers: int) -> set[Task]:
    alike: dict[Hashable, list[Task]] = defaultdict(list)
    for task in tasks:
        alike[words(f"{task.question} {task.evidence}")].append(task)
    suspects = [task for group in alike.values() if len(group) > 1 for task in group]
    names = names_of((task.database for task in suspects), workers)
    seen: set[Hashable] = set()
    repeated = set()
    for task in suspects:
        known = names[task.database] or task.database  # one that cannot be read is like itself only
        key = (words(f"{task.question} {task.evidence}"), known, skeleton(task.gold_sql, names[task.database]))
        if key in seen:
            repeated.add(task)
        seen.add(key)
    return repeated


def _beyond(tasks: Sequence[Task], per_query: int, workers: int) -> set[Task]:
    names = names_of((task.database for task in tasks), workers)
    asked: Counter[Hashable] = Counter()
    beyond = set()
    for task in tasks:
        query = (task.database, skeleton(task.gold_sql, names[task.database], constants=True))
        asked[query] += 1
        if asked[query] > per_query:
            beyond.add(task)
    return beyond
