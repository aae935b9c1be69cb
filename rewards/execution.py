"""Does the SQL return the gold rows?  Execution accuracy as a reward."""

from typing import Literal

from configs.errors import ConfigError
from rewards.text import Completion, text_of
from sandbox import Limits, Verdict, judge_many
from tasks.trace import extract_sql


def sql_execution(
    prompts: list,
    completions: list[Completion],
    gold_sql: list[str],
    database: list[str],
    *,
    right: float = 1.0,
    runs: float = 0.1,
    fails: float = 0.0,
    nothing: float = -0.1,
    judge: Literal["ordered", "multiset", "bird", "spider"] = "ordered",
    timeout_s: float = 5.0,
    max_rows: int = 10_000,
    memory_mb: int = 512,
    max_steps: int = 200_000_000,
    workers: int = 2,
    **_: object,
) -> list[float | None]:
    """Return what the rows of each answer are worth: rows count, not text.

    `right` for the gold rows, `runs` for other rows, `fails` for SQL that does not run or goes over a limit
    (seconds, rows, memory, steps), `nothing` without SQL; None where the gold query itself does not run, as
    nothing can be said then.  The query is looked for leniently (`tasks.trace.extract_sql`), so that form is
    paid for by the rewards of form alone; but what stands in <think> is no answer.  `judge` is one of the
    sandbox's rules, see `sandbox.same_result`.
    """
    _check_order(right, runs, fails, nothing)
    sqls = [extract_sql(text_of(completion)) for completion in completions]
    limits = Limits(timeout_s, max_rows, memory_mb, max_steps)
    # Without SQL there is still to know whether the gold query runs.
    items = [(where, gold, sql or gold) for where, gold, sql in zip(database, gold_sql, sqls, strict=True)]

    def score(sql: str | None, verdict: Verdict) -> float | None:
        if verdict.correct is None:
            return None
        if sql is None:
            return nothing
        if verdict.correct:
            return right
        return runs if verdict.runs else fails

    return list(map(score, sqls, judge_many(items, judge, limits, workers)))


def _check_order(right: float, runs: float, fails: float, nothing: float) -> None:
    if not right > runs >= fails >= nothing:
        raise ConfigError(
            f"reward 'sql_execution': right {right}, runs {runs}, fails {fails}, nothing {nothing}; "
            "needed: right > runs >= fails >= nothing, or the model learns to fail"
        )
