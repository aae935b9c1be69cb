"""What to change in a run so that it fits a GPU, and how far each size could go there.

Tried first is what leaves the training the same: the micro-batch, which only decides how a step is cut into passes.
Then comes what costs time (activation checkpointing, no vLLM) or a little accuracy (quantisation), and last what
changes the recipe: lengths, prompts and generations of a step.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from itertools import product

from pydantic import ValidationError

from budget.peaks import stage_peaks
from budget.shapes import Shape
from configs.schema import Config

Changes = dict[str, object]
SHARES = (1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25)
"""Of a length, in the order tried."""
LENGTH_STEP = 64
FEWEST_GENERATIONS = 4
"""Of a GRPO group: no recipe that we know of has a smaller one."""
LARGEST_BATCH = 128
"""Of evaluation: how many more a GPU answers at once does not pay."""
MOST = 4096
"""Where looking for the largest ends."""
SHORT = {"rl.max_prompt_length": 16, "rl.max_completion_length": 8, "evaluation.max_new_tokens": 8}
"""GRPO's and evaluation's lengths at their least, so that model.max_length is free to move."""
OF_ALL = ("model.quantization", "model.vllm")
"""What a later stage may change of the earlier ones."""
QUANTISATIONS = ("none", "8bit", "4bit")


def fitted(cfg: Config, shape: Shape, gpu_bytes: int) -> tuple[Changes, list[str]]:
    """Return the changes with which the run fits and uses its room, and the stages that nothing here makes fit.

    Of micro-batches the largest is taken that makes the same step; an evaluation that fits stays as it is.
    """
    kept, now = None, cfg
    while kept != (kept := {key: value_at(now, key) for key in OF_ALL}):  # the earlier stages are tried again with it
        changes, hopeless = _stage_by_stage(now, shape, gpu_bytes)
        now = with_changes(cfg, {key: changes.get(key, value) for key, value in kept.items()})
    return {key: value for key, value in changes.items() if value != value_at(cfg, key)}, hopeless


def _stage_by_stage(cfg: Config, shape: Shape, gpu_bytes: int) -> tuple[Changes, list[str]]:
    changes: Changes = {}
    hopeless = []
    for stage, candidates in {"sft": _sft, "rl": _rl, "evaluation": _evaluation}.items():
        now = with_changes(cfg, changes)
        fitting = (each for each in candidates(now) if _fits(with_changes(now, each), shape, gpu_bytes, stage))
        found = next(fitting, None)
        if found is None:
            hopeless.append(stage)
        else:
            changes |= found
    return changes, hopeless


def room(cfg: Config, shape: Shape, gpu_bytes: int) -> dict[str, int]:
    """Return how large each size may be while all else stays as it is; 0 where not even the smallest fits.

    At most `MOST` of each, of lengths as many tokens times `LENGTH_STEP`.
    """

    def largest(stage: str, change: Callable[[int], Changes], step: int = 1, least: int = 1) -> int:
        return step * _largest(lambda n: _fits(with_changes(cfg, change(n * step)), shape, gpu_bytes, stage), least)

    def rl_micro_batch() -> int:
        sizes = _divisors(cfg.rl.prompts_per_step * cfg.rl.generations)
        return next((n for n in sizes if _fits(with_changes(cfg, {"rl.micro_batch": n}), shape, gpu_bytes, "rl")), 0)

    prompt = cfg.rl.max_prompt_length
    return {
        "sft.micro_batch": largest("sft", lambda n: {"sft.micro_batch": n}),
        "model.max_length": largest("sft", lambda n: {"model.max_length": n, **SHORT}, LENGTH_STEP),
        "rl.micro_batch": rl_micro_batch(),
        "rl.generations": largest("rl", lambda n: {"rl.generations": n, "rl.micro_batch": 1}, least=2),
        "rl.max_completion_length": largest(
            "rl",
            lambda n: {
                "rl.max_completion_length": n,
                "model.max_length": max(prompt + n, cfg.model.max_length),
            },
            LENGTH_STEP,
        ),
        "evaluation.batch_size": largest("evaluation", lambda n: {"evaluation.batch_size": n}),
    }


def _sft(cfg: Config) -> Iterator[Changes]:
    step = cfg.sft.micro_batch * cfg.sft.accumulation
    least = max(cfg.rl.max_prompt_length + cfg.rl.max_completion_length, cfg.evaluation.max_new_tokens + LENGTH_STEP)
    for length, kept, checkpointing, micro in product(
        _lengths(cfg.model.max_length, least), _quantisations(cfg), _checkpointing(cfg, "sft"), _divisors(step)
    ):
        passes = {"sft.micro_batch": micro, "sft.accumulation": step // micro}
        yield {"model.max_length": length, "model.quantization": kept} | checkpointing | passes


def _rl(cfg: Config) -> Iterator[Changes]:
    """Yield GRPO's sizes; under Standby Unsloth sets vLLM's share itself, so that model.vllm_memory changes nothing."""
    rl = cfg.rl
    for length, generations, prompts, kept, vllm, checkpointing in product(
        _lengths(rl.max_completion_length, LENGTH_STEP),
        _halves(rl.generations, FEWEST_GENERATIONS),
        _halves(rl.prompts_per_step, 1),
        _quantisations(cfg),
        _engines(cfg),
        _checkpointing(cfg, "rl"),
    ):
        for micro in _divisors(prompts * generations):
            yield {
                "rl.max_completion_length": length,
                "rl.generations": generations,
                "rl.prompts_per_step": prompts,
                "model.quantization": kept,
                "model.vllm": vllm,
                "rl.micro_batch": micro,
            } | checkpointing


def _evaluation(cfg: Config) -> Iterator[Changes]:
    batches = _halves(cfg.evaluation.batch_size, 1)
    for kept, vllm, batch in product(_quantisations(cfg), _engines(cfg), batches):
        yield {"model.quantization": kept, "model.vllm": vllm, "evaluation.batch_size": batch}


def _engines(cfg: Config) -> tuple[bool, ...]:
    """Return whether vLLM may generate; without it that is slower, and takes no share of the memory beforehand."""
    return (True, False) if cfg.model.vllm else (False,)


def _quantisations(cfg: Config) -> tuple[str, ...]:
    """Return how the weights may be kept, from as they are to smaller."""
    if cfg.model.lora is None:
        return ("none",)
    return QUANTISATIONS[QUANTISATIONS.index(cfg.model.quantization) :]


def _checkpointing(cfg: Config, stage: str) -> tuple[Changes, ...]:
    trainer = cfg.sft.trainer if stage == "sft" else cfg.rl.trainer
    on = trainer.get("gradient_checkpointing", True)
    return ({},) if on else ({}, {f"{stage}.trainer.gradient_checkpointing": True})


def _lengths(longest: int, least: int) -> list[int]:
    """Return lengths from `longest` down, none below `least` but the longest itself.

    >>> _lengths(2048, 1024)
    [2048, 1792, 1536, 1280, 1024]
    """
    shorter = [int(longest * share) // LENGTH_STEP * LENGTH_STEP for share in SHARES[1:]]
    return [longest, *(length for length in shorter if length >= least)]


def _halves(number: int, least: int) -> list[int]:
    """Return the number and its halves, rounded down, none below `least` but the number itself.

    >>> _halves(16, 4), _halves(3, 1)
    ([16, 8, 4], [3, 1])
    """
    found = [number]
    while found[-1] // 2 >= least:
        found.append(found[-1] // 2)
    return found


def _divisors(number: int) -> list[int]:
    """Return what divides a number, the largest first.

    >>> _divisors(12)
    [12, 6, 4, 3, 2, 1]
    """
    return [n for n in range(number, 0, -1) if number % n == 0]


def _largest(fits: Callable[[int], bool], least: int) -> int:
    """Return the largest number that fits, of those from `least` to `MOST`, 0 for none; what fits, fits smaller too.

    >>> _largest(lambda n: n <= 37, 1), _largest(lambda n: n <= 37, 40)
    (37, 0)
    """
    if not fits(least):
        return 0
    if fits(MOST):
        return MOST
    low, high = least, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _fits(cfg: Config | None, shape: Shape, gpu_bytes: int, stage: str) -> bool:
    """Tell whether a stage fits; a config that the schema refuses does not."""
    return cfg is not None and stage_peaks(cfg, shape, gpu_bytes)[stage].total_bytes <= gpu_bytes


def with_changes(cfg: Config, changes: Changes) -> Config | None:
    """Return the config with keys replaced, None where the schema refuses it."""
    data = cfg.model_dump()
    for key, value in changes.items():
        *sections, last = key.split(".")
        reduce(dict.__getitem__, sections, data)[last] = value
    try:
        return Config.model_validate(data)
    except ValidationError:
        return None


def value_at(cfg: Config, key: str) -> object:
    """Return what stands under a dotted key; None under one that a trainer's block does not have."""
    found: object = cfg.model_dump()
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def as_words(changes: Iterable[tuple[str, object]]) -> list[str]:
    """Return changes as they are given on the command line.

    >>> as_words([("sft.micro_batch", 2), ("sft.trainer.gradient_checkpointing", True)])
    ['sft.micro_batch=2', 'sft.trainer.gradient_checkpointing=true']
    """
    return [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in changes]
