"""What a report's questions share: databases, schemas, and the rows that queries return."""

import json
from dataclasses import dataclass, field

from evaluation.report.data import Run
from evaluation.report.rows import Pair, Questions, schema_of
from tasks.task import Task


@dataclass
class Shelf:
    """What several answers share, each kept once and known by its place."""

    things: list = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def put(self, thing: object) -> int:
        """Return the place of a JSON value on the shelf."""
        key = json.dumps(thing)
        if key not in self._places:
            self._places[key] = len(self.things)
            self.things.append(thing)
        return self._places[key]


@dataclass
class Library:
    """What is known of the questions beyond the files of the runs; `rows` is there for queries that ran."""

    questions: dict[str, Questions]
    """By the run's name."""
    rows: dict[Pair, dict] = field(default_factory=dict)
    results: Shelf = field(default_factory=Shelf)
    schemas: Shelf = field(default_factory=Shelf)
    _schema_of: dict[str, int] = field(default_factory=dict)

    def task(self, run: Run, row: dict) -> Task | None:
        """Return the question that a prediction or a sample answers, if its database is there."""
        return self.questions[run.name].of(str(row.get("task_id")), str(row.get("gold_sql")))

    def result(self, task: Task | None, sql: str | None) -> int | None:
        """Return the place of a query's first rows."""
        found = task and sql and self.rows.get((task.database, sql))
        return self.results.put(found) if found else None

    def schema(self, run: Run, task: Task | None) -> int | None:
        """Return the place of the schema that the question is asked over."""
        if task is None:
            return None
        if task.database not in self._schema_of:
            self._schema_of[task.database] = self.schemas.put(schema_of(run, task.database))
        return self._schema_of[task.database]
