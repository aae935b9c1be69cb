"""Does the SQL return the gold rows?  Execution accuracy as a reward."""

from typing import Literal

from configs.errors import ConfigError
from rewards.text import Completion, text_of
from sandbox import Limits, Result, execute_many, is_ordered, same_result
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
    judge: Literal["multiset", "bird"] = "multiset",
    timeout_s: float = 5.0,
    max_rows: int = 10_000,
    memory_mb: int = 512,
    workers: int = 2,
    **_: object,
) -> list[float | None]:
    """Return what the rows of each answer are worth: rows count, not text.

    `right` for the gold rows, `runs` for other rows, `fails` for SQL that does not run or goes over a limit
    (seconds, rows), `nothing` without SQL; None where the gold query itself does not run, as nothing can be
    said then.  The query is looked for leniently (`tasks.trace.extract_sql`), so that form is paid for by the
    rewards of form alone; but what stands in <think> is no answer.  Under `multiset` order counts where the
    gold query has an ORDER BY; under `bird` neither order nor repetition does.
    """
    _check_order(right, runs, fails, nothing)
    sqls = [extract_sql(text_of(completion)) for completion in completions]
    answered = [(where, sql) for where, sql in zip(database, sqls, strict=True) if sql is not None]
    golds = list(zip(database, gold_sql, strict=True))
    pairs = list(dict.fromkeys(golds + answered))
    limits = Limits(timeout_s, max_rows, memory_mb)
    results = dict(zip(pairs, execute_many(pairs, limits, workers), strict=True))

    def score(where: str, gold: str, sql: str | None) -> float | None:
        gold_result = results[where, gold]
        if not gold_result.runs:
            return None
        if sql is None:
            return nothing
        result = results[where, sql]
        if not result.runs:
            return fails
        return right if _is_right(gold, gold_result, result, judge) else runs

    return [score(where, gold, sql) for (where, gold), sql in zip(golds, sqls, strict=True)]


def _is_right(gold_sql: str, gold: Result, result: Result, judge: Literal["multiset", "bird"]) -> bool:
    return same_result(gold, result, how=judge, ordered=is_ordered(gold_sql))


def _check_order(right: float, runs: float, fails: float, nothing: float) -> None:
    if not right > runs >= fails >= nothing:
        raise ConfigError(
            f"reward 'sql_execution': right {right}, runs {runs}, fails {fails}, nothing {nothing}; "
            "needed: right > runs >= fails >= nothing, or the model learns to fail"
        )
