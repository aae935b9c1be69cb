"""The plan in <think>: is it that of the query beside it, and is it near the reference?"""

import sys
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.__main__ import main
from configs.errors import ConfigError
from configs.load import load_config
from distill.plan import write_plan
from rewards import load_reward
from rewards.plan import _embedder, plan_faithfulness, think_similarity
from rewards.score import Scorer
from tasks.mutations import near_misses
from tasks.story import CORRECTED, contradictions, faithfulness
from tasks.trace import render
from tests.cities import GOLD, columns
from tests.shop import GOLDS, columns_of, task_on

QUESTION = "Which places of Italy are there?"
PLAN = "open city\nfilter city.country = 'Italy'\ndeliver city.name"
WRONG = "SELECT name FROM city WHERE country = 'Egypt'"
needs_model = pytest.mark.skipif(not find_spec("wordllama"), reason="the extra 'similarity' is not installed")


def paid(reward, *answers: str, **params) -> list[float | None]:
    size = len(answers)
    batch = columns(size) | {"question": [QUESTION] * size, "think": [PLAN] * size}
    return reward([""] * size, list(answers), **(batch | params))


def test_the_plan_of_the_query_earns_all_and_others_less():
    half = PLAN.replace("city.country = 'Italy'", "the rows")
    untrue = f"{PLAN}\nlook at city.population"
    whole, part, made_up, other = paid(
        plan_faithfulness, *(render(plan, GOLD) for plan in (PLAN, half, untrue, "open country"))
    )
    assert whole == 1.0 > max(part, made_up) and min(part, made_up) > other == 0.0


@pytest.mark.parametrize(
    "think", [QUESTION, f"Run {GOLD.lower()} ;", "Let me think step by step.", "SELECT, FROM, WHERE"]
)
def test_words_that_are_no_plan_earn_nothing(think):
    assert paid(plan_faithfulness, render(think, GOLD)) == [0.0]


def test_only_right_answers_in_the_form_of_a_trace_are_paid():
    answers = [render(PLAN, GOLD), render(PLAN.replace("Italy", "Egypt"), WRONG), render("deliver 1", "SELECT 1"), GOLD]
    assert paid(plan_faithfulness, *answers) == [1.0, 0.0, 0.0, 0.0]
    assert paid(plan_faithfulness, *answers, gate="runs") == [1.0, 1.0, 0.0, 0.0]
    assert paid(plan_faithfulness, *answers, gold_sql=["SELECT x FROM y"] * 4) == [None] * 4


def test_the_corrected_plan_of_a_repair_counts():
    think = f"First I wrote SELECT population FROM city.\n{CORRECTED}\n{PLAN}"
    assert paid(plan_faithfulness, render(think, GOLD)) == [1.0]


def test_a_question_that_tells_all_leaves_the_plan_what_it_tells():
    answer = render("open city\ndeliver city.name", "SELECT name FROM city")
    batch = columns(1, "SELECT name FROM city") | {"question": ["The name of each city?"]}
    assert plan_faithfulness([""], [answer], **batch) == [1.0]


@pytest.mark.parametrize("detail", ["short", "full"])
def test_faithfulness_is_one_where_nothing_is_contradicted_and_less_elsewhere(detail, shop, schema):
    for gold in GOLDS:
        plan = write_plan(task_on(shop, gold), schema, detail)
        assert faithfulness(plan, gold, schema) == 1.0
        for miss in near_misses(gold, columns_of(schema)):
            told = contradictions(plan, miss.sql, schema)
            if "cannot be compared" in "".join(told):
                continue
            score = faithfulness(plan, miss.sql, schema)
            assert (score == 1.0) == (not told)
            assert 0.0 <= score <= 1.0


@given(st.text(max_size=100), st.sampled_from(GOLDS))
@settings(max_examples=60)
def test_any_plan_is_paid_within_range(schema, text, gold):
    assert 0.0 <= faithfulness(text, gold, schema) <= 1.0


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("plan_faithfulness", "cot", "is for data.answer 'plan', not for 'cot'; remove it"),
        ("plan_faithfulness", "sql_only", "is for data.answer 'plan'"),
        ("think_similarity", "sql_only", "needs a <think>, not data.answer 'sql_only'"),
    ],
)
def test_what_has_no_plan_to_pay_for_is_refused_before_training(tmp_path, capsys, name, answer, said):
    run = tmp_path / "run.yaml"
    run.write_text(f"name: a\ndata: {{answer: {answer}}}\nrl: {{rewards: [{{name: {name}}}]}}\n")
    with pytest.raises(ConfigError, match=said):
        Scorer(load_config(run))
    assert main(["check", str(run)]) == 2
    assert f"rl.rewards[0]: reward '{name}' {said}" in capsys.readouterr().out


@needs_model
def test_the_nearer_the_plan_the_more_it_is_paid():
    plans = [PLAN, PLAN.replace("Italy", "Egypt"), "open country\nsort country.continent\ncut at row 3", QUESTION]
    same, near, far, copied = paid(think_similarity, *(render(plan, GOLD) for plan in plans))
    assert same == pytest.approx(1.0, abs=1e-5)
    assert same > near > far and near > copied
    assert paid(think_similarity, render(QUESTION, GOLD), floor=0.0)[0] > copied


@needs_model
def test_without_a_reference_form_or_right_rows():
    answers = [render(PLAN, GOLD), render(PLAN, WRONG), PLAN, GOLD]
    assert paid(think_similarity, *answers)[1:] == [0.0, 0.0, 0.0]
    assert paid(think_similarity, *answers, think=["", PLAN, "", ""]) == [None, 0.0, None, None]
    assert paid(think_similarity, *answers, gate="runs")[1] > 0.9


@needs_model
@given(st.text(max_size=60))
@settings(max_examples=30)
def test_any_think_is_paid_within_range(text):
    (score,) = paid(think_similarity, render(text, GOLD), gate="none")
    assert 0.0 <= score <= 1.0


@needs_model
def test_a_floor_out_of_range_is_told():
    with pytest.raises(ConfigError, match="floor is 1"):
        load_reward("think_similarity", {"floor": 1})


def test_a_missing_extra_is_told_before_anything_loads(monkeypatch):
    _embedder.cache_clear()
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(ConfigError, match=r"extra 'similarity' .*pip install -c constraints.txt") as raised:
        load_reward("think_similarity", {})
    assert "\n" not in str(raised.value)
