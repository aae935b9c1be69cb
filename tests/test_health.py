"""rl/health: every rule says something of a sick log, nothing of a healthy one, and each thing once."""

import math
import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TrainerControl, TrainerState, TrainingArguments

from configs.errors import ConfigError
from configs.explain import paths
from configs.files import read_jsonl
from configs.trainer import names_for
from models.training import StopAtNaN
from rl.health import Health, Watch
from rl.symptoms import RULES, rises_less

Row = dict[str, float | None]


def healthy(step: int, chance: random.Random) -> Row:
    """Return what a step of a run logs in which all is well: the reward rises, entropy falls a little, no extremes."""
    return {
        "loss": chance.gauss(0, 0.02),
        "grad_norm": chance.uniform(0.01, 1.0),
        "reward": 0.5 + 0.01 * step + chance.gauss(0, 0.1),
        "reward_std": chance.uniform(0.2, 0.5),
        "frac_reward_zero_std": chance.choice([0.0, 0.25, 0.5, 0.75]),
        "entropy": 0.5 * math.exp(-step / 200) + chance.uniform(0.0, 0.05),
        "kl": 0.0005 * step + chance.uniform(0.0, 0.01),
        "clip_ratio/region_mean": chance.uniform(0.0, 0.05),
        "completions/mean_length": chance.uniform(90, 130),
        "completions/clipped_ratio": chance.uniform(0.0, 0.2),
        "rewards/sql_execution/mean": chance.choice([0.0, 0.1, 0.3, 0.6]) if step % 10 else 0.4,
        "rewards/format_strict/mean": chance.uniform(0.7, 1.0),
        "rewards/soft_overlong/mean": 0.0,
        "rewards/think_similarity/mean": chance.choice([None, 0.4]),  # None: it could judge no answer of this step
        "rewards/sql_execution/none": 0.0,
        "sampling/sampling_logp_difference/mean": chance.uniform(0.0, 0.05),
    }


SICK: dict[str, Callable[[int, Row], Row]] = {
    "not a number": lambda step, row: {"entropy": None} if step == 70 else {},
    "all answers cut": lambda step, row: {"completions/clipped_ratio": 0.95},
    "all groups silent": lambda step, row: {"frac_reward_zero_std": 1.0, "grad_norm": 0.0},
    "no gradient": lambda step, row: {"grad_norm": 0.0},
    "no entropy": lambda step, row: {"entropy": 0.0002},
    "entropy low": lambda step, row: {"entropy": 0.005},
    "entropy high": lambda step, row: {"entropy": 4.0},
    "entropy grows": lambda step, row: {"entropy": 0.1 if step < 50 else 0.6},
    "groups silent": lambda step, row: {"frac_reward_zero_std": 0.9},
    "reward never paid": lambda step, row: {"rewards/sql_execution/mean": 0.0},
    "reward abstains": lambda step, row: {"rewards/sql_execution/none": 0.75},
    "reward falls": lambda step, row: {"reward": row["reward"] - 0.03 * step},
    "reward flat": lambda step, row: {"reward": 0.5 + (0.1 if step % 2 else -0.1)},
    "form rarely right": lambda step, row: {"rewards/format_strict/mean": 0.2},
    "answers cut": lambda step, row: {"completions/clipped_ratio": 0.5},
    "answers grow": lambda step, row: {"completions/mean_length": 100 + 3 * step},
    "answers shrink": lambda step, row: {"completions/mean_length": 100 if step < 50 else 20},
    "far from reference": lambda step, row: {"kl": 0.02 * step},
    "gradient large": lambda step, row: {"grad_norm": 40.0},
    "ratios clipped": lambda step, row: {"clip_ratio/region_mean": 0.5},
    "sampler differs": lambda step, row: {"sampling/sampling_logp_difference/mean": 2.0},
}

ALSO = {  # what is said before it comes to that
    "all groups silent": {"groups silent"},
    "no entropy": {"entropy low"},
}


def findings(seed: int = 0, steps: int = 150, sick: Callable[[int, Row], Row] = lambda step, row: {}) -> list[dict]:
    """Return all that is said of a run, healthy but for what `sick` changes."""
    watch, chance, found = Watch(), random.Random(seed), []
    for step in range(1, steps + 1):
        row = healthy(step, chance)
        found += watch.judge(step, row | sick(step, row))
    return found


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_nothing_is_said_of_a_healthy_run(seed):
    assert findings(seed) == []


def test_every_rule_has_a_sick_run_here():
    assert {rule.name for rule in RULES} == SICK.keys() and len(RULES) == len(SICK)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_sick_run_is_told_what_is_wrong_with_it(rule):
    found = findings(sick=SICK[rule.name])
    said = [finding for finding in found if finding["rule"] == rule.name and finding["stands"]]
    assert len(said) == 1, "once"
    assert said[0]["severity"] == rule.severity and said[0]["key"] == rule.cure
    assert not re.search(r"[{}]", said[0]["text"])
    assert {finding["rule"] for finding in found} == {rule.name, *ALSO.get(rule.name, ())}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_waits_for_its_window(rule):
    found = findings(steps=rule.window - 1, sick=SICK[rule.name])
    assert rule.name not in {finding["rule"] for finding in found}


def test_the_keys_to_change_exist():
    stages = {f"{stage}.trainer.{name}" for stage in ("sft", "rl") for name in names_for(stage)}
    for rule in RULES:
        named = {rule.cure, *re.findall(r"\b(?:rl|sft|model)\.[\w.]*\w", rule.advice)}
        assert named <= stages | set(paths()), rule.name
        assert rule.source and rule.window >= 1 and set(rule.unless) <= SICK.keys()


def test_what_goes_away_and_comes_back_is_said_again_but_not_what_flickers():
    def at(sick: Callable[[int], bool]) -> list[tuple[int, bool]]:
        found = findings(300, sick=lambda step, row: {"completions/clipped_ratio": 0.6 if sick(step) else 0.0})
        return [(finding["step"], finding["stands"]) for finding in found]

    twice = at(lambda step: 20 < step <= 40 or 100 < step <= 120)
    assert [stands for _, stands in twice] == [True, False, True, False]
    assert 20 < twice[0][0] <= 30 < 40 < twice[1][0] < 70 and 100 < twice[2][0] <= 110
    assert len(at(lambda step: step % 12 < 7)) == 1  # its mean crosses the limit every few steps


def test_rows_of_several_steps_are_judged_over_as_many_steps():
    watch, found = Watch(), []
    for step in range(5, 60, 5):
        found += watch.judge(step, {"loss": 0.0, "frac_reward_zero_std": 1.0})
    assert [(one["rule"], one["step"]) for one in found] == [("groups silent", 15), ("all groups silent", 25)]


def test_the_trend_is_against_chance():
    noise = [math.sin(7 * n) for n in range(60)]
    assert rises_less(noise, 0, -4) is None and rises_less(noise, 0, 1) is not None
    assert rises_less([0.1 * n + each for n, each in enumerate(noise)], 0, 1) is None
    assert rises_less([1.0] * 60, 0, 1) == 0.0 and rises_less([1.0] * 60, 0, -4) is None


@pytest.fixture
def trained(tmp_path):
    """Return a function that runs the callback over rows, as the trainer does, from the last row before `stops_at`."""
    args = TrainingArguments(output_dir=str(tmp_path), report_to=[], use_cpu=True)

    def run(rows: list[Row], stop: bool = False, done: list[Row] = ()) -> tuple[Health, TrainerState, TrainerControl]:
        health, control = Health(tmp_path, stop), TrainerControl()
        state = TrainerState(log_history=[row | {"step": n} for n, row in enumerate(done, 1)], global_step=len(done))
        health.on_train_begin(args, state, control)
        for row in rows:
            health.on_step_begin(args, state, control)
            state.global_step += 1
            state.log_history.append(row | {"step": state.global_step})
            health.on_log(args, state, control, row)
        health.on_train_end(args, state, control)
        return health, state, control

    return run


SILENT: Row = {"loss": 0.0, "frac_reward_zero_std": 1.0}
LIVELY: Row = {"loss": 0.0, "frac_reward_zero_std": 0.0}


def test_findings_are_written_down_and_summed_up(trained, tmp_path, capsys):
    trained([SILENT] * 12 + [LIVELY] * 40)
    rows = read_jsonl(tmp_path / "health.jsonl")
    assert [(row["step"], row["rule"], row["stands"]) for row in rows] == [
        (10, "groups silent", True),
        (23, "groups silent", False),
    ]
    said = capsys.readouterr().err.splitlines()
    assert (
        said[0].startswith("  step 10: in 100% of the groups all answers score alike") and "rl.generations: " in said[0]
    )
    assert said[1:] == ["  health: groups silent (steps 10–13) (health.jsonl)"]


def test_a_run_that_goes_on_says_nothing_twice(trained, tmp_path, capsys):
    trained([SILENT] * 15)
    before = read_jsonl(tmp_path / "health.jsonl")
    capsys.readouterr()
    trained([SILENT] * 3, done=[SILENT] * 15)
    assert (
        read_jsonl(tmp_path / "health.jsonl") == before and "step" not in capsys.readouterr().err.partition("health")[0]
    )
    trained([LIVELY] * 3, done=[SILENT] * 5)  # from a checkpoint before it was found
    assert read_jsonl(tmp_path / "health.jsonl") == []


def test_a_dead_run_is_saved_and_ended_only_where_that_is_asked_for(trained, tmp_path):
    assert not trained([SILENT] * 30)[2].should_save
    with pytest.raises(
        ConfigError, match=r"^ended at step 20 by rl\.stop_when_sick: in 20 steps .*; rl\.rewards: "
    ) as end:
        trained([SILENT] * 30, stop=True)
    assert "\n" not in str(end.value) and "checkpoint-20" in str(end.value)
    assert trained([SILENT] * 20, stop=True)[2].should_save
    with pytest.raises(ConfigError, match=r"ended at step 20"):  # the same command again
        trained([SILENT], stop=True, done=[SILENT] * 20)
    trained([SILENT], stop=False, done=[SILENT] * 20)
    trained([SILENT] * 19 + [LIVELY], stop=True)


@pytest.mark.parametrize(
    ("row", "fp16", "stops"),
    [
        ({"loss": math.nan}, False, "loss became nan"),
        ({"loss": math.inf}, True, "loss became inf"),
        ({"loss": 0.1, "grad_norm": math.nan}, False, "grad_norm became nan"),
        ({"loss": 0.1, "grad_norm": math.inf}, True, None),
        ({"loss": 0.1, "grad_norm": 3.0}, False, None),
        ({"eval_loss": 0.1}, False, None),
    ],
)
def test_a_loss_or_gradient_that_is_no_number_ends_every_training(row, fp16, stops, tmp_path):
    args = TrainingArguments(output_dir=str(tmp_path), report_to=[], use_cpu=True)
    args.fp16 = fp16
    try:
        StopAtNaN().on_log(args, TrainerState(global_step=7), TrainerControl(), row)
    except ConfigError as error:
        assert stops and str(error).startswith(f"{stops} at step 7; lower trainer.learning_rate")
    else:
        assert stops is None
