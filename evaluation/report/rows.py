"""The first rows that queries return, and the questions of a run with their databases."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from configs.errors import ConfigError
from configs.schema import Data, Sandbox
from configs.screen import progress
from evaluation.report.data import Run
from sandbox import Limits, Result, execute_many
from tasks.load import load_tasks
from tasks.prompt import schema_text
from tasks.schema import read_schema
from tasks.task import Task

BATCH = 256  # queries whose rows are held at a time
CELL_CHARS, COLUMNS = 80, 16

Pair = tuple[str, str]
"""A database file and a query."""


@dataclass(frozen=True)
class Questions:
    """The questions behind a run's predictions, by their ids; `note` says why there are none."""

    tasks: dict[str, Task] = field(default_factory=dict)
    note: str = ""

    def of(self, task_id: str, gold_sql: str) -> Task | None:
        """Return the question, if it is still the one that was asked and its database is there."""
        task = self.tasks.get(task_id)
        return task if task and task.gold_sql == gold_sql and Path(task.database).is_file() else None


def questions_of(run: Run) -> Questions:
    """Return the questions that the run's config describes."""
    try:
        data = Data.model_validate(run.config.get("data", {}))
        splits = load_tasks(data, int(run.config.get("seed", 0)))
    except (ConfigError, ValidationError) as error:
        return Questions(note=str(error).splitlines()[0])
    return Questions({task.task_id: task for task in (*splits.train, *splits.validation, *splits.test)})


def first_rows(run: Run, pairs: Iterable[Pair], keep: int) -> dict[Pair, dict]:
    """Return the first `keep` rows of each query that runs, as texts: `columns`, `rows`, and `count` of them all."""
    pairs = sorted(set(pairs))
    try:
        sandbox = Sandbox.model_validate(run.config.get("sandbox", {}))
    except ValidationError:
        sandbox = Sandbox()
    limits, found = Limits(**sandbox.limits), {}
    if not pairs:
        return found
    with progress("report: rows", len(pairs)) as advance:
        for start in range(0, len(pairs), BATCH):
            batch = pairs[start : start + BATCH]
            results = execute_many(batch, limits, sandbox.workers)
            found |= {pair: _told(result, keep) for pair, result in zip(batch, results, strict=True) if result.runs}
            advance(len(batch))
    return found


def schema_of(run: Run, database: str) -> str:
    """Return the schema as the run's prompts show it; blank where the file cannot be read."""
    try:
        data = Data.model_validate(run.config.get("data", {}))
        return schema_text(read_schema(database, data.sample_values), data.schema_style, data.sample_values)
    except (ConfigError, ValidationError):
        return ""


def _told(result: Result, keep: int) -> dict:
    rows = [[cell(value) for value in row[:COLUMNS]] for row in result.rows[:keep]]
    columns = [cell(name) for name in result.columns]
    return {
        "columns": columns[:COLUMNS],
        "more": max(0, len(columns) - COLUMNS),
        "rows": rows,
        "count": len(result.rows),
    }


def cell(value: object) -> str | None:
    """Return a value as the page shows it: long texts cut, NULL as None.

    >>> cell(3.0), cell(None), cell(b"ab"), cell("x" * 100)[-3:]
    ('3.0', None, "x'6162'", 'xx…')
    """
    if value is None:
        return None
    text = f"x'{value[:CELL_CHARS].hex()}'" if isinstance(value, bytes) else str(value)
    return text if len(text) <= CELL_CHARS else f"{text[: CELL_CHARS - 1]}…"
