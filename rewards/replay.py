"""`python -m rewards try CONFIG --log completions.jsonl`: what rewards would have said of an earlier run's answers."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import StatisticsError, correlation, fmean, pstdev

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.errors import ConfigError
from configs.files import read_jsonl
from configs.screen import printable
from rewards.asked import all_tasks, reference_plans
from rewards.attempt import shorten
from rewards.batch import batch_of
from rewards.chosen import Chosen
from rewards.score import SILENT, Scorer, silent_share
from rewards.text import text_of
from tasks.task import Task

SHOWN = 5
NOTABLE = 0.5
"""Difference of two advantages, in spreads, that is worth telling."""
GROUP = 4096
"""Answers scored at once."""


@dataclass(frozen=True)
class Logged:
    """An answer of an earlier run; total: what the run's rewards came to."""

    task: Task
    text: str
    step: int
    total: float

    @property
    def group(self) -> tuple[int, str]:
        """Step and question, whose answers were compared."""
        return self.step, self.task.task_id


def replay(chosen: Chosen, log: Path) -> RenderableType:
    """Return what the rewards say of a run's answers: their statistics, and where they disagree with the run's own."""
    logged, strangers = read_log(chosen, log)
    plans = reference_plans(chosen.config)
    scorer = Scorer(chosen.config)
    scores: dict[str, list[float | None]] = defaultdict(list)
    for start in range(0, len(logged), GROUP):
        part = logged[start : start + GROUP]
        asked, thinks = [one.task for one in part], [plans.get(one.task.task_id, "") for one in part]
        batch = batch_of(chosen.config.data, asked, thinks, [one.text for one in part])
        for name, some in scorer.score(*batch).items():
            scores[name] += some
    totals = scorer.total(scores)
    left_out = f", {strangers} left out: not asked by this config's data" if strangers else ""
    head = f"{chosen.title}\n{len(logged)} answers of {log}{left_out}\n"
    table = _table()
    old = [one.total for one in logged]
    for name, given in scores.items():
        table.add_row(*_statistics(name, given, logged, old))
    table.add_row(*_statistics("sum", totals, logged, old), style="bold")
    table.add_row(*_statistics("the run's own sum", old, logged, old), style="dim")
    return Group(Text(printable(head)), table, *_disagreements(logged, old, totals))


def read_log(chosen: Chosen, log: Path) -> tuple[list[Logged], int]:
    """Return the answers of a run whose questions the config asks, those to one of a step together; how many others."""
    tasks = {(task.task_id, task.question): task for task in all_tasks(chosen.config)}
    found: list[Logged] = []
    rows = read_jsonl(log)
    for number, row in enumerate(rows, 1):
        try:
            asked, text = (row["task_id"], row["question"]), text_of(row["completion"])
            step, total = int(row["step"]), float(row["total"])
        except (KeyError, TypeError, ValueError):
            raise ConfigError(f"{log}:{number}: not a line of rl/completions.jsonl; it has {', '.join(row)}") from None
        if task := tasks.get(asked):
            found.append(Logged(task, text, step, total))
    if not found:
        raise ConfigError(
            f"{log}: none of its {len(rows)} answers is to a question of this config's data; same config?"
        )
    return sorted(found, key=lambda one: one.group), len(rows) - len(found)


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("reward")
    for name in ("mean", "spread", "None", "silent groups", "correlation with the run's sum"):
        table.add_column(name, justify="right")
    return table


def _statistics(name: str, scores: Sequence[float | None], logged: list[Logged], old: list[float]) -> list[str]:
    known = [(score, before) for score, before in zip(scores, old, strict=True) if score is not None]
    if not known:
        return [name, "–", "–", "100 %", "–", "–"]
    values, before = zip(*known, strict=True)
    none = 1 - len(known) / len(scores)
    return [name, f"{fmean(values):.3f}", f"{pstdev(values):.3f}", f"{none:.0%}", _silent(scores, logged),
            _correlation(values, before)]  # fmt: skip


def _silent(scores: Sequence[float | None], logged: list[Logged]) -> str:
    return f"{fmean(silent_share(group, len(group)) for group in _grouped(scores, logged).values()):.0%}"


def _correlation(values: Sequence[float], others: Sequence[float]) -> str:
    try:
        return f"{correlation(values, others):+.2f}"
    except StatisticsError:  # one of the two never changes, or there is one answer
        return "–"


def _disagreements(logged: list[Logged], old: list[float], new: list[float]) -> list[Text]:
    """Return the answers whose advantage in their group, so what would be learned from them, differs most."""
    gaps = [b - a for a, b in zip(_advantages(old, logged), _advantages(new, logged), strict=True)]
    lines, seen = [], set()
    for place in sorted(range(len(gaps)), key=lambda place: -abs(gaps[place])):
        one = logged[place]
        if abs(gaps[place]) < NOTABLE or len(seen) == SHOWN:
            break
        if (one.task.task_id, one.text) not in seen:
            seen.add((one.task.task_id, one.text))
            lines += [
                f"  step {one.step}, {one.task.task_id}: {old[place]:.3f} then, {new[place]:.3f} now, "
                f"advantage {gaps[place]:+.1f}",
                f"    asked     {shorten(one.task.question)}",
                f"    answered  {shorten(one.text, 160)}",
            ]
    head = "\nwhere the two disagree most:" if lines else "\nthe two would have taught nearly the same"
    return [Text(head, style="bold"), *map(Text, lines)]


def _advantages(totals: list[float], logged: list[Logged]) -> list[float]:
    """Return each total less its group's mean, in spreads of the group; 0 in a group without spread."""
    groups = _grouped(totals, logged)
    spreads = {group: (fmean(values), pstdev(values)) for group, values in groups.items()}
    advantages = []
    for total, one in zip(totals, logged, strict=True):
        mean, spread = spreads[one.group]
        advantages.append((total - mean) / spread if spread > SILENT else 0.0)
    return advantages


def _grouped(scores: Sequence[float | None], logged: list[Logged]) -> dict[tuple[int, str], list]:
    groups: dict[tuple[int, str], list] = defaultdict(list)
    for score, one in zip(scores, logged, strict=True):
        groups[one.group].append(score)
    return groups
