"""Repair traces: a plausible wrong query first, what running it showed, what is wrong with it, then the right plan."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Literal

from sqlglot import exp

from configs.files import fingerprint
from distill.plan_sql import plain_sql
from distill.refused import Refused, refused
from distill.slips import slip_words
from sandbox import Limits, Result, execute, judge_many
from tasks.mutations import Columns, Rewriting, near_misses, read
from tasks.plan_names import names_in_plan
from tasks.prompt import flat
from tasks.schema import Schema
from tasks.scope import CannotPlan
from tasks.sql_text import sql_text
from tasks.story import CORRECTED
from tasks.task import Task

TRIES = 12  # wrong queries that are run for one question
ROWS, CELLS, CELL_CHARS = 3, 6, 24  # of a wrong result that are shown
LONGEST = 300  # characters of what is wrong; a longer text repeats half of the query
LIMITS = Limits(max_steps=5_000_000)  # a wrong query may pair everything with everything
WEIGHTS = {"unknown_table": 0.1, "unknown_column": 0.6, "unqualified": 0.4, "distinct_added": 0.4, "wrong_column": 0.8}
"""How readily a kind of slip is taken, where not 1."""

_TRY = ("A first try:", "A first thought:", "One could write:", "First attempt:")
_RUNS = ("Running it gives", "It runs and gives", "The database answers with", "It returns")
_FAILS = ("Running it fails:", "The database refuses it:", "It does not run:")
_WRONG = ("What is wrong:", "That is not it:", "The mistake:", "But")


def is_chosen(task_id: str, seed: int, share: float) -> bool:
    """Return whether a question is among the share that gets a repair trace; a larger share keeps those of a smaller.

    >>> is_chosen("t1", 0, 0), is_chosen("t1", 0, 1)
    (False, True)
    """
    return int(fingerprint("repair", seed, task_id)[:8], 16) / 16**8 < share


def repair_think(
    task: Task, schema: Schema, plan: str, detail: Literal["short", "full"] = "full", seed: int = 0
) -> str | None:
    """Return the text inside <think> that ends in `plan`; None where no plausible wrong query is found.

    What it says of the wrong query is true: the query was run, and gives other rows than the gold query or fails.
    The same task and seed give the same text.  CannotPlan where the gold query cannot be resolved.
    """
    rng = Random(f"repair-{seed}-{task.task_id}")
    gold_sql = plain_sql(task.gold_sql, schema)
    columns = {
        table.name.lower(): {column.name.lower(): column.type for column in table.columns} for table in schema.tables
    }
    for miss, _ in zip(_candidates(gold_sql, columns, schema, rng), range(TRIES), strict=False):
        wrong = rng.choice(miss.ways)
        if len(wrong) > LONGEST or flat(miss.sql) != miss.sql or names_in_plan(f"{plan}\n{wrong}", schema)[2]:
            continue
        if finding := _finding(task, miss.sql, detail, rng):
            return _told(miss.sql, finding, wrong, plan, detail, rng)
    return None


def _candidates(gold_sql: str, columns: Columns, schema: Schema, rng: Random) -> Iterator[Refused]:
    """Yield wrong queries that can be explained, the kinds in turn: frequent ones don't crowd out the others."""
    by_kind: dict[str, list[Refused | Rewriting]] = defaultdict(list)
    for miss in [*near_misses(gold_sql, columns), *refused(gold_sql, columns)]:
        by_kind[miss.kind].append(miss)
    kinds = sorted(by_kind, key=lambda kind: rng.random() ** (1 / WEIGHTS.get(kind, 1)), reverse=True)
    for misses in by_kind.values():
        rng.shuffle(misses)
    for turn in range(max(map(len, by_kind.values()), default=0)):
        for miss in (by_kind[kind][turn] for kind in kinds if turn < len(by_kind[kind])):
            told = miss if isinstance(miss, Refused) else _explained(gold_sql, miss, columns, schema)
            if told.ways:
                yield told


def _explained(gold_sql: str, miss: Rewriting, columns: Columns, schema: Schema) -> Refused:
    """Return a near miss in the spelling of the right query, with what is wrong with it."""
    tree = read(miss.sql, columns)
    for paren in list(tree.find_all(exp.Paren)):
        if isinstance(paren.this, exp.Predicate) or isinstance(paren.parent, exp.Where):
            paren.replace(paren.this)
    sql = sql_text(tree)
    with suppress(CannotPlan):  # it may name what it does not open
        sql = plain_sql(sql, schema)
    return Refused(miss.kind, sql, tuple(slip_words(miss.kind, gold_sql, sql, columns)))


def _finding(task: Task, sql: str, detail: str, rng: Random) -> str:
    """Return what running a query showed; blank where it is not wrong, or where the limits stopped it."""
    (verdict,) = judge_many([(task.database, task.gold_sql, sql)], "ordered", LIMITS)
    if verdict.correct is not False or not (verdict.runs or verdict.status == "error"):
        return ""
    result = execute(task.database, sql, LIMITS)
    if not result.runs:
        fails = "error:" if detail == "short" else rng.choice(_FAILS)
        return f"{fails} {flat(result.message)}" if result.status == "error" else ""
    return f"{'gives' if detail == 'short' else rng.choice(_RUNS)} {rows_text(result)}"


def rows_text(result: Result) -> str:
    """Return a result in a few words.

    >>> rows_text(Result("ok", ("n", "k"), (("Oslo", 1), (None, 2.5))))
    "2 rows: ('Oslo', 1), (NULL, 2.5)"
    >>> rows_text(Result("empty", ("n",)))
    'no rows'
    """
    if not result.rows:
        return "no rows"
    shown = ", ".join(_row(row) for row in result.rows[:ROWS])
    count = "1 row" if len(result.rows) == 1 else f"{len(result.rows):,} rows"
    return f"{count}: {shown}{', …' if len(result.rows) > ROWS else ''}"


def _row(row: tuple) -> str:
    return f"({', '.join(map(_cell, row[:CELLS]))}{', …' if len(row) > CELLS else ''})"


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return "a blob"
    if isinstance(value, str):
        text = flat(value)
        return f"'{text[:CELL_CHARS]}…'" if len(text) > CELL_CHARS else f"'{text}'"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _told(sql: str, finding: str, wrong: str, plan: str, detail: str, rng: Random) -> str:
    if detail == "short":
        return f"try {sql}\n{finding}\nwrong: {wrong}\n{CORRECTED}\n{plan}"
    opening = rng.choice(_WRONG)
    return f"{rng.choice(_TRY)} {sql}\n{finding}.\n{opening} {wrong}.\n{CORRECTED}\n{plan}"
