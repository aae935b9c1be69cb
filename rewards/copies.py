"""Was a right answer right by luck?  Changed copies of its database tell."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from configs.schema import Sandbox
from rewards.judged import Judged, is_right, once
from sandbox import Limits, Verdict, judge_many
from sandbox.judge import Rule
from sandbox.variants import Unvariable, variants


class Right(NamedTuple):
    """Whether an answer is right, None where that cannot be told, and the database that shows it wrong."""

    right: bool | None
    shown_on: str | Path


def rights(
    found: Judged,
    gold_sql: Sequence[str],
    database: Sequence[str],
    copies: int,
    trust_empty: bool,
    judge: Rule,
    sandbox: Sandbox,
) -> list[Right]:
    """Return for each answer whether it is right: on its database, and on `copies` changed copies of that.

    The copies are those of `sandbox.variants`, made once a question and kept; one on which the gold query fails says
    nothing.  Where gold gives no row on the database nothing can be told (`is_right`), unless it gives some on a copy.
    """
    first = [is_right(verdict, trust_empty) if sql or verdict.correct is None else False for sql, verdict in found]
    items: list[tuple[str | Path, str, str]] = []
    owners: list[int] = []
    for place, (sql, verdict) in enumerate(found):
        if copies and sql and verdict.correct is not None and first[place] is not False:
            made = _made(database[place], gold_sql[place], copies)
            items += [(copy, gold_sql[place], sql) for copy in made]
            owners += [place] * len(made)

    def work() -> tuple[Verdict, ...]:
        return tuple(judge_many(items, judge, Limits(**sandbox.limits), sandbox.workers))

    verdicts = once(("copies", *items, judge, sandbox), work)
    results = [Right(right, where) for right, where in zip(first, database, strict=True)]
    for place, verdict in zip(owners, verdicts, strict=True):
        if results[place].right is None and verdict.gold == "ok":
            results[place] = Right(found[place][1].correct, database[place])
    for place, (copy, *_), verdict in zip(owners, items, verdicts, strict=True):
        if results[place].right and verdict.correct is False:
            results[place] = Right(False, copy)
    return results


def _made(database: str, gold_sql: str, copies: int) -> tuple[Path, ...]:
    """Return the copies; none of a database that cannot be varied, which alone tells then."""
    try:
        return variants(database, gold_sql, copies)
    except Unvariable:
        return ()
