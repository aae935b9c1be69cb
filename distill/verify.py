"""Is an answer a trace that may be learned from?  Functions of task, answer and what the sandbox says."""

from collections.abc import Sequence
from dataclasses import dataclass

from distill.ledger import KEPT
from distill.plan_names import names_in_plan
from sandbox import Limits, Result, execute_many, is_ordered, same_result
from tasks.schema import read_schema
from tasks.task import Task
from tasks.trace import Trace, parse

FORM = "form"
GOLD_FAILS = "gold fails"
DOES_NOT_RUN = "does not run"
WRONG_ROWS = "wrong rows"
UNKNOWN_NAME = "unknown name"


@dataclass(frozen=True)
class Answer:
    """What a teacher said; `trouble` is what it says itself went wrong, `kind` or `kind: details`."""

    text: str | None
    trouble: str = ""


@dataclass(frozen=True)
class Verdict:
    """KEPT, or why an answer is rejected, and what exactly was wrong with it."""

    verdict: str
    detail: str = ""


def verify(tasks: Sequence[Task], answers: Sequence[Answer], limits: Limits, workers: int) -> list[Verdict]:
    """Return the verdict on each answer; all queries of the batch run side by side, equal ones once."""
    traces = [parse(answer.text or "") for answer in answers]
    pairs = [
        (task.database, sql)
        for task, trace in zip(tasks, traces, strict=True)
        if trace
        for sql in (task.gold_sql, trace.sql)
    ]
    results = dict(zip(pairs, execute_many(pairs, limits, workers), strict=True))
    return [
        judge(task, trace, results[task.database, task.gold_sql], results[task.database, trace.sql])
        if trace
        else not_a_trace(answer)
        for task, answer, trace in zip(tasks, answers, traces, strict=True)
    ]


def not_a_trace(answer: Answer) -> Verdict:
    """Return why there is no trace in an answer.

    >>> not_a_trace(Answer("SELECT 1"))
    Verdict(verdict='form', detail='not <think>…</think><sql>…</sql>')
    >>> not_a_trace(Answer(None, "cannot plan: a VALUES clause"))
    Verdict(verdict='cannot plan', detail='a VALUES clause')
    """
    kind, _, detail = answer.trouble.partition(": ")
    return Verdict(kind, detail) if kind else Verdict(FORM, "not <think>…</think><sql>…</sql>")


def judge(task: Task, trace: Trace, gold: Result, result: Result) -> Verdict:
    """Return the verdict on a well-formed answer: do its rows equal the gold rows, do the names exist?"""
    if not gold.runs:
        return Verdict(GOLD_FAILS, f"{gold.status}: {gold.message}")
    if not result.runs:
        return Verdict(DOES_NOT_RUN, f"{result.status}: {result.message}")
    if not same_result(gold, result, ordered=is_ordered(task.gold_sql)):
        return Verdict(WRONG_ROWS, f"{len(result.rows)} rows, gold {len(gold.rows)}")
    _, _, unknown = names_in_plan(trace.think, read_schema(task.database))
    return Verdict(UNKNOWN_NAME, ", ".join(sorted(unknown))) if unknown else Verdict(KEPT)
