"""What the README says exists: its commands, files, keys, rewards, and the example reward runs."""

import re
from textwrap import dedent

import pytest

from configs.load import load_config
from rewards import BUILTIN, load_reward
from tests.documents import missing_from
from tests.processes import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short_and_finished():
    assert README.count("\n") <= 200
    assert not re.findall(r"\b[A-Z]{3,}_[A-Z_]+\b|\bTODO\b|\bRESULTS\b", README)


def test_its_commands_and_files_exist():
    assert missing_from(README) == []
    assert missing_from("python -m nosuch\n    make tea\nconfigs/cloud/no.yaml") == [
        "nosuch",
        "tea",
        "configs/cloud/no.yaml",
    ]


def test_every_profile_and_reward_is_in_it():
    for profile in (ROOT / "configs").glob("*.yaml"):
        assert f"`{profile.stem}`" in README
    for name in BUILTIN:
        assert re.search(rf"^\|.*`{name}`.*\|.*\|$", README, re.MULTILINE), name


@pytest.mark.parametrize("line", [line for line in README.splitlines() if re.search(r"python -m \w+ configs/", line)])
def test_its_overrides_are_keys(line):
    words = line.partition("#")[0].split()
    load_config(ROOT / words[3], [word for word in words[4:] if "=" in word])


def test_its_example_reward_runs(tmp_path):
    block = re.search(r"    # my_rewards\.py\n(.*?)\n\n    # in the YAML", README, re.DOTALL)
    (tmp_path / "my_rewards.py").write_text(dedent(block[1]), encoding="utf-8")
    reward = load_reward(f"{tmp_path}/my_rewards.py:short_sql", {"max_chars": 12})
    answers = ["<think>a</think><sql>SELECT 1</sql>", "<think>a</think><sql>SELECT 1, 2, 3</sql>", "no"]
    assert reward(prompts=[""] * 3, completions=answers, level=["L1"] * 3) == [1.0, 0.0, None]
