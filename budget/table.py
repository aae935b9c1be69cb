"""A plan as people read it: a row a GPU, or a row a stage."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from budget.hours import Interval
from budget.peaks import PARTS
from budget.plan import Plan
from configs.screen import printable

GIB = 2**30
LOG_WIDTH = 160
LEAST_WIDTH = 80
"""Of a table: narrower terminals break its lines, which reads better than columns of single letters."""


def gpus_table(plans: Sequence[Plan], title: str) -> Table:
    """Return a row for each GPU: what each stage needs of its memory, whether that fits, hours, dollars."""
    stages = list(plans[0].stages)
    table = new_table(title, "GPU", "GiB", *stages, "fits", "time", "dollars")
    for plan in plans:
        peaks = [_peak(stage.peak.total_bytes, stage.fits) for stage in plan.stages.values()]
        whole = (hours(plan.seconds), dollars(plan.dollars)) if plan.fits else ("–", "–")
        table.add_row(plan.gpu.title, f"{plan.gpu.memory_bytes / GIB:.1f}", *peaks, _yes(plan.fits), *whole)
    return table


def stages_table(plan: Plan, title: str) -> Table:
    """Return a row for each stage: its peak and what that holds in GiB, tokens, arithmetic, hours, dollars."""
    held = {part for stage in plan.stages.values() for part in stage.peak.parts}
    order = [*PARTS, "CUDA context", "margin"]
    parts = sorted(held, key=lambda part: order.index(part) if part in order else len(order))
    table = new_table(title, "GiB at the peak", *plan.stages)
    for part in parts:
        table.add_row(part, *(_gib(stage.peak.parts.get(part, 0)) for stage in plan.stages.values()))
    table.add_section()
    peaks = [_peak(stage.peak.total_bytes, stage.fits) for stage in plan.stages.values()]
    table.add_row(f"together, of {plan.gpu.memory_bytes / GIB:.1f}", *peaks)
    table.add_row("highest in", *(printable(stage.peak.moment) for stage in plan.stages.values()))
    table.add_section()
    rows = {
        "steps": [count(stage.work.steps) for stage in plan.stages.values()],
        "tokens read": [count(stage.work.tokens) for stage in plan.stages.values()],
        "tokens written": [count(stage.work.generated_tokens) for stage in plan.stages.values()],
        "PFLOP": [f"{stage.work.flops / 1e15:,.1f}" if stage.work.flops else "" for stage in plan.stages.values()],
        "time": [hours(stage.seconds) if stage.fits else "–" for stage in plan.stages.values()],
        "dollars": [dollars(stage.dollars) if stage.fits else "–" for stage in plan.stages.values()],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    if plan.teacher is None or plan.teacher.high:
        table.add_row("teacher's answers", dollars(plan.teacher))
    return table


def show(lines: Iterable[Table | str]) -> None:
    """Print tables and lines; in a file as wide as they need."""
    console = Console()
    console.width = max(console.width, LEAST_WIDTH) if console.is_terminal else LOG_WIDTH
    for line in lines:
        if isinstance(line, str):
            console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
        else:
            console.print(line)


def hours(seconds: Interval) -> str:
    """Return an interval of time for people.

    >>> hours(Interval(125, 7300)), hours(Interval(0, 0))
    ('0:02 – 2:02 h', '')
    """
    if not seconds.high:
        return ""
    low, high = (divmod(round(each / 60), 60) for each in (seconds.low, seconds.high))
    return f"{low[0]}:{low[1]:02} – {high[0]}:{high[1]:02} h"


def dollars(amount: Interval | None) -> str:
    """Return an interval of money for people, `?` where it is not known.

    >>> dollars(Interval(0.304, 2.5)), dollars(Interval(0, 0)), dollars(Interval(14.52, 14.52))
    ('$0.30 – 2.50', '', '$14.52')
    """
    if amount is None:
        return "?"
    if not amount.high:
        return ""
    low, high = f"{amount.low:,.2f}", f"{amount.high:,.2f}"
    return f"${low}" if low == high else f"${low} – {high}"


def count(number: float) -> str:
    """Return a count for people, of nothing an empty text.

    >>> count(950), count(1_234_567), count(0)
    ('950', '1.2 M', '')
    """
    if not number:
        return ""
    for size, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / (1e3 if name == 'k' else size):,.1f} {name}"
    return f"{number:,.0f}"


def new_table(title: str, first: str, *others: str) -> Table:
    """Return an empty table, all columns but the first for numbers."""
    table = Table(title=Text(printable(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(Text(printable(name)), justify="right", overflow="fold")
    return table


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.2f}" if size_bytes else ""


def _peak(size_bytes: int, fits: bool) -> Text:
    return Text(f"{size_bytes / GIB:.1f}" if size_bytes else "none", style="" if fits else "bold red")


def _yes(fits: bool) -> Text:
    return Text("yes", style="green") if fits else Text("no", style="bold red")
