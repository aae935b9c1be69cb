"""A plan never says what its SQL does not do, nor leaves out what it does: seen on a third of the embedded corpus."""

import re
from collections import Counter
from functools import lru_cache

import pytest
from sqlglot import exp

from distill.plan import write_plan
from tasks.conditions import conjuncts
from tasks.level import read_query
from tasks.plan_names import facts_of_sql, names_in_plan
from tasks.sample import load_sample
from tasks.schema import read_schema
from tasks.sql_text import expression_text
from tasks.task import Task

TASKS = load_sample()[::3]
DETAILS = ("short", "full")
# What a full plan says of a clause, and of which node of the tree it says it.
SAID = {
    exp.Group: r"\bgroup (?:the rows )?by\b",
    exp.Order: r"\bsort by\b",
    exp.Limit: r"\b(?:keep|take) only the first (?:\d+ )?rows?\b",
    exp.Avg: r"\bthe average of\b|\bavg\(",
    exp.Sum: r"\bthe sum of\b|\bsum\(",
    exp.Max: r"\bthe maximum of\b|\bmax\(",
    exp.Min: r"\bthe minimum of\b|\bmin\(",
    exp.Intersect: r"\bin both\b",
    exp.Except: r"\bthat are not in [A-Z]\b",
    exp.Union: r"\brows of [A-Z] and\b",
}


@lru_cache
def bare_plan(task: Task, detail: str) -> str:
    """Return the plan without step numbers and without the words of the question."""
    plan = write_plan(task, read_schema(task.database), detail)
    return re.sub(r'"[^"\n]*"', '""', re.sub(r"^\d+\. ", "", plan, flags=re.MULTILINE))


def constants(text: str) -> Counter[str]:
    """Return the texts and numbers in a text; digits inside names are none."""
    texts = re.findall(r"'(?:[^']|'')*'", text)
    bare = re.sub(r"'(?:[^']|'')*'|`[^`]*`|\b[A-Za-z_]\w*", " ", text)
    return Counter(texts + re.findall(r"\d+(?:\.\d+)?", bare))


def literals(query: exp.Expr) -> set[str]:
    return {expression_text(literal, {}) for literal in query.find_all(exp.Literal)}


def test_the_corpus_is_large_and_varied():
    assert len(TASKS) > 500
    assert {task.level for task in TASKS} == {"L1", "L2", "L3", "L4"}


@pytest.mark.parametrize("detail", DETAILS)
def test_tables_and_columns_are_those_of_the_query(detail):
    for task in TASKS:
        schema = read_schema(task.database)
        tables, columns, unknown = names_in_plan(write_plan(task, schema, detail), schema)
        assert not unknown, task.gold_sql
        assert (tables, columns) == facts_of_sql(task.gold_sql, schema), task.gold_sql


@pytest.mark.parametrize("detail", DETAILS)
def test_texts_and_numbers_are_those_of_the_query(detail):
    for task in TASKS:
        query, plan = read_query(task.gold_sql), bare_plan(task, detail)
        wanted = literals(query)
        if detail == "full":
            wanted -= {"1"}  # "the first row"; SELECT 1 in EXISTS
        assert wanted <= set(constants(plan)), (task.gold_sql, plan)
        assert set(constants(plan)) <= literals(query), (task.gold_sql, plan)


@pytest.mark.parametrize("detail", DETAILS)
def test_quoted_words_stand_in_the_question(detail):
    for task in TASKS:
        quotes = re.findall(r'"([^"\n]*)"', write_plan(task, read_schema(task.database), detail))
        assert [quote for quote in quotes if quote not in task.question] == [], task.question


def test_a_full_plan_has_each_clause_as_often_as_the_query():
    for task in TASKS:
        query, plan = read_query(task.gold_sql), bare_plan(task, "full")
        for kind, pattern in SAID.items():
            nodes, said = len(list(query.find_all(kind))), len(re.findall(pattern, plan, re.IGNORECASE))
            assert (nodes > 0) == (said > 0), (kind, task.gold_sql, plan)
            assert said >= nodes, (kind, task.gold_sql, plan)


def test_a_short_plan_has_a_step_for_each_clause_and_no_more():
    for task in TASKS:
        query, plan = read_query(task.gold_sql), bare_plan(task, "short")
        outside = re.sub(r"'(?:[^']|'')*'", "", plan)
        steps = Counter(re.match(r"(?:[A-Z][^:]*: )?(\w+)", step)[1] for step in re.split(r"\n|; ", outside))
        for word, kind in (("group", exp.Group), ("sort", exp.Order), ("limit", exp.Limit)):
            assert steps[word] == len(list(query.find_all(kind))), (task.gold_sql, plan)
        for word, kind in (("filter", exp.Where), ("having", exp.Having)):
            assert steps[word] == sum(len(conjuncts(node.this)) for node in query.find_all(kind)), (task.gold_sql, plan)


def test_plans_stay_short():
    """Tiny models are trained on the short ones, in which a step more costs answers."""
    lengths = {detail: sum(len(bare_plan(task, detail)) for task in TASKS) / len(TASKS) for detail in DETAILS}
    assert lengths["short"] < 150
    assert lengths["full"] < 300
