"""Does an export answer as what was trained did?  Both are asked the same test questions, greedily, and compared."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from configs.errors import ConfigError
from configs.schema import Config, Model
from configs.screen import progress
from models.trained import kind
from sandbox import Limits, judge_many
from tasks.load import load_tasks, sample_of_test
from tasks.prompt import messages
from tasks.task import Task
from tasks.trace import extract_sql

ENOUGH = 0.9
"""Share of the answers that must be the same; rounding to 16 bit may change a few."""


def proof_questions(cfg: Config, count: int) -> list[Task]:
    """Return test questions, drawn as evaluation draws its own: by the seed, in the order of their ids."""
    tasks = sample_of_test(load_tasks(cfg.data, cfg.seed), count, cfg.seed)
    if count and not tasks:
        raise ConfigError("the run's data has no test question to compare answers on; --questions 0 goes without")
    return tasks


def unquantised(cfg: Model, dtype: str) -> Model:
    """Return the same model as plain transformers loads what was released, in `dtype`."""
    return cfg.model_copy(update={"backend": "transformers", "vllm": False, "quantization": "none", "dtype": dtype})


def trained_answers(cfg: Config, trained: Path, tasks: Sequence[Task]) -> list[str]:
    """Return what a stage's model answers, an adapter on its base, loaded as evaluation loads it.

    Unsloth changes transformers for the life of a process, so with it this is done in one of its own.
    """
    if cfg.model.backend != "unsloth":
        return _trained_answers(cfg, trained, tasks)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return alone.submit(_trained_answers, cfg, trained, tasks).result()


def _trained_answers(cfg: Config, trained: Path, tasks: Sequence[Task]) -> list[str]:
    from models.environment import prepare

    prepare(cfg)
    from models.load import load_model, load_trained, ready_to_answer

    model, tokenizer = load_model(cfg.model)
    model = load_trained(model, trained, cfg.model, seed=cfg.seed)
    ready_to_answer(model, cfg.model)
    return greedy_answers(model, tokenizer, cfg, tasks, f"the {kind(cfg.model)}'s answers")


def greedy_answers(model, tokenizer, cfg: Config, tasks: Sequence[Task], title: str) -> list[str]:
    """Return the answers to the tasks, in their order, asked as evaluation asks."""
    from models.answer import answers

    told: dict[int, str] = {}
    size, longest = cfg.evaluation.batch_size, cfg.evaluation.max_new_tokens
    with progress(f"export: {title}", len(tasks)) as advance:
        for batch in answers(model, tokenizer, prompts(cfg, tasks), max_new_tokens=longest, batch_size=size):
            told |= {place: answer.text for place, answer in batch}
            advance(len(batch))
    return [told[place] for place in range(len(tasks))]


def prompts(cfg: Config, tasks: Sequence[Task]) -> list[list[dict[str, str]]]:
    """Return the messages that ask the tasks, as in training and evaluation."""
    data = cfg.data
    return [messages(task, data.schema_style, data.sample_values, data.answer) for task in tasks]


def compared(cfg: Config, tasks: Sequence[Task], before: Sequence[str], after: Sequence[str]) -> dict[str, int]:
    """Return how many answers there are, how many are the same, and how many of each are right."""
    same = sum(one == other for one, other in zip(before, after, strict=True))
    return {
        "questions": len(tasks),
        "same": same,
        "adapter_right": _right(cfg, tasks, before),
        "export_right": _right(cfg, tasks, after),
    }


def is_enough(proof: dict[str, int]) -> bool:
    """Tell whether as many answers are the same as must be.

    >>> is_enough({"questions": 20, "same": 18}), is_enough({"questions": 20, "same": 17})
    (True, False)
    """
    return proof["same"] >= ENOUGH * proof["questions"]


def told(proof: dict[str, int], trained: str = "adapter") -> str:
    """Return a comparison in words.

    trained: what the export is of, an adapter or a model.  Where an adapter was trained on quantised weights,
    `evaluated_same` and `evaluated_right` are of it on those, and the rest of it on the weights that were exported.

    >>> told({"questions": 20, "same": 19, "adapter_right": 9, "export_right": 10})
    '19 of 20 greedy answers are the same as the adapter gives (right: 9 of the adapter, 10 of the export)'
    """
    on_others = ""
    if "evaluated_same" in proof:
        on_others = (
            f"; on the quantised weights of training and evaluation it gives {proof['evaluated_same']} of them, "
            f"and {proof['evaluated_right']} right"
        )
    return (
        f"{proof['same']} of {proof['questions']} greedy answers are the same as the {trained} gives "
        f"(right: {proof['adapter_right']} of the {trained}, {proof['export_right']} of the export){on_others}"
    )


def first_difference(tasks: Sequence[Task], before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return lines that show the first question whose answers differ; none where all are the same."""
    for task, one, other in zip(tasks, before, after, strict=True):
        if one != other:
            return [f"the first other answer, to {task.task_id}:", f"  trained: {one!r}", f"  export:  {other!r}"]
    return []


def _right(cfg: Config, tasks: Sequence[Task], texts: Sequence[str]) -> int:
    queries = [extract_sql(text) for text in texts]
    items = [(task.database, task.gold_sql, sql) for task, sql in zip(tasks, queries, strict=True) if sql is not None]
    verdicts = judge_many(items, cfg.evaluation.judge, Limits(**cfg.sandbox.limits), cfg.sandbox.workers)
    return sum(verdict.correct is True for verdict in verdicts)
