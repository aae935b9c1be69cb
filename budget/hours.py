"""How long a stage's work takes: each part's operations, bytes and launches over what the machine does a second."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, sqrt

from budget.answering import Answering
from budget.flops import forward_flops
from budget.generation import kv_bytes_per_token, vllm_cache_bytes, vllm_share
from budget.gpus import Gpu
from budget.layers import NUMBER_BYTES
from budget.memory import weights_bytes
from budget.shapes import Shape
from budget.speed import VLLM_START_S, Rate, Speed, speed_of
from budget.work import Work
from configs.schema import Config, Model

ANSWERS_PER_S = {"plan": (40.0, 110.0)}
"""Of the teacher `plan`, verified: 99 and 114 a second of 785 and 1,368 (docs/log.md); a slower machine assumed."""
MODEL_ANSWERS_PER_S = (0.2, 4.0)
"""Of a teacher that is a model: 5,000 in 105 minutes, 0.8 a second, from Llama-3.1-70B on 4 × L40S (DEV article);
around it assumed, as it depends on the server."""
DATABASES_PER_S = (25.0, 80.0)
"""That gretel's rows become: 100,000 in some 40 minutes (data.rows); around it assumed.  Once, then they are kept."""
JUDGED_PER_S = (5.0, 200.0)
"""Answers of the evaluation that are run and judged.  0.11 s for 48 in docs/log.md; large databases assumed slower."""


@dataclass(frozen=True)
class Interval:
    """Seconds: likely not less than `low`, likely not more than `high`."""

    low: float
    high: float

    def __add__(self, other: "Interval") -> "Interval":
        """Both, one after the other.

        >>> Interval(1, 2) + Interval(3, 5)
        Interval(low=4, high=7)
        """
        return Interval(self.low + other.low, self.high + other.high)

    @property
    def likely(self) -> float:
        """The middle, by its factor to both ends."""
        return sqrt(self.low * self.high)

    @property
    def hours(self) -> tuple[float, float]:
        """The same in hours."""
        return self.low / 3600, self.high / 3600


def stage_hours(cfg: Config, shape: Shape, gpu: Gpu | Speed, works: Mapping[str, Work]) -> dict[str, Interval]:
    """Return the time that each stage takes, its start included, by the stages' names.

    gpu: a GPU of the table, or a speed that was learned from a run.
    """
    speed = speed_of(gpu, cfg.model) if isinstance(gpu, Gpu) else gpu
    memory = gpu.memory_bytes if isinstance(gpu, Gpu) else None
    hours = {}
    for stage, work in works.items():
        if stage == "distill":
            hours[stage] = distill_time(cfg, work)
            continue
        hours[stage] = start_time(cfg, shape, speed, stage) + training_time(shape, speed, work)
        for made in work.generations:
            hours[stage] += generation_time(cfg, shape, speed, made, work, memory)
        if stage == "evaluation":
            answers = sum(each.batches * each.rows for each in work.generations)
            hours[stage] += Interval(answers / JUDGED_PER_S[1], answers / JUDGED_PER_S[0])
    return hours


def distill_time(cfg: Config, work: Work) -> Interval:
    """Return the time until the traces are there: questions loaded, answers made and verified."""
    per_s = ANSWERS_PER_S.get(cfg.distill.teacher, MODEL_ANSWERS_PER_S)
    answers = work.steps * cfg.distill.generations
    time = Interval(1 + answers / per_s[1], 30 + answers / per_s[0])
    rows = (cfg.data.rows or 100_000) if cfg.data.source == "gretel" else 0
    return time + Interval(rows / DATABASES_PER_S[1], rows / DATABASES_PER_S[0])


def start_time(cfg: Config, shape: Shape, speed: Speed, stage: str) -> Interval:
    """Return the time before the work: imports, weights, in the first stage of a model from the hub its download."""
    start = Interval(speed.start_s.fast, speed.start_s.slow)
    if cfg.model.vllm and speed.bandwidth:
        start += Interval(*VLLM_START_S)
    if stage == "sft" and speed.download and "/" in cfg.model.name:
        full = 2 * shape.parameters
        small = full if cfg.model.quantization != "4bit" else weights_bytes(shape, cfg.model)
        start += Interval(small / speed.download.fast, full / speed.download.slow)
    return start


def training_time(shape: Shape, speed: Speed, work: Work) -> Interval:
    """Return the time of learning, and of forward passes beside it with the prompts of what is generated.

    Operations over rate, or launches where these take longer.  That a stage may end early lowers the low end.
    """
    passes = work.passes * shape.layers
    ends = [
        max(work.training_flops / rate, passes * launch)
        for rate, launch in (
            (speed.training.fast, speed.layer_pass_s.fast),
            (speed.training.slow, speed.layer_pass_s.slow),
        )
    ]
    learning = spread(*ends, (work.low, work.high))
    reading = spread(
        work.reading_flops / speed.reading.fast, work.reading_flops / speed.reading.slow, (work.low, work.high)
    )
    return Interval(work.least * learning.low, learning.high) + Interval(work.least * reading.low, reading.high)


def generation_time(
    cfg: Config, shape: Shape, speed: Speed, made: Answering, work: Work, memory_bytes: int | None
) -> Interval:
    """Return the time of making answers, token step by token step.

    A step takes what is longest of: operations over rate; weights, keys and values over bandwidth; launches.
    transformers makes a batch until its longest answer ends; vLLM has only as many rows at a time as its memory
    holds, and fills one that has ended with the next answer.
    """
    rows, (low, high) = made.rows, made.turns
    if cfg.model.vllm and memory_bytes:
        rows = _rows_that_fit(cfg, shape, made, memory_bytes)
        waiting = made.answer_tokens * made.rows / rows
        low, high = max(low, waiting), max(high, waiting)
    turns = sqrt(low * high)
    context, model = made.prompt_tokens + turns / 2, cfg.model
    ends = [turn_time(shape, model, speed, rows, context, fast=fast) * made.batches * turns for fast in (True, False)]
    longest = max(1.0, made.limit * made.rows / rows / high)
    return spread(*ends, (max(0.5, min(1.0, work.low)), min(work.high, longest)), (low / turns, high / turns))


def spread(low: float, high: float, *factors: tuple[float, float]) -> Interval:
    """Return an interval widened by factors that vary on their own: their logarithms add up as squares do.

    >>> spread(1, 4, (0.5, 2))  # doctest: +ELLIPSIS
    Interval(low=0.7504..., high=5.3302...)
    """
    if low <= 0 or high <= 0:
        return Interval(0.0, 0.0)
    middle = sqrt(low * high)
    down = sqrt(log(middle / low) ** 2 + sum(log(factor) ** 2 for factor, _ in factors))
    up = sqrt(log(high / middle) ** 2 + sum(log(factor) ** 2 for _, factor in factors))
    return Interval(middle * exp(-down), middle * exp(up))


def turn_time(shape: Shape, model: Model, speed: Speed, rows: float, context: float, *, fast: bool) -> float:
    """Return the seconds in which `rows` answers, each of which sees `context` tokens, get a token more."""
    turn = rows * forward_flops(shape, context) / _end(speed.making, fast)
    if speed.bandwidth:
        kept = rows * context * kv_bytes_per_token(shape, NUMBER_BYTES[model.dtype])
        turn = max(turn, (weights_bytes(shape, model) + kept) / _end(speed.bandwidth, fast))
    return max(turn, shape.layers * _end(speed.layer_step_s, fast))


def _rows_that_fit(cfg: Config, shape: Shape, made: Answering, memory_bytes: int) -> float:
    """Return how many answers vLLM makes at a time: as many as its cache has room for, in Unsloth's Standby."""
    each, model = round(made.prompt_tokens + made.answer_tokens), cfg.model
    share = vllm_share(memory_bytes, model, standby=True)
    cache = vllm_cache_bytes(shape, model, memory_bytes, share, each)
    return min(made.rows, max(1.0, cache / (each * kv_bytes_per_token(shape))))


def _end(rate: Rate, fast: bool) -> float:
    return rate.fast if fast else rate.slow
