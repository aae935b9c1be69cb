"""A shaping reward behind its gate: only answers that are right, or that run in earnest, earn anything of it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from configs.schema import Sandbox
from rewards.judged import Gate, judged, passes
from rewards.origin import has_star, reads_gold
from rewards.text import Completion, text_of
from sandbox import Verdict
from sandbox.judge import Rule
from tasks.trace import extract_sql


def gated(
    score: Callable[[int, str], float | None],
    gate: Gate,
    completions: Sequence[Completion],
    gold_sql: Sequence[str],
    database: Sequence[str | Path],
    judge: Rule,
    sandbox: Sandbox,
) -> list[float | None]:
    """Return `score` of each answer's place and query; 0.0 without a query or at the gate, None where it can't be told.

    At the gates `right` and `runs` a query must also give rows, if gold does; make them from a table that gold reads
    (`rewards.origin`); and not dump a table by SELECT * where gold doesn't.  It can't be told where gold gives no row.
    With the gate `none` no query is run.
    """
    if gate == "none":
        sqls = [extract_sql(text_of(completion)) for completion in completions]
        return [score(place, sql) if sql else 0.0 for place, sql in enumerate(sqls)]

    def pay(place: int, sql: str | None, verdict: Verdict) -> float | None:
        passed = passes(gate, sql, verdict)
        if not passed or sql is None:
            return None if passed is None else 0.0
        if verdict.gold == "empty":
            return None
        honest = verdict.status == "ok" and reads_gold(sql, gold_sql[place], str(database[place]))
        dumps = has_star(sql) and not has_star(gold_sql[place])
        return score(place, sql) if honest and not dumps else 0.0

    verdicts = judged(completions, gold_sql, database, judge, sandbox)
    return [pay(place, sql, verdict) for place, (sql, verdict) in enumerate(verdicts)]
