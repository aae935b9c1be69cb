"""How fast is a right query beside the gold one?  R-VES, the reward-based valid efficiency score of BIRD mini-dev.

R-VES = 100 × the mean over all questions of √reward.  A wrong answer's reward is 0, a right one's goes by the
ratio of gold's cost to its own.  "Right" is by BIRD's rule, the sets of rows.  A score is 100 where every query
costs what gold does, and at most 111.8.  Source: bird-bench/mini_dev, evaluation/evaluation_ves.py, commit bb37377.

There a cost is seconds, so that the score changes with the machine and what else runs on it.  `rewards_by_steps`
takes steps of SQLite's virtual machine, the same on every machine with the same SQLite; they know nothing of disks.
`rewards_by_seconds` takes seconds, as published.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path
from statistics import fmean, pstdev

from sandbox import Limits, execute
from sandbox.execution import DEFAULT, count_steps

Pair = tuple[str | Path, str, str]
"""A database, the gold query and a query."""

REWARDS = ((2.0, 1.25), (1.0, 1.0), (0.5, 0.75), (0.25, 0.5))
SLOWEST = 0.25
REPEATS = 100
OUTLIER = 3
"""Standard deviations from the mean beyond which a ratio of seconds is left out."""


def r_ves(rewards: Sequence[float]) -> float:
    """Return the mean of √reward, in 0–1.118; times 100 it is the score as BIRD prints it.

    >>> round(100 * r_ves([1.25, 1.0, 0.25, 0.0]), 2)
    65.45
    """
    return fmean(map(sqrt, rewards))


def reward(ratio: float) -> float:
    """Return the reward of a right query by the ratio of gold's cost to its own.

    >>> [reward(ratio) for ratio in (3, 2, 1.9, 1, 0.5, 0.25, 0.01)]
    [1.25, 1.25, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    return next((paid for least, paid in REWARDS if ratio >= least), SLOWEST)


def rewards_by_steps(
    pairs: Sequence[Pair], right: Sequence[bool], limits: Limits = DEFAULT, workers: int = 2
) -> list[float]:
    """Return the reward of each pair, 0 where it is not `right`, from the steps that gold and the query take.

    Steps are counted in hundreds, upwards: two queries that touch a few rows cost the same.
    """
    places = [place for place, is_right in enumerate(right) if is_right]
    golds = [pairs[place][:2] for place in places]
    queries = [(pairs[place][0], pairs[place][2]) for place in places]
    slower = replace(limits, timeout_s=min(2 * limits.timeout_s, 86_400))  # counting takes half as long again
    steps = count_steps(golds + queries, slower, workers)
    rewards = [0.0] * len(pairs)
    for place, gold, own in zip(places, steps, steps[len(places) :], strict=False):
        rewards[place] = reward(gold / own) if gold and own else 0.0
    return rewards


def rewards_by_seconds(
    pairs: Sequence[Pair], right: Sequence[bool], limits: Limits = DEFAULT, repeats: int = REPEATS
) -> list[float]:
    """Return the reward of each pair, 0 where it is not `right`, from seconds, as published.

    Both queries run `repeats` times in turn; the ratios outside mean ± 3 standard deviations are left out, and the
    reward goes by the mean of the others.  Seconds are those of the query in its worker; the published ones contain
    opening the database too, which brings all ratios nearer to 1.
    """
    return [
        reward(trimmed_mean(ratios)) if is_right and (ratios := list(_ratios(pair, limits, repeats))) else 0.0
        for pair, is_right in zip(pairs, right, strict=True)
    ]


def trimmed_mean(ratios: Sequence[float]) -> float:
    """Return the mean without outliers.  Equal ratios are kept, where the published script ends in an error, reward 0.

    >>> trimmed_mean([1.0] * 20 + [100.0]), trimmed_mean([2.0, 2.0])
    (1.0, 2.0)
    """
    mean, spread = fmean(ratios), pstdev(ratios)
    return fmean([ratio for ratio in ratios if abs(ratio - mean) < OUTLIER * spread] or ratios)


def _ratios(pair: Pair, limits: Limits, repeats: int) -> Iterator[float]:
    database, gold_sql, sql = pair
    for _ in range(repeats):
        own, gold = (execute(database, each, limits) for each in (sql, gold_sql))
        if not (own.runs and gold.runs):
            return
        yield gold.seconds / own.seconds
