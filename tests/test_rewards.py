"""Rewards: what they pay, in which order, and how they are found."""

import math
import pickle
from pathlib import Path

import pytest

from configs.errors import ConfigError
from rewards import BUILTIN, load_reward
from rewards.__main__ import main
from rewards.execution import sql_execution
from rewards.form import match_format_approximately, match_format_exactly
from tasks.trace import render
from tests.processes import run_code

GOLDEN = Path(__file__).parent / "golden" / "execution.sql"
DATABASE = """
CREATE TABLE country (name TEXT PRIMARY KEY, continent TEXT);
CREATE TABLE city (name TEXT PRIMARY KEY, country TEXT REFERENCES country(name), population INTEGER);
INSERT INTO country VALUES ('Italy', 'Europe'), ('Egypt', 'Africa');
INSERT INTO city VALUES ('Turin', 'Italy', 860), ('Rome', 'Italy', 2870), ('Cairo', 'Egypt', 10100);
"""
GOLD = "SELECT name FROM city WHERE country = 'Italy'"


def golden_cases() -> list:
    """The cases of execution.sql: a head `-- SCORE TITLE`, then the predicted and the gold query."""
    cases = []
    for block in GOLDEN.read_text().split("\n\n"):
        head, _, queries = block.strip().partition("\n")
        score, _, title = head.removeprefix("-- ").partition(" ")
        sql, _, gold_sql = queries.removesuffix(";").rpartition(";\n")
        cases.append(pytest.param(None if score == "none" else float(score), sql, gold_sql, id=title))
    return cases


def paid(*answers: str, gold_sql: str = GOLD, **settings) -> list[float | None]:
    """What sql_execution pays for answers to one question."""
    size = len(answers)
    columns = {"gold_sql": [gold_sql] * size, "database": [DATABASE] * size, "task_id": ["t"] * size}
    return sql_execution([""] * size, list(answers), **columns, **settings)


@pytest.mark.parametrize(("score", "sql", "gold_sql"), golden_cases())
def test_execution_golden(score, sql, gold_sql):
    assert paid(render("A plan.", sql), gold_sql=gold_sql) == [score]


def test_execution_golden_file_is_read_whole():
    assert len(golden_cases()) == GOLDEN.read_text().count("\n--") + 1 >= 20


def test_right_wrong_failing_and_silent_answers_stand_in_this_order():
    right, wrong, failing, silent = paid(
        render("plan", GOLD), render("plan", "SELECT 1"), render("plan", "SELEC"), "I don't know."
    )
    assert right > wrong > failing > silent


def test_settings_of_execution_are_paid_out():
    settings = {"right": 3.0, "runs": 0.5, "fails": -1.0, "nothing": -2.0}
    answers = (render("plan", GOLD), render("plan", "SELECT 1"), render("plan", "SELEC"), "No.")
    assert paid(*answers, **settings) == [3.0, 0.5, -1.0, -2.0]


def test_query_without_tags_counts_but_gold_inside_think_does_not():
    hidden, cut, fenced = paid(f"<think>{GOLD}</think> Done.", f"<think>Perhaps {GOLD}", f"Here:\n```sql\n{GOLD}\n```")
    assert (hidden, cut, fenced) == (-0.1, -0.1, 1.0)


def test_bird_judge_ignores_repetition():
    answer = render("plan", "SELECT DISTINCT country FROM city")
    assert paid(answer, gold_sql="SELECT country FROM city", judge="bird") == [1.0]
    assert paid(answer, gold_sql="SELECT country FROM city", judge="multiset") == [0.1]


def test_slow_query_does_not_run():
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
    assert paid(render("plan", slow), timeout_s=0.3) == [0.0]


def test_a_whole_batch_is_judged_in_one_call(monkeypatch):
    from rewards import execution
    from sandbox import judge_many

    calls = []

    def counted(items, *settings):
        calls.append(len(items))
        return judge_many(items, *settings)

    monkeypatch.setattr(execution, "judge_many", counted)
    paid(render("plan", GOLD), render("plan", GOLD), render("plan", "SELECT 1"))
    assert calls == [3]


def test_chat_and_plain_completions_are_paid_alike():
    answer = render("plan", GOLD)
    for name in BUILTIN:
        columns = {"gold_sql": [GOLD] * 2, "database": [DATABASE] * 2}
        chat = [{"role": "assistant", "content": answer}]
        first, second = load_reward(name, {})(prompts=["", ""], completions=[answer, chat], **columns)
        assert first == second > 0


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "<sql>SELECT 1</sql>",
        "<think>plan</think>",
        "Sure! " + render("plan", "SELECT 1"),
        render("plan", "SELECT 1") + render("plan", "SELECT 1"),
        "<sql>SELECT 1</sql><think>plan</think>",
        render(" ", "SELECT 1"),
    ],
)
def test_only_the_exact_form_is_paid_exactly(text):
    assert match_format_exactly([""] * 2, [text, render("plan", "SELECT 1")]) == [0.0, 1.1]


def test_each_tag_is_paid_once():
    whole = render("plan", "SELECT 1")
    answers = [whole, "<think>plan</think>", "plan", "<think>" + whole]
    full, half, none, twice = match_format_approximately([""] * 4, answers)
    assert (full, half, none, twice) == (0.5, 0.0, -0.5, 0.25)
    assert math.isclose(match_format_approximately([""], ["plan"], penalty=1.0)[0], -4.0)


@pytest.mark.parametrize("name", BUILTIN)
def test_rewards_pickle_with_their_settings(name):
    reward = load_reward(name, {"score": 2.0} if name == "match_format_exactly" else {})
    copy = pickle.loads(pickle.dumps(reward))
    columns = {"gold_sql": [GOLD], "database": [DATABASE]}
    answer = [render("plan", GOLD)]
    assert copy([""], answer, **columns) == reward([""], answer, **columns)
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
    assert load_reward("rewards.form:match_format_exactly", {"score": 1.0})([""], ["no"]) == [0.0]


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("sql_executon", {}, "did you mean 'sql_execution'"),
        ("rewards.form:match_format", {}, "has no 'match_format'"),
        ("rewards.nowhere:x", {}, "cannot import rewards.nowhere"),
        ("nowhere.py:x", {}, "no such file: nowhere.py"),
        ("rewards.load:BUILTIN", {}, "is a dict, not a function"),
        ("sql_execution", {"time_out_s": 1}, "did you mean 'timeout_s'"),
        ("sql_execution", {"gold_sql": []}, "no parameter 'gold_sql'"),
        ("sql_execution", {"timeout_s": "5"}, "timeout_s is '5', allowed: a number"),
        ("sql_execution", {"workers": 1.5}, "workers is 1.5, allowed: a whole number"),
        ("sql_execution", {"right": True}, "right is True"),
        ("sql_execution", {"judge": "text"}, "allowed: 'ordered', 'multiset', 'bird', 'spider'"),
        ("sql_execution", {"runs": 1.0}, "needed: right > runs >= fails >= nothing"),
        ("sql_execution", {"fails": -1.0}, "needed: right > runs >= fails >= nothing"),
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
