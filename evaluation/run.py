"""Stage 4: the same questions for every model, greedy answers, and whether they return the gold rows."""

import random
from pathlib import Path

from rich.console import Console

from configs.errors import ConfigError
from configs.files import append_jsonl, file_fingerprint, read_json, read_jsonl, write_json
from configs.schema import Config, Stage
from configs.screen import progress, say
from configs.stage import begin, finish, wrote
from evaluation.score import judge_answers
from evaluation.summary import sentences, summarise_run
from evaluation.table import result_table
from models.adapter import check_adapter
from models.environment import prepare
from models.trained import adapter_folder
from tasks.load import load_tasks
from tasks.prompt import messages
from tasks.task import Task

HELD_OUT = {"databases": "not trained on", "questions": "that other questions were trained on"}


def evaluate(cfg: Config, fresh: bool = False) -> Path:
    """Measure the models of evaluation.models; return the path of summary.json."""
    adapters = {name: _adapter(cfg, name) for name in cfg.evaluation.models}
    settings = cfg.model_dump(mode="json", include={"seed", "data", "model", "evaluation"})
    for key in ("models", "batch_size", "bootstrap"):  # may change half-way: models come later, a batch doesn't fit
        del settings["evaluation"][key]
    news = _not_measured(cfg.folder / "evaluation", adapters)
    more = f"going on with {', '.join(news)}, new or trained again since it finished" if news else ""
    begun = begin(cfg, "evaluation", settings, {}, fresh, more)
    tasks = _questions(cfg)
    to_measure = _not_measured(begun.folder, adapters)
    if to_measure:
        _measure(cfg, begun.folder, tasks, {name: adapters[name] for name in to_measure})
    summary = summarise_run(cfg, begun.folder, tasks, list(adapters))
    write_json(begun.folder / "summary.json", summary)
    rows = {name: row for name, row in summary.items() if name != "compared"}
    finish(begun, **{name: round(row["ex"], 4) for name, row in rows.items()})
    over = f"{len({task.database for task in tasks})} databases {HELD_OUT[cfg.data.split]}"
    Console(width=None if Console().is_terminal else 120).print(
        result_table(rows, f"{cfg.name}: {len(tasks)} questions over {over}")
    )
    for line in sentences(summary):
        print(line)
    wrote(begun, f"{', '.join(to_measure) or 'nothing new'} measured, summary.json")
    return begun.folder / "summary.json"


def _adapter(cfg: Config, name: Stage) -> Path | None:
    """Return the folder of the adapter that `name` stands for, None for the base model."""
    folder = adapter_folder(cfg.folder, name)
    if folder is None:
        return None
    if not (cfg.folder / name / "adapter").is_dir():
        measured = [
            each for each in cfg.evaluation.models if each == "base" or (cfg.folder / each / "adapter").is_dir()
        ]
        raise ConfigError(
            f"evaluation.models: {folder} is missing; run python -m {name} first, "
            f"or measure what is there: evaluation.models=[{','.join(measured)}]"
        )
    check_adapter(folder, cfg.model)
    return folder


def _questions(cfg: Config) -> list[Task]:
    """Return the test questions: all of them, or a sample that depends on the seed only, in the order of their ids."""
    tasks = sorted(load_tasks(cfg.data, cfg.seed).test, key=lambda task: task.task_id)
    if not tasks:
        raise ConfigError("data.test_share: no test question; raise it, or name a test part in data.test_path")
    if len(tasks) > cfg.evaluation.questions:
        tasks = random.Random(cfg.seed).sample(tasks, cfg.evaluation.questions)
    return sorted(tasks, key=lambda task: task.task_id)


def _not_measured(folder: Path, adapters: dict[Stage, Path | None]) -> list[Stage]:
    """Return the models without a NAME.json that holds the predictions of this very adapter."""
    return [
        name
        for name, adapter in adapters.items()
        if not (file := folder / f"{name}.json").exists() or read_json(file)["adapter"] != _fingerprint(adapter)
    ]


def _fingerprint(adapter: Path | None) -> str | None:
    return adapter and file_fingerprint(adapter / "adapter_model.safetensors")


def _measure(cfg: Config, folder: Path, tasks: list[Task], adapters: dict[Stage, Path | None]) -> None:
    """Write NAME.json for each adapter; the base model is loaded once and the adapters take turns in it."""
    prepare(cfg)
    from models.load import add_adapter, load_adapter, load_model, ready_to_answer

    model, tokenizer = load_model(cfg.model)
    if None in adapters.values():
        ready_to_answer(model, cfg.model)
        _measure_one(cfg, folder, "base", None, tasks, model, tokenizer)
    trained = {name: adapter for name, adapter in adapters.items() if adapter}
    if not trained:
        return
    model = add_adapter(model, cfg.model, seed=cfg.seed, checkpointing=False)
    for name, adapter in trained.items():
        load_adapter(model, adapter, cfg.model)
        ready_to_answer(model, cfg.model)
        _measure_one(cfg, folder, name, adapter, tasks, model, tokenizer)


def _measure_one(cfg: Config, folder: Path, name: Stage, adapter: Path | None, tasks, model, tokenizer) -> None:
    """Answer and judge the questions batch by batch; an interrupted measurement goes on with the next batch."""
    from models.answer import answers

    ledger = folder / f".{name}.jsonl"
    fingerprint = _fingerprint(adapter)
    rows = [
        row for row in (read_jsonl(ledger, repair=True) if ledger.exists() else []) if row["adapter"] == fingerprint
    ]
    done = {row["task_id"]: row for row in rows}
    left = [task for task in tasks if task.task_id not in done]
    prompts = [messages(task, cfg.data.schema_style, cfg.data.sample_values, cfg.data.answer) for task in left]
    settings = cfg.evaluation
    _say_too_long(prompts, tokenizer, cfg)
    with progress(f"evaluation: {name}", len(left)) as advance:
        for batch in answers(
            model, tokenizer, prompts, max_new_tokens=settings.max_new_tokens, batch_size=settings.batch_size
        ):
            asked = [left[index] for index, _ in batch]
            verdicts = judge_answers(asked, [answer.text for _, answer in batch], cfg)
            for task, (_, answer), verdict in zip(asked, batch, verdicts, strict=True):
                row = _prediction(task, answer, verdict) | {"adapter": fingerprint}
                append_jsonl(ledger, row)
                done[task.task_id] = row
            advance(len(batch))
    predictions = [{key: value for key, value in done[task.task_id].items() if key != "adapter"} for task in tasks]
    write_json(folder / f"{name}.json", {"model": cfg.model.name, "adapter": fingerprint, "predictions": predictions})
    ledger.unlink()


def _say_too_long(prompts: list, tokenizer, cfg: Config) -> None:
    """Say how many prompts leave too little room for an answer: a backend may cut them, and they score low."""
    from models.template import prompt_text

    room = cfg.model.max_length - cfg.evaluation.max_new_tokens
    lengths = [
        len(tokenizer(prompt_text(tokenizer, prompt), add_special_tokens=False)["input_ids"]) for prompt in prompts
    ]
    if over := sum(length > room for length in lengths):
        say(f"  {over} of {len(prompts)} prompts are longer than model.max_length − evaluation.max_new_tokens = {room}")


def _prediction(task: Task, answer, verdict: dict) -> dict:
    return {
        "task_id": task.task_id,
        "level": task.level,
        "database": Path(task.database).stem,
        "question": task.question,
        "gold_sql": task.gold_sql,
        "answer": answer.text,
        **verdict,
        "tokens": answer.tokens,
        "seconds": answer.seconds,
        "stopped": answer.stopped,
    }
