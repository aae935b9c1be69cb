"""What one query may use up, and what came of it."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "empty", "error", "denied", "timeout", "too_large", "crashed"]


@dataclass(frozen=True)
class Limits:
    """What one query may use up."""

    timeout_s: float = 5.0
    """Wall-clock limit of one query, seconds."""
    max_rows: int = 10_000
    """More rows than this make a result `too_large`."""
    memory_mb: int = 512
    """Address space of the worker process that runs the query, MiB."""


@dataclass(frozen=True)
class Result:
    """What came of one query.

    `ok`: at least one row; `empty`: it ran and gave no row; `error`: SQLite refused it; `denied`: it wanted
    more than to read; `timeout`, `too_large`: it went past the limits; `crashed`: its worker died.
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
        return self.status in ("ok", "empty")
