"""What a run's measurements come to: each model's scores, gold's own, and how the models differ."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from configs.errors import ConfigError
from configs.evaluation_schema import STAGES, Server
from configs.files import read_json, write_json
from configs.schema import Config
from configs.screen import say
from evaluation.compare import compare_predictions, sentence
from evaluation.errors import GOLD_FAILED
from evaluation.names import database_names
from evaluation.score import judge_queries, judged_by, right_samples, summarise
from tasks.task import Task
from tasks.trace import render

SHORT = {"base": "base", "sft": "SFT", "rl": "RL"}
NAMED = 3
"""Gold queries that failed which are named."""
VERDICT = {"status", "message", "correct", "bird", "soft_f1", "ves", "error"}
"""What a prediction says once it is judged."""
ENDED = {"tokens", "seconds", "stopped"}
NEEDED = {"task_id", "level", "database", "sql"} | ENDED
"""What it says before, of a model."""


def summarise_run(cfg: Config, folder: Path, tasks: Sequence[Task], models: Sequence[str]) -> dict[str, dict]:
    """Return what summary.json holds: the scores of each model and of `gold`, and how models differ in `compared`.

    Reads NAME.json of each model in `folder`.  gold.json, the gold queries judged against themselves, is made where
    it is missing.  Predictions that lack a verdict, as they were measured by an earlier version or their gold query
    did not run, are judged again, so that a limit may be raised afterwards; all of them are where evaluation.judge or
    evaluation.variants or a limit was changed.
    """
    resampling = {"resamples": cfg.evaluation.bootstrap, "seed": cfg.seed}
    by_id = {task.task_id: task for task in tasks}
    if not (folder / "gold.json").exists():
        write_json(folder / "gold.json", {"model": "gold", "adapter": None, "judged_by": None, "predictions": []})
    names = sorted(models, key=lambda name: (*STAGES, name).index(name))
    predictions = {name: _judged(folder / f"{name}.json", by_id, cfg) for name in (*names, "gold")}
    _say_broken(predictions["gold"])
    compared = {
        f"{after}-{before}": {"before": before, "after": after}
        | compare_predictions(predictions[before], predictions[after], **resampling)
        for before, after in pairs_of(names)
    }
    return {
        name: summarise(rows, **resampling) | _dollars(cfg.evaluation.servers.get(name), rows)
        for name, rows in predictions.items()
    } | {"compared": compared}


def sentences(summary: Mapping[str, dict]) -> list[str]:
    """Return the comparisons of a summary in words."""
    return [
        sentence(*(SHORT.get(found[side], found[side]) for side in ("before", "after")), found)
        for found in summary["compared"].values()
    ]


def pairs_of(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return which models are compared: each stage with the one before, and the last with what servers offer.

    >>> pairs_of(["base", "sft", "teacher"])
    [('base', 'sft'), ('teacher', 'sft')]
    """
    stages = [name for name in names if name in STAGES]
    served = [name for name in names if name not in STAGES]
    return list(pairwise(stages)) + ([(name, stages[-1]) for name in served] if stages else list(pairwise(served)))


def _dollars(server: Server | None, predictions: Sequence[dict]) -> dict[str, float]:
    """Return `dollars`, what a server's answers cost, where its prices are known and it counts the tokens."""
    if server is None or server.input_price is None or server.output_price is None:
        return {}
    if any("prompt_tokens" not in row and "trouble" not in row for row in predictions):
        return {}
    paid_in = sum(row.get("prompt_tokens", 0) for row in predictions) * server.input_price
    return {"dollars": (paid_in + sum(row["tokens"] for row in predictions) * server.output_price) / 1e6}


def _gold(task: Task, database: str) -> dict:
    """Return the gold query as if a model had answered with it."""
    return {
        "task_id": task.task_id,
        "level": task.level,
        "database": database,
        "question": task.question,
        "gold_sql": task.gold_sql,
        "answer": render("", task.gold_sql),
        "sql": task.gold_sql,
    } | ({"difficulty": task.difficulty} if task.difficulty else {})


def _judged(file: Path, tasks: Mapping[str, Task], cfg: Config) -> list[dict]:
    """Return the predictions of a file, all with a verdict, which is written there."""
    measured = read_json(file)
    new = file.name == "gold.json" and not _same_golds(measured, tasks)
    if new:
        names = database_names(list(tasks.values()))
        measured["predictions"] = [_gold(task, names[task.database]) for task in tasks.values()]
    rows = measured.get("predictions")
    _check(file, rows, tasks)
    if measured.get("judged_by") == judged_by(cfg):
        rows = [row for row in rows if not row.keys() >= VERDICT or row["error"] == GOLD_FAILED]
    if not rows:
        return measured["predictions"]
    if not new:
        say(f"  {file.name}: {len(rows)} predictions are judged again")
    asked = [tasks[row["task_id"]] for row in rows]
    for row, verdict in zip(rows, judge_queries(asked, [row["sql"] for row in rows], cfg), strict=True):
        row.pop("suite", None)
        row.update(verdict)
    if "samples" in rows[0]:
        queries = [[each["sql"] for each in row["samples"]] for row in rows]
        for row, rights in zip(rows, right_samples(asked, queries, cfg), strict=True):
            for each, right in zip(row["samples"], rights, strict=True):
                each["correct"] = right
    measured["judged_by"] = judged_by(cfg)
    write_json(file, measured)
    return measured["predictions"]


def _same_golds(measured: dict, tasks: Mapping[str, Task]) -> bool:
    """Tell whether gold.json holds the gold queries of these very questions."""
    try:
        held = [(row["task_id"], row["sql"]) for row in measured["predictions"]]
    except (KeyError, TypeError):
        return False
    return held == [(task.task_id, task.gold_sql) for task in tasks.values()]


def _check(file: Path, rows: object, tasks: Mapping[str, Task]) -> None:
    """Raise ConfigError where the predictions are not of these very questions, each once."""
    again = "measure again: this model without that file, or all with --fresh"
    named = isinstance(rows, list) and all(isinstance(row, dict) and type(row.get("task_id")) is str for row in rows)
    if not named:
        raise ConfigError(f"{file}: its predictions are not as evaluation writes them; {again}")
    counts = Counter(row["task_id"] for row in rows)
    if unknown := [task_id for task_id in counts if task_id not in tasks]:
        raise ConfigError(f"{file}: {unknown[0]} is no test question of data any more; {again}")
    if odd := [task_id for task_id in tasks if counts[task_id] != 1]:
        raise ConfigError(f"{file}: {counts[odd[0]]} predictions for the question {odd[0]}, where 1 is needed; {again}")
    for row in rows:
        task = tasks[row["task_id"]]
        if row.get("question", task.question) != task.question or row.get("gold_sql", task.gold_sql) != task.gold_sql:
            raise ConfigError(f"{file}: {task.task_id} is another question in data now; {again}")
        if lacking := NEEDED - row.keys() - (ENDED if file.name == "gold.json" else set()):
            raise ConfigError(f"{file}: the prediction for {task.task_id} lacks {min(lacking)}; {again}")


def _say_broken(golds: Sequence[dict]) -> None:
    if broken := [row for row in golds if row.get("error", GOLD_FAILED) == GOLD_FAILED]:
        named = "; ".join(f"{row['task_id']}: {row['message']}" for row in broken[:NAMED])
        say(
            f"  {len(broken)} of {len(golds)} gold queries did not run, so that no answer there counts as right "
            f"({named}); raise sandbox.timeout_s, max_steps or max_rows and give the same command again"
        )
