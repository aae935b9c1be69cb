"""Several answers to a question: which one counts, and what more tries are worth."""

from collections.abc import Sequence
from math import comb

from sandbox import Limits, Result, execute_many, same_result

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
    results = dict(zip(asked, execute_many(asked, limits, workers), strict=True))
    return [
        _largest([results.get((database, sql)) for sql in each])
        for database, each in zip(databases, queries, strict=True)
    ]


def _largest(results: Sequence[Result | None]) -> int:
    """Return the place of the first result of the largest group of equal ones."""
    groups: list[list[int]] = []
    for place, result in enumerate(results):
        if result is None or not result.runs:
            continue
        for group in groups:
            if same_result(results[group[0]], result, "multiset"):
                group.append(place)
                break
        else:
            groups.append([place])
    return max(groups, key=len, default=[0])[0]
