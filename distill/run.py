"""Stage 1 from top to bottom: load → stratify by level → ask and verify, in rounds → deliver.

A round asks as many questions as should fill the gap at the success rate so far; rounds go on until all
wanted traces are verified or all questions are used up.  Which traces are delivered depends on seed and
verdicts alone, not on how often the run was stopped.
"""

import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from configs.errors import ConfigError
from configs.files import fingerprint, write_json, write_jsonl
from configs.schema import Config
from configs.screen import progress, say
from configs.stage import begin, finish, wrote
from distill.clean import clean
from distill.cost import affordable, estimate, spent
from distill.curate import Goal, delivered, set_goal, shortfalls
from distill.decontaminate import Evaluated, evaluation_questions
from distill.ledger import ANSWERS, KEPT, Entry, enter
from distill.parquet import write_parquet
from distill.pipeline import ask, raise_bugs, why_silent
from distill.progress import shown_progress
from distill.scale import connect
from distill.server import ASK_NO_MORE
from distill.stats import stats
from distill.teachers import Teacher, teacher_for
from distill.verify import verify
from distill.work import Answers, Work, best
from sandbox import Limits
from tasks.load import Splits, load_tasks
from tasks.prompt import messages
from tasks.task import Task
from tasks.trace import parse, render

TRIAL = 50  # answers of a teacher who costs something that must fail, all of them, to give it up


def distill(cfg: Config, fresh: bool, dry_run: bool = False) -> Path:
    """Return the stage's folder with traces.jsonl and .parquet, rejected.jsonl and stats.json.

    dry_run: only say what would be asked and what it would cost.
    """
    start = time.monotonic()
    teacher = teacher_for(cfg)
    splits = load_tasks(cfg.data, cfg.seed)
    known = cfg.data.split == "questions"  # then the test asks on purpose about what is trained on
    evaluated = evaluation_questions(cfg.distill.decontaminate, () if known else splits.test)
    if dry_run:
        return _say_estimate(cfg, teacher, splits, evaluated)
    begun = begin(cfg, "distill", _settings(cfg, teacher, splits, evaluated), {}, fresh, grows=True)
    if begun.status == "finished":
        return begun.folder
    teacher.check()
    if cfg.distill.ray:
        connect()
    splits = clean(cfg, splits, evaluated, begun.folder)
    work = Work(cfg, teacher, begun.folder, _goals(cfg, splits))
    _judge_stored(work)
    had, tokens = work.verified(), _tokens(work)
    with shown_progress(work):
        ended = _fill(work)
    _refuse_failure(work, work.answers())
    for line in ended:
        say(f"distill: {line}")
    now = {
        "seconds": time.monotonic() - start,
        "kept": work.verified() - had,
        "output_tokens": _tokens(work) - tokens,
    }
    against = {name: len(questions) for name, questions in evaluated.items()}
    facts = _deliver(work, splits.dropped, against, now)
    finish(begun, **facts)
    train, validation, rejected = facts.values()
    wrote(begun, f"{train} traces and {validation} for validation, {rejected} answers rejected")
    return begun.folder


def _say_estimate(cfg: Config, teacher: Teacher, splits: Splits, evaluated: Evaluated) -> Path:
    """Say what the run would ask and what that would cost; nothing is written."""
    folder = cfg.folder / "distill"
    with TemporaryDirectory() as aside:
        splits = clean(cfg, splits, evaluated, Path(aside))
    work = Work(cfg, teacher, folder, _goals(cfg, splits))
    say(estimate(cfg, work, work.answers()))
    return folder


def _settings(cfg: Config, teacher: Teacher, splits: Splits, evaluated: Evaluated) -> dict:
    """Return all that the traces depend on."""
    chosen = cfg.distill.model_dump(mode="json", exclude={"batch_size", "api_key_env", "variants", "ray", "replicas"})
    return {
        "data": cfg.data.model_dump(mode="json"),
        "distill": chosen | {"base_url": teacher.settings.get("base_url")},
        "verification": cfg.sandbox.model_dump(mode="json", exclude={"workers"}) | {"variants": cfg.distill.variants},
        "seed": cfg.seed,
        "questions": fingerprint([asdict(task) for task in splits.train + splits.validation]),
        "evaluated": fingerprint({name: [asdict(one) for one in found] for name, found in evaluated.items()}),
    }


def _goals(cfg: Config, splits: Splits) -> tuple[Goal, ...]:
    levels = cfg.distill.levels
    return (
        set_goal("train", splits.train, cfg.distill.traces, levels, cfg.seed),
        set_goal("validation", splits.validation, cfg.distill.validation_traces, levels, cfg.seed),
    )


def _judge_stored(work: Work) -> None:
    """Judge the answers that a killed run left unjudged, or that were judged by other limits: they are paid."""
    stored, cfg = work.unjudged(), work.cfg
    limits = Limits(**cfg.sandbox.limits)
    if not stored:
        return
    with progress("distill: judging answers that are there already", len(stored)) as advance:
        for start in range(0, len(stored), cfg.distill.batch_size):
            some = stored[start : start + cfg.distill.batch_size]
            tasks, answers = [task for task, _ in some], [answer for _, answer in some]
            verdicts = verify(tasks, answers, limits, cfg.sandbox.workers, cfg.data.answer, cfg.distill.variants)
            for answer, verdict in zip(answers, verdicts, strict=True):
                enter(work.folder, answer.key, work.under, verdict)
            advance(len(some))


def _fill(work: Work) -> list[str]:
    """Ask in rounds until nothing is missing that the questions could still give; return what should be known."""
    chosen, lines = work.cfg.distill, []
    while rows := work.next_rows(answers := work.answers()):
        entries = _flat(answers)
        if len(entries) >= TRIAL:
            _refuse_failure(work, answers)
        elif not work.teacher.free:
            rows = rows[: TRIAL - len(entries)]
        paid = work.paid()
        rows = affordable(chosen, rows, spent(chosen, paid) or 0.0)
        if not rows:
            cost = f"stopped at ${spent(chosen, paid):.4f}"
            return [*lines, f"{cost}: one more answer could cost more than distill.max_dollars allows"]
        log = ask(work, rows)
        raise_bugs(log)
        if len(work.paid()) == len(paid):
            lines.append(_give_up(work, rows, why_silent(log)))
    return lines


def _give_up(work: Work, rows: list[dict], why: str) -> str:
    """Leave out questions on which the teacher fails again and again; ConfigError where the fault is its own."""
    work.teacher.check()
    if why.startswith(ASK_NO_MORE) or not work.paid():
        raise ConfigError(
            f"no answer from {work.teacher.name}: {why}; what it answered before is kept: "
            "when this is mended, the same command goes on"
        )
    silent = {Task(**row["task"]) for row in rows}
    work.silent.update(silent)
    return f"no answer to {len(silent)} questions, which are left out ({why})"


def _tokens(work: Work) -> int:
    return sum(answer.output_tokens or 0 for answer in work.paid())


def _flat(answers: Answers) -> list[Entry]:
    return [entry for entries in answers.values() for entry in entries]


def _refuse_failure(work: Work, answers: Answers) -> None:
    """Raise ConfigError where no answer passed: more of them would cost and not help."""
    rejected = Counter(entry.verdict for entry in _flat(answers))
    if rejected and KEPT not in rejected:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in rejected.most_common())
        raise ConfigError(
            f"none of {rejected.total()} answers of {work.teacher.name} passed ({reasons}); "
            f"the answers are in {work.folder / ANSWERS}. Choose another teacher, and start again with --fresh"
        )


def _deliver(work: Work, dropped: dict[str, int], against: dict[str, int], now: dict[str, float]) -> dict[str, int]:
    """Write the stage's files; return the counts."""
    answers = work.answers()
    standings = work.standings(answers)
    traces = [_trace(work, at.goal.split, task, best(answers[task])) for at in standings for task in delivered(at)]
    rejected = [_rejection(task, entry) for task in answers for entry in answers[task] if entry.verdict != KEPT]
    write_jsonl(work.folder / "traces.jsonl", traces)
    write_parquet(work.folder / "traces.parquet", traces)
    write_jsonl(work.folder / "rejected.jsonl", rejected)
    counts = stats(work, standings, answers, dropped, against, now)
    write_json(work.folder / "stats.json", counts)
    for line in (line for at in standings for line in shortfalls(at)):
        say(f"distill: {line}")
    train, validation = (len(delivered(at)) for at in standings)
    return {"train": train, "validation": validation, "rejected": len(rejected)}


def _trace(work: Work, split: str, task: Task, answer: str) -> dict:
    """Return a line of traces.jsonl: what the student shall be asked, and shall answer."""
    trace = parse(answer, work.cfg.data.answer)
    assert trace is not None, f"{task.task_id}: the ledger says kept, but its answer is no trace"
    question = messages(task, work.cfg.data.schema_style, work.cfg.data.sample_values, work.cfg.data.answer)
    reply = {"role": "assistant", "content": render(trace.think, trace.sql)}
    return {
        "task_id": task.task_id,
        "split": split,
        "level": task.level,
        "database": task.database,
        "question": task.question,
        "evidence": task.evidence,
        "gold_sql": task.gold_sql,
        "messages": [*question, reply],
        "teacher": work.teacher.name,
    }


def _rejection(task: Task, entry: Entry) -> dict:
    return {
        "task_id": task.task_id,
        "level": task.level,
        "database": task.database,
        "question": task.question,
        "evidence": task.evidence,
        "gold_sql": task.gold_sql,
        "reason": entry.verdict,
        "detail": entry.detail,
        "answer": entry.answer.text or "",
    }
