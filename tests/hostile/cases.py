"""Statements that try to break the sandbox: those of the .sql files beside this, and those too long or odd for a file.

A file holds one group.  `--- denied or error: what it tries` begins a statement, which goes on to the next such line;
`denied or error` are the statuses that keep the sandbox's promise.
"""

import re
from dataclasses import dataclass
from pathlib import Path

HEADER = re.compile(r"^--- ([a-z_]+(?: or [a-z_]+)*): (.+)\n", re.MULTILINE)
COUNT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"


@dataclass(frozen=True)
class Case:
    """One hostile statement, what it tries, and the statuses that it may have."""

    group: str
    title: str
    allowed: frozenset[str]
    sql: str


def parse(group: str, text: str) -> list[Case]:
    """Return the statements in the text of one file.

    >>> [(case.title, sorted(case.allowed), case.sql) for case in parse("g", "--- ok or error: two\\nSELECT\\n2;\\n")]
    [('two', ['error', 'ok'], 'SELECT\\n2;')]
    """
    _, *parts = HEADER.split(text)
    return [
        Case(group, title, frozenset(allowed.split(" or ")), sql.removesuffix("\n"))
        for allowed, title, sql in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    ]


def laughs(depth: int) -> str:
    """Return a query that SQLite writes out to 2 ** depth subqueries before it runs one.

    >>> laughs(1)
    'WITH t0 AS (SELECT 1 AS x UNION ALL SELECT 2), t1 AS (SELECT a.x FROM t0 a, t0 b) SELECT count(*) FROM t1'
    """
    doubled = "".join(f", t{i} AS (SELECT a.x FROM t{i - 1} a, t{i - 1} b)" for i in range(1, depth + 1))
    return f"WITH t0 AS (SELECT 1 AS x UNION ALL SELECT 2){doubled} SELECT count(*) FROM t{depth}"


def each(template: str, count: int, joint: str = ", ") -> str:
    """Return `template` for the numbers from 0 to `count` - 1.

    >>> each("t{0}.id = {0}", 2, " AND ")
    't0.id = 0 AND t1.id = 1'
    """
    return joint.join(template.format(number) for number in range(count))


def nested(before: str, core: str, after: str, depth: int) -> str:
    """Return `core` in `depth` pairs of `before` and `after`.

    >>> nested("abs(", "-1", ")", 3)
    'abs(abs(abs(-1)))'
    """
    return before * depth + core + after * depth


LONG = [
    ("too_large", "a megabyte and more of one text", f"SELECT '{'x' * 2_000_000}'"),
    ("ok", "nearly a megabyte of one text", f"SELECT length('{'x' * 1_000_000}')"),
    ("too_large", "five megabytes of comment", f"/*{'*' * 5_000_000}*/ SELECT 1"),
    ("too_large", "five megabytes of comments", "/**/" * 1_250_000 + "SELECT 1"),
    ("too_large", "five megabytes of spaces", f"SELECT{' ' * 5_000_000}1"),
    ("too_large", "thirty megabytes", f"SELECT 1 FROM singer WHERE name = '{'Ada' * 10_000_000}'"),
    ("error or too_large", "comments that are never closed", "/*" * 500_000 + " SELECT 1"),
    ("error or too_large", "a million quotes", "SELECT " + "'" * 1_000_001),
    ("error or too_large", "a million open brackets", "SELECT " + "[" * 1_000_000),
    ("ok or error", "a name of a megabyte", f'SELECT 1 AS "{"n" * 1_000_000}"'),
    ("error", "a table's name of a megabyte", f'SELECT 1 FROM "{"n" * 1_000_000}"'),
    ("error", "a number of a megabyte", "SELECT 1e" + "9" * 900_000 + "x"),
    ("ok", "a whole number of a megabyte", "SELECT " + "9" * 900_000),
    ("denied or error or too_large", "a hundred thousand statements", "SELECT 1;" * 100_000),
    ("ok or too_large", "nearly a million semicolons", "SELECT 1" + ";" * 900_000),
    ("error or denied", "semicolons before and comments between", ";/**/" * 100_000 + "DROP TABLE singer"),
    ("error", "a LIKE pattern too long", f"SELECT 'x' LIKE '{'%x' * 30_000}'"),
]
MANY = [
    ("error or too_large", "a million columns", "SELECT " + "1," * 1_000_000 + "1"),
    ("error", "half a million columns", "SELECT " + "1," * 500_000 + "1"),
    ("error", "stars that stand for too many columns", "SELECT " + "*," * 5000 + "* FROM singer, song"),
    ("error", "a table of more than all columns", "SELECT * FROM (SELECT " + "*, " * 700 + "* FROM singer)"),
    ("error", "columns that double", "WITH t0 AS (SELECT 1, 2)" + "".join(
        f", t{i} AS (SELECT * FROM t{i - 1} a, t{i - 1} b)" for i in range(1, 13)) + " SELECT * FROM t12"),
    ("empty", "no rows under two thousand names", f"SELECT {each('1 AS n{}', 2000)} WHERE 0"),
    ("too_large or error", "two gigabytes of names",
        f'SELECT {"*, " * 1998}* FROM (SELECT 1 AS "{"n" * 900_000}")'),
    ("too_large", "forty megabytes of names", f'SELECT {"*, " * 1998}* FROM (SELECT 1 AS "{"n" * 20_000}")'),
    ("ok or too_large or timeout", "a million numbers", f"{COUNT} SELECT {'x * 1.1, ' * 999}x FROM c LIMIT 1000"),
    ("ok or too_large or timeout", "megabytes of letters that JSON writes with six",
        "SELECT replace(hex(zeroblob(7000000)), '0', char(1))"),
    ("ok or too_large or timeout", "sums by the thousand",
        f"{COUNT} SELECT {each('sum(x + {})', 1900)} FROM (SELECT x FROM c LIMIT 1000)"),
    ("too_large", "rows of VALUES by the hundred thousand", "VALUES " + "(1)," * 100_000 + "(1)"),
    ("error", "rows of VALUES, the last too wide", "VALUES " + "(1)," * 100_000 + "(1,2)"),
    ("ok or timeout", "a list of two hundred thousand numbers", f"SELECT 1 IN ({'22, ' * 200_000}1)"),
    ("error", "selects by the thousand", "SELECT 1" + " UNION ALL SELECT 1" * 10_000),
    ("error", "more selects by the thousand", "SELECT 1" + " EXCEPT SELECT 1" * 50_000),
    ("error or timeout", "tables by the thousand", "SELECT 1 FROM singer" + ", singer" * 50_000),
    ("ok or error or timeout", "as many tables as may be joined",
        f"SELECT 1 FROM (VALUES (1)) NATURAL JOIN {each('(SELECT {0} AS c{0})', 62, ' NATURAL JOIN ')}"),
    ("empty or error or timeout", "a plan with too many ways",
        f"SELECT 1 FROM {each('song s{}', 63)}, song t WHERE {each('s{}.id = t.id + t.singer + 9', 63, ' AND ')}"),
    ("error or timeout", "an OR of thousands", f"SELECT * FROM singer WHERE {'id = 1 OR ' * 50_000} id = 2"),
    ("empty or error or timeout", "an AND of ORs",
        f"SELECT * FROM singer WHERE {each('(id = {0} OR name = {0} OR age = {0})', 900, ' AND ')}"),
    ("error", "a sum of a hundred thousand", "SELECT " + "1+" * 100_000 + "1"),
    ("error", "a text in a hundred thousand pieces", "SELECT " + "'x'||" * 100_000 + "'x'"),
    ("error", "a CASE with fifty thousand branches", f"SELECT CASE {'WHEN 0 THEN 1 ' * 50_000}END, 1 FROM nowhere"),
    ("error", "an ORDER BY of thousands", "SELECT 1 ORDER BY " + "1," * 5000 + "1"),
    ("error", "a function with thousands of arguments", f"SELECT coalesce({'NULL,' * 5000}1)"),
    ("error", "parameters by the thousand", "SELECT " + "?," * 1900 + ":a" + "+?" * 900),
    ("ok or error or timeout", "tables on the side by the thousand",
        f"WITH {each('t{} AS (SELECT 1)', 20_000)} SELECT * FROM t19999"),
    ("ok or error or timeout", "a chain of tables on the side", "WITH t0 AS (SELECT 1 AS x)" + "".join(
        f", t{i} AS (SELECT x + 1 AS x FROM t{i - 1})" for i in range(1, 500)) + " SELECT * FROM t499"),
    ("timeout or too_large or error", "tables on the side that double", laughs(24)),
    ("timeout or too_large or error", "subqueries that double", laughs(18).replace("UNION ALL SELECT 2", "")
        + f" WHERE x IN ({nested('SELECT x FROM t18 WHERE x IN (', '1', ')', 4)})"),
    ("ok or error or timeout or too_large", "windows by the thousand",
        f"SELECT sum(1) OVER w0 FROM singer WINDOW {each('w{0} AS (ORDER BY {0})', 5000)}"),
    ("ok or error or timeout or too_large", "windows, each of them different",
        f"SELECT {each('sum(id) OVER (ORDER BY id + {})', 1000)} FROM singer"),
]  # fmt: skip
DEEP = [
    ("error", "parentheses", f"SELECT {nested('(', '1', ')', 100_000)}"),
    ("error", "parentheses, never closed", f"SELECT {'(' * 900_000}"),
    ("error", "NOT NOT NOT", f"SELECT {'NOT ' * 100_000}1"),
    ("error", "minus minus minus", f"SELECT {'- ' * 400_000}1"),
    ("error", "functions in functions", f"SELECT {nested('abs(', '-1', ')', 100_000)}"),
    ("ok", "functions in functions, not too deep", f"SELECT {nested('abs(', '-1', ')', 10)}"),
    ("error", "subqueries in subqueries", nested("SELECT (", "SELECT 1", ")", 100_000)),
    ("error", "tables in tables", nested("SELECT * FROM (", "SELECT 1", ")", 50_000)),
    ("ok", "tables in tables, not too deep", nested("SELECT * FROM (", "SELECT 1", ")", 12)),
    ("error", "joins in joins", f"SELECT * FROM {nested('(', 'singer', ' JOIN song)', 50_000)}"),
    ("error", "EXISTS in EXISTS", f"SELECT 1 WHERE {nested('EXISTS (SELECT 1 WHERE ', '1', ')', 20_000)}"),
    ("timeout", "EXISTS in EXISTS over a stream", f"{COUNT} SELECT 1 WHERE "
        + nested("EXISTS (SELECT 1 FROM c WHERE x < 0 AND x IN (SELECT x FROM c) OR ", "0", ")", 5)),
    ("error", "CASE in CASE", f"SELECT {nested('CASE WHEN 1 THEN ', '1', ' END', 30_000)}"),
    ("error", "CAST in CAST", f"SELECT {nested('CAST(', '1', ' AS TEXT)', 30_000)}"),
    ("ok or error", "COLLATE after COLLATE", f"SELECT 'a'{' COLLATE NOCASE' * 50_000}"),
    ("error", "BETWEEN in BETWEEN", f"SELECT {nested('1 BETWEEN 0 AND (', '1', ')', 20_000)}"),
    ("error", "IN in IN", f"SELECT {nested('1 IN (', '1', ')', 20_000)}"),
    ("error", "WITH in WITH", nested("WITH t AS (", "SELECT 1", ") SELECT * FROM t", 20_000)),
    ("error", "arrows after arrows", "SELECT '[]'" + " -> '$[0]'" * 20_000),
]  # fmt: skip
BYTES = [
    ("error", "nothing", ""),
    ("error", "white space", " \t\r\n\f"),
    ("error", "a NUL", "SELECT \x00 1"),
    ("error", "a NUL that would hide the rest", "SELECT 1;\x00DROP TABLE singer"),
    ("error", "a NUL in a text", "SELECT 'a\x00b'"),
    ("error", "a NUL in a comment", "SELECT 1 --\x00\n; DROP TABLE singer"),
    ("error", "NULs alone", "\x00" * 1000),
    ("ok", "NULs in a text, made by SQL", "SELECT char(0, 68, 82, 79, 80), CAST(x'00ff00' AS TEXT)"),
    ("error", "half of a surrogate pair", "SELECT '\ud800'"),
    ("error", "the other half, as a name", 'SELECT "\udfff" FROM singer'),
    ("error", "bytes that were no UTF-8", b"SELECT '\xff\xfe\xc0\x80'".decode("utf-8", "surrogateescape")),
    ("ok", "characters that there are not", "SELECT char(55296, 1114112, -1), unicode(char(57343)), x'f88880' || ''"),
    ("ok or error", "a byte-order mark first", "\ufeffSELECT 1"),
    ("denied or error", "DROP after a byte-order mark", "\ufeffDROP TABLE singer"),
    ("denied", "DROP between odd spaces", "\f\r\n\tDROP\fTABLE\rsinger"),
    ("error", "letters of full width", "ＳＥＬＥＣＴ　１"),
    ("error", "a space that is none", "SELECT\u00a01"),
    ("error", "a space of no width", "SEL\u200bECT 1"),
    ("denied or error", "an S that is long, and one that lower() makes", "ſELECT 1; \u212aILL"),
    ("error or denied", "a line that only Unicode ends", "SELECT 1 \u2028; DROP TABLE singer"),
    ("ok or error", "a column named by what cannot be seen", "SELECT 1 \x0b\x85 FROM singer"),
    ("ok or error", "a text that runs from right to left", "SELECT '\u202eregnis ELBAT PORD\u202c'"),
    ("ok", "all other characters", f"SELECT '{''.join(map(chr, [*range(1, 39), *range(40, 0xD800, 7)]))}'"),
    ("error", "all of Latin-1 and no sense", "".join(map(chr, range(256)))),
    ("error", "one quote", "'"),
    ("error", "emoji", "🧨" * 1000),
]
GROUPS = {"long": LONG, "many": MANY, "deep": DEEP, "bytes": BYTES}
"""group → statuses that it may have, what it tries, SQL"""

FILES = sorted(Path(__file__).parent.glob("*.sql"))
CASES = [case for file in FILES for case in parse(file.stem, file.read_text(encoding="utf-8"))]
CASES += [
    Case(group, title, frozenset(allowed.split(" or ")), sql)
    for group, rows in GROUPS.items()
    for allowed, title, sql in rows
]
