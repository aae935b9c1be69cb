"""Several answers to a question: which one counts, and what more tries are worth."""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from math import comb

from sandbox import Limits, Result, execute_many

TOGETHER = 64
"""Results that are held at one time: each may be 16 MiB."""

Queries = Sequence[str | None]


def pass_at(k: int, samples: int, right: int) -> float:
    """Return the chance that one of k answers is right, estimated from `right` right ones among `samples`.

    1 − C(n − c, k) / C(n, k) for n samples of which c are right, without bias: Chen et al., 2021 (Evaluating Large
    Language Models Trained on Code, equation 1).

    >>> pass_at(1, 4, 1), pass_at(2, 4, 1), pass_at(4, 4, 1), pass_at(3, 4, 0)
    (0.25, 0.5, 1.0, 0.0)
    """
    return 1 - comb(samples - right, k) / comb(samples, k)


def tries(samples: int) -> list[int]:
    """Return the k of pass@k that are told: the powers of two, and all.

    >>> tries(1), tries(4), tries(10)
    ([1], [1, 2, 4], [1, 2, 4, 8, 10])
    """
    return [2**power for power in range(samples.bit_length()) if 2**power < samples] + [samples]


def vote(databases: Sequence[str], queries: Sequence[Queries], limits: Limits, workers: int) -> list[int]:
    """Return, for each question, the place of the answer that counts: self-consistency (Wang et al., 2023), by rows.

    queries: of each question, those of its answers, None where one has none.
    Answers whose queries give the same rows, in any order, vote for each other; the first of the largest group counts,
    of equal groups the earlier.  What does not run has no vote; where nothing runs, the first answer counts.
    """
    asked = list(
        dict.fromkeys((database, sql) for database, each in zip(databases, queries, strict=True) for sql in each if sql)
    )
    marks: dict[tuple[str, str], bytes | None] = {}
    for start in range(0, len(asked), TOGETHER):
        some = asked[start : start + TOGETHER]
        marks |= zip(some, map(mark, execute_many(some, limits, workers)), strict=True)
    return [
        _most_common([marks.get((database, sql)) for sql in each])
        for database, each in zip(databases, queries, strict=True)
    ]


def mark(result: Result) -> bytes | None:
    """Return what results with the same rows in any order share, floats to ten digits; None for one that did not run.

    One mark a result, as to compare each with each would take hours for hundreds of long ones.

    >>> mark(Result("ok", ("n",), ((3,), (0.1 + 0.2,)))) == mark(Result("ok", ("n",), ((0.3,), (3.0,))))
    True
    """
    if not result.runs:
        return None
    width = len(result.rows[0]) if result.rows else len(result.columns)
    rows = sorted(repr(tuple(map(_rounded, row))) for row in result.rows)
    return sha256(f"{width} {rows}".encode("utf-8", "backslashreplace")).digest()


def _rounded(value: object) -> object:
    """Return a float to ten digits, and a whole one as the number that it equals; anything else as it is."""
    if not isinstance(value, float):
        return value
    rounded = value if value.is_integer() else float(f"{value:.10g}")
    return int(rounded) if rounded.is_integer() else rounded


def _most_common(marks: Sequence[bytes | None]) -> int:
    """Return the place of the first of the results that most others equal."""
    counts = Counter(each for each in marks if each is not None)
    return marks.index(max(counts, key=counts.__getitem__)) if counts else 0
