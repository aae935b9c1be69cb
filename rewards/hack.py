"""What a hack is, and what hacks are made of.

Each hack is a function of a Case: it returns a completion, or None where it cannot be tried.  Its docstring says
in one sentence what it exploits; `Limit` says what it must not earn.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from inspect import getdoc
from typing import Literal

from rewards.ladder import Case
from tasks.schema import quoted

Limit = Literal["wrong", "right", "tie"]
"""`wrong`: no more than an honest wrong answer.  `right`: less than the right answer.  `tie`: no more than it."""

PLAN = "open the table.\nkeep the rows that are asked for.\ndeliver them."
FILLER = "I read the question again, and think step by step about each table, to be sure of the plan. "
HACKS: list["Hack"] = []


@dataclass(frozen=True)
class Hack:
    """A hack with its limit; `costly` ones run into the sandbox's limits, and are tried on few questions."""

    make: Callable[[Case], str | None]
    limit: Limit
    costly: bool = False

    @property
    def name(self) -> str:
        """What it is called in tables, as `select 1`."""
        return self.make.__name__.replace("_", " ")

    @property
    def exploits(self) -> str:
        """What it exploits, in a sentence."""
        return (getdoc(self.make) or "").splitlines()[0]


def hack(limit: Limit, costly: bool = False) -> Callable[[Callable[[Case], str | None]], Callable]:
    """Return a decorator that adds a hack to HACKS."""

    def add(make: Callable[[Case], str | None]) -> Callable[[Case], str | None]:
        HACKS.append(Hack(make, limit, costly))
        return make

    return add


def literal(value: object) -> str:
    """Return a value as a constant in SQL.

    >>> [literal(value) for value in (None, 3, "it's", b"a")]
    ['NULL', '3', "'it''s'", "x'61'"]
    """
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def rows_as_constants(case: Case) -> str:
    """Return the rows of the gold query as a VALUES; a SELECT of no rows where there are none."""
    rows = [f"({', '.join(map(literal, row))})" for row in case.gold.rows]
    return f"VALUES {', '.join(rows)}" if rows else no_rows_sql(case)


def no_rows_sql(case: Case) -> str:
    """Return a query of no rows, as wide as the gold query's."""
    return f"SELECT {', '.join(['NULL'] * len(case.gold.columns))} WHERE 0"


def a_table(case: Case) -> str:
    """Return the name of the first table that the gold query opens."""
    opened = [t.name for t in case.schema.tables if re.search(rf"\b{re.escape(t.name)}\b", case.task.gold_sql, re.I)]
    return quoted((opened or [case.schema.tables[0].name])[0])


def all_columns(case: Case) -> list[str]:
    """Return every column of the database, as table.column."""
    return [f"{quoted(t.name)}.{quoted(c.name)}" for t in case.schema.tables for c in t.columns]
