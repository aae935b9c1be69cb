"""All questions of a domain: kinds of questions, how many of each, and what a draw must pass to be kept."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tasks.sample import basic, groups, joins, nested, ranked, subqueries
from tasks.sample.asking import Draft
from tasks.sample.domain import Domain
from tasks.sample.filters import NotHere, Scene
from tasks.sample.query import Query
from tasks.sample.rows import Rows
from tasks.task import Level

Kind = Callable[[Scene], Draft]
DRAWS = 60  # of one kind, before the next takes its place

# How many questions of each kind a domain gets; what a kind cannot give, the others of its level do.
SCHEDULE: dict[Level, tuple[tuple[Kind, int], ...]] = {
    "L1": (
        (basic.list_one, 3), (basic.list_two, 3), (basic.list_either, 2), (basic.list_special, 2),
        (basic.list_columns, 1), (basic.count_rows, 3), (basic.different, 1), (basic.look_up, 1), (basic.measure, 2),
        (basic.both_ends, 1), (ranked.best_one, 2), (ranked.best_value, 1), (ranked.best_few, 1),
        (ranked.sorted_list, 1), (groups.count_groups, 1), (groups.measure_groups, 1), (groups.big_groups, 1),
        (groups.top_group, 1), (groups.top_measure_group, 1),
    ),
    "L2": (
        (subqueries.than_average, 2), (subqueries.than_named, 1), (subqueries.same_as, 1), (subqueries.extremes, 1),
        (subqueries.in_linked, 2), (subqueries.never, 1), (subqueries.owner_of_best, 1),
    ),
    "L3": (
        (joins.list_joined, 3), (joins.count_joined, 2), (joins.measure_joined, 1), (joins.best_joined, 1),
        (joins.owner, 1), (joins.owner_of_best_joined, 1), (joins.pairs, 1), (joins.groups_joined, 1),
        (joins.never_joined, 1), (joins.both_linked, 1), (joins.both_groups, 1), (joins.either_linked, 1),
        (joins.three_tables, 1), (groups.count_linked, 1), (groups.top_linked, 1), (groups.often_linked, 1),
        (groups.measure_linked, 1),
    ),
    "L4": (
        (nested.joined_than_average, 2), (nested.linked_to_large, 1), (nested.of_the_extreme, 1),
        (nested.never_kind, 1), (nested.more_than_usual, 1), (nested.best_of_each, 1), (nested.linked_not_large, 1),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A question that passed."""

    question: str
    sql: str
    evidence: str
    level: Level


def ask_all(domain: Domain, rows: Rows, database: sqlite3.Connection, seed: int) -> list[Asked]:
    """Return the questions of a domain, level by level, the same for the same seed."""
    scene = Scene(domain, rows, Random(f"{seed}/{domain.name}/questions"))
    asked: list[Asked] = []
    seen: set[str] = set()
    for level, kinds in SCHEDULE.items():
        missing = sum(draw_some(scene, kind, count, level, database, seen, asked) for kind, count in kinds)
        for kind, _ in kinds * 2:
            if missing:
                missing -= 1 - draw_some(scene, kind, 1, level, database, seen, asked)
    return asked


def draw_some(
    scene: Scene, kind: Kind, count: int, level: Level, database: sqlite3.Connection, seen: set[str], asked: list[Asked]
) -> int:
    """Add up to `count` questions of a kind to `asked`; return how many could not be found."""
    missing = count
    for _ in range(DRAWS):
        if not missing:
            break
        try:
            draft = kind(scene)
        except NotHere:
            continue
        sql = draft.sql
        if level_of(sql) == level and not {draft.question, sql} & seen and worth_asking(draft, scene, database):
            seen |= {draft.question, sql}
            asked.append(Asked(draft.question, sql, draft.evidence, level))
            missing -= 1
    return missing


def level_of(sql: str) -> Level:
    """Return the level of a query in the few forms that this grammar writes.

    >>> level_of("SELECT name FROM city WHERE id NOT IN (SELECT city_id FROM club)")
    'L2'
    """
    nested_ = "(SELECT " in sql
    joined = any(f" {word} " in sql for word in ("JOIN", "UNION", "INTERSECT", "EXCEPT"))
    return ("L4" if joined else "L2") if nested_ else ("L3" if joined else "L1")


def worth_asking(draft: Draft, scene: Scene, database: sqlite3.Connection) -> bool:
    """Return whether the answer says something: rows, no bare 0 or NULL, not the whole table, no tie at the limit."""
    found = database.execute(draft.sql).fetchall()
    if not found or found == [(0,)] or any(value is None for row in found for value in row):
        return False
    query = draft.query
    if isinstance(query, str):
        return True
    if query.where and not query.limit and not query.group and query.items[0] == whole(scene, query.source):
        return len(found) < len(scene.rows[query.source])
    if query.where and count_rows(query, database) == count_rows(query.but(where=()), database):
        return False  # the condition leaves nothing out
    if query.items[0].startswith(("AVG(", "SUM(", "MAX(", "MIN(", "ROUND(")) and count_rows(query, database) < 2:
        return False
    return not draft.decisive or decided(query, draft.decisive, database)


def count_rows(query: Query, database: sqlite3.Connection) -> int:
    """Return how many rows go into an answer, before they are grouped or cut."""
    rows = query.but(items=("COUNT(*)",), distinct=False, group="", having="", order="", limit=0)
    return database.execute(rows.sql()).fetchone()[0]


def whole(scene: Scene, table: str) -> str:
    label = scene.domain.tables[table].label
    return label.ref if label else ""


def decided(query: Query, count: int, database: sqlite3.Connection) -> bool:
    """Return whether no two rows that the ORDER BY must tell apart share its value."""
    order = query.order.removesuffix(" DESC").removesuffix(" ASC")
    values = database.execute(query.but(items=(order,), limit=count + 1).sql()).fetchall()
    return len(set(values)) == len(values) > min(count, len(values) - 1) and len(values) > 1
