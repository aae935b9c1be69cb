"""Is a prediction right, and what do many of them add up to?"""

from collections.abc import Sequence

from configs.errors import ConfigError
from configs.schema import Config
from evaluation.interval import bootstrap_interval
from sandbox import Limits, Result, execute_many, is_ordered, same_result
from tasks.task import Task
from tasks.trace import extract_sql, parse


def judge_answers(tasks: Sequence[Task], texts: Sequence[str], cfg: Config) -> list[dict]:
    """Return for each task and answer: `sql`, `form` (strictly well-formed), `status` of its run, `correct`.

    The query is read leniently, so that EX is not a measure of form; form has a column of its own.
    `status` is one of sandbox.Result's, or `no_sql`.
    """
    limits = Limits(timeout_s=cfg.sandbox.timeout_s, max_rows=cfg.sandbox.max_rows, memory_mb=cfg.sandbox.memory_mb)
    queries = [extract_sql(text) for text in texts]
    pairs = [(task.database, task.gold_sql) for task in tasks]
    pairs += [(task.database, sql) for task, sql in zip(tasks, queries, strict=True) if sql]
    results = execute_many(pairs, limits, workers=cfg.sandbox.workers)
    golds, predicted = results[: len(tasks)], iter(results[len(tasks) :])
    verdicts = []
    for task, text, sql, gold in zip(tasks, texts, queries, golds, strict=True):
        if not gold.runs:
            raise ConfigError(
                f"{task.task_id}: its gold query did not run ({gold.status} {gold.message}); raise sandbox.timeout_s "
                "or sandbox.max_rows, and give the same command again"
            )
        result = next(predicted) if sql else None
        verdicts.append({"sql": sql, "form": parse(text) is not None} | _verdict(task, gold, result, cfg))
    return verdicts


def _verdict(task: Task, gold: Result, predicted: Result | None, cfg: Config) -> dict:
    if predicted is None:
        return {"status": "no_sql", "message": "", "correct": False}
    correct = same_result(gold, predicted, cfg.evaluation.judge, ordered=is_ordered(task.gold_sql))
    return {"status": predicted.status, "message": predicted.message, "correct": correct}


def summarise(predictions: Sequence[dict], *, resamples: int, seed: int) -> dict:
    """Return what a model's predictions add up to; shares are in 0–1.

    `ex` (execution accuracy) with its 95 % interval, `levels` (questions and EX of each), `form`, `runs`
    (the query runs, with or without rows), `stops` (the answer ends by itself), mean `tokens`, `seconds` in all.
    """
    hits = [prediction["correct"] for prediction in predictions]
    levels = sorted({prediction["level"] for prediction in predictions})
    return {
        "questions": len(hits),
        "correct": sum(hits),
        "ex": _share(hits),
        "ex_interval": bootstrap_interval(
            hits, [prediction["database"] for prediction in predictions], resamples=resamples, seed=seed
        ),
        "levels": {
            level: {
                "questions": sum(prediction["level"] == level for prediction in predictions),
                "ex": _share([prediction["correct"] for prediction in predictions if prediction["level"] == level]),
            }
            for level in levels
        },
        "form": _share([prediction["form"] for prediction in predictions]),
        "runs": _share([prediction["status"] in ("ok", "empty") for prediction in predictions]),
        "stops": _share([prediction["stopped"] for prediction in predictions]),
        "tokens": sum(prediction["tokens"] for prediction in predictions) / len(predictions),
        "seconds": sum(prediction["seconds"] for prediction in predictions),
    }


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags)
