"""The questions that GRPO trains on, as rows whose other columns the rewards see."""

from collections.abc import Sequence
from dataclasses import asdict

from datasets import Dataset

from configs.errors import ConfigError
from configs.files import read_jsonl
from configs.schema import Config
from configs.screen import progress
from models.held_out import prompt_of
from models.template import prompt_ids
from rewards.asked import reference_plans
from tasks.task import Task


def not_contaminated(tasks: Sequence[Task], cfg: Config) -> list[Task]:
    """Return the questions that distill did not find too near to an evaluation set's."""
    near = cfg.folder / "distill" / "contaminated.jsonl"
    left_out = {row["task_id"] for row in read_jsonl(near)} if near.exists() else set()
    return [task for task in tasks if task.task_id not in left_out]


def prompts_that_fit(tasks: Sequence[Task], tokenizer, cfg: Config) -> tuple[list[Task], int]:
    """Return the questions whose prompt has at most rl.max_prompt_length tokens, and how many were left out.

    TRL no longer cuts prompts, and a cut prompt would lose its question; hence the filter.  ConfigError where
    fewer are left than a step takes.
    """
    fit, lengths = [], []
    with progress("rl: prompts", len(tasks)) as advance:
        for task in tasks:
            lengths.append(len(prompt_ids(tokenizer, prompt_of(task, cfg))))
            if lengths[-1] <= cfg.rl.max_prompt_length:
                fit.append(task)
            advance()
    if len(fit) < cfg.rl.prompts_per_step:
        raise ConfigError(
            f"rl.max_prompt_length {cfg.rl.max_prompt_length}: {len(fit)} of {len(tasks)} prompts are that short, and "
            f"a step takes rl.prompts_per_step {cfg.rl.prompts_per_step}; the shortest has {min(lengths)} tokens"
        )
    return fit, len(tasks) - len(fit)


def as_rows(tasks: Sequence[Task], cfg: Config) -> Dataset:
    """Return a row for each question: `prompt` (chat messages), `think` (the reference plan, or blank), and Task's."""
    plans = reference_plans(cfg)
    return Dataset.from_list(
        [{"prompt": prompt_of(task, cfg), "think": plans.get(task.task_id, ""), **asdict(task)} for task in tasks]
    )
