"""`python -m budget calibrate`: a machine's speed out of runs that are real, made to measure, half done or hostile."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from budget.answering import Answering
from budget.calibrate import main
from budget.flops import forward_flops
from budget.hours import stage_hours
from budget.measured import learn, read_run, stage_seconds
from budget.probe_run import probe_in, stage_words
from budget.shapes import TABLE
from budget.speed import read_speed
from budget.work import stage_work
from configs.check import check_config
from configs.errors import ConfigError
from configs.files import read_json, write_json, write_jsonl
from configs.load import load_config
from tests.processes import ROOT, run_light

TRAINING, MAKING = 50e9, 10e9
"""Operations a second of the machine that a made run was made on."""
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TINY = ("model.backend=transformers", "distill.traces=12", "distill.validation_traces=2", "evaluation.questions=4")


@pytest.fixture
def made(tmp_path) -> Path:
    """A finished run of configs/cpu.yaml whose times are exactly those of a machine with TRAINING and MAKING."""
    words = [f"runs={tmp_path}", "sft.trainer.eval_steps=45", "rl.ex_every=0"]
    cfg = load_config(ROOT / "configs" / "cpu.yaml", words)
    run, shape = cfg.folder, TABLE["smollm2-135m"]
    write_json(run / "config.json", {"config": cfg.model_dump(mode="json")})
    works = stage_work(cfg, shape)
    seconds = {"distill": 9.0, "sft": _sft(run, works["sft"]), "rl": _rl(run, shape, works["rl"])}
    seconds["evaluation"] = _evaluation(run, shape, works["evaluation"])
    for stage, took in seconds.items():
        ends = [(BEGAN + timedelta(seconds=after)).isoformat() for after in (0, took)]
        write_json(run / stage / "state.json", {"status": "finished", "started": ends[0], "finished": ends[1]})
    return run


def _sft(run: Path, work) -> float:
    """Write the logs of a training that validates twice; return the stage's seconds, 20 of them before it."""
    rows, begun, took = [], 0.0, work.training_flops / TRAINING / 18
    validation = work.reading_flops - work.generations[0].read_tokens * 2.2e8
    for number in range(1, 19):
        begun += took
        rows.append({"step": 5 * number, "seconds": begun, "loss": 1.0, "num_tokens": work.tokens * number / 18})
        if number in (9, 18):
            begun += validation / 2 / TRAINING
            rows.append(
                {"step": 5 * number, "seconds": begun, "eval_loss": 1, "eval_runtime": validation / 2 / TRAINING}
            )
    rows.append({"step": 90, "seconds": begun, "train_runtime": begun})
    write_jsonl(run / "sft" / "metrics.jsonl", rows)
    return begun + 20


def _rl(run: Path, shape, work) -> float:
    """Write the logs of four steps; return the stage's seconds."""
    answers: Answering = work.generations[0]
    longest = 90
    took = work.training_flops / work.steps / TRAINING + work.reading_flops / work.steps / TRAINING
    took += answers.rows * longest * forward_flops(shape, answers.prompt_tokens + longest / 2) / MAKING
    rows = [{"step": n, "seconds": n * took, "step_time": took, "completions/max_length": longest} for n in range(1, 5)]
    write_jsonl(run / "rl" / "metrics.jsonl", [*rows, {"step": 4, "seconds": 4 * took, "train_runtime": 4 * took}])
    return 4 * took + 20


def _evaluation(run: Path, shape, work) -> float:
    """Write the predictions of each model, one batch each; return the stage's seconds."""
    total = 0.0
    for name, answers, longest in zip(("base", "sft", "rl"), work.generations, (112, 100, 100), strict=True):
        took = answers.read_tokens * forward_flops(shape, answers.prompt_tokens / 2, head=0) / TRAINING
        took += answers.rows * longest * forward_flops(shape, answers.prompt_tokens + longest / 2) / MAKING
        each = [{"tokens": longest, "seconds": took / 40} for _ in range(40)]
        write_json(run / "evaluation" / f"{name}.json", {"predictions": each})
        total += took
    return total + 20


def calibrated(capsys, *words: object) -> dict:
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *words: object) -> str:
    assert main([*map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("budget calibrate: ") and err.count("\n") == 1
    return err


def test_the_speed_of_a_made_run_is_found(made, capsys):
    said = calibrated(capsys, made)
    speed = read_speed(made / "speed.json")
    assert (speed.training.slow + speed.training.fast) / 2 == pytest.approx(TRAINING, rel=0.02)
    assert (speed.reading.slow + speed.reading.fast) / 2 == pytest.approx(TRAINING, rel=0.1)
    assert (speed.making.slow + speed.making.fast) / 2 == pytest.approx(MAKING, rel=0.05)
    assert speed.start_s.slow == pytest.approx(20, abs=2)
    for stage in ("sft", "rl", "evaluation"):
        low, high = said["stages"][stage]["learned_s"]
        assert low < said["stages"][stage]["measured_s"] < high
        assert 0.6 < said["stages"][stage]["ratio"] < 1.4
        assert said["stages"][stage]["table_s"] is None  # this machine has no GPU of the table


def test_a_speed_predicts_a_longer_run(made, capsys):
    calibrated(capsys, made)
    speed, cfg = read_speed(made), read_run(made)
    shape = TABLE["smollm2-135m"]
    times = {}
    for epochs in (1, 3):
        trainer = {**cfg.sft.trainer, "num_train_epochs": epochs, "eval_strategy": "no"}
        longer = cfg.model_copy(update={"sft": cfg.sft.model_copy(update={"trainer": trainer})})
        times[epochs] = stage_hours(longer, shape, speed, stage_work(longer, shape))["sft"].likely
    assert times[3] == pytest.approx(3 * times[1], rel=0.1)


def test_a_named_gpu_is_compared(made, capsys):
    said = calibrated(capsys, made, "--gpu", "h100", "--out", made.parent / "other.json")
    assert said["stages"]["sft"]["table_s"][0] > 0
    assert (made.parent / "other.json").is_file() and not (made / "speed.json").exists()
    assert main([str(made)]) == 0
    assert "GFLOP/s" in capsys.readouterr().out


def test_a_resumed_training_counts_each_part_once(made):
    metrics = made / "sft" / "metrics.jsonl"
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    half = [row for row in rows if row["step"] <= 45]
    again = [
        row | {"seconds": row["seconds"] - half[-1]["seconds"]}
        | ({"num_tokens": row["num_tokens"] - half[-2]["num_tokens"]} if "num_tokens" in row else {})
        for row in rows[len(half) :]
    ]  # fmt: skip
    write_jsonl(metrics, half + again)
    cfg = read_run(made)
    speed = learn(cfg, TABLE["smollm2-135m"], stage_work(cfg, TABLE["smollm2-135m"]), "x")
    assert (speed.training.slow + speed.training.fast) / 2 == pytest.approx(TRAINING, rel=0.05)


def test_a_pause_is_told_and_is_no_start(made, capsys):
    for stage in ("rl", "evaluation"):
        state = read_json(made / stage / "state.json")
        write_json(made / stage / "state.json", state | {"finished": (BEGAN + timedelta(hours=9)).isoformat()})
    assert main([str(made)]) == 0
    said = capsys.readouterr().out
    assert "rl: 9:00:00 is from its first begin" in said and "sft:" not in said
    assert read_speed(made).start_s.slow == pytest.approx(20, abs=1)


def test_half_a_run_tells_what_it_can(made, capsys):
    shutil.rmtree(made / "evaluation")
    (made / "rl" / "state.json").unlink()
    said = calibrated(capsys, made)
    assert said["stages"]["evaluation"]["measured_s"] is None and said["stages"]["rl"]["ratio"] is None
    shutil.rmtree(made / "rl")
    assert "finish python -m rl first" in refused(capsys, made)
    (made / "sft" / "metrics.jsonl").unlink()
    assert "finish python -m sft first" in refused(capsys, made)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", "{", "not JSON"),
        ("config.json", "[]", "not an object"),
        ("config.json", '{"config": {"name": "[red]x"}}', "name"),
        ("config.json", '{"config": {"name": "x", "model": {"name": "no/such"}}}', "no/such"),
        ("sft/metrics.jsonl", "{\n", "not JSON"),
        ("sft/metrics.jsonl", "3\n", "each line must be an object"),
        ("sft/metrics.jsonl", '{"step": 1, "loss": 1, "seconds": NaN, "num_tokens": 10}\n', "no step"),
        ("sft/metrics.jsonl", '{"step": 1, "loss": 1, "seconds": -5, "num_tokens": 10}\n', "no step"),
        ("sft/metrics.jsonl", '{"step": 1, "loss": 1, "seconds": "__import__(1)", "num_tokens": true}\n', "no step"),
        ("sft/metrics.jsonl", '{"step": 1, "loss": 1, "seconds": 1e308, "num_tokens": 1e400}\n', "no step"),
        ("sft/state.json", '{"status": "finished"}', "no times"),
        ("sft/state.json", '{"settings": {"sft": {"micro_batch": "many"}}}', "micro_batch"),
        ("sft/state.json", '{"status": "finished", "started": "x", "finished": 3}', "no times"),
        ("rl/state.json", '{"status": "finished", "started": "2026-01-02", "finished": "2026-01-01"}', "would have"),
        ("evaluation/sft.json", "\x00\xff", "not JSON"),
        ("distill/traces.jsonl", '{"messages": "x"}\n', "no messages"),
        ("distill/traces.jsonl", "\n", "no trace"),
    ],
)
def test_a_broken_run_is_one_line(made, capsys, file, content, said):
    (made / file).write_text(content)
    assert said in refused(capsys, made)


def test_hostile_numbers_are_left_out(made, capsys):
    told = [{"tokens": value, "seconds": value} for value in (float("nan"), -1, "9" * 400, None, [], 10**300, True)]
    (made / "evaluation" / "sft.json").write_text(json.dumps({"predictions": [*told, 3, None]}))
    (made / "evaluation" / "rl.json").write_text(json.dumps({"predictions": "x" * 100}))
    speed = calibrated(capsys, made)["speed"]
    assert (speed["making"]["slow"] + speed["making"]["fast"]) / 2 == pytest.approx(MAKING, rel=0.05)


def test_what_is_no_run(tmp_path, capsys):
    assert "no run there" in refused(capsys, tmp_path / "[bold]none[/]")
    assert "no run there" in refused(capsys, ROOT / "configs" / "cpu.yaml")
    assert "go with --probe" in refused(capsys, tmp_path, "sft.micro_batch=2")
    assert "none.yaml" in refused(capsys, tmp_path / "none.yaml", "--probe")
    config = ROOT / "configs" / "smoke.yaml"
    assert "no finished stage" in refused(capsys, config, "--probe", "--against", tmp_path)
    assert "bills" in refused(capsys, config, "distill.teacher=openai", "distill.model=x", "--probe")


def test_a_place_that_cannot_be_written(made, capsys):
    (made / "file").write_text("")
    assert "--out FILE" in refused(capsys, made, "--out", made / "file" / "speed.json")


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_probe_of_every_profile_is_a_config(path):
    for stage, words in stage_words(load_config(path)).items():
        short = check_config(path, words)
        assert stage != "sft" or short.sft.trainer["max_steps"] == 3
        assert stage != "rl" or short.rl.trainer["save_strategy"] == "no"


def test_the_command_needs_no_gpu_stack():
    done = run_light("budget.calibrate", "--help")
    assert done.returncode == 0 and "--probe" in done.stdout, done.stderr


@pytest.mark.slow
def test_a_real_run_is_probed_and_calibrated(tmp_path, capsys, cache):
    config = ROOT / "configs" / "smoke.yaml"
    cfg, shape = check_config(config, TINY), TABLE["tiny"]
    speed, works, distill_s = probe_in(str(tmp_path), config, TINY, cfg, shape)
    run = tmp_path / "probe"
    measured = stage_seconds(run)
    assert set(measured) == {"distill", "sft", "rl", "evaluation"} and distill_s > 0
    assert works["sft"].steps == 8 and works["sft"].tokens > 0  # of the whole run, not of the probe
    assert "traces in" in works["sft"].assumed[0] and "its model's tokenizer" in works["sft"].assumed[0]
    rows = [json.loads(line) for line in (run / "sft" / "metrics.jsonl").read_text().splitlines()]
    tokens = max(row.get("num_tokens", 0) for row in rows)
    tried = read_run(run)
    assert stage_work(tried, shape)["sft"].steps == 3
    assert tokens == pytest.approx(12 * find_trace(tried), rel=0.15)  # three batches of four, as budget counts them
    times = stage_hours(cfg, shape, speed, works)
    assert all(0 < times[stage].low < times[stage].high < 600 for stage in ("sft", "rl", "evaluation"))
    said = calibrated(capsys, run)
    assert 0.3 < said["stages"]["sft"]["ratio"] < 3
    assert read_json(run / "speed.json")["speed"]["name"] == "learned from probe"


def find_trace(cfg) -> float:
    from budget.lengths import find_lengths

    return find_lengths(cfg).trace


def test_a_stage_that_fails_says_what_it_said(tmp_path, cache):
    config = ROOT / "configs" / "smoke.yaml"
    words = (*TINY, "data.source=spider", f"data.path={tmp_path / 'nothing'}")
    with pytest.raises(ConfigError, match=r"--probe: python -m distill ended with status 2: .*nothing"):
        probe_in(str(tmp_path), config, words, check_config(config, words), TABLE["tiny"])
