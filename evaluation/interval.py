"""How far a mean may be off by the luck of the draw."""

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence


def bootstrap_interval(
    values: Sequence[float], clusters: Sequence[str], *, resamples: int, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean of `values`, by resampling whole clusters.

    values, clusters: one entry per question; the cluster is its database.  A value is a hit, a share, or, for the
    paired bootstrap, a question's difference between two models.  Questions over one database stand or fall
    together, so resampling them one by one would make the interval too narrow (the cluster bootstrap of Cameron,
    Gelbach and Miller, 2008, section II).  Where there is one database only, its questions are resampled.

    >>> bootstrap_interval([True] * 8, list("aabbccdd"), resamples=200)
    (1.0, 1.0)
    """
    keys: Sequence[Hashable] = clusters if len(set(clusters)) > 1 else range(len(clusters))
    sums: dict[Hashable, list[float]] = defaultdict(lambda: [0, 0])
    for value, key in zip(values, keys, strict=True):
        sums[key][0] += value
        sums[key][1] += 1
    groups = [sums[key] for key in sorted(sums)]
    rng = random.Random(seed)
    means = []
    for _ in range(resamples):
        drawn = rng.choices(groups, k=len(groups))
        means.append(sum(total for total, _ in drawn) / sum(count for _, count in drawn))
    means.sort()
    return means[round(0.025 * (resamples - 1))], means[round(0.975 * (resamples - 1))]
