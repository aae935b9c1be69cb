"""Predictions in the forms that BIRD's and Spider's own scripts read.

The scripts, and what they ask of a file:

- BIRD: AlibabaResearch/DAMO-ConvAI, bird/llm/src/evaluation.py, commit 1743ec4, reads predict_dev.json by the order of
  its keys, dev_gold.sql, a line `SQL<tab>DB` with no other tab, and the difficulties in dev.json.  It runs both queries
  over the database that stands behind the prediction.  (At this commit it sorts the values of each row first, so that
  the order of columns is free; mini-dev does not.)
- BIRD mini-dev: bird-bench/mini_dev, evaluation/evaluation_ex.py, commit 47f116d, and its like read the same, but the
  difficulties from dev.jsonl.  All of them divide by the number of questions of each of BIRD's difficulties: over data
  without these they end in an error, after the last query.
- Spider: taoyds/spider, evaluation.py, commit 03e26ec, drops blank lines, so that all later predictions meet another
  question; taoyds/test-suite-sql-eval, evaluation.py, commit 893d0df, takes a blank line as the end of an interaction.
  Both read `SQL<tab>DB` as gold.

A query that was not given may therefore be no blank line, nor an empty text, which SQLite runs, with no row, and BIRD
takes as right where gold has none.  It is written as a query that runs over no database (sandbox.predictions.NO_QUERY).
So is one that may want to do more than to read: the scripts would run a DROP TABLE over the very databases.  JSON
holds each other query as it is, a .sql file as `one_line` writes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from configs.files import write_json, write_jsonl, write_whole
from configs.screen import say
from evaluation.names import database_names
from evaluation.one_line import has_broken_name, one_line
from sandbox.predictions import BIRD_MARK, NO_QUERY
from tasks.task import Task

READS = ("ok", "empty", "error", "timeout", "too_large")
"""Statuses of queries that want to read and nothing else."""
NAMED = 3
"""Questions whose query can't be on one line that are named."""


def write_official(folder: Path, tasks: Sequence[Task], predictions: Mapping[str, Sequence[dict]]) -> None:
    """Write dev.json, dev.jsonl, dev_gold.sql and databases/ to `folder`, and NAME/predict_dev.json, NAME/pred.sql.

    predictions: by the model's name, what it answered to each task: `task_id`, `sql`, which may be None, and `status`,
    if it was run.
    databases/NAME/NAME.sqlite are links to the tasks' databases, which may lie anywhere and be called otherwise.
    """
    names = database_names(tasks)
    databases = [names[task.database] for task in tasks]
    questions = [_question(place, task, names[task.database]) for place, task in enumerate(tasks)]
    write_json(folder / "dev.json", questions)
    write_jsonl(folder / "dev.jsonl", questions)
    golds = (f"{one_line(task.gold_sql)}\t{name}" for task, name in zip(tasks, databases, strict=True))
    _write_lines(folder / "dev_gold.sql", golds)
    _link(folder / "databases", names)
    _say_broken("gold", {task.task_id: task.gold_sql for task in tasks})
    for model, rows in predictions.items():
        given = {row["task_id"]: _query(row) for row in rows}
        queries = [given[task.task_id] for task in tasks]
        answers = {
            str(place): f"{one_line(sql) if BIRD_MARK in sql else sql}{BIRD_MARK}{name}"
            for place, (sql, name) in enumerate(zip(queries, databases, strict=True))
        }
        write_json(folder / model / "predict_dev.json", answers)
        _write_lines(folder / model / "pred.sql", map(one_line, queries))
        _say_broken(model, given)


def _question(place: int, task: Task, database: str) -> dict:
    return {
        "question_id": place,
        "task_id": task.task_id,
        "db_id": database,
        "question": task.question,
        "evidence": task.evidence,
        "SQL": task.gold_sql,
        "difficulty": task.difficulty,
    }


def _query(row: dict) -> str:
    """Return the query of a prediction; NO_QUERY for none, for nothing but comments, and for one that may write."""
    sql = row["sql"] or ""
    return sql if one_line(sql).strip("; ") and row.get("status", "ok") in READS else NO_QUERY


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    write_whole(file, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))


def _link(folder: Path, names: Mapping[str, str]) -> None:
    for path, name in names.items():
        link = folder / name / f"{name}.sqlite"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(Path(path).resolve())


def _say_broken(model: str, queries: Mapping[str, str]) -> None:
    if broken := [task_id for task_id, sql in queries.items() if has_broken_name(sql)]:
        say(
            f"  official: {len(broken)} queries of {model} have a name with a line break or tab, which stands as a "
            f"space on its line of a .sql file ({', '.join(broken[:NAMED])})"
        )
