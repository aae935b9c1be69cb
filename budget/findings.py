"""What the doctor says of one thing, and how a list of such is shown."""

from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.screen import printable

Level = Literal["ok", "warning", "fail"]
STYLE: dict[Level, str] = {"ok": "green", "warning": "yellow", "fail": "bold red"}
LOG_WIDTH = 160


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `fail` stops the run or makes it wrong, `warning` may not."""

    name: str
    level: Level
    found: str
    cure: str = ""


def failed(findings: list[Finding]) -> bool:
    """Tell whether anything fails."""
    return any(finding.level == "fail" for finding in findings)


def show(findings: list[Finding], console: Console | None = None) -> None:
    """Print the findings as a table, in colours on a terminal only; nothing in them is taken for markup."""
    console = console or Console()
    if not console.is_terminal:
        console.width = LOG_WIDTH
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "check", "found", "cure"):
        table.add_column(name, overflow="fold")
    for each in findings:
        cells = (Text(printable(text)) for text in (each.name, each.found, each.cure))
        table.add_row(Text(each.level, style=STYLE[each.level]), *cells)
    console.print(table)
    counts = ", ".join(f"{sum(each.level == level for each in findings)} {level}" for level in STYLE)
    console.print(counts, markup=False, highlight=False)
