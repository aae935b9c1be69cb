"""A reward of one's own, all the way: written, tested, audited, tried, trained with."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from configs.files import read_jsonl, write_json
from rewards.__main__ import main
from tests.processes import ROOT

RUN = {
    "name": "mine",
    "model": {"name": "tiny", "backend": "transformers", "quantization": "none", "dtype": "float32"},
    "data": {"sample_values": 0, "validation_share": 0, "test_share": 0.95},
    "rl": {
        "prompts_per_step": 1, "generations": 2, "micro_batch": 2, "max_completion_length": 8, "ex_every": 0,
        "rewards": [
            {"name": "sql_execution"},
            {"name": "my_reward.py:my_reward", "weight": 0.5, "params": {"bonus": 0.4}},
        ],
        "trainer": {"max_steps": 1, "save_strategy": "no"},
    },
}  # fmt: skip


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own(here, capsys) -> Path:
    """A starter as `new` writes it."""
    assert run("new", "my_reward.py") == 0
    shown = capsys.readouterr().out
    assert "python -m rewards audit my_reward.py:my_reward" in shown and "rewards:" in shown
    return here / "my_reward.py"


def test_the_starters_test_passes(own):
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_reward.py"],
        cwd=own.parent, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert "2 passed" in tests.stdout


def test_it_is_audited_tried_and_trained_with(own, capsys, fresh_process):
    assert run("audit", "my_reward.py:my_reward", "--questions", 5) == 0
    assert "clean" in capsys.readouterr().out
    own.with_name("run.yaml").write_text(yaml.safe_dump(RUN))
    (own.parent / "answer.txt").write_text("<think>count them</think><sql>SELECT 1</sql>")
    assert run("try", "run.yaml", "--completion", "answer.txt") == 0
    rows = {line.split()[0]: line.split()[1:4] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert rows["my_reward"] == ["0.4", "0.5", "0.2"]

    import rl.__main__

    first_adapter(own.parent / "runs" / "mine" / "sft")
    assert rl.__main__.main(["run.yaml"]) == 0
    folder = own.parent / "runs" / "mine" / "rl"
    answers = read_jsonl(folder / "completions.jsonl")
    assert [set(answer["rewards"]) for answer in answers] == [{"sql_execution", "my_reward"}] * 2
    assert read_jsonl(folder / "metrics.jsonl")[0]["rewards/my_reward/seconds"] >= 0
    assert (folder / "adapter" / "adapter_model.safetensors").exists()


def first_adapter(folder: Path) -> None:
    """Write what an SFT run leaves behind, with nothing learned."""
    from configs.load import load_config
    from models.load import add_adapter, load_model, name_base
    from models.progress import save_trained

    settings = load_config("run.yaml").model
    model, tokenizer = load_model(settings)
    model = add_adapter(model, settings, seed=0)
    name_base(model, settings)
    save_trained(model, tokenizer, folder / "adapter")
    write_json(folder / "state.json", {"status": "finished"})


def test_new_overwrites_nothing(here, capsys):
    (here / "test_my_reward.py").write_text("mine")
    assert run("new", "my_reward.py") == 2
    assert "test_my_reward.py is there already" in capsys.readouterr().err
    assert not (here / "my_reward.py").exists() and (here / "test_my_reward.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["my-reward.py", "reward", "class.py", "sql_execution.py", "test_mine.py"])
def test_new_refuses_names_that_python_or_pytest_take_otherwise(here, capsys, name):
    assert run("new", name) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(here.iterdir()) == []
