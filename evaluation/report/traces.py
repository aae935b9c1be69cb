"""The answers of runs as the page's browser reads them: questions, with all answers to each side by side."""

import re
from collections.abc import Iterable
from itertools import groupby
from math import isfinite

from evaluation.errors import NO_SQL
from evaluation.report.data import Run, class_of, name_of
from evaluation.report.rows import Pair, Questions, cell, first_rows, questions_of
from evaluation.report.shelf import Library
from sandbox.result import RUNS
from tasks.task import Task
from tasks.trace import extract_sql, parse

SAMPLES = 2000
"""Answers sampled in RL that are shown of a run, at most: whole steps, evenly spaced."""
SCORES = {
    "suite": "test suite", "bird": "BIRD", "soft_f1": "soft F1", "ves": "VES reward", "form": "form",
    "stopped": "stopped", "tokens": "tokens", "seconds": "seconds",
}  # fmt: skip
"""What is shown of a prediction, where it has it, and how that is called."""
_FINGERPRINT = re.compile("[0-9a-f]{64}")  # the name of a database built from a script says nothing


def read_traces(runs: tuple[Run, ...], keep: int) -> dict:
    """Return `sources` of questions, the `results` and `schemas` that they point at, and `notes`, as JSON values.

    keep: rows of a result that are shown; 0: no query is run, and no schema read.
    """
    library = Library({run.name: questions_of(run) if keep else Questions() for run in runs})
    for run in runs if keep else ():
        library.rows |= first_rows(run, _pairs(run, library), keep)
    sources = [_held_out(runs, library), *(_samples(run, runs, library) for run in runs)]
    return {
        "sources": [source for source in sources if source["items"]],
        "results": library.results.things,
        "schemas": library.schemas.things,
        "notes": list(_notes(runs, library)) if keep else [],
    }


def _pairs(run: Run, library: Library) -> Iterable[Pair]:
    """Yield the queries whose rows are shown: gold, and those predictions that ran when they were judged."""
    for rows in run.predictions.values():
        for row in rows:
            if task := library.task(run, row):
                yield task.database, task.gold_sql
                if row.get("sql") and row["status"] in RUNS:
                    yield task.database, str(row["sql"])


def _held_out(runs: tuple[Run, ...], library: Library) -> dict:
    """Return the questions of the evaluation, each with what every model of every run answered."""
    items: dict[tuple[str, str, str], dict] = {}
    who = []
    for run in runs:
        for model, rows in run.predictions.items():
            for row in rows:
                key = str(row["task_id"]), str(row["question"]), str(row["gold_sql"])
                task = library.task(run, row)
                item = items.get(key)
                if item is None or (task and item["schema"] is None):
                    answers = item["answers"] if item else []
                    item = items[key] = _item(run, row, task, library) | {"answers": answers}
                item["answers"].append(_prediction(row, task, library) | {"who": len(who)})
            who.append(name_of(model, run, runs))
    graded = any("soft_f1" in row for run in runs for rows in run.predictions.values() for row in rows)
    score = "soft F1" if graded else "EX"
    return {"title": "Held-out questions", "who": who, "compared": True, "score": score, "items": list(items.values())}


def _samples(run: Run, runs: tuple[Run, ...], library: Library) -> dict:
    """Return the questions that GRPO asked, each with its group of sampled answers."""
    title = "RL samples" if len(runs) == 1 else f"RL samples of {run.name}"
    items = []
    shown = [row for row in _spaced(run.samples) if isinstance(row.get("rewards"), dict)]
    for (step, _), rows in groupby(shown, key=lambda row: (row.get("step"), str(row.get("prompt")))):
        group = list(rows)
        first = group[0]
        task = library.task(run, first)
        answers = [_sample(row, number) for number, row in enumerate(group)]
        items.append(_item(run, first, task, library) | {"step": step, "answers": answers})
    most = max((len(item["answers"]) for item in items), default=0)
    note = f"{len(shown):,} of {len(run.samples):,}, steps evenly spaced" if len(shown) < len(run.samples) else ""
    return {"title": title, "who": [f"answer {n + 1}" for n in range(most)], "score": "reward", "note": note,
            "items": items}  # fmt: skip


def _spaced(samples: list[dict]) -> list[dict]:
    """Return the samples of evenly spaced steps, the first and the last among them, SAMPLES at most."""
    steps = list(dict.fromkeys(row.get("step") for row in samples))
    if len(samples) <= SAMPLES or len(steps) < 2:
        return samples[:SAMPLES]
    count = max(2, SAMPLES * len(steps) // len(samples))
    chosen = {steps[round(n * (len(steps) - 1) / (count - 1))] for n in range(count)}
    return [row for row in samples if row.get("step") in chosen]


def _item(run: Run, row: dict, task: Task | None, library: Library) -> dict:
    """Return a question without its answers."""
    question = str(row.get("question") or str(row.get("prompt") or "").rpartition("Question: ")[2].strip())
    return {
        "id": str(row.get("task_id") or ""),
        "question": question.removesuffix("\nassistant"),
        "hint": task.evidence if task else "",
        "level": str(row.get("level") or (task.level if task else "")),
        "difficulty": str(row.get("difficulty") or ""),
        "database": database_name(run, row, task),
        "gold": str(row.get("gold_sql") or ""),
        "gold_rows": library.result(task, task and task.gold_sql),
        "schema": library.schema(run, task),
    }


def database_name(run: Run, row: dict, task: Task | None = None) -> str:
    """Return a name that people know a database by; in the embedded corpus, that of its questions."""
    name = str(row.get("database") or (task.database.rpartition("/")[2].removesuffix(".sqlite") if task else ""))
    if not _FINGERPRINT.fullmatch(name):
        return name
    of_sample = run.config.get("data", {}).get("source") == "sample"
    return str(row.get("task_id")).rpartition("-")[0] if of_sample else name[:8]


def _prediction(row: dict, task: Task | None, library: Library) -> dict:
    score = row.get("soft_f1")
    return _said(str(row["answer"]), row.get("sql")) | {
        "verdict": class_of(row),
        "message": str(row.get("message") or ""),
        "scores": {name: _told(row[key]) for key, name in SCORES.items() if row.get(key) is not None}
        | _samples_of(row),
        "score": _finite(row["correct"] if score is None else score),
        "rows": library.result(task, row.get("sql")) if row["status"] in RUNS else None,
    }


def _samples_of(row: dict) -> dict[str, str]:
    """Return how many of a question's sampled answers are right, where there are several."""
    samples = row.get("samples")
    return {"samples right": f"{sum(each['correct'] for each in samples)} of {len(samples)}"} if samples else {}


def _sample(row: dict, place: int) -> dict:
    rewards = {str(name): _told(score) for name, score in row["rewards"].items()}
    total = row.get("total")
    if total is None:  # an older version noted none, nor the weights
        total = sum(score for score in row["rewards"].values() if score is not None)
    said = _said(str(row.get("completion") or ""), row.get("sql"))
    known = row.get("correct") is not None or row.get("status")
    return said | {
        "who": place,
        "verdict": class_of({"correct": False, "status": "", **row}) if known else (NO_SQL if not said["sql"] else ""),
        "message": str(row.get("message") or ""),
        "scores": rewards | {"total": _told(total), "advantage": _told(row.get("advantage"))},
        "score": _finite(total),
        "rows_text": str(row.get("rows") or ""),
    }


def _said(answer: str, sql: str | None) -> dict:
    """Return an answer taken apart; `text` is the whole of one that has not the form."""
    trace = parse(answer) or parse(answer, "sql_only")
    if trace and (sql is None or trace.sql == sql):
        return {"plan": trace.think, "sql": trace.sql}
    return {"text": answer, "sql": extract_sql(answer) or "" if sql is None else str(sql)}


def _told(value: object) -> object:
    """Return a score as the page shows it."""
    if isinstance(value, bool) or value is None:
        return value
    return round(value, 4) if isinstance(value, int | float) and isfinite(value) else cell(value)


def _finite(value: object) -> float | None:
    return round(float(value), 4) if isinstance(value, int | float) and isfinite(value) else None


def _notes(runs: tuple[Run, ...], library: Library) -> Iterable[str]:
    """Yield why schemas and rows are missing where they are."""
    for run in runs:
        asked = {str(row["task_id"]): row for rows in run.predictions.values() for row in rows}
        missing = sum(library.task(run, row) is None for row in asked.values())
        if missing:
            why = library.questions[run.name].note or "their databases are not where the config says"
            yield f"{run.name}: no schema and no rows for {missing:,} of {len(asked):,} questions ({why})"
