"""The questions of a config, with the reference plans that distill wrote of them."""

from difflib import get_close_matches

from configs.errors import ConfigError
from configs.files import read_jsonl
from configs.schema import Config
from tasks.load import load_tasks
from tasks.task import Task
from tasks.trace import parse


def all_tasks(cfg: Config) -> list[Task]:
    """Return the questions of a config, those to train on first."""
    splits = load_tasks(cfg.data, cfg.seed)
    return [*splits.train, *splits.validation, *splits.test]


def task_of(cfg: Config, task_id: str | None) -> Task:
    """Return the question with this id, or the first one to train on."""
    tasks = {task.task_id: task for task in all_tasks(cfg)}
    if task_id is None:
        return next(iter(tasks.values()))
    if task_id not in tasks:
        near = ", ".join(get_close_matches(task_id, tasks, n=3) or list(tasks)[:3])
        raise ConfigError(f"no question {task_id!r} among {len(tasks)} of data.source {cfg.data.source}; try {near}")
    return tasks[task_id]


def reference_plans(cfg: Config) -> dict[str, str]:
    """Return the <think> of each question's trace, by task_id; none before distill has run."""
    path = cfg.folder / "distill" / "traces.jsonl"
    if not path.exists():
        return {}
    traces = ((row["task_id"], parse(row["messages"][-1]["content"])) for row in read_jsonl(path))
    return {task_id: trace.think for task_id, trace in traces if trace}
