"""Presets of rewards: one word swaps them, what they pay follows their formulas, and a wrong word is told."""

import json

import pytest

from configs import presets
from configs.__main__ import main
from configs.check import problems
from configs.errors import ConfigError
from configs.load import load_config
from rewards.score import Scorer
from tasks.trace import render
from tests.cities import GOLD, columns
from tests.processes import ROOT

PROFILE = ROOT / "configs" / "smoke.yaml"
NAMES = presets.names()
ANSWERS = {
    "right": render("plan", GOLD),
    "right, no form": f"```sql\n{GOLD}\n```",
    "near": render("plan", "SELECT name FROM city"),
    "wrong": render("plan", "SELECT country FROM city"),
    "constant": render("plan", "SELECT 1"),
    "empty": render("plan", "SELECT name FROM city WHERE 0"),
    "fails": render("plan", "SELEC"),
    "no sql": "I don't know.",
}


def totals(preset: str) -> dict[str, float]:
    """What a preset pays for each answer, all rewards together."""
    cfg = load_config(PROFILE, [f"rl.rewards={preset}"])
    scorer = Scorer(cfg)
    size = len(ANSWERS)
    scores = scorer.score([""] * size, list(ANSWERS.values()), columns(size))
    return {name: round(total, 3) for name, total in zip(ANSWERS, scorer.total(scores), strict=True)}


def test_all_of_them_are_found():
    assert NAMES == ["arctic", "article", "dense", "skyrl", "sql-r1", "think2sql"]


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_loads_by_one_word_and_is_checked(name, capsys):
    assert problems(PROFILE, [f"rl.rewards={name}"]) == []
    assert main(["check", str(PROFILE), f"rl.rewards={name}"]) == 0
    assert "rewards 1 " in (said := capsys.readouterr().out) or "rewards 0." in said


def test_the_resolved_config_lists_the_rewards(capsys):
    assert main(["show", str(PROFILE), "rl.rewards=arctic"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["rl"]["rewards"]
    assert shown["name"] == "sql_execution" and shown["weight"] == 1.0 and shown["params"]["runs"] == 0.1


def test_a_preset_stands_in_a_yaml_as_a_word(tmp_path):
    (tmp_path / "run.yaml").write_text("name: a\nrl: {rewards: article}")
    cfg = load_config(tmp_path / "run.yaml")
    assert [reward.name for reward in cfg.rl.rewards] == [
        "match_format_exactly",
        "match_format_approximately",
        "check_sql_reward",
    ]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("arctik", "rl.rewards: no preset 'arctik' (did you mean 'arctic'?); there are: arctic, article, dense"),
        ("xyz", "rl.rewards: no preset 'xyz'; there are: arctic"),
        ("../smoke", "rl.rewards: no preset '../smoke'; there are: arctic"),
        ("sql_execution", "or list them: [{name: …}]"),
        ("7", "rl.rewards: got 7; must be a list"),
    ],
)
def test_a_wrong_word_is_told_in_one_line(word, said):
    with pytest.raises(ConfigError) as raised:
        load_config(PROFILE, [f"rl.rewards={word}"])
    assert said in str(raised.value) and "\n" not in str(raised.value)
    assert problems(PROFILE, [f"rl.rewards={word}"]) == str(raised.value).splitlines()


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"article"}))
def test_right_is_worth_most_and_a_hack_no_more_than_an_honest_mistake(name):
    pays = totals(name)
    assert pays["right"] > pays["near"] >= pays["wrong"] >= pays["constant"] >= pays["no sql"]
    assert pays["near"] >= pays["empty"] and pays["wrong"] >= pays["fails"] >= pays["no sql"]
    assert pays["right"] > pays["right, no form"]


def test_formulas():
    assert totals("arctic") == {
        "right": 1.0, "right, no form": 0.0, "near": 0.1, "wrong": 0.1, "constant": 0.0, "empty": 0.1, "fails": 0.0,
        "no sql": 0.0,
    }  # fmt: skip
    assert totals("sql-r1") == {
        "right": 6.0, "right, no form": -1.0, "near": 0.0, "wrong": 0.0, "constant": -1.0, "empty": 0.0, "fails": -1.0,
        "no sql": -1.0,
    }  # fmt: skip
    assert totals("skyrl") == {
        "right": 1.0, "right, no form": -1.0, "near": 0.0, "wrong": 0.0, "constant": 0.0, "empty": 0.0, "fails": 0.0,
        "no sql": -1.0,
    }  # fmt: skip
    think2sql = totals("think2sql")
    assert think2sql["right"] == 1.0 and think2sql["wrong"] == think2sql["fails"] == 0.05
    assert think2sql["near"] == pytest.approx(0.05 + 0.95 * 0.9 * (2 / 3 + 1 + 2 / 3) / 3, abs=1e-3)
    dense = totals("dense")
    assert dense["right"] == 1.5 and dense["right, no form"] == 1.4
    assert dense["near"] == pytest.approx(0.1 + 0.1 + 0.4 * 0.5 * (2 * 2 / 3 / (5 / 3)) * 2 / 3, abs=1e-3)
    assert [dense[name] for name in ("wrong", "constant", "empty", "fails", "no sql")] == [0.2, 0.1, 0.1, 0.1, -0.1]


def test_the_article_pays_a_constant_as_a_query_of_other_words():
    pays = totals("article")
    assert pays["right"] == 4.0 and pays["wrong"] == pays["constant"] == pays["empty"] == 2.8
    assert pays["fails"] == 0.1 and pays["no sql"] == -4.0
