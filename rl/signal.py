"""Which questions GRPO sees, and when: those on which the model's answers differ, the easy ones first.

A group whose answers score all alike has no advantages, so its tokens are generated for nothing.  Pass rates,
measured before training with k samples a question, tell which groups would be silent.
"""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from random import Random

from configs.files import append_jsonl, read_jsonl
from configs.ranks import processes, rank
from configs.schema import Config
from configs.screen import progress, say
from models.together import from_first, of_all
from sandbox import Limits, judge_many
from tasks.task import Task
from tasks.trace import extract_sql

NAME = "pass_rates.jsonl"
RETURNS = 4
"""Of the questions set aside, one in so many comes back in each round through the questions, in turn."""


def training_order(
    tasks: Sequence[Task], rates: dict[str, float], count: int, easy_first: bool, seed: int
) -> list[Task]:
    """Return the questions of `count` groups in the order of training, round after round.

    rates: share of right answers by task_id; questions at 0 or 1 are set aside, and come back in turn
    (`RETURNS`).  One without a rate counts as in between.  easy_first: the first round goes by level, and within
    a level by pass rate, the others are shuffled.
    """
    dice = Random(f"order-{seed}")
    between = [task for task in tasks if 0 < rates.get(task.task_id, 0.5) < 1]
    aside = [task for task in tasks if not 0 < rates.get(task.task_id, 0.5) < 1]
    dice.shuffle(aside)
    if not between:
        between, aside = aside, []
    order: list[Task] = []
    for turn in range(ceil(count / max(1, len(between)))):
        taken = [*between, *aside[turn % RETURNS :: RETURNS]]
        dice.shuffle(taken)
        if easy_first and turn == 0:
            taken.sort(key=lambda task: (task.level, -rates.get(task.task_id, 0.5)))
        order += taken
    return order[:count]


def pass_rates(model, tokenizer, tasks: Sequence[Task], cfg: Config, folder: Path) -> dict[str, float]:
    """Return the share of right answers to each question among `rl.pass_rate_samples`, sampled as in training.

    What was measured is noted in pass_rates.jsonl at once, and not measured again.
    """
    samples, path = cfg.rl.pass_rate_samples, folder / NAME
    noted = from_first(lambda: read_jsonl(path, repair=True) if path.exists() else [])
    rates = {row["task_id"]: row["right"] / row["samples"] for row in noted}
    left = [task for task in tasks if task.task_id not in rates][rank() :: processes()]
    at_once = max(1, cfg.rl.prompts_per_step * cfg.rl.generations // samples)
    with progress("rl: pass rates", len(left)) as advance:
        for start in range(0, len(left), at_once):
            some = left[start : start + at_once]
            for task, found in zip(some, _sampled(model, tokenizer, some, samples, cfg), strict=True):
                append_jsonl(path, {"task_id": task.task_id, "samples": samples} | found)
                rates[task.task_id] = found["right"] / samples
            advance(len(some))
    rates = dict(of_all(list(rates.items())))
    _say_rates(rates, samples)
    return rates


def _sampled(model, tokenizer, tasks: Sequence[Task], samples: int, cfg: Config) -> list[dict[str, int]]:
    """Return for each question how many of its sampled answers return the gold rows, and all their tokens."""
    from models.answer import answers  # torch
    from models.held_out import prompt_of

    asked = [task for task in tasks for _ in range(samples)]
    prompts = [prompt_of(task, cfg) for task in asked]
    temperature = cfg.rl.trainer.get("temperature", 1.0)
    (said,) = answers(
        model, tokenizer, prompts, max_new_tokens=cfg.rl.max_completion_length, batch_size=len(prompts),
        temperature=temperature,
    )  # fmt: skip
    by_place = dict(said)
    items = [
        (task.database, task.gold_sql, extract_sql(by_place[place].text) or "") for place, task in enumerate(asked)
    ]
    limits = Limits(**cfg.sandbox.limits)
    right = [one.correct is True for one in judge_many(items, cfg.evaluation.judge, limits, cfg.sandbox.workers)]
    groups = [range(start, start + samples) for start in range(0, len(asked), samples)]
    return [
        {"right": sum(right[at] for at in group), "tokens": sum(by_place[at].tokens for at in group)}
        for group in groups
    ]


def _say_rates(rates: dict[str, float], samples: int) -> None:
    never, always = (sum(rate == end for rate in rates.values()) for end in (0, 1))
    between = len(rates) - never - always
    aside = f"those of the first two kinds are set aside, and one in {RETURNS} of them comes back each round"
    say(
        f"  pass rates of {len(rates)} questions, {samples} answers each: {never} never right, {always} always, "
        f"{between} in between; {aside if between else 'so none is set aside'}"
    )
