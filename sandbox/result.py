"""What one query may use up, and what came of it."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "empty", "error", "denied", "timeout", "too_large", "crashed"]
RUNS = frozenset({"ok", "empty"})

RANGES = (
    ("timeout_s", 0.001, 86_400), ("max_rows", 1, 10_000_000), ("memory_mb", 64, 1_048_576),
    ("max_steps", 1_000, 10**15),
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What one query may use up; ValueError for what is no limit."""

    timeout_s: float = 5.0
    """Wall-clock limit of one query, seconds."""
    max_rows: int = 10_000
    """More rows than this make a result `too_large`."""
    memory_mb: int = 512
    """Address space of the worker process that runs the query, MiB."""
    max_steps: int = 200_000_000
    """Steps of SQLite's virtual machine in one query, to within 1,000: a verdict that no machine's speed changes."""

    def __post_init__(self) -> None:
        for name, least, most in RANGES:
            value = getattr(self, name)
            if not least <= value <= most:  # nor is NaN
                raise ValueError(f"limit {name}={value}: give {least:,} to {most:,}")


@dataclass(frozen=True)
class Result:
    """What came of one query.

    `ok`: at least one row; `empty`: it ran and gave no row; `error`: SQLite refused it; `denied`: it wanted
    more than to read; `timeout`: it went past its time or its steps; `too_large`: past the limits of rows,
    bytes or memory; `crashed`: its worker died.
    Rows are there for `ok` only; a message for all but `ok` and `empty`.

    >>> Result("ok", ("n",), ((1,),)).runs, Result("error").runs
    (True, False)
    """

    status: Status
    columns: tuple[str, ...] = ()
    rows: tuple[tuple, ...] = ()
    message: str = ""
    seconds: float = 0.0

    @property
    def runs(self) -> bool:
        """Whether the query ran to its end, with or without rows."""
        return self.status in RUNS


@dataclass(frozen=True)
class Verdict:
    """What came of a query that was compared with its gold query.

    `correct` is None where the gold query itself did not run: nothing can be said then, and `message` is its
    own.  `message` also tells how many rows a wrong answer has, and the gold.
    """

    gold: Status
    status: Status
    correct: bool | None
    message: str = ""

    @property
    def runs(self) -> bool:
        """Whether the query ran to its end, with or without rows."""
        return self.status in RUNS
