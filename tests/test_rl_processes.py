"""rl in two processes, as accelerate launches them: the numbers of one process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import load_file

from configs.files import read_json, read_jsonl, write_whole
from tests.processes import ROOT
from tests.trial import write_config

FIXED = '''
"""A reward, and answers that depend on the question and the place in its group alone, not on the process."""

import os
import signal
import time

from rl.shared import SharedPrompts


def same(self, prompt_ids, images, multimodal_fields, num_generations, has_tool_images=False):
    start = int(os.environ.get("RANK", 0)) * len(prompt_ids)
    open(f"{os.path.dirname(__file__)}/rank-{os.environ.get('RANK')}", "w").close()
    places = [(start + row) % num_generations for row in range(len(prompt_ids))]
    answers = [[20 + sum(ids) % 50 + 3 * place, 90 + place, 2] for ids, place in zip(prompt_ids, places)]
    return [answer[: 2 + place % 2] for answer, place in zip(answers, places)], None


SharedPrompts._generate_single_turn = same


def letters(completions, **_):
    return [float(len(said[0]["content"])) + sum(map(ord, said[0]["content"])) / 500 for said in completions]


calls = 0


def signals_once(completions, *, to: str, **_):
    """Return the same; in the second step, unless that was done, send SIGTERM `to` the launcher or to rank 1."""
    global calls
    calls += 1
    rank, mark = os.environ.get("RANK"), f"{os.path.dirname(__file__)}/signalled-{to}"
    if calls == 2 and not os.path.exists(mark) and rank == {"launcher": "0", "rank": "1"}[to]:
        open(mark, "w").close()
        os.kill(os.getppid() if to == "launcher" else os.getpid(), signal.SIGTERM)
        time.sleep(60 if to == "launcher" else 0)
    return letters(completions)
'''
LAUNCH = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
LAUNCH += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]


@pytest.fixture(scope="module")
def config(tmp_path_factory, cache) -> Path:
    """A trial run up to the end of SFT."""
    tmp_path = tmp_path_factory.mktemp("trial")
    path = write_config(tmp_path)
    chosen = yaml.safe_load(path.read_text())
    write_whole(tmp_path / "fixed.py", FIXED)
    chosen["rl"]["rewards"] = [{"name": f"{tmp_path / 'fixed.py'}:letters"}]
    chosen["rl"]["micro_batch"] = 4
    chosen["rl"]["trainer"] |= {"max_steps": 3, "save_steps": 3, "logging_steps": 1}
    chosen["sft"]["trainer"] |= {"max_steps": 4, "save_steps": 4, "eval_steps": 4}
    write_whole(path, yaml.safe_dump(chosen))
    for stage in ("distill", "sft"):
        subprocess.run([sys.executable, "-m", stage, str(path)], cwd=ROOT, check=True, capture_output=True)
    return path


def rl(config: Path, name: str, *launch: str, **overrides) -> subprocess.CompletedProcess:
    """Run the stage on a copy of the run, called `name`."""
    runs = config.parent / "runs"
    done = next(path for path in runs.iterdir() if (path / "sft" / "adapter").is_dir())
    if not (runs / name).exists():
        shutil.copytree(done, runs / name, ignore=shutil.ignore_patterns("rl", "*.lock"))
    settings = [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
    command = [sys.executable, *launch, "-m", "rl", str(config), f"name={name}", *settings]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def two(config) -> list[dict]:
    """What two processes log of a run that nobody stops."""
    done = rl(config, "two", *LAUNCH)
    assert done.returncode == 0, done.stderr
    return steps(config, "two")


def steps(config: Path, name: str) -> list[dict]:
    logged = read_jsonl(config.parent / "runs" / name / "rl" / "metrics.jsonl")
    return [row for row in logged if "reward" in row]


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(config, two):
    one = rl(config, "one")
    assert one.returncode == 0, one.stderr
    assert {path.name for path in config.parent.glob("rank-*")} == {"rank-None", "rank-0", "rank-1"}
    folders = [config.parent / "runs" / name / "rl" for name in ("one", "two")]
    assert [row["step"] for row in two] == [1, 2, 3]
    for mine, theirs in zip(steps(config, "one"), two, strict=True):
        for key in ("reward", "reward_std", "rewards/letters/mean", "completions/mean_length", "entropy", "grad_norm"):
            assert mine[key] == pytest.approx(theirs[key], rel=2e-3, abs=1e-6), key
    said = [sorted((row["step"], row["prompt"], row["completion"], round(row["total"], 3)) for row in rows)
            for rows in (read_jsonl(folder / "completions.jsonl") for folder in folders)]  # fmt: skip
    assert said[0] == said[1]
    weights = [load_file(folder / "adapter" / "adapter_model.safetensors") for folder in folders]
    assert all(abs(weights[0][name] - weights[1][name]).max() < 1e-3 for name in weights[0])
    assert read_json(folders[1] / "state.json")["status"] == "finished"
    again = rl(config, "two", *LAUNCH)
    assert again.returncode == 0 and "finished" in again.stderr


@pytest.mark.slow
def test_batches_that_do_not_divide_among_the_processes_are_told(config):
    done = rl(config, "odd", *LAUNCH, **{"rl.prompts_per_step": 1, "rl.generations": 3, "rl.micro_batch": 3})
    assert done.returncode != 0
    assert "rl.micro_batch 3 in 2 processes does not divide prompts_per_step × generations = 3" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("to", "step"), [("launcher", 1), ("rank", 2)])
def test_sigterm_saves_the_last_whole_step_of_all_processes(config, two, to, step):
    """The launcher tells both, and the first one gives up a step that takes too long; rank 1 alone lets it end."""
    rewards = [{"name": f"{config.parent / 'fixed.py'}:signals_once", "params": {"to": to}}]
    name, settings = f"stopped-{to}", {"rl.rewards": rewards, "rl.trainer.save_steps": 100}
    stopped = rl(config, name, *LAUNCH, **settings)
    assert stopped.returncode == 1, stopped.stderr  # what the launcher makes of 143
    assert f"the checkpoint of step {step} is saved" in stopped.stderr, stopped.stderr
    assert "rl: stopped; the same command goes on" in stopped.stderr
    (checkpoint,) = (config.parent / "runs" / name / "rl").glob("checkpoint-*")
    assert {"rng_state_0.pth", "rng_state_1.pth", "trainer_state.json"} <= {path.name for path in checkpoint.iterdir()}
    went_on = rl(config, name, *LAUNCH, **settings)
    assert went_on.returncode == 0 and f"from the checkpoint of step {step}" in went_on.stderr, went_on.stderr
    assert [row["step"] for row in steps(config, name)] == [1, 2, 3]
    for mine, other in zip(steps(config, name), two, strict=True):
        for key in ("reward", "loss", "entropy", "grad_norm", "num_tokens"):
            assert mine[key] == pytest.approx(other[key], rel=2e-3, abs=1e-5), (mine["step"], key)
