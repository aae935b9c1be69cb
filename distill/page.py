"""One trace on the screen: head, question, plan, SQL, and the rows that the SQL returns.

What comes from files is text and nothing else: no markup, no control characters.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from configs.screen import printable
from sandbox import Result
from tasks.page import SQL_LEAST, head, inset, one_line, outcome, plan, row_table, sql_block

if TYPE_CHECKING:
    from distill.show import Shown

LEVELS = {"L1": "green", "L2": "cyan", "L3": "yellow", "L4": "magenta"}
ROWS = 5
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
    if not isinstance(result, Result):
        why = ["", Text(one_line(f"not run: {result}", 300), "yellow")] if result else []
        return Group(sql_block(sql, room), *why)
    told = outcome(result, ROWS)
    if not result.rows:
        return Group(sql_block(sql, room), "", told)
    rows = row_table(result, room, ROWS)
    width = Measurement.get(console, console.options, rows).maximum
    if console.width >= BESIDE and room - width - 4 >= SQL_LEAST:
        both = Table.grid(padding=(0, 4, 0, 0))
        both.add_column(width=room - width - 4)
        both.add_row(sql_block(sql, room - width - 4), Group(rows, told))
        return both
    return Group(sql_block(sql, room), "", rows, told)
