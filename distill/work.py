"""What the rounds of a stage share: the questions, the ledger, and what the one says about the other."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from configs.files import fingerprint
from configs.schema import Config
from distill.curate import Goal, Standing, delivered, next_questions, standing
from distill.instructions import again
from distill.ledger import FINAL, KEPT, NO_ANSWER, Answer, Entry, read_answers, read_verdicts, success_rate
from distill.teachers import Teacher
from tasks.task import Task

SPARE = 0.05
"""Asked more of a free teacher, as a round takes seconds to start."""

Answers = dict[Task, list[Entry]]
"""What each question was answered so far, by attempt; questions without a judged answer are left out."""


@dataclass(frozen=True)
class Work:
    """A run's questions, and who answers them.

    silent: questions that got no answer, only ever a failure, and are not asked again by this process.
    """

    cfg: Config
    teacher: Teacher
    folder: Path
    goals: tuple[Goal, ...]
    silent: set[Task] = field(default_factory=set)

    @cached_property
    def keys(self) -> dict[Task, tuple[str, ...]]:
        """The ledger's key of each attempt at each question, in the order of asking."""
        attempts = range(self.cfg.distill.generations + self.cfg.distill.retries)
        tasks = [task for goal in self.goals for queue in goal.queues.values() for task in queue]
        prints = {task: fingerprint(asdict(task), self.teacher.settings) for task in tasks}
        return {task: tuple(f"{key}-{attempt}" for attempt in attempts) for task, key in prints.items()}

    @cached_property
    def under(self) -> str:
        """The fingerprint of the limits and checks that answers are judged by."""
        limits = self.cfg.sandbox.model_dump(mode="json", exclude={"workers"})
        return fingerprint(limits, self.cfg.distill.variants)[:16]

    def answers(self) -> Answers:
        """Return what was answered to this run's questions and judged, in the order of asking."""
        said, verdicts = read_answers(self.folder), read_verdicts(self.folder, self.under)
        found = (
            (task, [
                Entry(attempt, said[key], verdicts[key].verdict, verdicts[key].detail)
                for attempt, key in enumerate(keys) if key in said and key in verdicts
            ])
            for task, keys in self.keys.items()
        )  # fmt: skip
        return {task: entries for task, entries in found if entries}

    def unjudged(self) -> list[tuple[Task, Answer]]:
        """Return the answers to this run's questions that nobody judged by these limits: paid, but of no use yet."""
        said, verdicts = read_answers(self.folder), read_verdicts(self.folder, self.under)
        open_keys = said.keys() - verdicts.keys()
        return [(task, said[key]) for task, keys in self.keys.items() for key in keys if key in open_keys]

    def paid(self) -> list[Answer]:
        """Return every answer that the stage's folder holds, those that are not wanted any more too."""
        return list(read_answers(self.folder).values())

    def standings(self, answers: Answers) -> list[Standing]:
        """Return where each goal stands."""
        verdicts = dict.fromkeys(self.silent, NO_ANSWER)
        verdicts |= {task: verdict for task, entries in answers.items() if (verdict := self.verdict(entries))}
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
            self._row(task, attempt, answers.get(task, []))
            for now in self.standings(answers)
            for task in next_questions(now, rate, spare)
            for attempt in self._due(answers.get(task, []))
        ]

    def _row(self, task: Task, attempt: int, entries: Sequence[Entry]) -> dict:
        chat = self.teacher.ask(task)
        if attempt >= self.cfg.distill.generations:
            last = entries[-1]
            chat = again(chat, last.answer.text or "", last.verdict, last.detail)
        return {"key": self.keys[task][attempt], "task": asdict(task), "messages": chat}

    def verified(self) -> int:
        """Return how many of the wanted traces are verified."""
        return sum(len(delivered(now)) for now in self.standings(self.answers()))


def best(entries: Sequence[Entry]) -> str:
    """Return the kept answer that is learned from: the shortest, as being right in fewer words is better."""
    return min((entry.answer.text or "" for entry in entries if entry.verdict == KEPT), key=len)
