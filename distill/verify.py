"""Is an answer a trace that may be learned from?  Functions of task, answer and what the sandbox says."""

from collections.abc import Sequence
from dataclasses import dataclass

import sandbox
from distill.ledger import KEPT
from distill.plan_names import names_in_plan
from sandbox import Limits, judge_many
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
    asked = [(task, trace) for task, trace in zip(tasks, traces, strict=True) if trace]
    items = [(task.database, task.gold_sql, trace.sql) for task, trace in asked]
    judged = iter(judge_many(items, "ordered", limits, workers))
    return [
        judge(task, trace, next(judged)) if trace else not_a_trace(answer)
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


def judge(task: Task, trace: Trace, rows: sandbox.Verdict) -> Verdict:
    """Return the verdict on a well-formed answer: do its rows equal the gold rows, do the names exist?"""
    if rows.correct is None:
        return Verdict(GOLD_FAILS, f"{rows.gold}: {rows.message}")
    if not rows.runs:
        return Verdict(DOES_NOT_RUN, f"{rows.status}: {rows.message}")
    if not rows.correct:
        return Verdict(WRONG_ROWS, rows.message)
    _, _, unknown = names_in_plan(trace.think, read_schema(task.database))
    return Verdict(UNKNOWN_NAME, ", ".join(sorted(unknown))) if unknown else Verdict(KEPT)
