"""What a run's measurements come to: each model's scores, gold's own, and how the models differ."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_json, write_json
from configs.schema import Config, Stage
from configs.screen import say
from evaluation.compare import compare_predictions, sentence
from evaluation.errors import GOLD_FAILED
from evaluation.score import judge_queries, summarise
from tasks.task import Task
from tasks.trace import render

ORDER = ("base", "sft", "rl")
SHORT = {"base": "base", "sft": "SFT", "rl": "RL"}
NAMED = 3
"""Gold queries that failed which are named."""


def summarise_run(cfg: Config, folder: Path, tasks: Sequence[Task], models: Sequence[Stage]) -> dict[str, dict]:
    """Return what summary.json holds: the scores of each model and of `gold`, and how neighbours differ in `compared`.

    Reads NAME.json of each model in `folder`.  gold.json, the gold queries judged against themselves, is made where
    it is missing.  Predictions that lack a verdict, as they were measured by an earlier version or their gold query
    did not run, are judged again, so that a limit may be raised afterwards.
    """
    resampling = {"resamples": cfg.evaluation.bootstrap, "seed": cfg.seed}
    by_id = {task.task_id: task for task in tasks}
    if not (folder / "gold.json").exists():
        write_json(folder / "gold.json", {"model": "gold", "adapter": None, "predictions": _gold(tasks, cfg)})
    names = [name for name in ORDER if name in models]
    predictions = {name: _judged(folder / f"{name}.json", by_id, cfg) for name in (*names, "gold")}
    _say_broken(predictions["gold"])
    compared = {
        f"{after}-{before}": compare_predictions(predictions[before], predictions[after], **resampling)
        for before, after in pairwise(names)
    }
    return {name: summarise(rows, **resampling) for name, rows in predictions.items()} | {"compared": compared}


def sentences(summary: Mapping[str, dict]) -> list[str]:
    """Return the comparisons of a summary in words."""
    pairs = {tuple(key.split("-")): found for key, found in summary["compared"].items()}
    return [sentence(SHORT[before], SHORT[after], found) for (after, before), found in pairs.items()]


def _gold(tasks: Sequence[Task], cfg: Config) -> list[dict]:
    """Return the gold queries as if a model had answered with them."""
    return [
        {
            "task_id": task.task_id,
            "level": task.level,
            "database": Path(task.database).stem,
            "question": task.question,
            "gold_sql": task.gold_sql,
            "answer": render("", task.gold_sql),
            "sql": task.gold_sql,
        }
        | judged
        for task, judged in zip(tasks, judge_queries(tasks, [task.gold_sql for task in tasks], cfg), strict=True)
    ]


def _judged(file: Path, tasks: Mapping[str, Task], cfg: Config) -> list[dict]:
    """Return the predictions of a file, all with a verdict, which is written there."""
    measured = read_json(file)
    rows = [row for row in measured["predictions"] if row.get("error", GOLD_FAILED) == GOLD_FAILED]
    if unknown := [row["task_id"] for row in rows if row["task_id"] not in tasks]:
        raise ConfigError(f"{file}: {unknown[0]} is no test question of data any more; measure again with --fresh")
    if rows:
        say(f"  {file.name}: {len(rows)} predictions are judged again")
        verdicts = judge_queries([tasks[row["task_id"]] for row in rows], [row["sql"] for row in rows], cfg)
        for row, verdict in zip(rows, verdicts, strict=True):
            row.update(verdict)
        write_json(file, measured)
    return measured["predictions"]


def _say_broken(golds: Sequence[dict]) -> None:
    if broken := [row for row in golds if row["error"] == GOLD_FAILED]:
        named = "; ".join(f"{row['task_id']}: {row['message']}" for row in broken[:NAMED])
        say(
            f"  {len(broken)} of {len(golds)} gold queries did not run, so that no answer there counts as right "
            f"({named}); raise sandbox.timeout_s, max_steps or max_rows and give the same command again"
        )
