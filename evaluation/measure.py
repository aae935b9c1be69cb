"""A model's answers to the questions, asked and judged batch by batch."""

from pathlib import Path

from configs.errors import ConfigError
from configs.files import append_jsonl, read_jsonl, write_json
from configs.schema import Config
from configs.screen import progress, say
from evaluation.asking import Ask
from evaluation.names import database_names
from evaluation.samples import vote
from evaluation.score import judge_answers, judged_by, right_samples
from models.said import Answer
from sandbox import Limits
from tasks.prompt import messages
from tasks.task import Task
from tasks.trace import extract_sql


def measure(cfg: Config, folder: Path, name: str, adapter: str | None, tasks: list[Task], ask: Ask) -> None:
    """Write NAME.json with a prediction for each task; an interrupted measurement goes on with the next batch.

    adapter: the fingerprint of what answers; answers of another are not gone on from.
    """
    ledger = folder / f".{name}.jsonl"
    rules = judged_by(cfg)
    tag = {"adapter": adapter, "judged_by": rules}
    rows = read_jsonl(ledger, repair=True) if ledger.exists() else []
    rows = [row for row in rows if row.get("adapter", "") == adapter]
    rows = [row for row in rows if "trouble" not in row]  # asked once more
    if any(row.get("judged_by") != rules for row in rows):
        rules = None  # all are judged again when they are summarised
    done = {row.get("task_id"): {key: value for key, value in row.items() if key not in tag} for row in rows}
    left = [task for task in tasks if task.task_id not in done]
    names = database_names(tasks)
    chats = [messages(task, cfg.data.schema_style, cfg.data.sample_values, cfg.data.answer) for task in left]
    with progress(f"evaluation: {name}", len(tasks), len(done)) as advance:
        for batch in ask(chats) if chats else ():
            said: dict[int, list[Answer]] = {}
            for place, answer in batch:
                said.setdefault(place, []).append(answer)
            for row in _predictions([left[place] for place in said], list(said.values()), names, cfg):
                append_jsonl(ledger, row | tag)
                done[row["task_id"]] = row
            advance(len(said))
    predictions = [done[task.task_id] for task in tasks]
    if all("trouble" in row for row in predictions):
        why = predictions[0]["trouble"][:400]
        raise ConfigError(f"{name}: none of {len(predictions)} questions was answered ({why}); mend this and try again")
    _say_silent(name, predictions)
    server = cfg.evaluation.servers.get(name)
    whole = {"model": server.model if server else cfg.model.name, "adapter": adapter, "judged_by": rules}
    write_json(folder / f"{name}.json", whole | {"predictions": predictions})
    ledger.unlink(missing_ok=True)


def _predictions(tasks: list[Task], said: list[list[Answer]], names: dict[str, str], cfg: Config) -> list[dict]:
    """Return a prediction for each task; of several answers, the one that the vote chooses is judged in full."""
    chosen = [0] * len(tasks)
    samples: list[dict] = [{}] * len(tasks)
    if cfg.evaluation.samples > 1:
        queries = [[extract_sql(answer.text) for answer in answers] for answers in said]
        databases = [task.database for task in tasks]
        chosen = vote(databases, queries, Limits(**cfg.sandbox.limits), cfg.sandbox.workers)
        samples = [{"samples": each} for each in _samples(tasks, said, queries, cfg)]
    counting = [answers[place] for answers, place in zip(said, chosen, strict=True)]
    verdicts = judge_answers(tasks, [answer.text for answer in counting], cfg)
    return [
        _prediction(task, names[task.database], answer, answers, verdict) | more
        for task, answer, answers, verdict, more in zip(tasks, counting, said, verdicts, samples, strict=True)
    ]


def _samples(tasks: list[Task], said: list[list[Answer]], queries: list[list[str | None]], cfg: Config) -> list:
    """Return all answers to each task, and which of them are right."""
    return [
        [
            {"answer": answer.text, "sql": sql, "correct": right, "tokens": answer.tokens}
            for answer, sql, right in zip(*each, strict=True)
        ]
        for each in zip(said, queries, right_samples(tasks, queries, cfg), strict=True)
    ]


def _prediction(task: Task, database: str, answer: Answer, answers: list[Answer], verdict: dict) -> dict:
    """Return a prediction; its tokens and seconds are those of all answers to the question."""
    found = {
        "task_id": task.task_id,
        "level": task.level,
        "database": database,
        "question": task.question,
        "gold_sql": task.gold_sql,
        "answer": answer.text,
        **verdict,
        "tokens": sum(each.tokens for each in answers),
        "seconds": round(sum(each.seconds for each in answers), 4),
        "stopped": answer.stopped,
    }
    if task.difficulty:
        found["difficulty"] = task.difficulty
    if any(each.prompt_tokens is not None for each in answers):
        found["prompt_tokens"] = sum(each.prompt_tokens or 0 for each in answers)
    if troubles := [each.trouble for each in answers if each.trouble]:
        found["trouble"] = troubles[0]
    return found


def _say_silent(name: str, predictions: list[dict]) -> None:
    if silent := [row for row in predictions if row.get("trouble")]:
        say(
            f"  {name}: {len(silent)} of {len(predictions)} questions have no answer, or not all that were asked for; "
            f"what is missing counts as wrong ({silent[0]['task_id']}: {silent[0]['trouble'][:200]})"
        )
