"""What a gold query says about the rows it looks at, as facts: its columns, conditions, links and groups."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A column of one use of a table; a table that is joined to itself has two uses."""

    use: int
    column: str


@dataclass(frozen=True)
class Condition:
    """`slot operator value`, as it must be for a row to count.

    operator: one of OPPOSITE, "like" and "not like" (or a GLOB), "null" and "not null".
    inside: the function that the column stands in, such as "length"; empty for a bare column or an aggregate.
    single: whether it picks the one row of a subquery that stands for one value.
    """

    slot: Slot
    operator: str
    value: object = None
    inside: str = ""
    single: bool = False


@dataclass(frozen=True)
class Link:
    """Two slots that are compared with each other; `holds` where they must be equal for a row to count."""

    left: Slot
    right: Slot
    holds: bool = True


@dataclass(frozen=True)
class Reading:
    """What a query says.  `uses` are tables; `counts` are the numbers that count(…) is compared with.

    ordered: what each ORDER BY sorts by last.  ranked: these, and what min(…) and max(…) look for.  averaged: what
    a subquery takes the average of.  others: all slots that nothing else is said about.  either: whether there is
    an OR.  may_vary: whether the answer could depend on the order in which rows are stored.
    """

    uses: tuple[str, ...]
    links: tuple[Link, ...]
    conditions: tuple[Condition, ...]
    counts: tuple[int, ...]
    limit: int
    grouped: tuple[Slot, ...]
    ordered: tuple[Slot, ...]
    ranked: tuple[Slot, ...]
    averaged: tuple[Slot, ...]
    by_aggregate: bool
    others: tuple[Slot, ...]
    either: bool
    may_vary: bool


NOTHING = Reading((), (), (), (), 0, (), (), (), (), False, (), False, True)
