"""Too long, and the same again: what is taken off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError
from configs.schema import Config, Rl
from rewards import load_reward
from rewards.length import CHARACTERS_A_TOKEN, repetition, soft_overlong
from tasks.trace import render

HONEST = render(
    "Open city.\nKeep rows where city.country = 'Italy'.\nThe answer is city.name.", "SELECT name FROM city"
)


def overlong(*lengths: int, **params) -> list[float]:
    ids = [[0] * length for length in lengths]
    return soft_overlong([""] * len(ids), [""] * len(ids), completion_ids=ids, **params)


def test_the_penalty_grows_in_a_straight_line_over_the_last_tokens():
    params = {"max_completion_length": 100, "cache_share": 0.2}
    assert overlong(0, 80, 85, 90, 100, 500, **params) == [0.0, 0.0, -0.25, -0.5, -1.0, -1.0]


@given(st.lists(st.integers(0, 2000), min_size=2), st.integers(1, 1000), st.floats(0.01, 1))
def test_longer_is_never_better(lengths, limit, share):
    scores = overlong(*sorted(lengths), max_completion_length=limit, cache_share=share)
    assert scores == sorted(scores, reverse=True)
    assert all(-1.0 <= score <= 0.0 for score in scores)


def test_without_tokens_they_are_estimated():
    text = "x" * round(90 * CHARACTERS_A_TOKEN)
    chat = [{"role": "assistant", "content": text}]
    assert soft_overlong([""] * 2, [text, chat], max_completion_length=100) == [-0.5, -0.5]


def test_training_says_where_answers_are_cut():
    reward = load_reward("soft_overlong", {}, Config(name="short", rl=Rl(max_completion_length=10)))
    assert reward([""], [""], completion_ids=[[0] * 10]) == [-1.0]


def test_an_honest_trace_is_not_repetitive_and_a_loop_is():
    loop = "<think>" + "open city and then " * 50
    honest, looping, blank = repetition([""] * 3, [HONEST, loop, ""])
    assert (honest, blank) == (0.0, 0.0)
    assert -1.0 <= looping < -0.9
    assert repetition([""], [loop], penalty=0.5) == [pytest.approx(looping / 2)]


def test_a_little_repetition_is_allowed():
    twice = "one two three four five six " * 2
    assert repetition([""], [twice], n=2, allowed=0.0) == [pytest.approx(-5 / 11)]
    assert repetition([""], [twice], n=2, allowed=0.5) == [0.0]


@given(st.text(max_size=200), st.integers(1, 10))
def test_saying_it_again_is_never_better(text, n):
    once, twice = repetition([""] * 2, [text, f"{text}\n{text.upper()}"], n=n)
    assert -1.0 <= twice <= 0.0 and -1.0 <= once <= 0.0
    assert twice <= once or len(text) < 2


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("soft_overlong", {"max_completion_length": 0}),
        ("soft_overlong", {"cache_share": 0.0}),
        ("soft_overlong", {"cache_share": 1.5}),
        ("repetition", {"n": 0}),
        ("repetition", {"allowed": 1.0}),
        ("repetition", {"penalty": -1.0}),
    ],
)
def test_settings_out_of_range_are_told(name, params):
    with pytest.raises(ConfigError, match=f"reward '{name}': .*allowed: "):
        load_reward(name, params)
