"""The result tables: models side by side."""

from collections.abc import Iterator, Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

NAMES = {"base": "base", "sft": "SFT", "rl": "SFT + GRPO", "gold": "gold"}
SCORES = {"suite": "ex_suite", "BIRD": "ex_bird", "soft F1": "soft_f1", "R-VES": "r_ves"}
HABITS = {"form": "form", "runs": "runs", "stops": "stops"}
PARTS = {"level": "levels", "difficulty": "difficulties"}


def result_tables(summary: Mapping[str, dict], title: str) -> Iterator[Table]:
    """Yield the table of scores, and EX by level and by difficulty where the data has it: a row a model, one for gold.

    Shares in %: EX by evaluation.judge with its 95 % interval, test-suite accuracy, EX by BIRD's rule, soft F1, R-VES,
    pass@1 and pass@n of n answers a question, form, runs, stops; mean tokens and seconds (s) a question.
    """
    yield _scores(summary, title)
    for name, key in PARTS.items():
        if any(key in row for row in summary.values()):
            yield _parts(summary, name, key)


def _scores(summary: Mapping[str, dict], title: str) -> Table:
    several = [row["pass_at"] for row in summary.values() if "pass_at" in row]
    tries = {f"pass@{k}": k for each in several for k in (min(each, key=int), max(each, key=int))}
    table = _table(title, "EX %", "95 %", *SCORES, *tries, *HABITS, "tokens", "s")
    for name, row in summary.items():
        low, high = row["ex_interval"]
        passed = row.get("pass_at", {})
        table.add_row(
            NAMES.get(name, name),
            percent(row["ex"]),
            f"{percent(low)}–{percent(high)}",
            *(percent(row.get(key)) for key in SCORES.values()),
            *(percent(passed.get(k)) for k in tries.values()),
            *(percent(row.get(key)) for key in HABITS.values()),
            f"{row['tokens']:.0f}" if "tokens" in row else "–",
            f"{row['seconds'] / row['questions']:.2f}" if "seconds" in row else "–",
        )
    return table


def _parts(summary: Mapping[str, dict], name: str, key: str) -> Table:
    counts = {part: scores["questions"] for row in summary.values() for part, scores in row.get(key, {}).items()}
    table = _table(f"EX % by {name}", *(f"{part} ({count})" for part, count in counts.items()))
    for model, row in summary.items():
        shares = (row.get(key, {}).get(part, {}).get("ex") for part in counts)
        table.add_row(NAMES.get(model, model), *map(percent, shares))
    return table


def _table(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("model", no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def percent(share: float | None) -> str:
    """Return a share in percent, with one decimal; a dash for none.

    >>> percent(0.1562), percent(None)
    ('15.6', '–')
    """
    return "–" if share is None else f"{100 * share:.1f}"
