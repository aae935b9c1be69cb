"""Are two models different on the same questions, beyond the luck of the draw?"""

from collections.abc import Sequence

from configs.errors import ConfigError
from evaluation.interval import bootstrap_interval


def compare_predictions(
    before: Sequence[dict], after: Sequence[dict], *, resamples: int, seed: int, by: str = "correct"
) -> dict:
    """Return how `after` differs from `before` on the questions that both answered, matched by their task_id.

    by: the score of a prediction that counts: `correct`, `bird` or `soft_f1`.
    `only_before` and `only_after` count the questions that the other lacks; for the rest see `compare`.
    """
    earlier = {row["task_id"]: row for row in before}
    both = [(earlier[row["task_id"]], row) for row in after if row["task_id"] in earlier]
    if not both:
        raise ConfigError("the two have no question in common; compare predictions of the same questions")
    found = compare(
        [row[by] for row, _ in both],
        [row[by] for _, row in both],
        [row["database"] for _, row in both],
        resamples=resamples,
        seed=seed,
    )
    return found | {"only_before": len(before) - len(both), "only_after": len(after) - len(both)}


def compare(
    before: Sequence[float], after: Sequence[float], clusters: Sequence[str], *, resamples: int, seed: int = 0
) -> dict:
    """Return what the pairs of scores say: each 0 or 1, or a share; `clusters` are the questions' databases.

    `questions`; `difference` of the means, after − before, with its 95 % `interval` from the paired bootstrap, that
    is by resampling the questions' own differences, database by database; `won` and `lost` count the questions that
    are better and worse after; `mcnemar_p` is for these (for shares it is the sign test).
    """
    differences = [late - early for early, late in zip(before, after, strict=True)]
    won, lost = sum(one > 0 for one in differences), sum(one < 0 for one in differences)
    return {
        "questions": len(differences),
        "difference": sum(differences) / len(differences),
        "interval": bootstrap_interval(differences, clusters, resamples=resamples, seed=seed),
        "won": won,
        "lost": lost,
        "mcnemar_p": mcnemar_p(won, lost),
    }


def mcnemar_p(won: int, lost: int) -> float:
    """Return the two-sided p of McNemar's exact test: min(1, 2 · Σ_{i ≤ min(won, lost)} C(n, i) / 2ⁿ), n = won + lost.

    If no model were better, each question on which they differ would be won or lost like the toss of a coin.  It
    takes questions to be independent, which those over one database are not: where few databases decide, it is too
    sure, and the interval is the better guide.

    >>> mcnemar_p(0, 0), mcnemar_p(5, 5), mcnemar_p(6, 0)
    (1.0, 1.0, 0.03125)
    """
    n = won + lost
    tail, ways = 0, 1
    for i in range(min(won, lost) + 1):
        tail += ways
        ways = ways * (n - i) // (i + 1)  # C(n, i + 1)
    return min(1.0, 2 * tail / 2**n)


def sentence(before: str, after: str, found: dict) -> str:
    """Return a comparison in words, in points of 100.

    >>> found = {"difference": 0.021, "interval": (-0.004, 0.046), "won": 12, "lost": 7, "mcnemar_p": 0.359}
    >>> sentence("SFT", "RL", found)
    'RL − SFT: +2.1 points, 95 % from −0.4 to +4.6 (won 12, lost 7, McNemar p 0.36)'
    """
    low, high = found["interval"]
    p = found["mcnemar_p"]
    said = "< 0.001" if p < 0.001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"
    return (
        f"{after} − {before}: {_points(found['difference'])} points, 95 % from {_points(low)} to {_points(high)} "
        f"(won {found['won']}, lost {found['lost']}, McNemar p {said})"
    )


def _points(share: float) -> str:
    """Return a difference of shares in points, with its sign.

    >>> _points(-0.0041), _points(0.0004), _points(-0.0004)
    ('−0.4', '0.0', '0.0')
    """
    text = f"{100 * share:+.1f}"
    return text[1:] if text[1:] == "0.0" else text.replace("-", "−")
