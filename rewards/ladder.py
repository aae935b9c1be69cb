"""Questions of the sample corpus with honest answers to each, from right to no answer at all."""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, islice
from typing import Literal

from sqlglot import exp

from rewards.outline import outline
from sandbox import Limits, Result, execute_many, is_ordered, judge_many
from tasks.level import read_query
from tasks.mutations import near_misses
from tasks.sample import load_sample
from tasks.schema import Schema, quoted, read_schema
from tasks.scope import CannotPlan
from tasks.sql_text import sql_text
from tasks.task import Task
from tasks.trace import Kind, render

Rung = Literal["right", "near miss", "wrong", "broken", "no form"]
RUNGS: tuple[Rung, ...] = ("right", "near miss", "wrong", "broken", "no form")
"""Best first."""
LEVELS = ("L1", "L2", "L3", "L4")
PER_DATABASE = 3
DATABASES = 5
"""Fewest databases that questions are taken from."""
NEAR_MISSES, WRONG = 3, 3
"""Answers of these rungs to each question, at most."""
_PLAN = re.compile(r"<think>\n\S.*?\n</think>\n", re.DOTALL)
NOWHERE = "Atlantis"
"""A place that no database has."""
LIMITS = Limits(timeout_s=2.0, max_steps=20_000_000)


@dataclass(frozen=True)
class Answer:
    """One answer to try rewards with; `name` says what was done to make it."""

    rung: str
    name: str
    text: str


@dataclass(frozen=True)
class Case:
    """A question of which all is known.

    plan: an honest plan of the gold query.  gold: what that query returns.
    honest: answers of all rungs, the best first.
    """

    task: Task
    schema: Schema
    plan: str
    gold: Result
    honest: tuple[Answer, ...] = ()

    @property
    def right(self) -> str:
        """The answer as a teacher would write it."""
        return render(self.plan, self.task.gold_sql)


def as_kind(text: str, kind: Kind) -> str:
    r"""Return an answer as `data.answer` asks for it: without its plan for `sql_only`; a plan is reasoning too.

    >>> as_kind(render("Open city.", "SELECT 1"), "sql_only")
    '<sql>\nSELECT 1\n</sql>'
    """
    return _PLAN.sub("", text) if kind == "sql_only" else text


@lru_cache(maxsize=4)
def make_cases(questions: int = DATABASES * PER_DATABASE, seed: int = 0) -> tuple[Case, ...]:
    """Return questions over several databases, levels mixed, each with an honest answer of every rung.

    The gold rows of the first are none, those of the second repeat, those of the third have an order.
    """
    by_database = [list(tasks) for _, tasks in groupby(load_sample(), key=lambda task: task.database)]
    rng = random.Random(seed)
    rng.shuffle(by_database)
    by_database = by_database[: max(DATABASES, -(-questions // PER_DATABASE))]
    cases: list[Case] = []
    for number in range(questions):
        tasks = by_database[number % len(by_database)]
        level = LEVELS[(number + number // len(by_database)) % len(LEVELS)]
        asked = {case.task.task_id for case in cases}
        new = [task for task in tasks if task.task_id not in asked]
        wanted = sorted(rng.sample(new, len(new)), key=lambda task: task.level != level)
        if number < len(_SPECIAL):
            wanted = [*_SPECIAL[number](tasks), *wanted]
        cases += islice(_cases(wanted, tasks), 1)
    return tuple(cases)


def _empty(tasks: Sequence[Task]) -> list[Task]:
    """Return questions that ask for a place which isn't there, made from questions that name one text."""
    changed = []
    for task in tasks:
        texts = [one.this for one in read_query(task.gold_sql).find_all(exp.Literal) if one.is_string]
        if len(texts) == 1 and texts[0] in task.question and " " not in texts[0]:
            question, sql = (text.replace(texts[0], NOWHERE) for text in (task.question, task.gold_sql))
            changed.append(replace(task, task_id=f"{task.task_id}-empty", question=question, gold_sql=sql))
    results = execute_many([(task.database, task.gold_sql) for task in changed], LIMITS)
    return [task for task, result in zip(changed, results, strict=True) if result.status == "empty"]


def _repeated(tasks: Sequence[Task]) -> list[Task]:
    """Return questions for a column in which values repeat, which no question of the corpus asks for."""
    first = tasks[0]
    made = [
        Task(
            f"{first.task_id.rpartition('-')[0]}-repeated-{table.name}-{column.name}",
            f"Give the {column.name} of every row of {table.name}, as often as it is there.",
            "",
            f"SELECT {quoted(column.name)} FROM {quoted(table.name)}",
            first.database,
            "L1",
        )
        for table in read_schema(first.database, 0).tables
        for column in table.columns
    ]
    results = execute_many([(task.database, task.gold_sql) for task in made], LIMITS)
    return [task for task, result in zip(made, results, strict=True) if 1 < len(set(result.rows)) < len(result.rows)]


def _ordered(tasks: Sequence[Task]) -> list[Task]:
    ordered = [task for task in tasks if is_ordered(task.gold_sql)]
    results = execute_many([(task.database, task.gold_sql) for task in ordered], LIMITS)
    return [task for task, result in zip(ordered, results, strict=True) if len(set(result.rows)) > 1]


_SPECIAL = (_empty, _repeated, _ordered)


def _cases(tasks: Iterable[Task], others: Sequence[Task]) -> Iterable[Case]:
    """Yield those questions, with their answers, to which there are answers of every rung."""
    for task in tasks:
        schema = read_schema(task.database, 0)
        try:
            case = Case(task, schema, outline(task.gold_sql, schema), _run(task))
        except CannotPlan:
            continue
        answers = [*_right(case), *_near(case), *_wrong(case, others), *_broken(case), _no_form(case)]
        if {answer.rung for answer in answers} == set(RUNGS):
            yield replace(case, honest=tuple(answers))


def _run(task: Task) -> Result:
    (result,) = execute_many([(task.database, task.gold_sql)], LIMITS)
    return result


def _right(case: Case) -> list[Answer]:
    otherwise = read_query(case.task.gold_sql).sql("sqlite", pretty=True, normalize_functions="lower")
    return [
        Answer("right", "gold", case.right),
        Answer("right", "gold, spaced otherwise", render(case.plan, otherwise)),
    ]


def _near(case: Case) -> list[Answer]:
    columns = {t.name.lower(): {c.name.lower(): c.type for c in t.columns} for t in case.schema.tables}
    misses = {miss.kind: miss for miss in near_misses(case.task.gold_sql, columns)}  # the last one of each kind
    found = _that_run_wrongly(case, [(miss.kind.replace("_", " "), miss.sql) for miss in misses.values()])
    step = max(1, len(found) // NEAR_MISSES)
    return [Answer("near miss", name, text) for name, text in found[::step][:NEAR_MISSES]]


def _wrong(case: Case, others: Sequence[Task]) -> list[Answer]:
    """Return other questions' queries that read a table of this one's, first those most like an attempt at it."""
    mine = _shape(case.task.gold_sql)
    tables = {table.name.lower() for table in case.schema.tables} & mine
    shapes = {task: _shape(task.gold_sql) for task in others}
    nearest = sorted((task for task in others if shapes[task] & tables), key=lambda task: -len(shapes[task] & mine))
    named = [(f"as for {task.task_id}", task.gold_sql) for task in nearest[: 4 * WRONG]]
    return [Answer("wrong", name, text) for name, text in _that_run_wrongly(case, named)[:WRONG]]


def _shape(sql: str) -> set[str]:
    """Return the tables of a query, in lower case, and the kinds of its clauses and functions.

    >>> sorted(_shape("SELECT count(*) FROM City WHERE name > 'B'"))
    ['Count', 'Select', 'Where', 'city']
    """
    kinds = (exp.Func, exp.Group, exp.Order, exp.Join, exp.Where, exp.Query)
    nodes = [node for node in read_query(sql).walk() if isinstance(node, kinds)]
    tables = {table.name.lower() for table in read_query(sql).find_all(exp.Table)}
    return tables | {type(node).__name__ for node in nodes}


def _that_run_wrongly(case: Case, named: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return those of the named queries that run and give other rows, as answers with their own honest plans."""
    task = case.task
    verdicts = judge_many([(task.database, task.gold_sql, sql) for _, sql in named], "spider", LIMITS)
    found = []
    for (name, sql), verdict in zip(named, verdicts, strict=True):
        if verdict.runs and verdict.correct is False:
            try:
                found.append((name, render(outline(sql, case.schema), sql)))
            except CannotPlan:
                continue
    return found


def _broken(case: Case) -> list[Answer]:
    misspelt = read_query(case.task.gold_sql)
    table = misspelt.find(exp.Table)
    table.set("this", exp.to_identifier(f"{table.name}_list"))
    return [
        Answer("broken", "a table misspelt", render(case.plan, sql_text(misspelt))),
        Answer("broken", "cut off", render(case.plan, case.task.gold_sql.rpartition(" ")[0] + " WHERE (")),
    ]


def _no_form(case: Case) -> Answer:
    tables = ", ".join(quoted(table.name) for table in case.schema.tables)
    return Answer("no form", "prose", f"To answer this I would look at {tables} and read the rows that are asked for.")
