"""A reply on the screen: the plan, the SQL, the rows, and a line of what came of them and what they took.

What the model says and what the database holds is text and nothing else: no markup, no control characters.
"""

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evaluation.ask.reply import Reply
from evaluation.ask.source import Source
from sandbox import Result
from tasks.page import CELL, inset, one_line, plan, row_table, sql_block

FEW = 3  # rows up to which a result too wide for a table is shown a line for each value


def reply_page(reply: Reply, source: Source, width: int, rows: int) -> RenderableType:
    """Return the page of what `source` replied, on a screen of `width`, with at most so many rows of the result."""
    room = width - 4
    parts: list[RenderableType] = [inset(plan(reply.plan)), ""] if reply.plan else []
    if reply.sql is not None:
        parts += [inset(sql_block(reply.sql, room)), ""]
    if reply.result.rows and rows:
        parts += [inset(rows_shown(reply.result, room, rows))]
    return Group(*parts, inset(told(reply, source)))


def rows_shown(result: Result, room: int, rows: int) -> RenderableType:
    """Return the first rows as a table; a few that are too wide for one as lines of name and value."""
    columns = len(result.columns)
    cell = min(max(CELL, (room - 1) // columns - 3), room - 4)
    shown: RenderableType = row_table(result, room, rows, cell)
    if len(shown.columns) < columns and min(rows, len(result.rows)) <= FEW:
        shown = Group(*(_record(result, row, room) for row in result.rows[:rows]))
    more = len(result.rows) - rows
    return Group(shown, Text(f" … {more:,} more row{'s' * (more > 1)}", "dim")) if more > 0 else shown


def _record(result: Result, row: tuple, room: int) -> Table:
    """Return a row as lines of name and value."""
    pairs = Result("ok", ("column", "value"), tuple(zip(result.columns, row, strict=True)))
    names = min(max(map(cell_len, result.columns)), room // 2)
    return row_table(pairs, room, len(row), room - 7 - names)


def told(reply: Reply, source: Source) -> Text:
    """Return in one line what came of the query, what it took, and what the answer took."""
    result, answer = reply.result, reply.answer
    if result.runs:
        count = len(result.rows)
        rows = "no rows" if not count else "1 row" if count == 1 else f"{count:,} rows"
        facts = [(f"{rows} in {duration(result.seconds)}", "green")]
    else:
        status = "" if reply.sql is None else f"{reply.status}: "
        facts = [(one_line(f"{status}{result.message}", 300), "yellow")]
    facts.append((f"{one_line(source.name, 60)}: {answer.tokens} tokens in {duration(answer.seconds)}", "dim"))
    if not answer.stopped:
        facts.append((f"cut off at evaluation.max_new_tokens = {source.cfg.evaluation.max_new_tokens}", "yellow"))
    elif not reply.form and reply.sql is not None:
        facts.append(("not in the form that was asked for", "yellow"))
    return Text(" · ").join(Text(*fact) for fact in facts)


def duration(seconds: float) -> str:
    """Return a short time for people.

    >>> duration(0.00001), duration(0.00042), duration(0.25), duration(12.34)
    ('<0.1 ms', '0.4 ms', '250 ms', '12.3 s')
    """
    if seconds < 0.0001:
        return "<0.1 ms"
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
