"""What a run took: time, tokens and dollars of each stage."""

from collections.abc import Iterator
from dataclasses import dataclass

from configs.screen import clock
from evaluation.report.data import Run
from evaluation.table import NAMES


@dataclass(frozen=True)
class Cost:
    """One line of the table; None where nothing was noted."""

    stage: str
    work: str
    seconds: float | None
    tokens: float | None
    dollars: float | None

    @property
    def shown(self) -> tuple[str, ...]:
        """The line as texts, a dash where nothing is known."""
        speed = self.tokens / self.seconds if self.tokens and self.seconds else None
        return (
            self.stage,
            self.work,
            clock(self.seconds) if self.seconds is not None else "–",
            *("–" if number is None else f"{number:,.0f}" for number in (self.tokens, speed)),
            "–" if self.dollars is None else f"{self.dollars:,.2f}",
        )


def costs(run: Run) -> list[Cost]:
    """Return what each stage took, those that did something."""
    return [*_distill(run), *_trained("SFT", run.sft), *_trained("RL", run.rl), *_evaluation(run)]


def _distill(run: Run) -> Iterator[Cost]:
    stats = run.distill
    if not stats:
        return
    traces = sum(stats.get(part, {}).get("delivered", 0) for part in ("train", "validation"))
    tokens = [stats[key] for key in ("input_tokens", "output_tokens") if stats.get(key) is not None]
    yield Cost("distill", f"{traces:,} traces", stats.get("seconds"), sum(tokens) if tokens else None,
               stats.get("dollars"))  # fmt: skip


def _trained(stage: str, rows: list[dict]) -> Iterator[Cost]:
    if not rows:
        return
    tokens = [row["num_tokens"] for row in rows if row.get("num_tokens") is not None]
    steps = max((row["step"] for row in rows if "step" in row), default=0)
    seconds = [row["seconds"] for row in rows if row.get("seconds") is not None]
    yield Cost(stage, f"{steps:,} steps", max(seconds, default=None), max(tokens, default=None), None)


def _evaluation(run: Run) -> Iterator[Cost]:
    for model, row in run.models.items():
        tokens = row["tokens"] * row["questions"] if row.get("tokens") is not None else None
        name = f"evaluation of {NAMES.get(model, model)}"
        yield Cost(name, f"{row['questions']:,} questions", row.get("seconds"), tokens, row.get("dollars"))
