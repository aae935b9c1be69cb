"""sft in two processes, as accelerate launches them: the step of one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import load_file

from configs.errors import ConfigError
from configs.files import read_json, read_jsonl, write_whole
from configs.schema import Config
from sft.options import options
from tests.processes import ROOT
from tests.trial import write_config

pytestmark = pytest.mark.slow
TWO = ["-m", "accelerate.commands.launch", "--config_file", str(ROOT / "configs" / "accelerate" / "2-gpus.yaml")]


@pytest.fixture(scope="module")
def config(tmp_path_factory, cache) -> Path:
    """A trial run with its traces, that measures both losses and EX while it learns."""
    tmp_path = tmp_path_factory.mktemp("trial")
    path = write_config(tmp_path)
    chosen = yaml.safe_load(path.read_text())
    chosen["sft"] |= {"micro_batch": 2, "accumulation": 2, "in_domain_traces": 2, "ex_every": 2, "ex_questions": 2}
    chosen["sft"]["trainer"] |= {"max_steps": 4, "save_steps": 2, "eval_steps": 2, "logging_steps": 1}
    write_whole(path, yaml.safe_dump(chosen))
    subprocess.run([sys.executable, "-m", "distill", str(path)], cwd=ROOT, check=True, capture_output=True)
    return path


def sft(config: Path, name: str, *launch: str) -> subprocess.CompletedProcess:
    """Run the stage on the traces of the run, under another name."""
    runs = config.parent / "runs"
    traces = next(runs.glob("*/distill"))
    (runs / name).mkdir(exist_ok=True)
    if not (runs / name / "distill").exists():
        (runs / name / "distill").symlink_to(traces)
    command = [sys.executable, *launch, "-m", "sft", str(config), f"name={name}"]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def test_two_processes_take_the_steps_of_one(config):
    one, two = sft(config, "one"), sft(config, "two", *TWO)
    assert one.returncode == two.returncode == 0, one.stderr + two.stderr
    folders = [config.parent / "runs" / name / "sft" for name in ("one", "two")]
    assert [read_json(folder / "state.json")["facts"]["steps"] for folder in folders] == [4, 4]
    for name, off in {"loss": 1e-5, "eval_in_domain_loss": 5e-3, "eval_out_of_domain_loss": 5e-3}.items():
        said = [[row[name] for row in read_jsonl(folder / "metrics.jsonl") if name in row] for folder in folders]
        assert said[0] and said[1] == pytest.approx(said[0], rel=off), name  # processes are weighted by tokens
    ex = [[(row["step"], row["ex"]) for row in read_jsonl(folder / "ex.jsonl")] for folder in folders]
    assert [step for step, _ in ex[0]] == [0, 2, 4] and ex[0] == ex[1]
    weights = [load_file(folder / "adapter" / "adapter_model.safetensors") for folder in folders]
    assert all(abs(weights[0][name] - weights[1][name]).max() < 2e-3 for name in weights[0])
    assert two.stderr.count("sft: adapter after 4 steps") == 1  # one of them speaks


def test_a_step_that_two_processes_cannot_share_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"sft\.accumulation 3 is not divided by 2 processes"):
        options(Config(name="odd", sft={"accumulation": 3}), tmp_path, validates=False)
