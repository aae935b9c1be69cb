"""Rewards: how they are found, checked and handed on."""

import pickle
from importlib.util import find_spec
from pathlib import Path

import pytest

from configs.check import problems
from configs.errors import ConfigError
from configs.schema import Config
from rewards import BUILTIN, load_reward
from rewards.__main__ import main
from rewards.score import Scorer
from tasks.trace import render
from tests.cities import GOLD, columns
from tests.processes import ROOT, run_code

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


def test_reward_from_a_file_pickles(tmp_path):
    write_reward(tmp_path / "mine.py")
    reward = load_reward(f"{tmp_path}/mine.py:brevity", {"bonus": 2})
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
    first, second = (load_reward(f"{tmp_path / folder}/mine.py:brevity", {}) for folder in "ab")
    assert (first([""], [""]), second([""], [""])) == ([1.0], [2.0])


def test_dotted_reward_is_found():
    assert load_reward("rewards.form:format_strict", {"score": 1.0})([""], ["no"]) == [0.0]


def test_a_reward_that_asks_for_the_sandbox_gets_the_runs(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "def own(completions, *, sandbox, answer, timeout_s: float = 9.0, **_):\n"
        "    return [sandbox.timeout_s, sandbox.workers, timeout_s, float(answer == 'cot')]\n"
    )
    mine = {"name": f"{path}:own", "params": {"timeout_s": 7}}  # one's own, for what is no query
    cfg = Config.model_validate({
        "name": "mine", "rl": {"rewards": [mine]}, "sandbox": {"timeout_s": 2, "workers": 3}, "data": {"answer": "cot"}
    })  # fmt: skip
    assert Scorer(cfg).score([""] * 4, [""] * 4, {}) == {"own": [2, 3, 7, 1]}
    assert load_reward(f"{path}:own", {})(completions=[]) == [5, 2, 9, 0]


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("sql_executon", {}, "did you mean 'sql_execution'"),
        ("rewards.form:format", {}, "has no 'format' (did you mean 'format_strict'?)"),
        ("rewards.nowhere:x", {}, "cannot import rewards.nowhere"),
        ("nowhere.py:x", {}, "no such file: nowhere.py"),
        ("rewards.load:BUILTIN", {}, "is a dict, not a function"),
        ("sql_execution", {"varians": 1}, "did you mean 'variants'"),
        ("sql_execution", {"timeout_s": 1}, "no parameter 'timeout_s': it goes by the config's section sandbox"),
        ("sql_execution", {"sandbox": {"timeout_s": 1}}, "goes by the config's section sandbox"),
        ("sql_execution", {"gold_sql": []}, "no parameter 'gold_sql'"),
        ("sql_execution", {"runs": "5"}, "runs is '5', allowed: a number"),
        ("sql_execution", {"variants": 1.5}, "variants is 1.5, allowed: a whole number"),
        ("sql_execution", {"right": True}, "right is True"),
        ("sql_execution", {"judge": "text"}, "allowed: 'ordered', 'multiset', 'bird', 'spider'"),
        ("sql_execution", {"runs": 1.0}, "needed: right > runs >= empty >= fails >= nothing"),
        ("sql_execution", {"fails": -1.0}, "needed: right > runs >= empty >= fails >= nothing"),
        ("sql_execution", {"empty": 0.2}, "needed: right > runs >= empty >= fails >= nothing"),
        ("sql_execution", {"empty": "no"}, "empty is 'no', allowed: a number or null"),
        ("sql_execution", {"variants": -1}, "variants is -1, allowed: 0 (none) or more"),
        ("result_similarity", {"near": 1.0}, "near is 1.0, allowed: 0 to less than 1"),
        ("math:sqrt", {}, "a builtin_function_or_method, not a function of Python"),
        ("rewards.score:Scorer", {}, "Scorer in rewards.score is a type, not a function"),
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
        ("def f(completions, size, **_):\n    return []\n", "asks for 'size'; there is, by name: prompts, "),
        ("def f(completions, /, **_):\n    return []\n", "asks for 'completions'; there is, by name"),
        ("def f(completions, size=3, **_):\n    return []\n", "no parameter 'size'; it takes: none (settings are "),
        ("def g(**_):\n    return []\n", "has no 'f'"),
        ("import nowhere_at_all\n", "ModuleNotFoundError: No module named 'nowhere_at_all' (bad.py:1)"),
        ("def f(:\n", "bad.py: SyntaxError: invalid syntax (bad.py, line 1)"),
        ("x = 1\ny = z\n", "bad.py: NameError: name 'z' is not defined (bad.py:2)"),
        ("raise SystemError('a\\nb')\n", "SystemError: a b (bad.py:1)"),
    ],
)
def test_bad_reward_file_is_told_in_one_line(tmp_path, source, said):
    path = tmp_path / "bad.py"
    path.write_text(source)
    with pytest.raises(ConfigError) as raised:
        load_reward(f"{path}:f", {"size": 2} if "size=" in source else {})
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_columns_may_stand_after_the_star_and_an_object_may_be_called(tmp_path):
    path = tmp_path / "odd.py"
    path.write_text(
        "from __future__ import annotations\n\n"
        "class Count:\n"
        "    def __call__(self, *, completions, scale: Nowhere = 2, **_):\n"
        "        return [scale * len(text) for text in completions]\n\n"
        "count = Count()\n"
    )
    reward = load_reward(f"{path}:count", {"scale": 3})
    assert reward.__name__ == "count" and reward(prompts=[""], completions=["ab"]) == [6]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("rl.rewards=[]", "rl.rewards: is an empty list; list a reward"),
        ("rl.trainer.reward_weights=[1.0]", "reward_weights: set by planql; use rl.rewards: each has a weight"),
        ("rl.rewards=[{name: format_strict, weight: [1, 2]}]", "rl.rewards[0].weight: got [1, 2]; must be a number"),
        ("rl.rewards=[{name: format_strict, weight: .nan}]", "rl.rewards[0].weight: got nan; must be a finite number"),
        ("rl.rewards=[{name: format_strict, weights: 2}]", "rl.rewards[0].weights: unknown key; did you mean"),
    ],
)
def test_weights_that_are_none_are_told(override, said):
    (line,) = problems(ROOT / "configs" / "smoke.yaml", [override])
    assert said in line


def test_list_names_every_reward_with_its_settings(capsys):
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in BUILTIN)
    assert "gold_tables=False" in shown and "sandbox" not in shown
    assert main(["list", "nonsense"]) == 2
