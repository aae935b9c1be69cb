"""How far a share may be off by the luck of the draw."""

import random
from collections import defaultdict
from collections.abc import Sequence


def bootstrap_interval(
    hits: Sequence[bool], clusters: Sequence[str], *, resamples: int, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the share of `hits`, by resampling whole clusters.

    hits, clusters: one entry per question; the cluster is its database.  Questions over one database stand or
    fall together, so resampling them one by one would make the interval too narrow (the cluster bootstrap of
    Cameron, Gelbach and Miller, 2008, section II).

    >>> bootstrap_interval([True] * 8, list("aabbccdd"), resamples=200)
    (1.0, 1.0)
    """
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for hit, cluster in zip(hits, clusters, strict=True):
        counts[cluster][0] += hit
        counts[cluster][1] += 1
    groups = [counts[cluster] for cluster in sorted(counts)]
    rng = random.Random(seed)
    shares = []
    for _ in range(resamples):
        drawn = rng.choices(groups, k=len(groups))
        shares.append(sum(right for right, _ in drawn) / sum(total for _, total in drawn))
    shares.sort()
    return shares[round(0.025 * (resamples - 1))], shares[round(0.975 * (resamples - 1))]
