"""When two results are the same."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from sandbox.result import Result

RELATIVE = 1e-6
ABSOLUTE = 1e-9

TOKEN = re.compile(
    r"""'(?:[^']|'')*+'? | "(?:[^"]|"")*+"? | `(?:[^`]|``)*+`? | \[[^\]]*+\]?   # texts and quoted names
    | --[^\n]*+ | /\*(?:.*?\*/|.*)                                              # comments
    | [^\W\d][\w$]*+ | [()]""",
    re.VERBOSE | re.DOTALL,
)


def same_result(
    gold: Result, predicted: Result, how: Literal["multiset", "bird"] = "multiset", ordered: bool = False
) -> bool:
    """Return whether `predicted` gives the gold rows; false where either did not run.

    multiset: as many columns, and the same rows as often, in any order; with `ordered` (give
        `is_ordered(gold_sql)`) in the same order, ties included.
    bird: BIRD's official rule, `set(gold rows) == set(predicted rows)`: repeats and order don't count, nor
        does `ordered`; numbers are compared exactly.

    Column names never count, the order of the columns does.  NULL equals NULL.  A text never equals a number
    or a blob, and is compared letter by letter.  3 equals 3.0.  Under multiset whole numbers are compared
    exactly, and two numbers of which one is a float may differ by 1e-6 of the larger, or by 1e-9.
    """
    if not (gold.runs and predicted.runs):
        return False
    if how == "bird":
        return set(gold.rows) == set(predicted.rows)
    if len(gold.rows) != len(predicted.rows) or _width(gold) != _width(predicted):
        return False
    if ordered:
        return _rows_close(gold.rows, predicted.rows)
    return _same_multiset(gold.rows, predicted.rows)


def _width(result: Result) -> int:
    return len(result.rows[0]) if result.rows else len(result.columns)


def _same_multiset(gold: Sequence[tuple], predicted: Sequence[tuple]) -> bool:
    """Return whether the rows can be paired so that each pair is close.

    Nearly always the rows are equal outright, or no number is a float.  Otherwise both sides are sorted and
    paired off.  Sorting must not part values that differ by rounding noise, so neighbouring values count as
    one, first only the very near ones, then all within the tolerance.  Whatever pairing is found, each pair
    in it is checked, so equal is never said in error.
    """
    if Counter(gold) == Counter(predicted):
        return True
    if not any(isinstance(value, float) for rows in (gold, predicted) for row in rows for value in row):
        return False
    for nearness in (1e-12, RELATIVE):
        left, right = _aligned(gold, predicted, nearness)
        if _rows_close(left, right):
            return True
    return False


def _aligned(gold: Sequence[tuple], predicted: Sequence[tuple], nearness: float) -> tuple[list[tuple], list[tuple]]:
    """Return both lists of rows, each sorted by the ranks of its values over both lists."""
    columns = zip(*gold, *predicted, strict=True)
    ranks = list(zip(*(_ranks(column, nearness) for column in columns), strict=True))
    rows = list(zip(ranks, ([_sort_key(value) for value in row] for row in (*gold, *predicted)), strict=True))
    order = sorted(range(len(gold)), key=lambda i: rows[i])
    other = sorted(range(len(predicted)), key=lambda i: rows[len(gold) + i])
    return [gold[i] for i in order], [predicted[i] for i in other]


def _ranks(column: Sequence[object], nearness: float) -> list[int]:
    """Return the rank of each value; neighbours that differ by no more than `nearness` share one.

    >>> _ranks([0.3, None, 0.1 + 0.2, 7, "7"], 1e-12)
    [1, 0, 1, 2, 3]
    """
    ranks = [0] * len(column)
    order = sorted(range(len(column)), key=lambda i: _sort_key(column[i]))
    for before, i in pairwise(order):
        ranks[i] = ranks[before] + (not _close(column[before], column[i], nearness))
    return ranks


def _sort_key(value: object) -> tuple:
    """Return a key that orders NULL, numbers, texts and blobs together, as SQLite does."""
    if value is None:
        return (0, 0)
    if isinstance(value, (int, float)):
        return (1, value)
    return (2, value) if isinstance(value, str) else (3, value)


def _rows_close(gold: Sequence[tuple], predicted: Sequence[tuple]) -> bool:
    return all(
        _close(value, other)
        for row, other_row in zip(gold, predicted, strict=True)
        for value, other in zip(row, other_row, strict=True)
    )


def _close(value: object, other: object, relative: float = RELATIVE) -> bool:
    """Return whether two values count as equal.

    >>> _close(3, 3.0), _close(0.1 + 0.2, 0.3), _close(1_000_001, 1_000_002), _close("3", 3)
    (True, True, False, False)
    """
    if value == other:
        return True
    if not (isinstance(value, float) or isinstance(other, float)):
        return False
    if not (isinstance(value, (int, float)) and isinstance(other, (int, float))):
        return False
    return math.isclose(value, other, rel_tol=relative, abs_tol=min(relative, ABSOLUTE))


def is_ordered(sql: str) -> bool:
    """Return whether the query itself, not a part of it in parentheses, has an ORDER BY.

    >>> is_ordered("SELECT a FROM t ORDER BY a"), is_ordered("SELECT rank() OVER (ORDER BY a) FROM t")
    (True, False)
    >>> is_ordered("SELECT 'order by' -- order by"), is_ordered("SELECT a FROM (SELECT 1) order /**/ by a")
    (False, True)
    """
    depth, before = 0, ""
    for token in TOKEN.findall(sql):
        if token.startswith(("--", "/*")):
            continue
        depth += (token == "(") - (token == ")")
        if depth == 0 and before == "ORDER" and token.upper() == "BY":
            return True
        before = token.upper()
    return False
