"""What the stages have the model answer: how many at a time, how often, how long."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import sft.train
from budget.flops import forward_flops
from budget.lengths import Lengths
from budget.shapes import Shape
from configs.schema import Config

LONGEST = (1.4, 2.5)
"""The longest answer of a batch over their mean, which is how long the batch takes: 1.45 to 1.58 on average in GRPO
batches of 16 and 32 of three runs here, whose limit cut the longest; the upper end is assumed."""
UNTRAINED = 0.78
"""Tokens of a base model's answer over the limit: 0.77 and 0.80 in the two evaluations of SmolLM2 in docs/log.md."""
SILENT = 0.125
"""Share of the groups that `rl.resample` replaces: nano with the rewards `skyrl`, docs/log.md."""


@dataclass(frozen=True)
class Answering:
    """Answers that are made batch by batch."""

    batches: int
    rows: float
    """Answers in a batch."""
    prompts: float
    """Prompts in a batch that are read: less than the answers where these share them."""
    prompt_tokens: float
    answer_tokens: float
    """Of one, on average."""
    limit: int
    """Tokens after which an answer is cut."""

    @property
    def tokens(self) -> float:
        """Tokens of all answers."""
        return self.batches * self.rows * self.answer_tokens

    @property
    def read_tokens(self) -> float:
        """Tokens of all prompts that are read."""
        return self.batches * self.prompts * self.prompt_tokens

    @property
    def turns(self) -> tuple[float, float]:
        """Tokens that a batch makes one after the other, its longest answer: at least and at most."""
        if self.rows <= 1:
            return self.answer_tokens, self.answer_tokens
        low, high = (min(self.limit, factor * self.answer_tokens) for factor in LONGEST)
        return low, high


def answering_flops(shape: Shape, made: Answering) -> float:
    """Return the operations of making a batch's answers: every row goes on until the longest has ended.

    Those of reading the prompts are not in it.
    """
    turns = sum(made.turns) / 2
    context = made.prompt_tokens + turns / 2
    return made.batches * made.rows * turns * forward_flops(shape, context)


def reading_flops(shape: Shape, made: Answering) -> float:
    """Return the operations of reading the prompts of a generation; one token of each meets the output layer."""
    return made.read_tokens * forward_flops(shape, made.prompt_tokens / 2, head=0)


def answered_in_sft(cfg: Config, lengths: Lengths, steps: int) -> Iterator[Answering]:
    """Yield what SFT has the model answer: EX in between, where it is asked for, and whether it stops at the end."""
    limit = cfg.evaluation.max_new_tokens
    yield Answering(1, sft.train.PROBES, sft.train.PROBES, lengths.prompt, min(lengths.answer, limit), limit)
    if every := cfg.sft.ex_every:
        questions = cfg.sft.ex_questions
        times, batches = _times(steps, every), _batches(questions, cfg.evaluation.batch_size)
        at_a_time = questions / batches
        yield Answering(times * batches, at_a_time, at_a_time, lengths.prompt, min(lengths.answer, limit), limit)


def answered_in_rl(cfg: Config, lengths: Lengths, made: int, steps: int, shares: bool) -> Iterator[Answering]:
    """Yield what GRPO has the model answer: its steps, EX on held-out questions, the pass rates before it."""
    section = cfg.rl
    prompt, limit = min(lengths.prompt, section.max_prompt_length), section.max_completion_length
    answer, answers = min(lengths.answer, limit), section.prompts_per_step * section.generations
    prompts = section.prompts_per_step if shares else answers
    yield Answering(ceil(made * (1 + SILENT * section.resample)), answers, prompts, prompt, answer, limit)
    if section.ex_every:
        times = _times(steps, section.ex_every)
        batches = _batches(section.ex_questions, answers)
        at_a_time = section.ex_questions / batches
        yield Answering(times * batches, at_a_time, at_a_time, prompt, answer, limit)
    if section.pass_rate_samples:
        questions = min(made * section.prompts_per_step, cfg.distill.traces)
        rows = questions * section.pass_rate_samples
        batches = _batches(rows, answers)
        yield Answering(batches, rows / batches, questions / batches, prompt, answer, limit)


def evaluated(cfg: Config, lengths: Lengths) -> Iterator[Answering]:
    """Yield what each model of the evaluation answers here; those at servers are left out."""
    section, limit = cfg.evaluation, cfg.evaluation.max_new_tokens
    rows = section.questions * section.samples
    batches = _batches(rows, section.batch_size)
    for name in section.models:
        if name not in section.servers:
            answer = UNTRAINED * limit if name == "base" else min(lengths.answer, limit)
            yield Answering(batches, rows / batches, rows / batches, lengths.prompt, answer, limit)


def _times(steps: int, every: int) -> int:
    """Return how often EX is measured: before the first step, every so many, and after the last.

    >>> _times(4, 4), _times(5, 4)
    (2, 3)
    """
    return steps // every + 1 + (steps % every > 0)


def _batches(rows: int, size: int) -> int:
    return max(1, ceil(rows / size))
