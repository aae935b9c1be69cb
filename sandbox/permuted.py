"""Whether two results are the same once the columns of one are put in another order."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

MOST_CELLS = 500_000
"""Cells that a search may look at again and again, besides one look a column; only contrived results need as many."""

Rows = Sequence[tuple]
Colours = tuple[list[int], list[int]]
"""One number for each column of the gold result, and one for each of the predicted: columns (or rows) of different
numbers cannot stand for each other."""


def same_for_some_columns(gold: Rows, predicted: Rows, ordered: bool) -> bool:
    """Return whether some order of the predicted columns makes the rows equal: as lists if `ordered`, else as bags.

    Values are compared exactly, as Python does: 3 equals 3.0, a text equals no number.  The answer is exact,
    but where a search would have to look at more than MOST_CELLS it ends and the answer is false.

    >>> same_for_some_columns([(1, "x"), (2, "y")], [("y", 2), ("x", 1)], ordered=False)
    True
    >>> same_for_some_columns([(1, "x"), (2, "y")], [("y", 1), ("x", 2)], ordered=False)
    False
    """
    if gold == predicted:
        return True
    if not gold or len(gold) != len(predicted) or len(gold[0]) != len(predicted[0]):
        return False
    if ordered:  # the rows stay where they are, so it is enough that the columns are the same as often
        return _bag(zip(*gold, strict=True)) == _bag(zip(*predicted, strict=True))
    return _bag(gold) == _bag(predicted) or _have_an_order(gold, predicted)


def _bag(values: Iterable[Hashable]) -> frozenset:
    """Return what is in it and how often, in a form that can itself be counted.

    >>> _bag("aab") == _bag("aba"), _bag("aab") == _bag("abb")
    (True, False)
    """
    return frozenset(Counter(values).items())


def _have_an_order(gold: Rows, predicted: Rows) -> bool:
    """Return whether the columns can be paired so that the bags of rows are equal.

    Columns can be a pair only if they hold the same values as often, beside rows that look alike; that mostly
    leaves one choice.  Where it leaves several, one gold column is tried with each of its candidates.
    """
    repeats = [Counter(zip(*rows, strict=True)) for rows in (gold, predicted)]  # equal columns: one stands for all
    columns = [list(found) for found in repeats]
    colours = _numbered(*([(many, _bag(column)) for column, many in found.items()] for found in repeats))
    attempts = [colours] if colours else []
    for _ in range(1 + len(gold[0]) + MOST_CELLS // (len(gold) * len(gold[0]))):
        if not attempts:
            return False
        if colours := _refined(columns, attempts.pop()):
            mine, others = colours
            sizes = Counter(mine)
            if len(sizes) == len(mine):
                return True
            colour = min((size, colour) for colour, size in sizes.items() if size > 1)[1]
            tried = _marked(mine, mine.index(colour))
            attempts += [(tried, _marked(others, j)) for j, other in enumerate(others) if other == colour]
    return False


def _marked(colours: list[int], place: int) -> list[int]:
    """Return the colours with one of their own for the column at `place`.

    >>> _marked([0, 1, 1], 2)
    [0, 1, -1]
    """
    return [*colours[:place], -1, *colours[place + 1 :]]


def _refined(columns: list[list[tuple]], colours: Colours) -> Colours | None:
    """Return the colours made as fine as the cells allow, or None where the two results cannot be the same.

    A row's colour is the bag of its cells, each with its column's colour; a column's new colour likewise.
    With a colour for each column alone, equal bags of row colours are equal bags of rows.
    """
    tables = [list(zip(*found, strict=True)) for found in columns]
    while True:
        rows = _numbered(
            *([_bag(zip(side, row, strict=True)) for row in table] for side, table in zip(colours, tables, strict=True))
        )
        if rows is None or len(set(colours[0])) == len(colours[0]):
            return rows and colours
        finer = _numbered(
            *(
                [(colour, _bag(zip(row, column, strict=True))) for colour, column in zip(side, found, strict=True)]
                for side, row, found in zip(colours, rows, columns, strict=True)
            )
        )
        if finer is None or len(set(finer[0])) == len(set(colours[0])):
            return finer
        colours = finer


def _numbered(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> Colours | None:
    """Return a number for each key, equal for equal keys; None where the two sides differ as bags.

    >>> _numbered("aba", "baa"), _numbered("aba", "bab")
    (([0, 1, 0], [1, 0, 0]), None)
    """
    numbers: dict[Hashable, int] = {}
    mine = [numbers.setdefault(key, len(numbers)) for key in gold]
    others = [numbers.setdefault(key, len(numbers)) for key in predicted]
    return (mine, others) if sorted(mine) == sorted(others) else None
