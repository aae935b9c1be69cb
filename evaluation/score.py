"""Is a prediction right, and what do many of them add up to?"""

from collections import Counter
from collections.abc import Sequence

from configs.schema import Config
from evaluation.errors import GOLD_FAILED, MEANINGS, NO_SQL, error_class
from evaluation.interval import bootstrap_interval
from evaluation.samples import Queries, pass_at, tries
from evaluation.soft_f1 import soft_f1
from evaluation.suite import right_on_copies
from evaluation.ves import r_ves, rewards_by_steps
from sandbox import Limits, Result, Verdict, execute_many, judge_many, same_result
from tasks.task import Task
from tasks.trace import extract_sql, parse

TOGETHER = 64
"""Questions whose rows are held at one time: a result may be 16 MiB."""
UNKNOWN = "unknown"


def judge_answers(tasks: Sequence[Task], texts: Sequence[str], cfg: Config) -> list[dict]:
    """Return for each task and answer: `sql`, `form` (strictly well-formed), and what `judge_queries` says of it.

    The query is read leniently, so that EX is not a measure of form; form has a column of its own.
    """
    queries = [extract_sql(text) for text in texts]
    return [
        {"sql": sql, "form": parse(text, cfg.data.answer) is not None} | judged
        for text, sql, judged in zip(texts, queries, judge_queries(tasks, queries, cfg), strict=True)
    ]


def judge_queries(tasks: Sequence[Task], queries: Sequence[str | None], cfg: Config) -> list[dict]:
    """Return what came of each task's query, None where there is none.

    `status` of its run, one of sandbox.Result's, `no_sql`, or `gold_failed` where the gold query did not run and
    nothing can be right; `message`; `correct` by the rule evaluation.judge; `bird`, right by BIRD's official rule;
    `suite`, right on changed copies of its database too, where evaluation.variants asks for some; `soft_f1` in 0–1;
    `ves`, its reward in R-VES, by steps (0–1.25); `error`, the class of what is wrong (`evaluation.errors`).
    """
    told = []
    for start in range(0, len(tasks), TOGETHER):
        part = slice(start, start + TOGETHER)
        told += _judge(tasks[part], queries[part], cfg)
    return told


def right_samples(tasks: Sequence[Task], queries: Sequence[Queries], cfg: Config) -> list[list[bool]]:
    """Return for each task which of its several answers' queries are right, by the rule evaluation.judge."""
    items = [
        (task.database, task.gold_sql, sql)
        for task, each in zip(tasks, queries, strict=True)
        for sql in dict.fromkeys(each)
        if sql is not None
    ]
    verdicts = judge_many(items, cfg.evaluation.judge, Limits(**cfg.sandbox.limits), cfg.sandbox.workers)
    right = {item for item, verdict in zip(items, verdicts, strict=True) if verdict.correct}
    return [
        [(task.database, task.gold_sql, sql) in right for sql in each]
        for task, each in zip(tasks, queries, strict=True)
    ]


def judged_by(cfg: Config) -> dict:
    """Return the settings that verdicts depend on."""
    return cfg.evaluation.model_dump(include={"judge", "variants"}) | {"limits": cfg.sandbox.limits}


def _judge(tasks: Sequence[Task], queries: Sequence[str | None], cfg: Config) -> list[dict]:
    limits, workers = Limits(**cfg.sandbox.limits), cfg.sandbox.workers
    # Without SQL there is still to know whether the gold query runs.
    items = [
        (task.database, task.gold_sql, task.gold_sql if sql is None else sql)
        for task, sql in zip(tasks, queries, strict=True)
    ]
    verdicts = judge_many(items, cfg.evaluation.judge, limits, workers)
    results = _results(items, queries, verdicts, limits, workers)
    birds = [predicted is not None and same_result(gold, predicted, "bird") for predicted, gold in results]
    rewards = rewards_by_steps(items, birds, limits, workers)
    told = [_as_told(sql, verdict) for sql, verdict in zip(queries, verdicts, strict=True)]
    if cfg.evaluation.variants:
        suites = right_on_copies(tasks, queries, [one["correct"] for one in told], cfg)
        told = [one | {"suite": suite} for one, suite in zip(told, suites, strict=True)]
    return [
        one
        | {
            "bird": bird,
            "soft_f1": 0.0 if predicted is None else soft_f1(predicted, gold),
            "ves": reward,
            "error": error_class(one["correct"], predicted, gold),
        }
        for one, (predicted, gold), bird, reward in zip(told, results, birds, rewards, strict=True)
    ]


def _results(
    items: Sequence[tuple[str, str, str]],
    queries: Sequence[str | None],
    verdicts: Sequence[Verdict],
    limits: Limits,
    workers: int,
) -> list[tuple[Result | None, Result]]:
    """Return each question's result, None without a query, and gold's; the rows only where both queries ran."""
    ran = [
        place
        for place, verdict in enumerate(verdicts)
        if verdict.correct is not None and verdict.runs and queries[place] is not None
    ]
    pairs = [items[place][:2] for place in ran] + [(items[place][0], items[place][2]) for place in ran]
    found = execute_many(pairs, limits, workers)
    rows = dict(zip(ran, zip(found[len(ran) :], found, strict=False), strict=True))
    failed = [
        (None if sql is None else Result(verdict.status, message=verdict.message), Result(verdict.gold))
        for sql, verdict in zip(queries, verdicts, strict=True)
    ]
    return [rows.get(place, without) for place, without in enumerate(failed)]


def _as_told(sql: str | None, verdict: Verdict) -> dict:
    if verdict.correct is None:
        return {"status": GOLD_FAILED, "message": f"{verdict.gold}: {verdict.message}", "correct": False}
    if sql is None:
        return {"status": NO_SQL, "message": "", "correct": False}
    return {"status": verdict.status, "message": verdict.message, "correct": verdict.correct}


def summarise(predictions: Sequence[dict], *, resamples: int, seed: int) -> dict:
    """Return what a model's predictions add up to; shares are in 0–1.

    `ex` (execution accuracy by evaluation.judge) with its 95 % interval, `ex_bird` (by BIRD's official rule), mean
    `soft_f1`, `ex_suite` (test-suite accuracy), `r_ves` (by steps, 0–1.118), `errors` (how many predictions of each
    class), `levels`, `databases` and `difficulties` (questions and scores of each), `runs` (the query runs, with or
    without rows).  Of models, not of gold: `form`, `stops` (the answer ends by itself), mean `tokens`, `seconds` in
    all; `pass_at` (k → pass@k) where there are several answers a question; `silent`, questions without an answer from
    the server, each of which counts as wrong; `prompt_tokens` in all, where a server told.
    """
    errors = Counter(prediction["error"] for prediction in predictions)
    found = _scores(predictions) | {
        "correct": sum(prediction["correct"] for prediction in predictions),
        "ex_interval": bootstrap_interval(
            [prediction["correct"] for prediction in predictions],
            [prediction["database"] for prediction in predictions],
            resamples=resamples,
            seed=seed,
        ),
        "r_ves": r_ves([prediction["ves"] for prediction in predictions]),
        "errors": {name: errors[name] for name in MEANINGS if errors[name]},
        "levels": _by(predictions, "level"),
        "databases": _by(predictions, "database"),
        "runs": _mean([prediction["status"] in ("ok", "empty") for prediction in predictions]),
    }
    if any(prediction.get("difficulty") for prediction in predictions):
        found["difficulties"] = _by(predictions, "difficulty")
    return found | _of_answers(predictions) if "form" in predictions[0] else found


def _of_answers(predictions: Sequence[dict]) -> dict:
    """Return what a model's answers add up to, as a gold query has none."""
    found = {
        "form": _mean([prediction["form"] for prediction in predictions]),
        "stops": _mean([prediction["stopped"] for prediction in predictions]),
        "tokens": _mean([prediction["tokens"] for prediction in predictions]),
        "seconds": sum(prediction["seconds"] for prediction in predictions),
        "silent": sum(bool(prediction.get("trouble")) for prediction in predictions),
    }
    if counted := [prediction["prompt_tokens"] for prediction in predictions if prediction.get("prompt_tokens")]:
        found["prompt_tokens"] = sum(counted)
    if "samples" in predictions[0]:
        counts = [(len(one["samples"]), sum(each["correct"] for each in one["samples"])) for one in predictions]
        fewest = min(samples for samples, _ in counts)
        found["pass_at"] = {str(k): _mean([pass_at(k, *each) for each in counts]) for k in tries(fewest)}
    return found


def _by(predictions: Sequence[dict], key: str) -> dict[str, dict]:
    """Return the scores of the predictions of each level, or whatever else `key` names."""
    names = sorted({prediction.get(key) or UNKNOWN for prediction in predictions})
    return {name: _scores([one for one in predictions if (one.get(key) or UNKNOWN) == name]) for name in names}


def _scores(predictions: Sequence[dict]) -> dict:
    keys = {"ex": "correct", "ex_bird": "bird", "ex_suite": "suite", "soft_f1": "soft_f1"}
    told = {name: key for name, key in keys.items() if key in predictions[0]}
    return {"questions": len(predictions)} | {
        name: _mean([prediction[key] for prediction in predictions]) for name, key in told.items()
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
