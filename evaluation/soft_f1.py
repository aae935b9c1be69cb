"""Partial credit for rows, as BIRD mini-dev publishes it."""

from collections.abc import Sequence

from sandbox import Result

Rows = Sequence[tuple]


def soft_f1(predicted: Result, gold: Result) -> float:
    """Return BIRD mini-dev's soft F1 of one prediction, in 0–1; 0 where either query did not run."""
    return soft_f1_of_rows(predicted.rows, gold.rows) if predicted.runs and gold.runs else 0.0


def soft_f1_of_rows(rows: Rows, gold_rows: Rows) -> float:
    """Return 2tp / (2tp + fp + fn) over the different rows of both, paired by position; 1 where neither has a row.

    Of a pair of rows, tp grows by the predicted values that the gold row holds, fp by those that it does not, fn by
    the gold values that the predicted row lacks, each as a share of gold's width.  A predicted row without a partner
    adds 1 to fp, a gold row without one 1 to fn.  Where in its row a value stands is free, and repeats of one value
    each count, so that a row that repeats a right value gains by it; the order of the rows counts even where no
    query has an ORDER BY.  Values are equal as in Python, floats exactly.

    Source: bird-bench/mini_dev, evaluation/evaluation_f1.py, commit 2932a2b.  Earlier ones (47f116d) pair the rows
    in the order of a Python set, which for texts is another in each process: two runs of theirs may differ.
    Nothing is rounded here, as there; `rewards.result.soft_f1` forgives the noise of floats, and pays nothing for
    no rows.

    >>> soft_f1_of_rows([("Rome", 1), ("Oslo", 2)], [("Rome",), ("Bonn",), ("Oslo",)])
    0.2857142857142857
    >>> soft_f1_of_rows([], []), soft_f1_of_rows([(2,), (1,)], [(1,), (2,)])
    (1.0, 0.0)
    """
    if not rows and not gold_rows:
        return 1.0
    ours, theirs = list(dict.fromkeys(rows)), list(dict.fromkeys(gold_rows))
    tp = fp = fn = 0.0
    for row, gold_row in zip(ours, theirs, strict=False):
        shared = sum(value in gold_row for value in row)
        tp += shared / len(gold_row)
        fp += (len(row) - shared) / len(gold_row)
        fn += sum(value not in row for value in gold_row) / len(gold_row)
    fp += max(0, len(ours) - len(theirs))
    fn += max(0, len(theirs) - len(ours))
    return 2 * tp / (2 * tp + fp + fn) if tp else 0.0
