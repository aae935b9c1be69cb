"""Stage 1 from top to bottom: load → stratify by level → ask and verify, in rounds → deliver.

A round asks as many questions as should fill the gap at the success rate so far; rounds go on until all
wanted traces are verified or all questions are used up.  Which traces are delivered depends on seed and
verdicts alone, not on how often the run was stopped.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from threading import Event, Thread

from configs.errors import ConfigError
from configs.files import fingerprint, write_json, write_jsonl
from configs.schema import Config
from configs.screen import progress, say
from configs.stage import begin, finish, wrote
from distill.curate import Goal, Standing, delivered, next_questions, set_goal, shortfalls, standing
from distill.ledger import KEPT, NAME, Entry, read_ledger, success_rate
from distill.pipeline import ask, raise_faults
from distill.stats import stats
from distill.teachers import Teacher, teacher_for
from tasks.load import Splits, load_tasks
from tasks.prompt import messages
from tasks.task import Task
from tasks.trace import parse, render

SPARE = 0.05  # asked more of a free teacher, as a round takes seconds to start
TRIAL = 50  # questions that a teacher who costs something is asked first; if it fails them all, that's it
LOOK_EVERY_S = 0.5


def distill(cfg: Config, fresh: bool) -> Path:
    """Return the stage's folder with traces.jsonl, rejected.jsonl and stats.json."""
    start = time.monotonic()
    teacher = teacher_for(cfg)
    splits = load_tasks(cfg.data, cfg.seed)
    begun = begin(cfg, "distill", _settings(cfg, teacher, splits), {}, fresh)
    if begun.status == "finished":
        return begun.folder
    teacher.check()
    work = Work(cfg, teacher, begun.folder, _goals(cfg, splits))
    had = work.verified()
    with _shown_progress(work):
        _fill(work)
    _refuse_failure(work)
    now = {"seconds": time.monotonic() - start, "kept": work.verified() - had}
    facts = _deliver(work, splits.dropped, now)
    finish(begun, **facts)
    train, validation, rejected = facts.values()
    wrote(begun, f"{train} traces and {validation} for validation, {rejected} answers rejected")
    return begun.folder


@dataclass(frozen=True)
class Work:
    """What the rounds share."""

    cfg: Config
    teacher: Teacher
    folder: Path
    goals: tuple[Goal, ...]

    @cached_property
    def keys(self) -> dict[Task, str]:
        """The ledger key of each question, in the order of asking."""
        tasks = [task for goal in self.goals for queue in goal.queues.values() for task in queue]
        return {task: fingerprint(asdict(task), self.teacher.settings) for task in tasks}

    def entries(self) -> dict[Task, Entry]:
        """Return the ledger's entries on this run's questions, in the order of asking."""
        ledger = read_ledger(self.folder)
        return {task: ledger[key] for task, key in self.keys.items() if key in ledger}

    def standings(self) -> list[Standing]:
        """Return where each goal stands by the ledger."""
        verdicts = {task: entry.verdict for task, entry in self.entries().items()}
        return [standing(goal, verdicts.get) for goal in self.goals]

    def verified(self) -> int:
        """Return how many of the wanted traces are verified."""
        return sum(len(delivered(now)) for now in self.standings())


def _settings(cfg: Config, teacher: Teacher, splits: Splits) -> dict:
    """Return all that the traces depend on."""
    chosen = cfg.distill.model_dump(mode="json", exclude={"batch_size", "api_key_env"})
    return {
        "data": cfg.data.model_dump(mode="json"),
        "distill": chosen | {"base_url": teacher.settings.get("base_url")},
        "sandbox": cfg.sandbox.model_dump(mode="json", exclude={"workers"}),
        "seed": cfg.seed,
        "questions": fingerprint([asdict(task) for task in splits.train + splits.validation]),
    }


def _goals(cfg: Config, splits: Splits) -> tuple[Goal, ...]:
    levels = cfg.distill.levels
    return (
        set_goal("train", splits.train, cfg.distill.traces, levels, cfg.seed),
        set_goal("validation", splits.validation, cfg.distill.validation_traces, levels, cfg.seed),
    )


def _fill(work: Work) -> None:
    """Ask in rounds until nothing is missing that the questions could still give."""
    spare = SPARE if work.teacher.free else 0.0
    while gaps := [now for now in work.standings() if now.missing]:
        before = work.entries()
        if len(before) >= TRIAL:
            _refuse_failure(work)
        rate = success_rate(before.values())
        rows = [_row(work, now, task) for now in gaps for task in next_questions(now, rate, spare)]
        if not before and not work.teacher.free:
            rows = rows[:TRIAL]
        log = ask(work.cfg, work.teacher, rows, work.folder)
        raise_faults(work.teacher, log, barren=len(work.entries()) == len(before))


def _refuse_failure(work: Work) -> None:
    """Raise ConfigError where no answer passed: more of them would cost and not help."""
    rejected = Counter(entry.verdict for entry in work.entries().values())
    if KEPT not in rejected:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in rejected.most_common())
        raise ConfigError(
            f"distill: none of {rejected.total()} answers of {work.teacher.name} passed ({reasons}); "
            f"the answers are in {work.folder / NAME}. Choose another teacher, and start again with --fresh"
        )


def _row(work: Work, now: Standing, task: Task) -> dict:
    return {
        "key": work.keys[task],
        "split": now.goal.split,
        "task": asdict(task),
        "messages": work.teacher.ask(task),
    }


@contextmanager
def _shown_progress(work: Work) -> Iterator[None]:
    """Show how many of the wanted traces are verified while the rounds run; the ledger tells."""
    wanted = sum(sum(now.aimed.values()) for now in work.standings())
    done = Event()
    with progress(f"distill ({work.teacher.name}), verified traces", wanted) as advance:

        def watch() -> None:
            shown, last = 0, False
            while not last:
                last = done.wait(LOOK_EVERY_S)  # once more after the end
                kept = min(wanted, _kept_lines(work.folder))
                advance(kept - shown)
                shown = kept

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _kept_lines(folder: Path) -> int:
    """Return how many lines of the ledger say KEPT, without disturbing who is writing it."""
    path = folder / NAME
    return path.read_bytes().count(f'"verdict": "{KEPT}"'.encode()) if path.exists() else 0


def _deliver(work: Work, dropped: dict[str, int], now: dict[str, float]) -> dict[str, int]:
    """Write the stage's files; return the counts."""
    entries, standings = work.entries(), work.standings()
    traces = [_trace(work, at.goal.split, task, entries[task].answer) for at in standings for task in delivered(at)]
    rejected = [_rejection(entry) for entry in entries.values() if entry.verdict != KEPT]
    write_jsonl(work.folder / "traces.jsonl", traces)
    write_jsonl(work.folder / "rejected.jsonl", rejected)
    counts = stats(work.teacher, standings, list(entries.values()), dropped, now)
    write_json(work.folder / "stats.json", counts)
    for line in (line for at in standings for line in shortfalls(at)):
        say(f"distill: {line}")
    train, validation = (len(delivered(at)) for at in standings)
    return {"train": train, "validation": validation, "rejected": len(rejected)}


def _trace(work: Work, split: str, task: Task, answer: str) -> dict:
    """Return a line of traces.jsonl: what the student shall be asked, and shall answer."""
    trace = parse(answer)
    assert trace is not None, f"{task.task_id}: the ledger says kept, but its answer is no trace"
    question = messages(task, work.cfg.data.schema_style, work.cfg.data.sample_values)
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


def _rejection(entry: Entry) -> dict:
    return {
        "task_id": entry.task_id,
        "level": entry.level,
        "reason": entry.verdict,
        "detail": entry.detail,
        "answer": entry.answer,
    }
