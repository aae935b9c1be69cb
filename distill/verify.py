"""Is an answer a trace that may be learned from?  Functions of task, answer and what the sandbox says."""

from collections.abc import Sequence

import sandbox
from distill.ledger import KEPT, Answer, Verdict
from sandbox import Limits, judge_many
from sandbox.variants import agree_on_all
from tasks.plan_names import names_in_plan
from tasks.schema import read_schema
from tasks.story import contradictions, plan_part
from tasks.task import Task
from tasks.trace import Kind, Trace, parse

FORM = "form"
GOLD_FAILS = "gold fails"
DOES_NOT_RUN = "does not run"
WRONG_ROWS = "wrong rows"
LUCKY = "right by luck"
UNKNOWN_NAME = "unknown name"
ANOTHER_STORY = "another story"


def verify(
    tasks: Sequence[Task],
    answers: Sequence[Answer],
    limits: Limits,
    workers: int,
    kind: Kind = "plan",
    variants: int = 0,
) -> list[Verdict]:
    """Return the verdict on each answer; all queries of the batch run side by side, equal ones once.

    variants: changed copies of the database on which a query must give the gold rows too.
    """
    traces = [parse(answer.text or "", kind) for answer in answers]
    asked = [(task, trace) for task, trace in zip(tasks, traces, strict=True) if trace]
    items = [(task.database, task.gold_sql, trace.sql) for task, trace in asked]
    judged = iter(judge_many(items, "ordered", limits, workers))
    verdicts = [
        judge(task, trace, next(judged), kind) if trace else not_a_trace(answer, kind)
        for task, answer, trace in zip(tasks, answers, traces, strict=True)
    ]
    if not variants:
        return verdicts
    return [
        Verdict(LUCKY)
        if verdict.verdict == KEPT and not _agrees(task, trace.sql, variants, limits, workers)
        else verdict
        for task, trace, verdict in zip(tasks, traces, verdicts, strict=True)
    ]


def _agrees(task: Task, sql: str, variants: int, limits: Limits, workers: int) -> bool:
    """Return whether a query gives the gold rows on the database's variants too."""
    (agrees,) = agree_on_all(task.database, task.gold_sql, [sql], variants, limits=limits, workers=workers)
    return agrees


def not_a_trace(answer: Answer, kind: Kind = "plan") -> Verdict:
    """Return why there is no trace in an answer.

    >>> not_a_trace(Answer("SELECT 1"))
    Verdict(verdict='form', detail='not <think>…</think><sql>…</sql>')
    >>> not_a_trace(Answer(None, "cannot plan: a VALUES clause"))
    Verdict(verdict='cannot plan', detail='a VALUES clause')
    """
    reason, _, detail = answer.trouble.partition(": ")
    form = "<sql>…</sql> alone" if kind == "sql_only" else "<think>…</think><sql>…</sql>"
    return Verdict(reason, detail) if reason else Verdict(FORM, f"not {form}")


def judge(task: Task, trace: Trace, rows: sandbox.Verdict, kind: Kind = "plan") -> Verdict:
    """Return the verdict on a well-formed answer: are its rows the gold rows, do the names exist, is it one story?"""
    if rows.correct is None:
        return Verdict(GOLD_FAILS, f"{rows.gold}: {rows.message}")
    if not rows.runs:
        return Verdict(DOES_NOT_RUN, f"{rows.status}: {rows.message}")
    if not rows.correct:
        return Verdict(WRONG_ROWS, rows.message)
    schema = read_schema(task.database)
    _, _, unknown = names_in_plan(plan_part(trace.think), schema)
    if unknown:
        return Verdict(UNKNOWN_NAME, ", ".join(sorted(unknown)))
    other = contradictions(trace.think, trace.sql, schema, kind)
    return Verdict(ANOTHER_STORY, "; ".join(other)) if other else Verdict(KEPT)
