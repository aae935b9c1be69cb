"""The offline teacher: a query plan in words, written from the gold SQL and SQLite's own query plan."""

import re
from functools import partial
from random import Random
from typing import Literal

from distill.phrases import read_question
from distill.plan_full import full_plan
from distill.plan_phrases import with_quotes
from distill.plan_scope import CannotPlan, resolve
from distill.plan_short import short_plan
from distill.plan_steps import blocks
from sandbox import execute
from tasks.schema import Schema
from tasks.task import Task

__all__ = ["CannotPlan", "write_plan"]

_OPENS = re.compile(
    r"(SCAN|SEARCH) (?:TABLE )?(.+?)(?: AS (\S+))?(?: (?:USING|VIRTUAL TABLE|LEFT-JOIN|RIGHT-JOIN) .*)?"
)


def write_plan(task: Task, schema: Schema, detail: Literal["short", "full"] = "full", seed: int = 0) -> str:
    """Return the text inside <think>: the steps of `task.gold_sql`, each with the words of the question it serves.

    The same task and seed give the same text.  CannotPlan where the query names what the schema does
    not have, or has a form that no plan is written for.
    """
    found = resolve(task.gold_sql, schema)
    question = read_question(task.question)
    made = blocks(found, partial(read_order, task.database))
    quoted = with_quotes(made, question, found.sources)
    if detail == "short":
        return short_plan(quoted)
    return full_plan(quoted, Random(f"{seed}-{task.task_id}"))


def read_order(database: str, sql: str) -> list[tuple[str, str]]:
    """Return what SQLite opens for a query, in its order: name or alias, and scan or search.

    Empty where SQLite does not take the query alone, as with a subquery that reads an outer table.
    """
    told = execute(database, f"EXPLAIN QUERY PLAN {sql}")
    found = (_OPENS.fullmatch(str(row[-1])) for row in told.rows)
    return [(match[3] or match[2], match[1].lower()) for match in found if match]
