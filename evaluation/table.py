"""The result tables: models side by side."""

from collections.abc import Iterator, Mapping

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from tasks.page import one_line

NAMES = {"base": "base", "sft": "SFT", "rl": "SFT + GRPO", "gold": "gold"}
SHARES = {
    "suite": "ex_suite",
    "BIRD": "ex_bird",
    "soft F1": "soft_f1",
    "R-VES": "r_ves",
    "form": "form",
    "runs": "runs",
    "stops": "stops",
}
HEADS = ("EX %", "95 %", *SHARES, "tokens", "s")
BEFORE_TRIES = HEADS.index("form")
"""Where pass@k stands."""
PARTS = {"level": "levels", "difficulty": "difficulties"}


def result_tables(summary: Mapping[str, dict], title: str) -> Iterator[Table]:
    """Yield the table of scores, and EX by level and by difficulty where the data has it: a row a model, one for gold.

    Only columns that some row has.  Shares in %: EX by evaluation.judge with its 95 % interval, test-suite accuracy,
    EX by BIRD's rule, soft F1, R-VES, pass@1 and pass@n of n answers a question, form, runs, stops; mean tokens and
    seconds (s) a question.
    """
    yield _scores(summary, title)
    for name, key in PARTS.items():
        if any(key in row for row in summary.values()):
            yield _parts(summary, name, key)


def _scores(summary: Mapping[str, dict], title: str) -> Table:
    lines = [(NAMES.get(name, name), _cells(row)) for name, row in summary.items()]
    tried = {head for _, cells in lines for head in cells} - set(HEADS)
    order = [*HEADS[:BEFORE_TRIES], *sorted(tried, key=lambda head: int(head[5:])), *HEADS[BEFORE_TRIES:]]
    heads = [head for head in order if any(head in cells for _, cells in lines)]
    table = _table(title, *heads)
    for name, cells in lines:
        table.add_row(name, *(cells.get(head, "–") for head in heads))
    return table


def _cells(row: Mapping) -> dict[str, str]:
    """Return what one model's row has, by the heads of the columns."""
    low, high = row["ex_interval"]
    cells = {"EX %": percent(row["ex"]), "95 %": f"{percent(low)}–{percent(high)}"}
    cells |= {head: percent(row[key]) for head, key in SHARES.items() if key in row}
    passed = row.get("pass_at", {})
    cells |= {f"pass@{k}": percent(passed[k]) for k in (min(passed, key=int), max(passed, key=int))} if passed else {}
    if "tokens" in row:
        cells |= {"tokens": f"{row['tokens']:.0f}", "s": f"{row['seconds'] / row['questions']:.2f}"}
    return cells


def _parts(summary: Mapping[str, dict], name: str, key: str) -> Table:
    counts = {part: scores["questions"] for row in summary.values() for part, scores in row.get(key, {}).items()}
    table = _table(f"EX % by {name}", *(escape(f"{one_line(part, 24)} ({count})") for part, count in counts.items()))
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
