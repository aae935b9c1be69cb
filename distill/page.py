"""One trace on the screen: head, question, plan, SQL, and the rows that the SQL returns.

What comes from files is text and nothing else: no markup, no control characters.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from configs.screen import printable
from sandbox import Result
from tasks.page import SQL_LEAST, head, inset, one_line, plan, sql_block

if TYPE_CHECKING:
    from distill.show import Shown

LEVELS = {"L1": "green", "L2": "cyan", "L3": "yellow", "L4": "magenta"}
ROWS = 5
CELL = 28  # widest cell of a result
BESIDE = 100  # from this width on, rows may stand beside the SQL


def page(shown: "Shown", result: Result | str, console: Console) -> RenderableType:
    """Return the page of one trace, as wide as the console.

    result: what running the SQL gave, or in words why it was not run.
    """
    parts: list[RenderableType] = [_head(shown), ""]
    if shown.question:
        parts.append(inset(Text(printable(shown.question), "bold")))
    if shown.evidence:
        parts.append(inset(Text(f"Hint: {printable(shown.evidence)}", "italic")))
    if shown.reason:
        why = f": {printable(shown.detail)}" if shown.detail else ""
        parts.append(inset(Text(f"✗ {printable(shown.reason)}{why}", "red")))
    if shown.trace:
        parts += ["", inset(plan(shown.trace.think))] if shown.trace.think else []
        parts += ["", inset(_sql_and_rows(shown.trace.sql, result, console))]
    elif shown.answer:
        parts += ["", inset(Text(printable(shown.answer).strip()))]
    return Group(*parts, "")


def _head(shown: "Shown") -> Rule:
    level = f"bold {LEVELS.get(shown.level, '')}".strip()
    database = Path(shown.database).stem
    return head([(shown.task_id, "bold"), (shown.level, level), (database, ""), (shown.teacher, ""), (shown.split, "")])


def _sql_and_rows(sql: str, result: Result | str, console: Console) -> RenderableType:
    room = console.width - 4
    told = _outcome(result)
    if not isinstance(result, Result) or not result.rows:
        return Group(sql_block(sql, room), *(["", told] if told else []))
    rows = _table(result, room)
    width = Measurement.get(console, console.options, rows).maximum
    if console.width >= BESIDE and room - width - 4 >= SQL_LEAST:
        both = Table.grid(padding=(0, 4, 0, 0))
        both.add_column(width=room - width - 4)
        both.add_row(sql_block(sql, room - width - 4), Group(rows, told))
        return both
    return Group(sql_block(sql, room), "", rows, told)


def _outcome(result: Result | str) -> Text | None:
    """Return in words what came of the SQL; None where nothing is to be said."""
    if isinstance(result, str):
        return Text(one_line(f"not run: {result}", 300), "yellow") if result else None
    if result.status == "empty":
        return Text("no rows", "dim")
    if not result.runs:
        return Text(one_line(f"{result.status}: {result.message}", 300), "yellow")
    count, columns = len(result.rows), len(result.columns)
    rows = f"{ROWS} of {count:,} rows" if count > ROWS else "1 row" if count == 1 else f"{count} rows"
    return Text(f" {rows}{f', {columns} columns' if columns > 8 else ''}", "dim")


def _table(result: Result, room: int) -> Table:
    """Return the first rows, with as many columns as there is room for."""
    rows = result.rows[:ROWS]
    table = Table(box=box.ROUNDED, border_style="dim", header_style="bold", show_edge=True)
    used, columns = 1, list(zip(result.columns, *rows, strict=True))
    for place, (name, *values) in enumerate(columns):
        cells = [_cell(value) for value in values]
        title = one_line(name, CELL) or "?"
        used += max(cell_len(title), *(cell.cell_len for cell in cells)) + 3
        last = place == len(columns) - 1
        if used > room - (0 if last else 6) and place:  # 6: the column that tells of the rest
            table.add_column(f"+{len(columns) - place}", style="dim", no_wrap=True)
            return _filled(table, columns[:place], "…")
        number = all(isinstance(value, int | float) or value is None for value in values)
        table.add_column(Text(title), justify="right" if number else "left", no_wrap=True)
    return _filled(table, columns)


def _filled(table: Table, columns: Sequence[tuple], *more: str) -> Table:
    for row in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*map(_cell, row), *more)
    return table


def _cell(value: object) -> Text:
    """Return a value of a result on one line, cut where it is long."""
    if value is None:
        return Text("NULL", "dim")
    if isinstance(value, bytes):
        return Text(f"{len(value):,} bytes", "dim")
    return Text(one_line(str(value), CELL))
