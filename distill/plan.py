"""The offline teacher: a query plan in words, written from the gold SQL and SQLite's own query plan."""

import re
from functools import partial
from random import Random
from typing import Literal

from distill.phrases import read_question
from distill.plan_cot import free_thought
from distill.plan_full import full_plan
from distill.plan_phrases import with_quotes
from distill.plan_short import short_plan
from distill.plan_steps import blocks
from distill.plan_words import Words
from sandbox import execute
from tasks.schema import Schema
from tasks.scope import CannotPlan, resolve
from tasks.task import Task

Detail = Literal["short", "full", "free"]

__all__ = ["CannotPlan", "write_plan"]

_OPENS = re.compile(
    r"(SCAN|SEARCH) (?:TABLE )?(.+?)(?: AS (\S+))?"
    r"(?: (?:(USING INTEGER PRIMARY KEY \(rowid=\?\))|USING|VIRTUAL TABLE|LEFT-JOIN|RIGHT-JOIN).*)?"
)


def write_plan(task: Task, schema: Schema, detail: Detail = "full", seed: int = 0) -> str:
    """Return the text inside <think>: the steps of `task.gold_sql`, each with the words of the question it serves.

    detail: `short` and `full` are plans; `free` is the same in prose, without steps and their order.

    The same task and seed give the same text.  CannotPlan where the query names what the schema does
    not have, or has a form that no plan is written for.
    """
    found = resolve(task.gold_sql, schema)
    question = read_question(task.question)
    made = blocks(found, partial(read_order, task.database))
    quoted = with_quotes(made, question, found)
    if detail == "short":
        return short_plan(quoted)
    if detail == "free":
        return free_thought(quoted, Words(found))
    return full_plan(quoted, Words(found), Random(f"{seed}-{task.task_id}"))


def read_order(database: str, sql: str) -> list[tuple[str, str]]:
    """Return what SQLite opens for a query, in its order: name or alias, and scan, search or row (by primary key).

    Empty where SQLite does not take the query alone, as with a subquery that reads an outer table.
    """
    told = execute(database, f"EXPLAIN QUERY PLAN {sql}")
    found = (_OPENS.fullmatch(str(row[-1])) for row in told.rows)
    return [(match[3] or match[2], "row" if match[4] else match[1].lower()) for match in found if match]
