"""Rewards: how they are found, checked and handed on."""

import pickle
from importlib.util import find_spec
from pathlib import Path

import pytest

from configs.errors import ConfigError
from rewards import BUILTIN, load_reward
from rewards.__main__ import main
from tasks.trace import render
from tests.cities import GOLD, columns
from tests.processes import run_code

PLAN = "open city\nfilter city.country = 'Italy'\ndeliver city.name"
PENALTIES = {"soft_overlong", "repetition"}
INSTALLED = [name for name in BUILTIN if name != "think_similarity" or find_spec("wordllama")]


def columns_of(size: int) -> dict[str, list]:
    return columns(size) | {"question": ["Which cities of Italy are there?"] * size, "think": [PLAN] * size}


def test_chat_and_plain_completions_are_paid_alike():
    answer = render(PLAN, GOLD)
    for name in INSTALLED:
        chat = [{"role": "assistant", "content": answer}]
        first, second = load_reward(name, {})(prompts=["", ""], completions=[answer, chat], **columns_of(2))
        assert first == second
        assert first > 0 or name in PENALTIES


@pytest.mark.parametrize("name", INSTALLED)
def test_rewards_pickle_with_their_settings(name):
    reward = load_reward(name, {"score": 2.0} if name == "format_strict" else {})
    copy = pickle.loads(pickle.dumps(reward))
    answer = [render(PLAN, GOLD)]
    assert copy([""], answer, **columns_of(1)) == reward([""], answer, **columns_of(1))
    assert copy.__name__ == name


def write_reward(path: Path, body: str = "return [bonus * len(text) for text in completions]") -> Path:
    path.write_text(f"def brevity(prompts, completions, *, bonus: float = -0.5, **_):\n    {body}\n")
    return path


def test_reward_from_a_file_is_found_beside_the_config_and_pickles(tmp_path):
    write_reward(tmp_path / "mine.py")
    reward = load_reward("mine.py:brevity", {"bonus": 2}, tmp_path)
    assert pickle.loads(pickle.dumps(reward))(prompts=["?"], completions=["abc"], level=["L1"]) == [6]
    assert reward.__name__ == "brevity"


def test_reward_file_on_the_path_pickles_into_a_new_process(tmp_path, monkeypatch):
    path = write_reward(tmp_path / "mine_on_the_path.py")
    monkeypatch.syspath_prepend(tmp_path)
    dumped = pickle.dumps(load_reward(f"{path}:brevity", {}))
    code = f"import pickle; print(pickle.loads({dumped!r})(prompts=[''], completions=['abcd']))"
    run = run_code(code, folder=tmp_path)
    assert run.stdout == "[-2.0]\n", run.stderr


def test_two_files_of_one_name_stay_apart(tmp_path):
    for folder, body in (("a", "return [1.0]"), ("b", "return [2.0]")):
        (tmp_path / folder).mkdir()
        write_reward(tmp_path / folder / "mine.py", body)
    first, second = (load_reward("mine.py:brevity", {}, tmp_path / folder) for folder in "ab")
    assert (first([""], [""]), second([""], [""])) == ([1.0], [2.0])


def test_dotted_reward_is_found():
    assert load_reward("rewards.form:format_strict", {"score": 1.0})([""], ["no"]) == [0.0]


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("sql_executon", {}, "did you mean 'sql_execution'"),
        ("rewards.form:format", {}, "has no 'format' (did you mean 'format_strict'?)"),
        ("rewards.nowhere:x", {}, "cannot import rewards.nowhere"),
        ("nowhere.py:x", {}, "no such file: nowhere.py"),
        ("rewards.load:BUILTIN", {}, "is a dict, not a function"),
        ("sql_execution", {"time_out_s": 1}, "did you mean 'timeout_s'"),
        ("sql_execution", {"gold_sql": []}, "no parameter 'gold_sql'"),
        ("sql_execution", {"timeout_s": "5"}, "timeout_s is '5', allowed: a number"),
        ("sql_execution", {"workers": 1.5}, "workers is 1.5, allowed: a whole number"),
        ("sql_execution", {"right": True}, "right is True"),
        ("sql_execution", {"judge": "text"}, "allowed: 'ordered', 'multiset', 'bird', 'spider'"),
        ("sql_execution", {"runs": 1.0}, "needed: right > runs >= empty >= fails >= nothing"),
        ("sql_execution", {"fails": -1.0}, "needed: right > runs >= empty >= fails >= nothing"),
        ("sql_execution", {"empty": 0.2}, "needed: right > runs >= empty >= fails >= nothing"),
        ("sql_execution", {"empty": "no"}, "empty is 'no', allowed: a number or null"),
        ("sql_execution", {"variants": -1}, "variants is -1, allowed: 0 (none) or more"),
        ("sql_execution", {"timeout_s": 0}, "reward 'sql_execution': limit timeout_s=0: give 0.001"),
        ("result_similarity", {"near": 1.0}, "near is 1.0, allowed: 0 to less than 1"),
        ("math:sqrt", {}, "must end in **_"),
    ],
)
def test_bad_names_and_settings_are_told_in_one_line(name, params, said):
    with pytest.raises(ConfigError) as raised:
        load_reward(name, params)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(prompts, completions):\n    return []\n", "must end in **_"),
        ("def f(prompts, completions, *, size: int, **_):\n    return []\n", "needs the parameter 'size'"),
        ("import nowhere_at_all\n", "cannot import"),
        ("def f(:\n", "cannot import"),
    ],
)
def test_bad_reward_file_is_told_in_one_line(tmp_path, source, said):
    path = tmp_path / "bad.py"
    path.write_text(source)
    with pytest.raises(ConfigError, match=said.replace("*", r"\*")) as raised:
        load_reward(f"{path}:f", {})
    assert "\n" not in str(raised.value)


def test_list_names_every_reward_with_its_settings(capsys):
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in BUILTIN)
    assert "timeout_s=5.0" in shown
    assert main(["list", "nonsense"]) == 2


def test_rewards_import_without_torch():
    code = "import sys, rewards.execution, rewards.form; print({'torch', 'pydantic'} & set(sys.modules))"
    run = run_code(code)
    assert run.stdout == "set()\n", run.stderr
