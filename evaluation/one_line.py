"""A query on one line, without tabs: what files of one query a line can hold."""

import re

TOKEN = re.compile(
    r"""(?P<space>(?:[ \t\n\f\r]|--[^\n]*|/\*(?=(?s:.))(?s:.*?)(?:\*/|\Z))+)
    |(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
    |(?P<word>[\w$]+)
    |(?P<mark>(?s:.))""",
    re.VERBOSE,
)
"""SQLite's tokens (src/tokenize.c), as far as they tell where a line break stands; a comment may lack its end."""
BREAKS = re.compile(r"[\t\n\r]+")
_WORDS = """
select distinct all where and or not in like glob regexp match is between case when then else by having on limit offset
escape values returning
"""
BEFORE_A_VALUE = frozenset(_WORDS.split())
"""Words behind which a quoted text is a value; behind any other it is the name of something."""


def one_line(sql: str) -> str:
    r"""Return a query that gives the same rows, on one line: comments and line breaks become a space.

    A break within a text is written with char().  None can be written in the name of a table or column: it becomes a
    space, and `has_broken_name` tells.

    >>> one_line("SELECT a, -- the name\n  'x\ty' AS b\nFROM t")
    "SELECT a, ('x'||char(9)||'y') AS b FROM t"
    """
    return "".join(_spelled(*token) for token in _tokens(sql)).strip(" ")


def has_broken_name(sql: str) -> bool:
    r"""Return whether a name in the query holds a line break or tab, so that on one line it is another name.

    >>> has_broken_name("SELECT 'a\nb' FROM t"), has_broken_name("SELECT `a\nb` FROM t")
    (False, True)
    """
    return any(kind == "name" and BREAKS.search(token) for kind, token in _tokens(sql))


def _tokens(sql: str) -> list[tuple[str, str]]:
    """Return the tokens with their kinds; what is quoted is "text" where SQLite reads it as a value, else "name".

    In double quotes it is a value, too, if it holds a break and the query gives nothing such a name.
    """
    found, names = [], set()
    is_value = False
    for match in TOKEN.finditer(sql):
        kind, token = match.lastgroup, match.group()
        if kind == "quoted":
            kind = "text" if is_value and token[0] in "'\"" else "name"
            if not is_value:
                names.add(token)
        found.append((kind, token))
        if kind != "space":
            is_value = token.lower() in BEFORE_A_VALUE if kind == "word" else kind == "mark" and token not in ").;"
    return [("name" if token in names and token[0] == '"' else kind, token) for kind, token in found]


def _spelled(kind: str, token: str) -> str:
    if kind == "space":
        return " "
    if not BREAKS.search(token):
        return token
    if kind != "text":
        return BREAKS.sub(" ", token)
    inner = token[1:-1]
    if token[0] == '"':
        inner = inner.replace('""', '"').replace("'", "''")
    parts = [_part(part) for part in re.split(rf"({BREAKS.pattern})", inner) if part]
    return parts[0] if len(parts) == 1 else f"({'||'.join(parts)})"


def _part(text: str) -> str:
    return f"char({','.join(str(ord(char)) for char in text)})" if BREAKS.match(text) else f"'{text}'"
