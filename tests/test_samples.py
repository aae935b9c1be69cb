"""rl/samples and rl/completions: what the loggers of report_to get of a step, and which steps generate after a stop."""

import html
import json
import os
from types import SimpleNamespace

import pytest
from datasets import Dataset
from trl import GRPOConfig

from configs import loggers
from configs.files import read_jsonl
from configs.loggers import logger_problems
from configs.schema import Config
from models.load import add_adapter, load_model
from models.training import trainer_config
from rl import train as stage
from rl.completions import CompletionLog
from rl.samples import CELL_CHARS, Samples, markdown, table
from rl.shared import SharedPrompts
from tasks.task import Task
from tests.processes import run_light
from tests.trial import write_config

HOSTILE = "<script>alert(1)</script> ![x](http://x/y.png) | *a* _b_ `c` <sql>\nSELECT 1 &lt; 2</sql>"
ROWS = [
    {
        "step": 3, "task_id": str(place), "question": "Who?", "gold_sql": "SELECT 1", "prompt": "…", "status": "ok",
        "completion": HOSTILE if place == 2 else f"answer {place}", "message": None, "total": float(place % 3),
        "advantage": place - 2.0, "rewards": {"form": 1.0, "execution": None if place == 4 else 0.5},
    }
    for place in range(5)
]  # fmt: skip


def letters(completions, task_id, log_extra, **_):
    """Return a number for every other question's answers, and the same for all answers to those between."""
    log_extra("task_id", task_id)
    sums = [sum(map(ord, said[0]["content"])) / 500 for said in completions]
    return [number if int(asked) % 2 else 1.0 for number, asked in zip(sums, task_id, strict=True)]


@pytest.fixture
def train(tiny, tmp_path):
    """Return a function that trains a few steps with the two callbacks, from a checkpoint where one is given."""

    def train(checkpoint: str | None = None, **options) -> SharedPrompts:
        model, tokenizer = load_model(tiny)
        chosen = {
            "output_dir": str(tmp_path / "trial" / "rl"), "num_generations": 4, "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 2, "generation_batch_size": 8, "max_completion_length": 8, "max_steps": 4,
            "shuffle_dataset": False, "logging_steps": 1, "save_steps": 1, "gradient_checkpointing": False,
        }  # fmt: skip
        trainer = SharedPrompts(
            model=add_adapter(model, tiny, seed=0),
            processing_class=tokenizer,
            reward_funcs=letters,
            args=trainer_config(GRPOConfig, "rl", chosen | options, tiny, 0),
            train_dataset=Dataset.from_list(
                [
                    {"prompt": [{"role": "user", "content": f"Who is {n}?"}], "task_id": str(n), "question": str(n)}
                    | {"gold_sql": "SELECT 1"}
                    for n in range(8)
                ]
            ),
        )
        log = CompletionLog(tmp_path, trainer)
        trainer.add_callback(log)
        trainer.add_callback(Samples(log, trainer))
        trainer.train(resume_from_checkpoint=checkpoint)
        return trainer

    return train


def test_the_table_has_the_best_and_the_worst_and_some_between():
    columns, cells = table(ROWS)
    assert columns[:4] == ["which", "total", "advantage", "task_id"] and columns[-2:] == ["form", "execution"]
    assert [row[0] for row in cells] == ["best", "drawn", "drawn", "worst"]
    assert cells[0][1] == 2.0 and cells[-1][1] == 0.0 and len({row[3] for row in cells}) == 4
    assert table(ROWS) == (columns, cells)
    few = [[row[0] for row in table(ROWS[:count])[1]] for count in (2, 3)]
    assert few == [["best", "worst"], ["best", "drawn", "worst"]]
    long = table([ROWS[0] | {"completion": "x" * 9000}, ROWS[1]])[1][-1]
    assert max(len(cell) for cell in long if isinstance(cell, str)) == CELL_CHARS


def test_what_a_model_wrote_is_text_in_tensorboard():
    util = pytest.importorskip("tensorboard.plugin_util")
    page = util.markdown_to_safe_html(markdown(*table(ROWS)))
    assert page.count("<tr>") == 5 and page.count("<td>") == 4 * 11
    assert not any(tag in page for tag in ("<img", "<a ", "<em", "<code", "<script"))
    assert HOSTILE.replace("\n", "<br>") in html.unescape(page)


def test_tensorboard_gets_metrics_and_a_table_of_each_step(train, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(max_steps=2, report_to="tensorboard")
    (events,) = (tmp_path / "trial" / "rl").rglob("events.out.tfevents.*")
    found = accumulator.EventAccumulator(str(events)).Reload()
    assert [event.step for event in found.Scalars("train/rewards/letters/mean")] == [1, 2]
    tables = found.Tensors("samples/text_summary")
    assert [event.step for event in tables] == [1, 2]
    said = tables[1].tensor_proto.string_val[0].decode()
    rows = [row for row in read_jsonl(tmp_path / "completions.jsonl") if row["step"] == 2]
    best, worst = (pick(row["total"] for row in rows) for pick in (max, min))
    assert f"| best | {best:g} |" in said and f"| worst | {worst:g} |" in said


def test_wandb_gets_metrics_and_a_table_of_each_step(train, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_DIR", raising=False)
    logged = []
    train_log = wandb.Run.log
    monkeypatch.setattr(wandb.Run, "log", lambda run, data, **more: (logged.append(data), train_log(run, data, **more)))
    try:
        train(max_steps=2, report_to="wandb")
        folder = wandb.run.dir
    finally:
        wandb.finish()
    assert str(tmp_path / "trial" / "rl") in folder and not os.path.exists("wandb")
    files = list((tmp_path / "trial" / "rl" / "wandb").rglob("samples*.table.json"))
    assert len(files) == 2
    kept = json.loads(files[0].read_text())
    assert kept["columns"][:2] == ["which", "total"] and kept["data"][0][0] == "best"
    assert sum("train/rewards/letters/mean" in row for row in logged) == 2


def test_trackio_gets_metrics_and_a_table_of_each_step(train, tmp_path, monkeypatch):
    storage = pytest.importorskip("trackio.sqlite_storage")
    monkeypatch.setattr(storage, "TRACKIO_DIR", tmp_path / "trackio")
    train(max_steps=2, report_to="trackio")
    rows = storage.SQLiteStorage.get_logs("planql", "trial-rl")
    tables = [row["samples"]["_value"] for row in rows if "samples" in row]
    assert [len(table) for table in tables] == [4, 4] and tables[0][0]["which"] == "best"
    assert sum("train/rewards/letters/mean" in row for row in rows) == 2


def test_a_step_that_learns_again_from_the_same_answers_logs_none_and_a_resume_keeps_the_turn(train, tmp_path):
    options = {"num_iterations": 2, "max_steps": 8, "save_total_limit": 9}
    train(**options)
    steps = {row["step"]: row["task_id"] for row in read_jsonl(tmp_path / "completions.jsonl")}
    assert steps == {1: "1", 3: "3", 5: "5", 7: "7"}
    train(str(tmp_path / "trial" / "rl" / "checkpoint-3"), **options)
    again = {row["step"]: row["task_id"] for row in read_jsonl(tmp_path / "completions.jsonl")}
    assert again == {1: "1", 3: "3", 4: "3", 5: "5", 7: "7"}  # step 4 learns from new answers to the same questions


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_silent_groups_are_counted_whatever_rewards_are_scaled_by(train, scale):
    trainer = train(max_steps=2, scale_rewards=scale, save_strategy="no")
    silent = [row["frac_reward_zero_std"] for row in trainer.state.log_history if "loss" in row]
    assert silent == [0.5, 0.5]


def test_all_epochs_are_trained_on_once(tiny):
    tasks = [Task(str(n), "?", "", "SELECT 1", "db", level="L1") for n in range(5)]
    cfg = Config(name="trial", model=tiny, rl={"prompts_per_step": 2, "micro_batch": 4})
    for iterations, steps in ((1, 5), (2, 10)):
        args = SimpleNamespace(max_steps=-1, num_train_epochs=2, num_iterations=iterations)
        asked = [task.task_id for task in stage._order(cfg, None, args, None, None, tasks)]
        assert args.max_steps == steps and sorted(asked) == sorted("01234" * 2)
    args = SimpleNamespace(max_steps=3, num_train_epochs=2, num_iterations=2)
    assert len(stage._order(cfg, None, args, None, None, tasks)) == 4 and args.max_steps == 3


def test_a_logger_that_is_not_there_is_told_before_anything_loads(tmp_path, monkeypatch):
    monkeypatch.setattr(loggers, "_installed", lambda name: name in ("transformers", "tensorboardX"))
    assert logger_problems("sft", "none") == logger_problems("sft", None) == logger_problems("rl", "tensorboard") == []
    assert logger_problems("rl", ["tensorboard", "wandb"]) == [
        "rl.trainer.report_to: wandb is not installed; pip install wandb, or report_to=none"
    ]
    (line,) = logger_problems("rl", "tensorbord")
    assert "no logger 'tensorbord'; did you mean 'tensorboard'? allowed: none, all, tensorboard," in line
    monkeypatch.setattr(loggers, "_installed", lambda name: False)
    assert logger_problems("rl", "wandb") == []
    done = run_light("rl", write_config(tmp_path), "rl.trainer.report_to=neptune")
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "rl.trainer.report_to: neptune is not installed; pip install neptune" in done.stderr


def test_a_folder_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "neptune").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not loggers._installed("neptune") and loggers._installed("json")
