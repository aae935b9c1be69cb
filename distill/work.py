"""What the rounds of a stage share: the questions, the ledger, and what the one says about the other."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from configs.files import fingerprint
from configs.schema import Config
from distill.curate import Goal, Standing, delivered, next_questions, standing
from distill.instructions import again
from distill.ledger import FINAL, KEPT, Entry, read_ledger, success_rate
from distill.teachers import Teacher
from tasks.task import Task

SPARE = 0.05
"""Asked more of a free teacher, as a round takes seconds to start."""

Answers = dict[Task, list[Entry]]
"""What each question was answered so far, by attempt; questions without an answer are left out."""


@dataclass(frozen=True)
class Work:
    """A run's questions, and who answers them."""

    cfg: Config
    teacher: Teacher
    folder: Path
    goals: tuple[Goal, ...]

    @cached_property
    def keys(self) -> dict[Task, tuple[str, ...]]:
        """The ledger's key of each attempt at each question, in the order of asking."""
        attempts = range(self.cfg.distill.generations + self.cfg.distill.retries)
        tasks = [task for goal in self.goals for queue in goal.queues.values() for task in queue]
        prints = {task: fingerprint(asdict(task), self.teacher.settings) for task in tasks}
        return {task: tuple(f"{key}-{attempt}" for attempt in attempts) for task, key in prints.items()}

    def answers(self) -> Answers:
        """Return what the ledger has on this run's questions, in the order of asking."""
        ledger = read_ledger(self.folder)
        found = ((task, [ledger[key] for key in keys if key in ledger]) for task, keys in self.keys.items())
        return {task: entries for task, entries in found if entries}

    def standings(self, answers: Answers) -> list[Standing]:
        """Return where each goal stands."""
        verdicts = {task: self.verdict(entries) for task, entries in answers.items()}
        return [standing(goal, verdicts.get) for goal in self.goals]

    def verdict(self, entries: Sequence[Entry]) -> str | None:
        """Return KEPT where an answer is, None where there is more to ask, else the last verdict."""
        verdicts = [entry.verdict for entry in entries]
        if KEPT in verdicts:
            return KEPT
        return None if self._due(entries) else verdicts[-1]

    def _due(self, entries: Sequence[Entry]) -> list[int]:
        """Return the attempts to make next: all that need no earlier answer, or else one that is told of the last."""
        first = self.cfg.distill.generations
        if any(entry.verdict in FINAL for entry in entries):
            return []
        made = {entry.attempt for entry in entries}
        if missing := [attempt for attempt in range(first) if attempt not in made]:
            return missing
        return [len(made)] if len(made) < first + self.cfg.distill.retries else []

    def next_rows(self, answers: Answers) -> list[dict]:
        """Return what to ask next, for the pipeline; nothing where no trace is missing, or no question left."""
        settled = [verdict for entries in answers.values() if (verdict := self.verdict(entries))]
        rate, spare = success_rate(settled), SPARE if self.teacher.free else 0.0
        return [
            self._row(now.goal.split, task, attempt, answers.get(task, []))
            for now in self.standings(answers)
            for task in next_questions(now, rate, spare)
            for attempt in self._due(answers.get(task, []))
        ]

    def _row(self, split: str, task: Task, attempt: int, entries: Sequence[Entry]) -> dict:
        chat = self.teacher.ask(task)
        if attempt >= self.cfg.distill.generations:
            last = entries[-1]
            chat = again(chat, last.answer, last.verdict, last.detail)
        return {"key": self.keys[task][attempt], "attempt": attempt, "split": split, "task": asdict(task),
                "messages": chat}  # fmt: skip

    def verified(self) -> int:
        """Return how many of the wanted traces are verified."""
        return sum(len(delivered(now)) for now in self.standings(self.answers()))


def best(entries: Sequence[Entry]) -> Entry:
    """Return the kept answer that is learned from: the shortest, as being right in fewer words is better."""
    return min((entry for entry in entries if entry.verdict == KEPT), key=lambda entry: len(entry.answer))
