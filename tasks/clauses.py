"""A query broken into lines at its clauses; not a character of it changes but white space."""

import sqlglot
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

INDENT = 2
INLINE = 48  # a subquery up to this length stays on its line

_JOINS = {TokenType.LEFT, TokenType.RIGHT, TokenType.FULL, TokenType.INNER, TokenType.CROSS, TokenType.NATURAL}
_SETS = {TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT}
_CLAUSES = _SETS | {
    TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.ORDER_BY, TokenType.LIMIT,
}  # fmt: skip
_QUERIES = {TokenType.SELECT, TokenType.WITH}


def on_lines(sql: str, width: int) -> str:
    """Return `sql` with its clauses on lines of their own, and long subqueries indented, if it's wider than `width`.

    >>> print(on_lines("SELECT name FROM city WHERE people > 9 ORDER BY name", 40))
    SELECT name
    FROM city
    WHERE people > 9
    ORDER BY name
    """
    if "\n" in sql or len(sql) <= width:
        return sql
    try:
        tokens = sqlglot.tokenize(sql, read="sqlite")
    except SqlglotError:
        return sql
    parts, done = [], 0
    for start, indent in _breaks(tokens):
        before = sql[done:start]
        parts.append(before.rstrip() + "\n" + " " * indent)
        done = start
    return "".join(parts) + sql[done:]


def _breaks(tokens: list[Token]) -> list[tuple[int, int]]:
    """Return where lines begin, and how far they are indented."""
    ends = _ends(tokens)
    found, depth, inline = [], 0, []  # inline: ends of the brackets around us that stay on their line
    closing: list[int] = []
    for place, token in enumerate(tokens):
        inline = [end for end in inline if end > place]
        if closing and closing[-1] == place:
            closing.pop()
            depth -= 1
            found.append((token.start, INDENT * depth))
        if inline:
            continue
        before = tokens[place - 1].token_type if place else None
        if token.token_type is TokenType.L_PAREN:
            end = ends.get(place)
            query = end and tokens[place + 1].token_type in _QUERIES
            if query and tokens[end].end - token.start > INLINE:
                depth += 1
                closing.append(end)
                found.append((tokens[place + 1].start, INDENT * depth))
            elif end:
                inline.append(end)
        elif place and _begins_line(token.token_type, before):
            found.append((token.start, INDENT * depth))
    return found


def _begins_line(kind: TokenType, before: TokenType | None) -> bool:
    if kind is TokenType.SELECT:
        return before in _SETS | {TokenType.ALL, TokenType.R_PAREN}
    if kind in _JOINS | {TokenType.JOIN}:
        return before not in _JOINS | {TokenType.OUTER}
    return kind in _CLAUSES and before is not TokenType.DISTINCT  # IS DISTINCT FROM


def _ends(tokens: list[Token]) -> dict[int, int]:
    """Return the place of each opening bracket → that of its closing one."""
    pairs: dict[int, int] = {}
    open_: list[int] = []
    for place, token in enumerate(tokens):
        if token.token_type is TokenType.L_PAREN:
            open_.append(place)
        elif token.token_type is TokenType.R_PAREN and open_:
            pairs[open_.pop()] = place
    return pairs
