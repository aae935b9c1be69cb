"""SIGTERM in the middle of a training: it saves, says so, exits with 143; the same command comes to the same end."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback, TrainerControl, TrainerState

from configs.errors import Stopped
from configs.files import read_json, read_jsonl, write_whole
from configs.stage import main
from models.progress import last_checkpoint
from models.stopping import Watch, run
from tests.processes import ROOT
from tests.trial import write_config

REWARDS = '''
import os, signal, time
from pathlib import Path

calls = 0

def same(completions, **_):
    return [1.0 for _ in completions]

def signals_once(completions, *, step: int = 3, **_):
    """Return the number of vowels; in the given step of the first run, send SIGTERM and then take for ever."""
    global calls
    calls += 1
    mark = Path(__file__).with_name("signalled")
    if calls == step and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    return [sum(letter in "aeiou" for letter in said[0]["content"]) for said in completions]
'''
RARELY = {"sft": "sft.trainer.save_steps=100", "rl": "rl.trainer.save_steps=100"}
"""So that every checkpoint before the last step is one that a signal made."""


@pytest.mark.usefixtures("fresh_process")
@pytest.mark.parametrize(("end", "status"), [("Stopped", 143), ("KeyboardInterrupt", 130)])
def test_a_stop_has_the_status_that_a_shell_would_give_it(end, status, tmp_path, monkeypatch, capsys):
    write_whole(tmp_path / "stops.py", f"from configs.errors import Stopped\ndef train(cfg, fresh): raise {end}\n")
    write_whole(tmp_path / "run.yaml", "name: trial\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "stops", raising=False)
    assert main("sft", "", "stops:train", [str(tmp_path / "run.yaml")]) == status
    assert "sft: stopped; the same command goes on: python -m sft " in capsys.readouterr().err


@pytest.fixture
def watch() -> Iterator[Watch]:
    """A watch over a trainer at its second step; SIGTERM as it was is put back at the end."""
    before = signal.getsignal(signal.SIGTERM)
    yield Watch(SimpleNamespace(args=SimpleNamespace(world_size=1), state=TrainerState(global_step=2)))
    signal.signal(signal.SIGTERM, before)


def test_a_signal_never_cuts_a_change_of_the_weights_in_two(watch):
    control, state = TrainerControl(), watch.trainer.state
    watch.on_train_begin(None, state, control)
    watch.on_step_begin(None, state, control)
    with pytest.raises(Stopped):
        watch.hear()
    watch.heard = False
    watch.on_pre_optimizer_step(None, state, control)
    watch.hear()
    state.global_step, control.should_evaluate = 3, True
    watch.on_step_end(None, state, control)
    assert control.should_save and not control.should_evaluate
    watch.on_save(None, state, control)
    with pytest.raises(Stopped):
        watch.on_step_begin(None, state, control)
    watch.save()  # it is saved already: the trainer, which could not, is not asked to
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # the next one ends the process


def test_what_takes_time_between_two_steps_is_given_up():
    went_on: list[str] = []

    class Measures(TrainerCallback):
        def on_step_begin(self, *_, **__):
            os.kill(os.getpid(), signal.SIGTERM)
            went_on.append("measured")

    handler = SimpleNamespace(callbacks=[TrainerCallback(), Measures()])
    state, control = TrainerState(global_step=2), TrainerControl()

    def train(resume_from_checkpoint):
        for event in ("on_train_begin", "on_pre_optimizer_step", "on_step_end", "on_save", "on_step_begin"):
            for callback in handler.callbacks:
                getattr(callback, event)(None, state, control)

    trainer = SimpleNamespace(
        args=SimpleNamespace(world_size=1), state=state, callback_handler=handler, train=train
    )  # what it would save is saved
    with pytest.raises(Stopped):
        run(trainer, None)
    assert went_on == []


@pytest.fixture(scope="module")
def whole(run_stage, learner, tmp_path_factory) -> Path:
    """A run whose SFT and RL nobody stopped; returns its config."""
    folder = tmp_path_factory.mktemp("whole")
    config = write_config(folder, name=learner.name)
    rewards = f"rl.rewards=[{{name: '{write_rewards(folder)}:signals_once'}}]"
    for words in (("distill",), ("sft", RARELY["sft"]), ("rl", RARELY["rl"], rewards)):
        done = run_stage(words[0], config, *words[1:])
        assert done.returncode == 0, done.stderr
    return config


def write_rewards(folder: Path, *, signalled: bool = True) -> Path:
    """Write the rewards above into a folder; `signalled`: their signal is sent already."""
    path = folder / "rewards_of_mine.py"
    write_whole(path, REWARDS)
    if signalled:
        write_whole(folder / "signalled", "")
    return path


def copied(whole: Path, folder: Path, *stages: str) -> Path:
    """Copy stages of the whole run into `folder`; returns the copied run's folder."""
    for stage in stages:
        shutil.copytree(whole.parent / "runs" / "smoke" / stage, folder / "smoke" / stage)
    return folder / "smoke"


def assert_same_end(ended: Path, whole: Path, steps: int) -> None:
    """Assert that a stage that was stopped logged, sampled and learned what one does that was not."""
    logged = [[row for row in read_jsonl(folder / "metrics.jsonl") if "loss" in row] for folder in (ended, whole)]
    assert [row["step"] for row in logged[0]] == list(range(1, steps + 1))
    for row, other in zip(*logged, strict=True):
        for key in row.keys() & {"loss", "reward", "entropy"}:
            assert row[key] == pytest.approx(other[key], abs=1e-4), (row["step"], key)
        assert "reward" not in row or row["num_tokens"] == other["num_tokens"]  # TRL's SFT counts anew when it goes on
    assert read_json(ended / "state.json")["facts"]["steps"] == steps
    if (whole / "completions.jsonl").exists():
        assert read_jsonl(ended / "completions.jsonl") == read_jsonl(whole / "completions.jsonl")
    ends, expected = (load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (ended, whole))
    end, other = (torch.cat([each[name].flatten() for name in expected]) for each in (ends, expected))
    assert (end - other).norm() < 1e-3 * other.norm()


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "needs", "steps"), [("sft", ["distill"], 24), ("rl", ["distill", "sft"], 6)])
def test_a_training_that_is_told_to_stop_saves_first_and_goes_on(whole, tmp_path, run_stage, stage, needs, steps):
    folder = copied(whole, tmp_path, *needs) / stage
    words = [stage, str(whole), f"runs={tmp_path}", *([] if stage == "sft" else ["rl.rewards=" + rewards_of(whole)])]
    words.append(RARELY[stage])
    with subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 200
            while len(steps_logged(folder)) < 2:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 143, said
    assert said.strip().splitlines()[-1].startswith(f"{stage}: stopped; the same command goes on: python -m {stage} ")
    assert "Traceback" not in said and not (folder / "adapter").exists()
    [checkpoint] = folder.glob("checkpoint-*")
    step = int(checkpoint.name.rpartition("-")[2])
    assert 2 <= step < steps and f"the checkpoint of step {step} is saved" in said
    assert steps_logged(folder) == list(range(1, step + 1))

    resumed = run_stage(stage, *words[1:])
    assert resumed.returncode == 0 and f"from the checkpoint of step {step}" in resumed.stderr, resumed.stderr
    assert_same_end(folder, whole.parent / "runs" / "smoke" / stage, steps)


def rewards_of(config: Path) -> str:
    return f"[{{name: '{config.parent / 'rewards_of_mine.py'}:signals_once'}}]"


def steps_logged(folder: Path) -> list[int]:
    """Return the steps in metrics.jsonl whose lines are whole."""
    if not (folder / "metrics.jsonl").exists():
        return []
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    return [int(line.split(",")[0].rpartition(" ")[2]) for line in lines if '"loss"' in line and line.endswith("\n")]


@pytest.mark.slow
def test_a_step_that_would_take_too_long_is_given_up_and_the_one_before_it_saved(whole, tmp_path, run_stage):
    folder = copied(whole, tmp_path, "distill", "sft") / "rl"
    rewards = write_rewards(tmp_path, signalled=False)
    words = (whole, f"runs={tmp_path}", RARELY["rl"], f"rl.rewards=[{{name: '{rewards}:signals_once'}}]")
    start = time.monotonic()
    stopped = run_stage("rl", *words)
    assert stopped.returncode == 143 and time.monotonic() - start < 60, stopped.stderr  # the reward sleeps that long
    assert "the checkpoint of step 2 is saved" in stopped.stderr
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-2"] and steps_logged(folder) == [1, 2]
    resumed = run_stage("rl", *words)
    assert resumed.returncode == 0, resumed.stderr
    assert_same_end(folder, whole.parent / "runs" / "smoke" / "rl", 6)


@pytest.mark.slow
def test_a_dead_run_ends_with_a_checkpoint_and_goes_on_when_told_to(whole, tmp_path, run_stage):
    folder = copied(whole, tmp_path, "distill", "sft") / "rl"
    rewards = f"rl.rewards=[{{name: '{write_rewards(tmp_path)}:same'}}]"
    words = (whole, f"runs={tmp_path}", rewards, "rl.trainer.max_steps=23", "rl.trainer.beta=0", RARELY["rl"])
    words += ("rl.max_completion_length=8",)
    for _ in range(2):
        ended = run_stage("rl", *words, "rl.stop_when_sick=true")
        assert ended.returncode == 2, ended.stderr
        last = ended.stderr.strip().splitlines()[-1]
        assert re.match(
            r"rl: ended at step 10 by rl\.stop_when_sick: \d+% of the answers are cut off at their limit", last
        )
        assert last.endswith("checkpoint-10 is kept, and rl.stop_when_sick=false goes on from it")
        assert last_checkpoint(folder).endswith("checkpoint-10")
    went_on = run_stage("rl", *words)
    assert went_on.returncode == 0 and "from the checkpoint of step 10" in went_on.stderr, went_on.stderr
    assert steps_logged(folder) == list(range(1, 24))
    found = [(row["step"], row["rule"], row["severity"]) for row in read_jsonl(folder / "health.jsonl")]
    assert found[:1] == [(10, "all answers cut", "dead")] and (20, "all groups silent", "dead") in found
    assert "health: all answers cut (from step 10)" in went_on.stderr
