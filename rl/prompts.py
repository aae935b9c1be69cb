"""The questions that GRPO trains on, as rows whose other columns the rewards see."""

from collections.abc import Sequence
from dataclasses import asdict

from datasets import Dataset

from configs.errors import ConfigError
from configs.schema import Config
from models.template import prompt_text
from tasks.prompt import messages
from tasks.task import Task


def prompts_that_fit(tasks: Sequence[Task], tokenizer, cfg: Config) -> tuple[Dataset, int]:
    """Return the questions whose prompt has at most rl.max_prompt_length tokens, and how many were left out.

    Columns: `prompt` (chat messages) and those of Task.  TRL no longer cuts prompts, and a cut prompt would
    lose its question; hence the filter.  ConfigError where nothing is left.
    """
    rows, shortest = [], None
    for task in tasks:
        prompt = messages(task, cfg.data.schema_style, cfg.data.sample_values)
        length = len(tokenizer(prompt_text(tokenizer, prompt), add_special_tokens=False)["input_ids"])
        shortest = length if shortest is None else min(shortest, length)
        if length <= cfg.rl.max_prompt_length:
            rows.append({"prompt": prompt, **asdict(task)})
    if not rows:
        raise ConfigError(
            f"rl.max_prompt_length {cfg.rl.max_prompt_length}: every prompt is longer, the shortest has {shortest}"
        )
    return Dataset.from_list(rows), len(tasks) - len(rows)
