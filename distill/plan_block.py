"""What a plan is before it is worded: blocks of steps, and the expressions in them."""

from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

Kind = Literal["open", "filter", "join", "left join", "right join", "full join", "cross", "group", "having",
               "sort", "limit", "combine", "repeat", "deliver"]  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One expression of a step: its text in the plan and its tree.

    note: "desc" or "asc" in a sort, with "nulls first" or "nulls last" where unusual; the output's name in a
    deliver that an outer query reads; the set operations of a combine.  quote: the words of the question that
    it serves.
    """

    text: str
    tree: exp.Expr
    note: str = ""
    quote: str = ""


@dataclass(frozen=True)
class Opened:
    """A table or block that a step opens.

    text: its name in the plan.  label: what its columns carry there.  key: what they carry in trees.
    how: how SQLite finds its rows; "row" where there is at most one, found by the primary key.
    """

    text: str
    label: str
    how: Literal["scan", "search", "row", ""] = ""
    quote: str = ""
    key: str = ""


@dataclass(frozen=True)
class Step:
    """One step of a plan; its parts all hold (filter, join, having) or come one after another."""

    kind: Kind
    parts: tuple[Part, ...] = ()
    opened: tuple[Opened, ...] = ()
    distinct: bool = False
    quote: str = ""


@dataclass(frozen=True)
class Block:
    """The steps of one SELECT or set operation; the main block has no name.

    per_row: what it is worked out for, row by row (tables of the enclosing query).  with_name: its
    name in the query's WITH.  role: what an outer query takes from it: "value", "list", "exists" (whether
    there is a row), "" (its rows), or how the rows of a recursive block come: "begin A", "next A".
    """

    name: str
    steps: tuple[Step, ...]
    per_row: tuple[str, ...] = ()
    with_name: str = ""
    role: str = ""

    def step(self, kind: Kind) -> Step | None:
        """Return the first step of a kind."""
        return next((step for step in self.steps if step.kind == kind), None)
