"""What pages on the screen are made of, whichever stage prints them: a head, a plan, a query, rows, lines of text.

What comes from files is text and nothing else: no markup, no control characters.
"""

import re
from collections.abc import Iterable, Sequence

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from configs.screen import printable
from sandbox import Result
from tasks.clauses import on_lines

SQL_LEAST, SQL_WIDEST = 48, 76
"""Width of a query: beside something else, and at most."""
CELL = 28
"""Widest cell of a result."""

_STEP = re.compile(r"(\s*)(?:step\s+)?(\d{1,3})\s?[.:)]\s+(.*)", re.IGNORECASE)
_BULLET = re.compile(r"(\s*)(?:[-*•]\s+)?(.*)")
_QUOTE = r'"[^"\n]+"'
_NAME = r"(?:`[^`\n]+`|\b[^\W\d]\w*)\.(?:`[^`\n]+`|[^\W\d]\w*)|`[^`\n]+`"


def head(facts: Iterable[tuple[str, str]]) -> Rule:
    """Return the line above a page; facts: text and style of each, left out where there is no text."""
    told = [Text(one_line(text, 40), style) for text, style in facts if text]
    return Rule(Text(" · ").join(told), align="left", style="dim")


def plan(think: str) -> Table:
    """Return the steps of a plan, numbers and bullets in a column of their own."""
    steps = Table.grid(padding=(0, 2, 0, 0))
    steps.add_column(justify="right", style="dim")
    steps.add_column(overflow="fold")
    lines = [line for line in printable(think).split("\n") if line.strip()]
    for line in lines:
        if step := _STEP.fullmatch(line):
            indent, mark, words = step.groups()
        else:
            indent, words = _BULLET.fullmatch(line).groups()
            mark = "•" if len(lines) > 1 else ""
        text = Text(words)
        text.highlight_regex(_NAME, "cyan")
        text.highlight_regex(_QUOTE, "green")
        steps.add_row(mark, Padding(text, (0, 0, 0, min(len(indent), 8))))
    return steps


def sql_block(sql: str, width: int) -> Syntax:
    """Return a query in colours, its clauses on lines of their own where it is wider than `width`."""
    lines = on_lines(printable(sql), min(width, SQL_WIDEST))
    return Syntax(lines, "sql", theme="ansi_dark", background_color="default", word_wrap=True)


def one_line(text: str, width: int) -> str:
    """Return text on one line of at most `width` cells.

    >>> one_line("a long\\n  name", 8)
    'a long …'
    """
    line = " ".join(printable(text[: 8 * width]).split())
    return line if cell_len(line) <= width else f"{set_cell_size(line, width - 1)}…"


def inset(inner: RenderableType, left: int = 2) -> Padding:
    """Return something with room on its left, and a little on its right."""
    return Padding(inner, (0, 2, 0, left))


def outcome(result: Result, shown: int) -> Text:
    """Return in words what came of a query; shown: rows of it that are on the page, at most."""
    if result.status == "empty":
        return Text("no rows", "dim")
    if not result.runs:
        return Text(one_line(f"{result.status}: {result.message}", 300), "yellow")
    count, columns = len(result.rows), len(result.columns)
    rows = f"{shown} of {count:,} rows" if count > shown else "1 row" if count == 1 else f"{count} rows"
    return Text(f" {rows}{f', {columns} columns' if columns > 8 else ''}", "dim")


def row_table(result: Result, room: int, shown: int, cell: int = CELL) -> Table:
    """Return the first `shown` rows, with as many columns as there is room for; cell: width of the widest."""
    rows = result.rows[:shown]
    table = Table(box=box.ROUNDED, border_style="dim", header_style="bold", show_edge=True)
    used, columns = 1, list(zip(result.columns, *rows, strict=True))
    for place, (name, *values) in enumerate(columns):
        title = one_line(name, cell) or "?"
        used += max(cell_len(title), *(_cell(value, cell).cell_len for value in values)) + 3
        last = place == len(columns) - 1
        if used > room - (0 if last else 6) and place:  # 6: the column that tells of the rest
            table.add_column(f"+{len(columns) - place}", style="dim", no_wrap=True)
            return _filled(table, columns[:place], cell, "…")
        number = all(isinstance(value, int | float) or value is None for value in values)
        table.add_column(Text(title), justify="right" if number else "left", no_wrap=True)
    return _filled(table, columns, cell)


def _filled(table: Table, columns: Sequence[tuple], cell: int, *more: str) -> Table:
    for row in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*(_cell(value, cell) for value in row), *more)
    return table


def _cell(value: object, width: int) -> Text:
    """Return a value of a result on one line, cut where it is long."""
    if value is None:
        return Text("NULL", "dim")
    if isinstance(value, bytes):
        return Text(f"{len(value):,} bytes", "dim")
    return Text(one_line(str(value), width))
