"""Which questions are asked, in which order, and which of the verified traces are delivered."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor

from distill.ledger import KEPT
from tasks.task import Task

ANY = "any"  # the one stratum where no mix of levels is asked for


@dataclass(frozen=True)
class Goal:
    """How many verified traces one split shall have, and from which questions.

    queues: for each stratum (a level, or ANY) its questions in the order in which they are asked.
    """

    split: str
    total: int
    shares: Mapping[str, float]
    queues: Mapping[str, tuple[Task, ...]]


@dataclass(frozen=True)
class Standing:
    """Where a goal stands: per stratum, what is aimed at now, what is verified, what is not asked yet.

    `aimed` differs from the plain shares where a stratum runs dry: its part is shared out among the others.
    """

    goal: Goal
    aimed: dict[str, int]
    kept: dict[str, list[Task]]
    untried: dict[str, list[Task]]

    @property
    def missing(self) -> int:
        """Traces that are aimed at and not verified yet."""
        return sum(max(0, count - len(self.kept[stratum])) for stratum, count in self.aimed.items())


def set_goal(split: str, tasks: Sequence[Task], total: int, shares: Mapping[str, float], seed: int) -> Goal:
    """Return the goal of one split; without `shares` the levels come as they come."""
    strata = dict(shares) or {ANY: 1.0}
    found: dict[str, list[Task]] = {stratum: [] for stratum in strata if strata[stratum] > 0}
    for task in tasks:
        stratum = task.level if shares else ANY
        if stratum in found:
            found[stratum].append(task)
    queues = {stratum: tuple(round_robin(part, seed)) for stratum, part in found.items()}
    return Goal(split, total, {stratum: strata[stratum] for stratum in found}, queues)


def round_robin(tasks: Iterable[Task], seed: int) -> list[Task]:
    """Return the tasks shuffled, one of each database in turn: any head of the list has many databases."""
    dice = random.Random(seed)
    by_database: dict[str, list[Task]] = defaultdict(list)
    for task in sorted(tasks, key=lambda task: task.task_id):
        by_database[task.database].append(task)
    piles = list(by_database.values())
    for pile in piles:
        dice.shuffle(pile)
    dice.shuffle(piles)
    turns = range(max(map(len, piles), default=0))
    return [pile[turn] for turn in turns for pile in piles if turn < len(pile)]


def standing(goal: Goal, verdict_of: Callable[[Task], str | None]) -> Standing:
    """Return where `goal` stands, given the verdict on each task (None: not asked yet)."""
    kept_tasks: dict[str, list[Task]] = {}
    untried: dict[str, list[Task]] = {}
    for stratum, queue in goal.queues.items():
        verdicts = [(task, verdict_of(task)) for task in queue]
        kept_tasks[stratum] = [task for task, verdict in verdicts if verdict == KEPT]
        untried[stratum] = [task for task, verdict in verdicts if verdict is None]
    within_reach = {stratum: len(kept_tasks[stratum]) + len(untried[stratum]) for stratum in goal.queues}
    return Standing(goal, allot(goal.total, goal.shares, within_reach), kept_tasks, untried)


def allot(total: int, shares: Mapping[str, float], limits: Mapping[str, int]) -> dict[str, int]:
    """Return whole numbers in proportion to `shares`, none above its limit, that sum to `total` if they can.

    What one part cannot take goes to the others, in proportion again.

    >>> allot(10, {"L1": 0.5, "L2": 0.5}, {"L1": 9, "L2": 9})
    {'L1': 5, 'L2': 5}
    >>> allot(10, {"L1": 0.5, "L2": 0.25, "L3": 0.25}, {"L1": 9, "L2": 1, "L3": 9})
    {'L1': 6, 'L2': 1, 'L3': 3}
    """
    given = dict.fromkeys(shares, 0)
    while (left := total - sum(given.values())) > 0:
        takers = {part: share for part, share in shares.items() if share > 0 and given[part] < limits[part]}
        if not takers:
            break
        exact = {part: left * share / sum(takers.values()) for part, share in takers.items()}
        whole = {part: floor(count) for part, count in exact.items()}
        rest = left - sum(whole.values())
        by_remainder = sorted(exact, key=lambda part: exact[part] - whole[part], reverse=True)
        for part in by_remainder[:rest]:
            whole[part] += 1
        for part, count in whole.items():
            given[part] = min(limits[part], given[part] + count)
    return given


def next_questions(now: Standing, success_rate: float, spare: float) -> list[Task]:
    """Return what to ask next: enough that at this success rate nothing would be missing, and `spare` more.

    spare: share of additional questions, for a teacher that costs nothing; each round costs seconds.
    """
    questions = []
    for stratum, count in now.aimed.items():
        missing = max(0, count - len(now.kept[stratum]))
        wanted = ceil(missing / success_rate * (1 + spare))
        questions += now.untried[stratum][:wanted]
    return questions


def delivered(now: Standing) -> list[Task]:
    """Return the tasks whose traces are delivered: the first of each stratum in the order of asking."""
    return [task for stratum, count in now.aimed.items() for task in now.kept[stratum][:count]]


def shortfalls(now: Standing) -> list[str]:
    """Return one line for each stratum that ran dry, and one where the whole goal is out of reach."""
    plain = allot(now.goal.total, now.goal.shares, dict.fromkeys(now.goal.shares, now.goal.total))
    lines = [
        f"{now.goal.split}: only {now.aimed[stratum]} of {wanted} traces of {stratum}: its "
        f"{len(now.goal.queues[stratum])} questions are used up"
        for stratum, wanted in plain.items()
        if now.aimed[stratum] < wanted and stratum != ANY
    ]
    reached = sum(now.aimed.values())
    if reached < now.goal.total:
        questions = sum(map(len, now.goal.queues.values()))
        lines.append(f"{now.goal.split}: {reached} of {now.goal.total} traces: all {questions} questions are used up")
    return lines
