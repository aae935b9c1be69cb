"""The result table: models side by side."""

from rich.table import Table

NAMES = {"base": "base", "sft": "SFT", "rl": "SFT + GRPO", "gold": "gold"}


def result_table(summary: dict[str, dict], title: str) -> Table:
    """Return one row a model, and one for gold: shares in %, and mean tokens.

    EX by evaluation.judge with its 95 % interval, EX by BIRD's rule, soft F1, EX by level, form, runs, stops.
    """
    levels = sorted({level for row in summary.values() for level in row["levels"]})
    counts = {level: max(row["levels"][level]["questions"] for row in summary.values()) for level in levels}
    table = Table(title=title, title_justify="left")
    table.add_column("model", no_wrap=True)
    for head in (
        "EX %",
        "95 %",
        "BIRD",
        "soft F1",
        *(f"{level} ({counts[level]})" for level in levels),
        "form",
        "runs",
        "stops",
        "tokens",
    ):
        table.add_column(head, justify="right", no_wrap=not head.endswith((")", "F1")))
    for name, row in summary.items():
        low, high = row["ex_interval"]
        table.add_row(
            NAMES[name],
            percent(row["ex"]),
            f"{percent(low)}–{percent(high)}",
            percent(row["ex_bird"]),
            percent(row["soft_f1"]),
            *(percent(row["levels"][level]["ex"]) for level in levels),
            *(percent(row[key]) if key in row else "–" for key in ("form", "runs", "stops")),
            f"{row['tokens']:.0f}" if "tokens" in row else "–",
        )
    return table


def percent(share: float) -> str:
    """Return a share in percent, with one decimal.

    >>> percent(0.1562)
    '15.6'
    """
    return f"{100 * share:.1f}"
