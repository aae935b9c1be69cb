"""EX while a stage trains: greedy answers to the same held-out questions, judged in the sandbox."""

from collections.abc import Sequence
from itertools import islice
from random import Random

from configs.schema import Config
from models.answer import answers
from models.load import ready_to_answer, ready_to_train
from models.template import prompt_ids
from sandbox import Limits, judge_many
from tasks.prompt import messages
from tasks.task import Task
from tasks.trace import extract_sql


def prompt_of(task: Task, cfg: Config) -> list[dict[str, str]]:
    """Return the chat that puts a question to the model."""
    return messages(task, cfg.data.schema_style, cfg.data.sample_values, cfg.data.answer)


def held_out(tasks: Sequence[Task], tokenizer, cfg: Config, count: int, max_prompt_length: int) -> list[Task]:
    """Return `count` questions that EX is measured on: the same for the same seed, in the order of their ids.

    Those whose prompt has more than `max_prompt_length` tokens are left out.
    """
    order = sorted(tasks, key=lambda task: task.task_id)
    Random(f"held-out-{cfg.seed}").shuffle(order)
    fit = (task for task in order if len(prompt_ids(tokenizer, prompt_of(task, cfg))) <= max_prompt_length)
    return sorted(islice(fit, count), key=lambda task: task.task_id)


def right_answers(model, tokenizer, tasks: Sequence[Task], cfg: Config, *, max_new_tokens: int, batch_size: int) -> int:
    """Return how many questions the model answers with the gold rows, greedy; afterwards it is ready to train."""
    prompts = [prompt_of(task, cfg) for task in tasks]
    ready_to_answer(model, cfg.model)
    said = {}
    for some in answers(model, tokenizer, prompts, max_new_tokens=max_new_tokens, batch_size=batch_size):
        said |= {place: extract_sql(answer.text) for place, answer in some}
    ready_to_train(model, cfg.model)
    items = [(task.database, task.gold_sql, said[place]) for place, task in enumerate(tasks) if said[place]]
    verdicts = judge_many(items, cfg.evaluation.judge, Limits(**cfg.sandbox.limits), cfg.sandbox.workers)
    return sum(verdict.correct is True for verdict in verdicts)


def measured(step: int, right: int, questions: int, seconds: float) -> dict:
    """Return a row of what was measured.

    >>> measured(50, 3, 4, 1.23)
    {'step': 50, 'ex': 0.75, 'right': 3, 'questions': 4, 'seconds': 1.2}
    """
    return {"step": step, "ex": right / questions, "right": right, "questions": questions, "seconds": round(seconds, 1)}
