"""What each stage has to do: tokens, floating-point operations, steps.  How long that takes is `budget.hours`."""

from dataclasses import dataclass, replace
from math import ceil

import rl.train
import sft.options
from budget.answering import (
    LONGEST,
    UNTRAINED,
    Answering,
    answered_in_rl,
    answered_in_sft,
    answering_flops,
    evaluated,
    reading_flops,
)
from budget.flops import forward_flops, training_flops
from budget.lengths import Lengths, find_lengths
from budget.memory import lora_parameters
from budget.shapes import Shape
from configs.schema import Config

PACKED = 0.95
"""Share of a packed row that is no padding.  Assumed."""


@dataclass(frozen=True)
class Work:
    """A stage's work in all."""

    tokens: int
    """Trained on; in the evaluation, and in distilling, read.  Padding is left out."""
    generated_tokens: int
    flops: float
    """Floating-point operations, those on padding included."""
    steps: int
    """Of the optimizer; in the evaluation, batches; in distilling, questions."""
    assumed: tuple[str, ...]
    """Each assumption, in words."""
    training_flops: float = 0.0
    reading_flops: float = 0.0
    """Forward passes: validation, prompts, log-probabilities."""
    passes: int = 0
    """Micro-batches that go forward and back."""
    generations: tuple[Answering, ...] = ()
    least: float = 1.0
    """Share of the training that is sure: early stopping may end it."""
    low: float = 1.0
    """Factor of the least that the lengths may turn out to be, and the padding to have been left out."""
    high: float = 1.0


def stage_work(cfg: Config, shape: Shape) -> dict[str, Work]:
    """Return the work of the four stages of a run, by their names.

    Raises ConfigError where the run has traces that can't be read.
    """
    lengths = find_lengths(cfg)
    return {
        "distill": _distill(cfg, lengths),
        "sft": _sft(cfg, shape, lengths),
        "rl": _rl(cfg, shape, lengths),
        "evaluation": _evaluation(cfg, shape, lengths),
    }


def _distill(cfg: Config, lengths: Lengths) -> Work:
    wanted = lengths.traces + lengths.validation
    said = [f"{wanted:,} answers asked, none of them in vain", lengths.said]
    if cfg.distill.teacher == "plan":
        return Work(0, 0, 0.0, wanted, ())
    answers = wanted * cfg.distill.generations
    tokens = round(wanted * lengths.prompt)
    return Work(tokens, round(answers * lengths.answer), 0.0, wanted, tuple(said), low=lengths.low, high=lengths.high)


def _sft(cfg: Config, shape: Shape, lengths: Lengths) -> Work:
    options, at_once = sft.options.DEFAULTS | cfg.sft.trainer, cfg.sft.micro_batch * cfg.sft.accumulation
    row = PACKED * cfg.model.max_length if options.get("packing") else lengths.trace
    rows = ceil(max(1, lengths.traces - cfg.sft.in_domain_traces) * lengths.trace / row)
    epochs = max(0.0, options["num_train_epochs"])
    steps = max(1, ceil(epochs * ceil(rows / at_once)))
    tokens = epochs * rows * row
    if options.get("max_steps", -1) > 0:
        steps = int(options["max_steps"])
        tokens = steps * at_once * row
    said, least = [lengths.said], 1.0
    if lengths.padding > 1:
        said.append(f"padding makes {lengths.padding:.2f} tokens of each")
    validated = (lengths.validation + cfg.sft.in_domain_traces) * lengths.trace * lengths.padding
    every = _evaluated_every(options, steps) if validated else 0
    if cfg.sft.early_stopping_patience and every:
        least = min(1.0, (cfg.sft.early_stopping_patience + 1) * every / steps)
        said.append(f"early stopping may end it after {round(least * steps)} of {steps} steps")
    work = Work(
        tokens=round(tokens),
        generated_tokens=0,
        flops=0.0,
        steps=steps,
        assumed=tuple(said),
        training_flops=tokens * lengths.padding * _per_token(cfg, shape, lengths.trace / 2, options),
        reading_flops=steps // every * validated * forward_flops(shape, lengths.trace / 2) if every else 0.0,
        passes=steps * cfg.sft.accumulation,
        generations=tuple(answered_in_sft(cfg, lengths, steps)),
        least=least,
        low=lengths.low / (lengths.padding if cfg.model.backend == "unsloth" else 1),
        high=lengths.high,
    )
    return _summed(work, shape)


def _evaluated_every(options: dict, steps: int) -> int:
    """Return the steps between two evaluations, 0 for none; eval_steps below 1 are a share of all.

    >>> _evaluated_every({"eval_strategy": "steps", "eval_steps": 0.1}, 400)
    40
    """
    if options["eval_strategy"] == "epoch":
        return max(1, round(steps / max(1.0, options["num_train_epochs"])))
    if options["eval_strategy"] != "steps":
        return 0
    every = options["eval_steps"] or options["logging_steps"]
    return int(every) if every >= 1 else max(1, ceil(every * steps))


def rl_steps(cfg: Config) -> int:
    """Return the optimizer steps of GRPO; where epochs are given, of as many questions as there are traces."""
    options = rl.train.DEFAULTS | cfg.rl.trainer
    if options["max_steps"] > 0:
        return int(options["max_steps"])
    return max(1, ceil(options.get("num_train_epochs", 3) * cfg.distill.traces / cfg.rl.prompts_per_step))


def _rl(cfg: Config, shape: Shape, lengths: Lengths) -> Work:
    options, steps = rl.train.DEFAULTS | cfg.rl.trainer, rl_steps(cfg)
    iterations = max(1, int(options.get("num_iterations", 1)))
    made = ceil(steps / iterations)
    answers = cfg.rl.prompts_per_step * cfg.rl.generations
    prompt, limit = min(lengths.prompt, cfg.rl.max_prompt_length), cfg.rl.max_completion_length
    answer = min(lengths.answer, limit)
    longest = min(limit, LONGEST[0] * answer)
    shares = cfg.model.backend == "transformers"
    learned = answers * longest + prompt * _prompts_learned(cfg, options, shares)
    head = answers * longest / learned
    per_token = _per_token(cfg, shape, (prompt + answer) / 2, options, head=head)
    looks = _log_probabilities(cfg, options, iterations)
    said = [lengths.said, f"answers of {answer:.0f} tokens, the longest of a step {longest:.0f}"]
    if options["max_steps"] <= 0:
        said.append("as many questions as traces")
    work = Work(
        tokens=round(steps * answers * (prompt + answer)),
        generated_tokens=0,
        flops=0.0,
        steps=steps,
        assumed=tuple(said),
        training_flops=steps * learned * per_token,
        reading_flops=made * looks * learned * forward_flops(shape, (prompt + answer) / 2, head=head),
        passes=steps * answers // cfg.rl.micro_batch,
        generations=tuple(answered_in_rl(cfg, lengths, made, steps, shares)),
        low=lengths.low,
        high=lengths.high,
    )
    return _summed(work, shape)


def _prompts_learned(cfg: Config, options: dict, shares: bool) -> int:
    """Return how many prompts go through the model in a step's training; transformers without checkpointing shares."""
    answers = cfg.rl.prompts_per_step * cfg.rl.generations
    if not shares or options.get("gradient_checkpointing", True):
        return answers
    return answers // cfg.rl.micro_batch * ceil(cfg.rl.micro_batch / cfg.rl.generations)


def _log_probabilities(cfg: Config, options: dict, iterations: int) -> int:
    """Return the forward passes over a step's answers before it is learned from, as TRL 1.14.2 makes them.

    The old policy's where the answers serve several steps or come from vLLM; the reference's where β is not 0.
    """
    return (iterations > 1 or cfg.model.vllm) + (options.get("beta", 0.0) > 0)


def _evaluation(cfg: Config, shape: Shape, lengths: Lengths) -> Work:
    made, servers = tuple(evaluated(cfg, lengths)), cfg.evaluation.servers
    said = [
        lengths.said,
        *(f"{name} answers at its server: not counted" for name in cfg.evaluation.models if name in servers),
    ]
    if "base" in cfg.evaluation.models:
        most = cfg.evaluation.max_new_tokens
        said.append(f"the base model's answers have {UNTRAINED * most:.0f} tokens of at most {most}")
    work = Work(
        tokens=round(sum(each.read_tokens for each in made)),
        generated_tokens=0,
        flops=0.0,
        steps=sum(each.batches for each in made),
        assumed=tuple(said),
        generations=made,
        low=lengths.low,
        high=lengths.high,
    )
    return _summed(work, shape)


def _per_token(cfg: Config, shape: Shape, context: float, options: dict, head: float = 1.0) -> float:
    adapter = lora_parameters(shape, cfg.model.lora) if cfg.model.lora else None
    checkpointing = bool(options.get("gradient_checkpointing", True))
    return training_flops(shape, context, adapter=adapter, checkpointing=checkpointing, head=head)


def _summed(work: Work, shape: Shape) -> Work:
    """Return the work with the operations and tokens of all its parts."""
    made = sum(answering_flops(shape, each) for each in work.generations)
    read = work.reading_flops + sum(reading_flops(shape, each) for each in work.generations)
    tokens = round(sum(each.tokens for each in work.generations))
    return replace(work, reading_flops=read, flops=work.training_flops + read + made, generated_tokens=tokens)
