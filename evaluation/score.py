"""Is a prediction right, and what do many of them add up to?"""

from collections.abc import Sequence

from configs.errors import ConfigError
from configs.schema import Config
from evaluation.interval import bootstrap_interval
from sandbox import Limits, Verdict, judge_many
from tasks.task import Task
from tasks.trace import extract_sql, parse


def judge_answers(tasks: Sequence[Task], texts: Sequence[str], cfg: Config) -> list[dict]:
    """Return for each task and answer: `sql`, `form` (strictly well-formed), `status` of its run, `correct`.

    The query is read leniently, so that EX is not a measure of form; form has a column of its own.
    `status` is one of sandbox.Result's, or `no_sql`.
    """
    queries = [extract_sql(text) for text in texts]
    # Without SQL there is still to know whether the gold query runs.
    items = [(task.database, task.gold_sql, sql or task.gold_sql) for task, sql in zip(tasks, queries, strict=True)]
    limits = Limits(**cfg.sandbox.limits)
    verdicts = judge_many(items, cfg.evaluation.judge, limits, cfg.sandbox.workers)
    told = []
    for task, text, sql, verdict in zip(tasks, texts, queries, verdicts, strict=True):
        if verdict.correct is None:
            raise ConfigError(
                f"{task.task_id}: its gold query did not run ({verdict.gold} {verdict.message}); raise "
                "sandbox.timeout_s, max_steps or max_rows, and give the same command again"
            )
        told.append({"sql": sql, "form": parse(text, cfg.data.answer) is not None} | _as_told(sql, verdict))
    return told


def _as_told(sql: str | None, verdict: Verdict) -> dict:
    if sql is None:
        return {"status": "no_sql", "message": "", "correct": False}
    return {"status": verdict.status, "message": verdict.message, "correct": verdict.correct}


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
