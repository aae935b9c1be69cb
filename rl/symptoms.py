"""What a sick GRPO run looks like in its logs: one table of rules, with where their thresholds come from."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, pvariance
from typing import Literal

Test = Callable[[Sequence[float], float, float], float | None]
"""f(values of the window, mean of the run's first window, limit) → the number that shows it, None where all is well."""


@dataclass(frozen=True)
class Rule:
    """One way in which a run can be sick, and what to do about it."""

    name: str
    metrics: tuple[str, ...]
    """What TRL logs, with * for a reward's name."""
    test: Test
    limit: float
    window: int
    """Steps that it is judged over."""
    sentence: str
    """What is wrong; {value}, {metric} and {window} are filled in."""
    cure: str
    """The key to change."""
    advice: str
    """How to change it."""
    source: str
    severity: Literal["warning", "dead"] = "warning"
    """Dead: nothing more will be learned, `rl.stop_when_sick` ends the run."""
    unless: tuple[str, ...] = ()
    """Rules that explain this one: while one of them stands, it is not said."""
    but: tuple[str, ...] = ()
    """Metrics that it does not judge, with * as in `metrics`."""


def above(values: Sequence[float], first: float, limit: float) -> float | None:
    """Return the mean where it is above the limit.

    >>> above([3.0, 4.0], 0, 3), above([3.0, 3.0], 0, 3)
    (3.5, None)
    """
    return mean if (mean := fmean(values)) > limit else None


def below(values: Sequence[float], first: float, limit: float) -> float | None:
    """Return the mean where it is below the limit."""
    return mean if (mean := fmean(values)) < limit else None


def always(values: Sequence[float], first: float, limit: float) -> float | None:
    """Return the limit where every value is just that.

    >>> always([1.0, 1.0], 0, 1.0), always([1.0, 0.9], 0, 1.0)
    (1.0, None)
    """
    return limit if all(value == limit for value in values) else None


def grown(values: Sequence[float], first: float, limit: float) -> float | None:
    """Return how many times the run's first values the mean is, where that is above the limit.

    >>> grown([6.0, 8.0], 2.0, 3), grown([6.0, 6.0], 2.0, 3)
    (3.5, None)
    """
    return times if first > 0 and (times := fmean(values) / first) > limit else None


def shrunk(values: Sequence[float], first: float, limit: float) -> float | None:
    """Return which part of the run's first values the mean is, where that is below the limit."""
    return part if first > 0 and (part := fmean(values) / first) < limit else None


def rises_less(values: Sequence[float], first: float, limit: float) -> float | None:
    """Return the change from the first third of the window to the last, where it is below `limit` standard errors.

    >>> rises_less([3.0, 3.5, 2.0, 2.0, 1.0, 1.5], 0, -4)
    -2.0
    >>> rises_less([1.0, 1.5, 2.0, 2.0, 3.0, 3.5], 0, -4)
    """
    third = len(values) // 3
    if third < 2:
        return None
    early, late = values[:third], values[-third:]
    error = math.sqrt((pvariance(early) + pvariance(late)) / (third - 1))
    change = fmean(late) - fmean(early)
    return change if change < limit * error or (change == error == 0 and limit > 0) else None


def no_number(values: Sequence[float], first: float, limit: float) -> float | None:
    """Return a value that is NaN or infinite."""
    return next((value for value in values if not math.isfinite(value)), None)


AXOLOTL = "axolotl, Training Stability, key metrics for RL (docs/training_stability.qmd)"
ENTROPY = "Cui et al., 2025, arXiv 2505.22617: the reward is bought with entropy, and ends where that does"
DAPO = "Yu et al., 2025, arXiv 2503.14476, sections 3.1 and 3.2"
LENGTH = "Liu et al., 2025, arXiv 2503.20783, on length; the factor is ours"
OURS = "ours"

RULES = (
    Rule(
        "not a number", ("loss", "grad_norm", "entropy", "kl"), no_number, 0, 1,
        "{metric} is {value}, and no step after it can mend that",
        "rl.trainer.learning_rate", "lower it, or set model.dtype: float32", AXOLOTL, "dead",
    ),
    Rule(
        "all answers cut", ("completions/clipped_ratio",), above, 0.8, 10,
        "{value:.0%} of the answers are cut off at their limit, before their SQL is there",
        "rl.max_completion_length", "raise it, or train SFT longer so that answers end", f"{AXOLOTL}; trl#5697", "dead",
    ),
    Rule(
        "all groups silent", ("frac_reward_zero_std",), always, 1.0, 20,
        "in {window} steps no question had answers of different scores, so there was nothing to learn from",
        "rl.rewards", "take one with partial credit, easier questions, or a model that SFT brought further",
        f"{AXOLOTL}; {DAPO}", "dead",
    ),
    Rule(
        "no gradient", ("grad_norm",), always, 0.0, 20,
        "the gradient was 0 in all {window} steps though scores differ, so the model stays as it is",
        "rl.trainer", "look for mask_truncated_completions with answers that are all cut, or for frozen weights",
        AXOLOTL, "dead", ("all groups silent", "all answers cut"),
    ),
    Rule(
        "no entropy", ("entropy",), below, 0.001, 20,
        "entropy is {value:.2g} nats a token: every answer to a question is the same",
        "rl.trainer.temperature", "raise it, lower rl.trainer.learning_rate, and start from an earlier checkpoint",
        ENTROPY, "dead",
    ),
    Rule(
        "entropy low", ("entropy",), below, 0.01, 10,
        "entropy has come down to {value:.2g} nats a token, so answers hardly differ any more",
        "rl.trainer.epsilon_high", "set it to 0.28, raise rl.trainer.temperature, or lower the learning rate",
        f"{AXOLOTL}; {DAPO}",
    ),
    Rule(
        "entropy high", ("entropy",), above, 1.0, 10,
        "entropy is {value:.2g} nats a token: the answers are more chance than choice",
        "rl.trainer.temperature", "lower it, or train SFT longer", AXOLOTL,
    ),
    Rule(
        "entropy grows", ("entropy",), grown, 3.0, 10,
        "entropy is {value:.1f} times what it was at the start: the model comes apart",
        "rl.trainer.learning_rate", "lower it", f"{AXOLOTL}: it should fall slowly; the factor is ours",
        unless=("entropy high",),
    ),
    Rule(
        "groups silent", ("frac_reward_zero_std",), above, 0.8, 10,
        "in {value:.0%} of the groups all answers score alike, and teach nothing",
        "rl.generations", "raise it, add a reward with partial credit, or leave out questions always right or wrong",
        f"{AXOLOTL}; {DAPO}", unless=("all groups silent",),
    ),
    Rule(
        "reward never paid", ("rewards/*/mean",), always, 0.0, 20,
        "{metric} was 0 in all {window} steps: no answer has earned it once",
        "rl.rewards", "try it on answers of completions.jsonl: it is broken, or too hard for this model", AXOLOTL,
        but=("rewards/soft_overlong*", "rewards/repetition*"),  # penalties: 0 is best
    ),
    Rule(
        "reward abstains", ("rewards/*/none",), above, 0.5, 10,
        "{metric}: the reward cannot judge {value:.0%} of the answers",
        "rl.rewards", "look at the gold queries and columns that it needs", OURS,
    ),
    Rule(
        "reward falls", ("reward",), rises_less, -4.0, 50,
        "the reward has changed by {value:+.3g} within {window} steps, which is more than chance",
        "rl.trainer.learning_rate", "lower it, and go on from the best model so far", f"{OURS}: 4 standard errors",
    ),
    Rule(
        "reward flat", ("reward",), rises_less, 1.0, 100,
        "the reward has changed by {value:+.3g} in {window} steps, no more than by chance",
        "rl.trainer.learning_rate", "raise it while KL and entropy are well; else it has learned what it can",
        f"{OURS}: 1 standard error", unless=("reward falls", "all groups silent"),
    ),
    Rule(
        "form rarely right", ("rewards/format_strict/mean", "rewards/match_format_exactly/mean"), below, 0.5, 20,
        "{metric} is {value:.2f}: less than half of the answers have the form",
        "sft.trainer.num_train_epochs", "train SFT longer, or look whether answers are cut", OURS,
        unless=("all answers cut",),
    ),
    Rule(
        "answers cut", ("completions/clipped_ratio",), above, 0.3, 10,
        "{value:.0%} of the answers are cut off at their limit",
        "rl.max_completion_length", "raise it, or add the reward soft_overlong", AXOLOTL, unless=("all answers cut",),
    ),
    Rule(
        "answers grow", ("completions/mean_length",), grown, 2.0, 10,
        "answers are {value:.1f} times as long as at the start",
        "rl.rewards", "add soft_overlong or repetition, and read the best-paid ones: length may be what pays", LENGTH,
    ),
    Rule(
        "answers shrink", ("completions/mean_length",), shrunk, 0.5, 10,
        "answers are {value:.0%} as long as at the start",
        "rl.rewards", "read the best-paid ones: the plan may be gone because nothing pays for it", LENGTH,
    ),
    Rule(
        "far from reference", ("kl",), above, 0.5, 10,
        "KL to the SFT model is {value:.2g} nats a token",
        "rl.trainer.beta", "raise it, or lower rl.trainer.learning_rate", AXOLOTL,
    ),
    Rule(
        "gradient large", ("grad_norm",), above, 10.0, 10,
        "the gradient's norm is {value:.3g} on average",
        "rl.trainer.max_grad_norm", "lower it, or rl.trainer.learning_rate", AXOLOTL,
    ),
    Rule(
        "ratios clipped", ("clip_ratio/region_mean",), above, 0.3, 10,
        "{value:.0%} of the tokens are clipped, and teach nothing",
        "rl.trainer.learning_rate", "lower it, or rl.trainer.num_iterations", AXOLOTL,
    ),
    Rule(
        "sampler differs", ("sampling/sampling_logp_difference/mean",), above, 1.0, 5,
        "vLLM and the trainer differ by {value:.2g} nats a token: the answers are not this model's",
        "model.vllm", "set it to false, or model.dtype: bfloat16 without quantisation", AXOLOTL,
    ),
)  # fmt: skip
