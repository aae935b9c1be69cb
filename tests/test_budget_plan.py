"""`python -m budget`: does a run fit a GPU, what does it cost, and what would have to change?"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget import fit
from budget.__main__ import main
from budget.gpus import GPUS
from budget.peaks import stage_peaks
from budget.plan import make_plan
from budget.prices import load_prices
from budget.printed import home, places, profiles, written
from budget.shapes import find_shape
from configs.load import load_config
from tests.processes import run_light

LARGE, SMALL = "configs/h200-qwen3-14b.yaml", "configs/rtx4090-llama3.2-3b.yaml"
GIB = 2**30


def test_the_profiles_for_gpus_are_found():
    assert len(profiles()) >= 8 and {home(path) for path in profiles()} == {"rtx4090", "h200", "l4"}


@pytest.mark.parametrize("path", profiles(), ids=lambda path: path.stem)
def test_a_profile_fits_the_gpu_it_is_made_for(path, tmp_path):
    cfg = load_config(path, [f"runs={tmp_path}"])
    plan = make_plan(cfg, find_shape(cfg.model.name), GPUS[home(path)], load_prices())
    assert plan.fits
    assert 0 < plan.seconds.low < plan.seconds.high and 0 < plan.dollars.low < plan.dollars.high
    assert plan.peak_bytes == max(stage.peak.total_bytes for stage in plan.stages.values())


@pytest.mark.parametrize("path", places(), ids=lambda path: path.name)
def test_what_is_printed_of_the_profiles_is_what_the_planner_says(path):
    text = path.read_text(encoding="utf-8")
    assert written(text, path, load_prices()) == text, "python -m budget.printed writes it again"


def test_the_profiles_heads_have_their_budget():
    for path in profiles():
        assert "# budget    estimated by" in path.read_text(encoding="utf-8")


def test_all_gpus_at_once_without_torch(tmp_path):
    done = run_light("budget", SMALL, f"runs={tmp_path}")
    assert done.returncode == 0, done.stderr
    for gpu in GPUS.values():
        assert gpu.title in done.stdout
    assert "estimated, not measured" in done.stdout and "cheapest: " in done.stdout


def test_a_run_that_does_not_fit_is_told_what_would(tmp_path, capsys):
    assert main([LARGE, "--gpu", "rtx3090"]) == 1
    said = capsys.readouterr().out
    assert "does not fit RTX 3090: sft, rl, evaluation; this does: model.quantization=4bit" in said
    file = tmp_path / "smaller.yaml"
    assert main([LARGE, "--gpu", "rtx3090", "--fit", str(file)]) == 0
    assert f"written: {file}: model.quantization=4bit" in capsys.readouterr().out
    assert main([str(file), "--gpu", "rtx3090"]) == 0
    before, after = load_config(LARGE), load_config(file)
    assert before.sft.micro_batch * before.sft.accumulation == after.sft.micro_batch * after.sft.accumulation
    assert before.rl.rewards == after.rl.rewards and before.name == after.name
    assert main([LARGE, "--gpu", "rtx3090", "--fit", str(file)]) == 2  # nothing is written over
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gpu", "rtx5090"], "--gpu rtx5090: not known; there are rtx4090"),
        (["--fit", "new.yaml"], "--fit: for which GPU? give --gpu, too"),
        (["--prices", "nowhere.yaml"], "--prices nowhere.yaml: can't be read"),
        (["--speed", "nowhere.json"], "nowhere.json is missing"),
        (["model.name=nobody/has-this"], "model.name: "),
        (["sft.micro_batch=0"], "sft.micro_batch: "),
    ],
)
def test_bad_input_is_one_line(words, said, capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main([SMALL, *words]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1


def test_json_has_every_byte_second_and_dollar(capsys, tmp_path):
    assert main([SMALL, f"runs={tmp_path}", "--gpu", "rtx4090", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert set(plan["stages"]) == {"distill", "sft", "rl", "evaluation"}
    for stage in plan["stages"].values():
        assert stage["peak_bytes"] == sum(stage["peak"]["parts"].values())
    assert plan["seconds"]["low"] == pytest.approx(sum(stage["seconds"]["low"] for stage in plan["stages"].values()))
    assert plan["room"]["sft.micro_batch"] >= 4 and plan["hopeless"] == []


@settings(max_examples=25, deadline=None)
@given(path=st.sampled_from(profiles()), gib=st.floats(3, 150))
def test_what_is_proposed_fits_and_makes_the_same_step(path, gib):
    cfg, size = load_config(path), int(gib * GIB)
    shape = find_shape(cfg.model.name)
    changes, hopeless = fit.fitted(cfg, shape, size)
    after = fit.with_changes(cfg, changes)
    peaks = stage_peaks(after, shape, size)
    assert all(peaks[stage].total_bytes <= size for stage in ("sft", "rl", "evaluation") if stage not in hopeless)
    assert after.sft.micro_batch * after.sft.accumulation == cfg.sft.micro_batch * cfg.sft.accumulation
    assert all(fit.value_at(cfg, key) != value for key, value in changes.items())


def test_room_is_the_largest_that_fits():
    cfg, size = load_config(SMALL), GPUS["rtx4090"].memory_bytes
    shape = find_shape(cfg.model.name)
    largest = fit.room(cfg, shape, size)
    for key, stage in (("sft.micro_batch", "sft"), ("evaluation.batch_size", "evaluation")):
        for more, fits in ((0, True), (1, False)):
            changed = fit.with_changes(cfg, {key: largest[key] + more})
            assert (stage_peaks(changed, shape, size)[stage].total_bytes <= size) is fits


def test_the_free_teacher_is_most_of_what_the_articles_run_costs_more(capsys):
    assert main(["compare", "configs/rtx4090-article.yaml", SMALL, "--gpu", "rtx4090", "--json"]) == 0
    article, ours = json.loads(capsys.readouterr().out)
    saved = sum(article["dollars"].values()) / 2 - sum(ours["dollars"].values()) / 2
    assert ours["teacher_dollars"] == {"low": 0, "high": 0}
    assert article["teacher_dollars"]["low"] > saved / 2
    assert main(["compare", "configs/rtx4090-article.yaml", SMALL]) == 0
    assert "most of that is: teacher's answers" in " ".join(capsys.readouterr().out.split())


def test_a_teachers_price_in_the_config_counts(capsys):
    asked = ["distill.input_price=1", "distill.output_price=2"]
    assert main(["configs/rtx4090-article.yaml", *asked, "--gpu", "rtx4090", "--json"]) == 0
    with_prices = json.loads(capsys.readouterr().out)
    work = with_prices["stages"]["distill"]["work"]
    dollars = (work["tokens"] + 2 * work["generated_tokens"]) / 1e6
    assert with_prices["teacher_dollars"]["low"] == pytest.approx(dollars) and dollars > 1


def test_your_own_prices(tmp_path, capsys):
    rate = {"kind": "spot", "provider": "me", "as_of": "2026-11-01", "source": "bill"}
    ours = {"gpus": {"rtx4090": [{"dollars_per_hour": 2.0} | rate]}}
    file = Path(tmp_path, "prices.yaml")
    file.write_text(json.dumps(ours))  # JSON is YAML
    assert main([SMALL, "--prices", str(file), "--gpu", "rtx4090", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["dollars"]["high"] == pytest.approx(plan["seconds"]["high"] / 3600 * 2)
    assert main([SMALL, "--prices", str(file)]) == 0  # the others have no price
    assert "cheapest: RTX 4090" in capsys.readouterr().out
