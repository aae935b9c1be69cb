"""What a user may get wrong: one line that says what, where and what to do, exit status 2, and nothing left behind."""

import json
import time

import pytest

from configs.files import write_jsonl, write_whole
from tests.trial import write_config

SPOILT_TRACE = '{"split": "train", "messages": [{"role": "sys'
QUESTION = {"question": "How many?", "gold_sql": "SELECT count(*) FROM city", "database": "city"}


@pytest.fixture
def refused(run_stage, tmp_path):
    """Return a function that runs a stage on bad input, and returns the one line that it says, with exit status 2."""
    config = write_config(tmp_path / "given")

    def run(stage: str, *overrides: str) -> str:
        done = run_stage(stage, config, f"runs={tmp_path / 'runs'}", *overrides)
        assert done.returncode == 2, done.stderr
        *progress, error = done.stderr.splitlines()
        assert not done.stdout and all(line.startswith("Checking gold SQL") for line in progress), done.stderr
        assert error.startswith(f"{stage}: ")
        return error

    return run


def test_a_misspelt_key_is_named_with_the_right_one(refused, tmp_path):
    assert "sft.micro_bach: unknown key; did you mean 'micro_batch'?" in refused("sft", "sft.micro_bach=2")
    assert "max_stepz" in (said := refused("rl", "rl.trainer.max_stepz=2")) and "max_steps" in said
    assert not (tmp_path / "runs").exists()


def test_missing_files_say_where_they_are_looked_for(refused, run_stage, tmp_path):
    assert "nowhere.jsonl does not exist" in refused("distill", "data.source=jsonl", "data.path=nowhere.jsonl")
    assert "traces.jsonl is missing; run first: python -m distill" in refused("sft")
    assert "adapter is missing; run first: python -m sft" in refused("rl")
    assert "sft/adapter is missing; run python -m sft first" in refused("evaluation")
    assert "my_reward.py" in refused("rl", "rl.rewards=[{name: 'my_reward.py:f'}]")
    none = run_stage("sft", "configs/smok.yaml")
    assert none.returncode == 2 and "did you mean configs/smoke.yaml?" in none.stderr
    assert not list((tmp_path / "runs").glob("**/state.json"))


def test_data_that_is_not_what_the_config_says(refused, tmp_path):
    data = ("data.source=jsonl", f"data.path={tmp_path / 'questions.jsonl'}")
    write_jsonl(tmp_path / "questions.jsonl", [QUESTION])
    write_whole(tmp_path / "city.sqlite", "This is no database, though it is longer than the header of one.\n" * 40)
    assert "city.sqlite" in (said := refused("distill", *data)) and "not a" in said
    assert "questions.jsonl:1: no text in column 'sql' for gold_sql" in refused(
        "distill", *data, "data.columns={gold_sql: sql}"
    )
    write_whole(tmp_path / "questions.jsonl", json.dumps(QUESTION) + '\n{"question": "Ho')
    assert "questions.jsonl:2: not JSON, perhaps cut off" in refused("distill", *data)
    assert not (tmp_path / "runs" / "smoke").exists()


def test_a_trace_file_cut_in_a_line_is_named_with_its_line(refused, tmp_path):
    traces = tmp_path / "runs" / "smoke" / "distill" / "traces.jsonl"
    whole = {"split": "train", "messages": [{"role": "user", "content": "How many?"}]}
    write_whole(traces, json.dumps(whole) + "\n" + SPOILT_TRACE)
    assert "traces.jsonl:2: not JSON, perhaps cut off" in refused("sft")
    assert not (tmp_path / "runs" / "smoke" / "sft").exists() and traces.read_text().endswith(SPOILT_TRACE)


@pytest.mark.parametrize("stage", ["rl", "evaluation"])
def test_an_adapter_of_another_model_is_refused_at_once(refused, tmp_path, stage):
    adapter = tmp_path / "runs" / "smoke" / "sft" / "adapter"
    settings = {"base_model_name_or_path": "smollm2-135m", "r": 32, "lora_alpha": 64, "use_rslora": False}
    write_whole(adapter / "adapter_config.json", json.dumps(settings | {"target_modules": ["q_proj"]}))
    write_whole(adapter / "adapter_model.safetensors", "weights")
    started = time.monotonic()
    said = refused(stage, *(["evaluation.models=[sft]"] if stage == "evaluation" else []))
    assert "this adapter was trained with model.name = smollm2-135m, the config says tiny; use the same" in said
    assert not (tmp_path / "runs" / "smoke" / stage).exists() and (adapter / "adapter_config.json").exists()
    assert time.monotonic() - started < 10  # torch alone would take as long
