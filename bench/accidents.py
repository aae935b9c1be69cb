"""What may happen to a statement on its way: letters lost, tokens swapped, pieces of a hostile one put in."""

import random
import re
from collections.abc import Callable, Sequence

TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\w+|\s+|[^\w\s]")
ODD = (
    "\x00", "\ud800", "\u202e", "\ufeff", "é", "'", '"', "`", "[", ";", "--", "/*", "*/", "\\", "?", ":a", "x'", "0x",
)  # fmt: skip
AROUND = (
    ("SELECT (", ")"),
    ("SELECT * FROM (", ")"),
    ("EXPLAIN QUERY PLAN ", ""),
    ("(", ")"),
    ("WITH q AS (", ") SELECT * FROM q"),
    ("WITH RECURSIVE q(x) AS (SELECT 1 UNION ", ") SELECT x FROM q"),
    ("DELETE FROM nobody WHERE a IN (", ")"),
    ("CREATE TABLE evil AS ", ""),
)
Accident = Callable[[random.Random, str, Sequence[str]], str]
"""(chance, statement, statements that it may be crossed with) → statement"""


def mutated(chance: random.Random, sql: str, others: Sequence[str]) -> str:
    """Return `sql` after one to four accidents; pieces of `others` may come into it.

    >>> len({mutated(random.Random(3), "SELECT name FROM city", ["DROP TABLE city"]) for _ in range(9)})
    1
    """
    for _ in range(chance.choices((1, 2, 4), (6, 3, 1))[0]):
        sql = chance.choice(ACCIDENTS)(chance, sql, others)
    return sql


def swapped(chance: random.Random, sql: str, _: Sequence[str]) -> str:
    tokens = TOKEN.findall(sql) or [""]
    i, j = chance.randrange(len(tokens)), chance.randrange(len(tokens))
    tokens[i], tokens[j] = tokens[j], tokens[i]
    return "".join(tokens)


def shortened(chance: random.Random, sql: str, _: Sequence[str]) -> str:
    tokens = TOKEN.findall(sql) or [""]
    start = chance.randrange(len(tokens))
    return "".join(tokens[:start] + tokens[start + chance.choice((1, 2, 8)) :])


def repeated(chance: random.Random, sql: str, _: Sequence[str]) -> str:
    tokens = TOKEN.findall(sql) or [""]
    start = chance.randrange(len(tokens))
    end = start + chance.choice((1, 3, 9))
    return "".join(tokens[:start] + tokens[start:end] * chance.choice((2, 2, 3, 50)) + tokens[end:])


def odd(chance: random.Random, sql: str, _: Sequence[str]) -> str:
    place = chance.randrange(len(sql) + 1)
    return sql[:place] + chance.choice(ODD) + sql[place:]


def noisy(chance: random.Random, sql: str, _: Sequence[str]) -> str:
    place = chance.randrange(len(sql) + 1)
    noise = chance.randbytes(chance.choice((1, 4, 40))).decode(chance.choice(("latin-1", "utf-8")), "replace")
    return sql[:place] + noise + sql[place + chance.choice((0, len(noise))) :]


def crossed(chance: random.Random, sql: str, others: Sequence[str]) -> str:
    mine, theirs = TOKEN.findall(sql), TOKEN.findall(chance.choice(others))
    i, j = chance.randrange(len(mine) + 1), chance.randrange(len(theirs) + 1)
    return "".join(mine[:i] + theirs[j : j + chance.choice((1, 5, 40))] + mine[i + chance.choice((0, 1)) :])


def cut(chance: random.Random, sql: str, _: Sequence[str]) -> str:
    return sql[: chance.randrange(len(sql) + 1)]


def followed(chance: random.Random, sql: str, others: Sequence[str]) -> str:
    return sql + chance.choice(("; ", ";\n--", " UNION ALL ", ";;", " -- ")) + chance.choice(others)


def inside(chance: random.Random, sql: str, _: Sequence[str]) -> str:
    before, after = chance.choice(AROUND)
    return before + sql + after


ACCIDENTS: tuple[Accident, ...] = (
    swapped, shortened, repeated, odd, noisy, crossed, crossed, cut, followed, inside,
)  # fmt: skip
