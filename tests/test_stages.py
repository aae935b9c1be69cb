"""The four stages as commands, with a model of random weights: once through, killed and resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from configs.files import read_json, read_jsonl, write_jsonl, write_whole
from tests.processes import ROOT
from tests.trial import write_config

STAGES = ("distill", "sft", "rl", "evaluation")


@dataclass(frozen=True)
class Chain:
    """A run of all four stages: its config, its folder, and what each stage printed."""

    config: Path
    folder: Path
    said: dict[str, subprocess.CompletedProcess]


@pytest.fixture(scope="module")
def chain(run_stage, learner, tmp_path_factory) -> Chain:
    folder = tmp_path_factory.mktemp("chain")
    config = write_config(folder, name=learner.name)
    said = {}
    for stage in STAGES:
        said[stage] = run_stage(stage, config)
        assert said[stage].returncode == 0, said[stage].stderr
    return Chain(config, folder / "runs" / "smoke", said)


@pytest.fixture
def copy_of(chain, tmp_path):
    """Return a function that makes a run with the given stages of the chain finished; it returns its folder."""

    def copy(*stages: str) -> Path:
        for stage in stages:
            shutil.copytree(chain.folder / stage, tmp_path / "smoke" / stage)
        return tmp_path / "smoke"

    return copy


@pytest.mark.slow
def test_every_stage_says_what_it_wrote_and_what_comes_next(chain):
    for stage, following in zip(STAGES, (*STAGES[1:], None), strict=True):
        last = chain.said[stage].stderr.strip().splitlines()[-1]
        assert last.startswith(f"{stage}: ") and f"→ {chain.folder / stage}" in last
        assert last.endswith(f"next: python -m {following} {chain.config}" if following else str(chain.folder / stage))
        assert "Traceback" not in chain.said[stage].stderr and "Warning" not in chain.said[stage].stderr
        assert bool(chain.said[stage].stdout) == (stage == "evaluation")
        assert read_json(chain.folder / stage / "state.json")["status"] == "finished"
        assert not list((chain.folder / stage).rglob("*.partial-*"))


@pytest.mark.slow
def test_training_leaves_adapter_metrics_and_completions(chain, learner):
    for stage, steps in (("sft", 24), ("rl", 6)):
        adapter = chain.folder / stage / "adapter"
        assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json"} <= set(os.listdir(adapter))
        assert read_json(adapter / "adapter_config.json")["base_model_name_or_path"] == learner.name
        metrics = read_jsonl(chain.folder / stage / "metrics.jsonl")
        assert logged_steps(chain.folder / stage) == list(range(1, steps + 1))
        assert all(row["seconds"] >= 0 for row in metrics)
        assert read_json(chain.folder / stage / "state.json")["facts"]["steps"] == steps
    assert [row["step"] for row in read_jsonl(chain.folder / "sft" / "metrics.jsonl") if "eval_loss" in row] == [
        8,
        16,
        24,
    ]
    rows = read_jsonl(chain.folder / "rl" / "completions.jsonl")
    assert Counter(row["step"] for row in rows) == {step: 2 * 4 for step in range(1, 7)}
    for row in rows:
        assert {
            "step",
            "task_id",
            "prompt",
            "completion",
            "sql",
            "status",
            "rewards",
            "total",
            "advantage",
        } <= row.keys()
        assert list(row["rewards"]) == [
            "format_strict",
            "sql_execution",
            "vowels",
        ]
    assert any(row["advantage"] for row in rows)


def logged_steps(folder: Path) -> list[int]:
    """Return the steps whose training loss is logged, as often as it is."""
    return [row["step"] for row in read_jsonl(folder / "metrics.jsonl") if "loss" in row]


@pytest.mark.slow
def test_every_model_is_asked_the_same_questions_none_of_them_trained_on(chain):
    predictions = {
        name: read_json(chain.folder / "evaluation" / f"{name}.json")["predictions"] for name in ("base", "sft", "rl")
    }
    asked = [[(row["task_id"], row["question"], row["gold_sql"]) for row in rows] for rows in predictions.values()]
    assert len(asked[0]) == len(set(asked[0])) == 24 and asked[0] == asked[1] == asked[2]
    trained_on = {Path(row["database"]).stem for row in read_jsonl(chain.folder / "distill" / "traces.jsonl")}
    assert not trained_on & {row["database"] for row in predictions["base"]}
    base, sft, rl = ([row["answer"] for row in rows] for rows in predictions.values())
    assert base != sft != rl != base  # each adapter in its turn
    summary = read_json(chain.folder / "evaluation" / "summary.json")
    assert list(summary) == ["base", "sft", "rl", "gold", "compared"]
    assert list(summary["compared"]) == ["sft-base", "rl-sft"]
    assert {row["questions"] for row in (*list(summary.values())[:4], *summary["compared"].values())} == {24}
    assert summary["gold"]["correct"] == 24 and summary["gold"]["soft_f1"] == summary["gold"]["r_ves"] == 1
    assert all({"bird", "soft_f1", "ves", "error"} <= row.keys() for rows in predictions.values() for row in rows)
    printed = chain.said["evaluation"].stdout
    assert "24 questions over" in printed and "SFT + GRPO" in printed and "EX %" in printed
    first, second = printed.splitlines()[-2:]
    assert first.startswith("SFT − base: ") and second.startswith("RL − SFT: ") and "points, 95 % from " in second


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_finished_stage_says_so_and_rewrites_nothing(chain, run_stage, stage):
    before = written(chain.folder)
    again = run_stage(stage, chain.config)
    assert again.returncode == 0 and f"{stage} is finished" in again.stderr, again.stderr
    changed = {path for path, when in written(chain.folder).items() if before.get(path) != when}
    assert changed <= ({"evaluation/summary.json", "evaluation/state.json"} if stage == "evaluation" else set())
    assert before.keys() == written(chain.folder).keys()


def written(folder: Path) -> dict[str, int]:
    """Return when each file of the run's stages was last written."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for stage in STAGES
        for path in (folder / stage).rglob("*")
        if path.is_file()
    }


def kill_when(is_there, *command: object) -> None:
    """Start a stage, and kill -9 it as soon as `is_there()`."""
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 200
    try:
        while not is_there():
            assert process.poll() is None, f"ended before it could be killed: {process.stderr.read()}"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    finally:
        subprocess.run(["kill", "-9", "--", f"-{process.pid}"], capture_output=True)
        process.stderr.close()


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "needs", "steps"), [("sft", ["distill"], 24), ("rl", ["distill", "sft"], 6)])
def test_training_killed_goes_on_and_comes_to_the_same_end(chain, copy_of, run_stage, stage, needs, steps):
    folder = copy_of(*needs) / stage
    command = (stage, chain.config, f"runs={folder.parents[1]}")
    kill_when(lambda: list(folder.glob("checkpoint-*/trainer_state.json")), *command)
    assert not (folder / "adapter").exists()
    cut = folder / "checkpoint-99"
    write_whole(cut / "adapter_model.safetensors", "cut short")  # no trainer_state.json, which is written last
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')

    resumed = run_stage(*command)
    assert resumed.returncode == 0, resumed.stderr
    assert f"{stage}: going on where it stopped" in resumed.stderr and not cut.exists()
    started = int(resumed.stderr.partition("from the checkpoint of step ")[2].split()[0])
    assert 0 < started < steps and f"{stage}: steps: {steps - started} " in resumed.stderr
    assert read_json(folder / "state.json")["facts"]["steps"] == steps
    assert logged_steps(folder) == list(range(1, steps + 1))
    assert not list(folder.glob(".adapter*"))
    assert_same_end(folder, chain.folder / stage)


def assert_same_end(resumed: Path, whole: Path) -> None:
    """Assert that a resumed training sampled and learned what an uninterrupted one did."""
    import torch
    from safetensors.torch import load_file

    if (whole / "completions.jsonl").exists():
        assert read_jsonl(resumed / "completions.jsonl") == read_jsonl(whole / "completions.jsonl")
    ends, expected = (load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (resumed, whole))
    assert ends.keys() == expected.keys()
    end, other = (torch.cat([each[name].flatten() for name in expected]) for each in (ends, expected))
    assert (end - other).norm() < 1e-3 * other.norm()


@pytest.mark.slow
def test_evaluation_killed_asks_no_question_twice(chain, tmp_path, run_stage):
    folder = tmp_path / "smoke" / "evaluation"
    ledger = folder / ".base.jsonl"
    command = ("evaluation", chain.config, f"runs={tmp_path}", "evaluation.models=[base]")
    kill_when(lambda: ledger.exists() and ledger.read_bytes().count(b"\n") >= 4, *command)
    answered = [row for row in map(json_or_none, ledger.read_text().splitlines()) if row]
    assert 4 <= len(answered) < 24 and not (folder / "base.json").exists()
    with ledger.open("a") as file:
        file.write('{"task_id": "cut')

    resumed = run_stage(*command)
    assert resumed.returncode == 0, resumed.stderr
    assert f"evaluation: base: {len(answered)} of 24 …" in resumed.stderr
    rows = read_json(folder / "base.json")["predictions"]
    for row in answered:
        kept = {key: value for key, value in row.items() if key not in ("adapter", "judged_by")}
        assert kept in rows  # its seconds too: not asked again
    whole = read_json(chain.folder / "evaluation" / "base.json")["predictions"]
    assert [row | {"seconds": 0} for row in rows] == [row | {"seconds": 0} for row in whole]
    assert not ledger.exists() and list(read_json(folder / "summary.json")) == ["base", "gold", "compared"]


def json_or_none(line: str) -> dict | None:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


@pytest.mark.slow
def test_unsloth_trains_in_4bit_goes_on_when_killed_and_keeps_the_sft_model_as_reference(run_stage, tmp_path):
    config = write_config(tmp_path, backend="unsloth", quantization="4bit")
    folder = tmp_path / "runs" / "smoke"
    messages = [{"role": role, "content": "Count the cities."} for role in ("system", "user", "assistant")]
    write_jsonl(folder / "distill" / "traces.jsonl", [{"task_id": "t", "split": "train", "messages": messages}] * 8)
    few = ("sft.trainer.max_steps=6", "sft.trainer.save_steps=2", "rl.trainer.max_steps=2", "rl.trainer.beta=0.1")
    kill_when(lambda: list((folder / "sft").glob("checkpoint-*/trainer_state.json")), "sft", config, *few)
    trained = run_stage("sft", config, *few)
    assert trained.returncode == 0, trained.stderr
    assert "from the checkpoint of step " in trained.stderr
    assert logged_steps(folder / "sft") == [1, 2, 3, 4, 5, 6]
    move_from_base(folder / "sft" / "adapter" / "adapter_model.safetensors")
    improved = run_stage("rl", config, *few)
    assert improved.returncode == 0, improved.stderr
    divergence = [row["kl"] for row in read_jsonl(folder / "rl" / "metrics.jsonl") if "kl" in row]
    assert len(divergence) == 2 and divergence[0] == pytest.approx(0, abs=1e-3)
    assert (folder / "rl" / "adapter" / "adapter_model.safetensors").exists()
    assert not Path(ROOT, "unsloth_compiled_cache").exists()


def move_from_base(weights: Path) -> None:
    """Make an adapter one that says something else than its base: the KL to the base would be far from 0."""
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(0)
    loaded = load_file(weights)
    moved = {name: torch.randn_like(each) * 0.3 if "lora_B" in name else each for name, each in loaded.items()}
    save_file(moved, weights, metadata={"format": "pt"})


@pytest.mark.slow
def test_bad_input_later_costs_nothing_that_was_finished(chain, copy_of, run_stage, tmp_path):
    folder = copy_of("distill", "sft")
    adapter = written(folder)
    with (folder / "distill" / "traces.jsonl").open("a") as file:
        file.write('{"split": "train", "messages": [{"role": "sys')
    changed = run_stage("sft", chain.config, f"runs={tmp_path}")
    assert changed.returncode == 2 and "traces: its content changed" in changed.stderr
    fresh = run_stage("sft", chain.config, f"runs={tmp_path}", "--fresh")
    assert fresh.returncode == 2 and "not JSON, perhaps cut off" in fresh.stderr
    after = written(folder)
    assert {path: after[path] for path in adapter if path.startswith("sft")} == {
        path: when for path, when in adapter.items() if path.startswith("sft")
    }
    assert not (folder / "sft.old").exists()
