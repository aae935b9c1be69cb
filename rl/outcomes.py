"""What came of each sampled answer's query: noted beside its scores, and worth no reward."""

from collections.abc import Callable
from typing import Any

from configs.errors import ConfigError
from configs.schema import Sandbox
from configs.screen import say
from rewards.judged import judged
from rewards.load import Reward
from rewards.text import Completion
from sandbox import Limits, Result, execute_many
from sandbox.judge import Rule

COLUMNS = ("task_id", "sql", "status", "correct", "message", "rows")
ROWS_CHARS = 200


def noting(rewards: list[Reward], sandbox: Sandbox, judge: Rule) -> list[Reward]:
    """Return the rewards of a trainer; the first one also logs COLUMNS of each completion, as `log_extra` takes them.

    Nothing is learned from these, so a failure to find them is said once and stops nothing.
    """
    failed: list[str] = []
    first, *others = rewards

    def reward(completions: list[Completion], task_id: list[str], log_extra: Callable, **columns: Any) -> list:
        scores = first(completions=completions, task_id=task_id, log_extra=_not_ours(log_extra), **columns)
        try:
            found = outcomes(completions, columns["gold_sql"], columns["database"], sandbox, judge)
        except Exception as error:  # see above
            if not failed:
                say(f"  completions.jsonl does without SQL, status and rows: {type(error).__name__}: {error}")
            failed.append(str(error))
            found = [{}] * len(completions)
        for name in COLUMNS:
            log_extra(name, task_id if name == "task_id" else [each.get(name) for each in found])
        return scores

    reward.__name__ = first.__name__
    return [reward, *others]


def outcomes(
    completions: list[Completion], gold_sql: list[str], database: list[str], sandbox: Sandbox, judge: Rule
) -> list[dict[str, object]]:
    """Return for each completion its `sql`, the `status` of its run or "no_sql", `correct`, `message`, `rows` as text.

    The verdicts are those that the rewards of this batch have found, where one of them judges by the same rule.
    """
    verdicts = judged(completions, gold_sql, database, judge, sandbox)
    items = list(zip(database, verdicts, strict=True))
    ran = [(where, sql) for where, (sql, verdict) in items if sql and verdict.status == "ok"]
    rows = dict(zip(ran, execute_many(ran, Limits(**sandbox.limits), sandbox.workers), strict=True))
    found = []
    for where, (sql, verdict) in items:
        if sql is None:
            found.append({"sql": None, "status": "no_sql", "correct": False, "message": "", "rows": ""})
            continue
        told = {"sql": sql, "status": verdict.status, "correct": verdict.correct, "message": verdict.message}
        found.append(told | {"rows": rows_text(rows[where, sql]) if (where, sql) in rows else ""})
    return found


def rows_text(result: Result) -> str:
    """Return how many rows there are and the first of them, at most ROWS_CHARS characters.

    >>> rows_text(Result("ok", ("name", "people"), (("Oslo", 7), ("Rome", None))))
    '2 rows: Oslo, 7 | Rome, NULL'
    """
    text = f"{len(result.rows):,} row{'' if len(result.rows) == 1 else 's'}: "
    for number, row in enumerate(result.rows):
        text += (" | " if number else "") + ", ".join(map(_cell, row))
        if len(text) > ROWS_CHARS:
            return f"{text[: ROWS_CHARS - 1]}…"
    return text


def _cell(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return "NULL" if value is None else " ".join(str(value)[:ROWS_CHARS].split())


def _not_ours(log_extra: Callable) -> Callable:
    """Return `log_extra` for a reward, which may not log under the names that are taken."""

    def log(name: str, values: list) -> None:
        if name in COLUMNS:
            raise ConfigError(f"a reward logs {name!r}, which completions.jsonl has already; give it another name")
        log_extra(name, values)

    return log
