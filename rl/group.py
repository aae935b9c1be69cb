"""The answers to one question on the screen: what each says, what came of it, and what it was paid."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from configs.errors import ConfigError
from configs.screen import printable
from tasks.page import head, inset, one_line, plan, sql_block
from tasks.trace import extract_sql, parse

INDENT = 6


@dataclass(frozen=True)
class Answered:
    """One line of completions.jsonl; blank where an older version of it has no such key.

    correct: None where the gold query does not run, or nothing is known.
    """

    step: int
    task_id: str
    question: str
    gold_sql: str
    prompt: str
    completion: str
    sql: str
    status: str
    message: str
    rows: str
    correct: bool | None
    rewards: tuple[tuple[str, float | None], ...]
    total: float
    advantage: float

    @classmethod
    def of(cls, path: Path, number: int, row: dict) -> "Answered":
        """Return line `number` of the file; ConfigError where it is none."""
        names = ("task_id", "question", "gold_sql", "prompt", "completion", "sql", "status", "message", "rows")
        texts = {name: str(row.get(name) or "") for name in names}
        try:
            rewards = tuple(
                (str(name), None if score is None else float(score)) for name, score in row["rewards"].items()
            )
            total = row.get("total")
            return cls(
                step=int(row["step"]),
                **texts | {"sql": texts["sql"] or extract_sql(texts["completion"]) or ""},
                correct=None if row.get("correct") is None else bool(row["correct"]),
                rewards=rewards,
                total=float(total) if total is not None else sum(score or 0.0 for _, score in rewards),
                advantage=float(row["advantage"]),
            )
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{path}:{number}: no completion with step, rewards and advantage ({error!r}); run rl again"
            ) from None


def group_page(group: Sequence[Answered], width: int, *, plans: bool) -> RenderableType:
    """Return the page of one question: each different answer once, the best paid first.

    plans: show what stands before the SQL, too.
    """
    first, width = group[0], width - INDENT - 2
    parts: list[RenderableType] = [_head(group), "", inset(Text(printable(first.question or first.prompt), "bold"))]
    if first.gold_sql:
        parts += ["", Text("  gold", "dim"), inset(sql_block(first.gold_sql, width), INDENT)]
    said = Counter(row.completion for row in group)
    for row in sorted({row.completion: row for row in group}.values(), key=lambda row: -row.total):
        parts += ["", _paid(row, said[row.completion]), *(inset(part, INDENT) for part in _told(row, width, plans))]
    return Group(*parts, "")


def _head(group: Sequence[Answered]) -> RenderableType:
    right = sum(row.correct is True for row in group)
    mean = sum(row.total for row in group) / len(group)
    facts = [(f"step {group[0].step}", ""), (group[0].task_id, "bold")]
    if len(group) > 1:
        facts += [(f"{len(group)} answers, {right} right", "green" if right else "red"), (f"mean {mean:.2f}", "")]
    return head(facts)


def _paid(row: Answered, times: int) -> Text:
    """Return what an answer was paid, on a line."""
    line = Text(f"{times:>3} × " if times > 1 else "      ", "dim")
    line.append(f"{row.total:.2f}", "bold")
    line.append("  advantage ")
    line.append(f"{row.advantage:+.2f}", "green" if row.advantage > 0 else "red" if row.advantage < 0 else "dim")
    scores = " · ".join(f"{name} {'–' if score is None else f'{score:g}'}" for name, score in row.rewards)
    return line.append(f"  {one_line(scores, 400)}", "dim")


def _told(row: Answered, width: int, plans: bool) -> list[RenderableType]:
    """Return plan, query, rows, and what is wrong with the answer."""
    trace = parse(row.completion) or parse(row.completion, "sql_only")
    parts: list[RenderableType] = []
    if trace is None:
        parts.append(Text("✗ not in the form of a trace", "red"))
    if plans or not row.sql:
        thought = trace.think if trace else row.completion if not row.sql else row.completion.rpartition("<sql>")[0]
        parts += [plan(thought)] if thought.strip() else []
    if row.sql:
        parts.append(sql_block(row.sql, width))
    if row.rows:
        parts.append(Text(one_line(row.rows, width), "dim"))
    return [*parts, *_verdict(row, width)]


def _verdict(row: Answered, width: int) -> list[Text]:
    if row.correct:
        return [Text("✓ the gold rows", "green")]
    if row.status == "no_sql":
        return [Text("✗ no SQL", "red")]
    if row.correct is False:
        what = "other rows than gold" if row.status in ("ok", "empty") else row.status
        return [Text(one_line(f"✗ {what}{f': {row.message}' if row.message else ''}", width), "red")]
    return [Text(one_line(f"not judged: {row.message}", width), "yellow")] if row.message else []
