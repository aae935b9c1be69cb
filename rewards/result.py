"""How near is the result to gold's?  Partial credit for rows, and what a right query costs."""

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from typing import Literal

from configs.errors import ConfigError
from configs.schema import Sandbox
from rewards.copies import rights
from rewards.judged import DEFAULT, judged
from rewards.origin import has_star, reads_gold
from rewards.text import Completion
from sandbox import Limits, execute_many
from sandbox.execution import count_steps
from sandbox.judge import Rule

Rows = Sequence[tuple]
SOURCE = "reward 'result_similarity': "


def result_similarity(
    prompts: list,
    completions: list[Completion],
    gold_sql: list[str],
    database: list[str],
    *,
    near: float = 0.5,
    least: float = 0.25,
    measure: Literal["cells", "qatch", "soft_f1"] = "cells",
    trust_empty: bool = False,
    variants: int = 0,
    judge: Rule = "ordered",
    sandbox: Sandbox = DEFAULT,
    **_: object,
) -> list[float | None]:
    """Return 1.0 for the gold rows, `near` × similarity for other rows, and 0.0 for anything else.

    With P and G the bags of all values in the rows of the answer and of gold:  precision = |P ∩ G| / |P|,
    recall = |P ∩ G| / |G|,  cardinality = fewer rows / more rows.  similarity is, by `measure`,
    cells: 2 · precision · recall / (precision + recall) · cardinality;
    qatch: (precision + recall + cardinality) / 3, the cell metrics of QATCH (Papicchio et al., NeurIPS 2023), as in
        Think2SQL; a dump of the whole table has a recall of 1, and any one row a cardinality of 1;
    soft_f1: the F1 of values row by row in their order, as BIRD mini-dev has it; see `soft_f1`.
    Range: 0.0 to `near` (0.5), or 1.0.  0.0 also for a similarity below `least`, so that a dump of all there is earns
    nothing; for other rows by SELECT * where gold does not say so; and, whatever the rows, where they are not made from
    a table that gold reads (constants, see `rewards.origin`).
    None where the gold rows cannot tell: the gold query does not run, or gives no row (but for `trust_empty`).
    variants: right is only what is right on that many changed copies of the database too, as for `sql_execution`; the
    rows of any other are compared on the copy that shows it.
    """
    if not 0 <= near < 1:
        raise ConfigError(f"{SOURCE}near is {near}, allowed: 0 to less than 1, which right rows are worth")
    found = judged(completions, gold_sql, database, judge, sandbox)
    scores: list[float | None] = []
    wrong: dict[int, str] = {}
    correct = rights(found, gold_sql, database, variants, trust_empty, judge, sandbox)
    for place, ((sql, verdict), (right, _)) in enumerate(zip(found, correct, strict=True)):
        honest = bool(sql) and verdict.status == "ok" and reads_gold(sql, gold_sql[place], database[place])
        scores.append(None if right is None else float(right and (honest or verdict.status == "empty")))
        if right is False and honest and (has_star(gold_sql[place]) or not has_star(sql)):
            wrong[place] = sql
    pairs = [(correct[place].shown_on, sql) for place, sql in wrong.items()]
    golds = [(correct[place].shown_on, gold_sql[place]) for place in wrong]
    results = execute_many(pairs + golds, Limits(**sandbox.limits), sandbox.workers)
    for place, result, gold in zip(wrong, results, results[len(pairs) :], strict=False):
        similarity = MEASURES[measure](result.rows, gold.rows) if result.rows and gold.rows else 0.0
        scores[place] = near * similarity if similarity >= least else 0.0
    return scores


def query_cost(
    prompts: list,
    completions: list[Completion],
    gold_sql: list[str],
    database: list[str],
    *,
    variants: int = 0,
    judge: Rule = "ordered",
    sandbox: Sandbox = DEFAULT,
    **_: object,
) -> list[float | None]:
    """Return for a right query min(1, √(gold's steps / its own)), which is above 0.0, and 0.0 for any other answer.

    Steps are those of SQLite's virtual machine (`sandbox.execution.count_steps`), the same on every machine, in place
    of the seconds of BIRD's valid efficiency score (Li et al., NeurIPS 2023), whose root this is.  At most 1, so that
    less than gold does pays nothing: the cheapest query of all is a constant, which is worth 0.0 even where it is right
    (`rewards.origin`).  None where the gold query does not run or gives no row.  variants: as for `sql_execution`.
    """
    found = judged(completions, gold_sql, database, judge, sandbox)
    correct = rights(found, gold_sql, database, variants, False, judge, sandbox)
    scores = [None if right is None else 0.0 for right, _ in correct]
    paid = [
        place
        for place, (sql, _) in enumerate(found)
        if correct[place].right and reads_gold(sql, gold_sql[place], database[place])
    ]
    own = [(database[place], found[place][0]) for place in paid]
    golds = [(database[place], gold_sql[place]) for place in paid]
    steps = count_steps(own + golds, Limits(**sandbox.limits), sandbox.workers)
    for place, taken, gold in zip(paid, steps, steps[len(own) :], strict=False):
        scores[place] = min(1.0, sqrt(gold / taken)) if gold and taken else None
    return scores


def cells(rows: Rows, gold: Rows) -> float:
    """Return the F1 of the values times the cardinality.

    >>> cells([("Rome", 1), ("Oslo", 2)], [("Oslo",), ("Rome",)])
    0.6666666666666666
    >>> cells([("Rome",)], [("Oslo",)])
    0.0
    """
    precision, recall, cardinality = _overlap(rows, gold)
    return 2 * precision * recall / (precision + recall) * cardinality if precision else 0.0


def qatch(rows: Rows, gold: Rows) -> float:
    """Return the mean of cell precision, cell recall and cardinality; 0 where no value is shared.

    >>> qatch([("Rome", 1), ("Oslo", 2)], [("Oslo",), ("Rome",)])
    0.8333333333333334
    """
    overlap = _overlap(rows, gold)
    return sum(overlap) / 3 if overlap[0] else 0.0


def soft_f1(rows: Rows, gold: Rows) -> float:
    """Return 2tp / (2tp + fp + fn), over the different rows of both, first with first, second with second.

    In a pair of rows the values that stand in both count to tp, those of the answer alone to fp and of gold alone to
    fn, each as a share of gold's width; a row without a partner counts 1.  Where in its row a value stands is free.

    >>> soft_f1([("Rome", 1), ("Oslo", 2)], [("Rome",), ("Bonn",), ("Oslo",)])
    0.2857142857142857
    """
    ours, theirs = ([list(map(_comparable, row)) for row in dict.fromkeys(each)] for each in (rows, gold))
    tp = fp = fn = 0.0
    for row, gold_row in zip(ours, theirs, strict=False):
        tp += sum(value in gold_row for value in row) / len(gold_row)
        fp += sum(value not in gold_row for value in row) / len(gold_row)
        fn += sum(value not in row for value in gold_row) / len(gold_row)
    fp += max(0, len(ours) - len(theirs))
    fn += max(0, len(theirs) - len(ours))
    return 2 * tp / (2 * tp + fp + fn) if tp else 0.0


MEASURES = {"cells": cells, "qatch": qatch, "soft_f1": soft_f1}


def _overlap(rows: Rows, gold: Rows) -> tuple[float, float, float]:
    """Return cell precision, cell recall and cardinality of a result with rows against one with rows."""
    ours, theirs = (Counter(_comparable(value) for row in each for value in row) for each in (rows, gold))
    shared = (ours & theirs).total()
    cardinality = min(len(rows), len(gold)) / max(len(rows), len(gold))
    return shared / ours.total(), shared / theirs.total(), cardinality


def _comparable(value: object) -> object:
    """Return a value so that floats that differ by noise are equal.

    >>> _comparable(0.1 + 0.2) == _comparable(0.3), _comparable(3.0) == _comparable(3)
    (True, True)
    """
    return float(f"{value:.9g}") if isinstance(value, float) else value
