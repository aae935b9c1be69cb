"""Answers as a batch that rewards can score: what training hands to them, made without a trainer."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from configs.schema import Data
from rewards.length import CHARACTERS_A_TOKEN
from tasks.prompt import messages
from tasks.task import Task


def batch_of(
    data: Data, tasks: Sequence[Task], thinks: Sequence[str], texts: Sequence[str]
) -> tuple[list, list, dict[str, Any]]:
    """Return prompts, completions and columns for one answer to each task; answers to one task stand together.

    thinks: the reference plan of each question, blank where there is none.
    """
    prompts = {
        task: messages(task, data.schema_style, data.sample_values, data.answer) for task in dict.fromkeys(tasks)
    }
    columns = {name: [getattr(task, name) for task in tasks] for name in Task.__dataclass_fields__}
    columns |= {
        "think": list(thinks),
        "completion_ids": [[0] * round(len(text) / CHARACTERS_A_TOKEN) for text in texts],
        "trainer_state": SimpleNamespace(global_step=0, max_steps=1, epoch=0.0),
        "log_metric": _forget,
        "log_extra": _forget,
    }
    return [prompts[task] for task in tasks], [[{"role": "assistant", "content": text}] for text in texts], columns


def _forget(*_: object) -> None:
    """Log nothing."""
