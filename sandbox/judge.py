"""When two results are the same."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Literal

from sandbox.permuted import same_for_some_columns
from sandbox.result import Result

Rule = Literal["ordered", "multiset", "bird", "spider"]
Rows = Sequence[tuple]

TOLERANCE = 1e-9
"""Difference, relative or absolute, up to which numbers are equal if one is a float; a Julian day's are 3.5 minutes."""
NOISE = 1e-12
"""Relative difference that the order of additions makes; far below any that is meant."""
PAIRED_ROWS = 100
"""Rows too alike to be told apart by sorting are paired by search, unless they are more than this."""

TOKEN = re.compile(
    r"""'(?:[^']|'')*+'? | "(?:[^"]|"")*+"? | `(?:[^`]|``)*+`? | \[[^\]]*+\]?   # texts and quoted names
    | --[^\n]*+ | /\*(?:.*?\*/|.*)                                              # comments
    | [^\W\d][\w$]*+ | [(),]""",
    re.VERBOSE | re.DOTALL,
)


def same_result(
    gold: Result,
    predicted: Result,
    how: Rule = "ordered",
    ordered: bool = False,
    ties: Sequence[int] | None = None,
) -> bool:
    """Return whether `predicted` gives the gold rows under a rule; false where either did not run.

    ordered: as multiset, and in the gold order where `ordered`: give `is_ordered(gold_sql)`, which says
        whether the gold query has an ORDER BY of its own.
    multiset: as many columns, also where there is no row, and the same rows as often, in any order.
    bird: BIRD's official rule, `set(gold rows) == set(predicted rows)`: repeats and order don't count.
    spider: the test-suite rule (Zhong et al., EMNLP 2020): under some order of the predicted columns the two
        are equal, as lists of rows where `ordered`, else as bags; no rows equal no rows of any width.

    Column names never count; the order of the columns does, but for spider.  NULL equals NULL and nothing
    else.  A text never equals a number or a blob, and is compared letter by letter, dates too.  3 equals 3.0.
    bird and spider compare floats exactly, as published.  Under ordered and multiset whole numbers are
    compared exactly, and two numbers of which one is a float may differ by 1e-9 of the larger, or by 1e-9.

    Ties.  Under ordered, rows that the gold ORDER BY leaves tied may come in any order among themselves where
    `ties` has the lengths of all the runs of such rows, see `sandbox.ties`; without it, and under spider as
    published, they are held to the order in which they came.  A LIMIT that cuts through a tie holds every rule to
    the rows that it happened to keep.
    """
    if not (gold.runs and predicted.runs):
        return False
    if how == "bird":
        return gold.rows == predicted.rows or set(gold.rows) == set(predicted.rows)
    if how == "spider":
        return same_for_some_columns(gold.rows, predicted.rows, ordered)
    if how not in ("ordered", "multiset"):
        raise ValueError(f"no rule {how!r}; there are ordered, multiset, bird and spider")
    if len(gold.rows) != len(predicted.rows) or _width(gold) != _width(predicted):
        return False
    if gold.rows == predicted.rows:
        return True
    if how == "multiset" or not ordered:
        return _same_multiset(gold.rows, predicted.rows)
    if ties is None:
        return _rows_close(gold.rows, predicted.rows)
    runs = [slice(begin, end) for begin, end in pairwise([0, *accumulate(ties)])]
    return all(_same_multiset(gold.rows[run], predicted.rows[run]) for run in runs)


def _width(result: Result) -> int:
    return len(result.rows[0]) if result.rows else len(result.columns)


def _same_multiset(gold: Rows, predicted: Rows) -> bool:
    """Return whether the rows can be paired so that each pair is close.

    Nearly always the rows are equal outright, or no number is a float.  Otherwise rows are put together whose
    values are linked by neighbours within the tolerance: a row and its partner always stand in one group.
    """
    if len(gold) == 1:
        return _rows_close(gold, predicted)
    if Counter(gold).items() == Counter(predicted).items():
        return True
    if not any(isinstance(value, float) for rows in (gold, predicted) for row in rows for value in row):
        return False
    groups: dict[tuple, tuple[list[tuple], list[tuple]]] = {}
    for number, (ranks, row) in enumerate(zip(_ranked(gold, predicted, TOLERANCE), (*gold, *predicted), strict=True)):
        groups.setdefault(ranks, ([], []))[number >= len(gold)].append(row)
    if any(len(left) != len(right) for left, right in groups.values()):
        return False
    return all(_can_be_paired(left, right) for left, right in groups.values())


def _can_be_paired(gold: Rows, predicted: Rows) -> bool:
    """Return whether one group's rows can be paired so that each pair is close; equal is never said in error.

    Sorting finds the pairs where the differences are noise, and nearly always they are.
    """
    if _rows_close(*_aligned(gold, predicted)):
        return True
    return len(gold) <= PAIRED_ROWS and _are_matched(gold, predicted)


def _aligned(gold: Rows, predicted: Rows) -> tuple[list[tuple], list[tuple]]:
    """Return both lists of rows, each sorted by its values; those that differ by noise alone count as one value."""
    keys = [tuple(map(_sort_key, row)) for row in (*gold, *predicted)]
    places = list(zip(_ranked(gold, predicted, NOISE), keys, strict=True))
    order = sorted(range(len(gold)), key=lambda i: places[i])
    other = sorted(range(len(predicted)), key=lambda i: places[len(gold) + i])
    return [gold[i] for i in order], [predicted[i] for i in other]


def _ranked(gold: Rows, predicted: Rows, nearness: float) -> list[tuple[int, ...]]:
    """Return each row, the gold ones first, with its values replaced by their ranks in their columns."""
    return list(zip(*(_ranks(column, nearness) for column in zip(*gold, *predicted, strict=True)), strict=True))


def _ranks(column: Sequence[object], nearness: float) -> list[int]:
    """Return the rank of each value; neighbours that differ by no more than `nearness` share one.

    >>> _ranks([0.3, None, 0.1 + 0.2, 7, "7"], 1e-12)
    [1, 0, 1, 2, 3]
    """
    ranks = [0] * len(column)
    order = sorted(range(len(column)), key=lambda i: _sort_key(column[i]))
    for before, i in pairwise(order):
        ranks[i] = ranks[before] + (not _near(column[before], column[i], nearness))
    return ranks


def _sort_key(value: object) -> tuple:
    """Return a key that orders NULL, numbers, texts and blobs together, as SQLite does."""
    if value is None:
        return (0, 0)
    if isinstance(value, (int, float)):
        return (1, value)
    return (2, value) if isinstance(value, str) else (3, value)


def _are_matched(gold: Rows, predicted: Rows) -> bool:
    """Return whether each gold row gets a close predicted row of its own (Kuhn's augmenting paths)."""
    close = [[j for j, other in enumerate(predicted) if _rows_close([row], [other])] for row in gold]
    taken_by: dict[int, int] = {}

    def find(i: int, asked: set[int]) -> bool:
        for j in close[i]:
            if j not in asked:
                asked.add(j)
                if j not in taken_by or find(taken_by[j], asked):
                    taken_by[j] = i
                    return True
        return False

    return all(find(i, set()) for i in range(len(gold)))


def _rows_close(gold: Rows, predicted: Rows) -> bool:
    return all(
        _close(value, other)
        for row, other_row in zip(gold, predicted, strict=True)
        for value, other in zip(row, other_row, strict=True)
    )


def _close(value: object, other: object) -> bool:
    """Return whether two values count as equal.

    >>> _close(3, 3.0), _close(0.1 + 0.2, 0.3), _close(2_460_431.5, 2_460_432.5), _close("3", 3)
    (True, True, False, False)
    """
    if value == other:
        return True
    return (isinstance(value, float) or isinstance(other, float)) and _near(value, other, TOLERANCE)


def _near(value: object, other: object, nearness: float) -> bool:
    """Return whether two values are equal, or numbers nearer than `nearness`, or than that part of the larger."""
    if isinstance(value, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(value, other, rel_tol=nearness, abs_tol=nearness)
    return value == other


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
