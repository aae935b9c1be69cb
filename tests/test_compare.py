"""Paired comparison: exact McNemar, the paired bootstrap, and the sentence."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError
from evaluation.compare import compare, compare_predictions, mcnemar_p, sentence
from evaluation.interval import bootstrap_interval

WON, LOST = ([0, 0, 1], [1, 0, 1]), ([1, 0, 1], [0, 0, 1])


@pytest.mark.parametrize(
    ("won", "lost", "p"),
    [(0, 0, 1), (1, 0, 1), (3, 3, 1), (5, 0, 0.0625), (8, 2, 0.109375), (12, 7, 0.359283), (30, 10, 0.002221)],
)
def test_p_is_that_of_the_binomial_tables(won, lost, p):
    assert mcnemar_p(won, lost) == pytest.approx(p, abs=1e-6) == mcnemar_p(lost, won)


@given(st.integers(0, 40), st.integers(0, 40))
def test_p_is_the_chance_of_a_split_at_least_as_uneven(won, lost):
    n, gap = won + lost, abs(won - lost)
    chance = sum(comb(n, heads) for heads in range(n + 1) if abs(n - 2 * heads) >= gap) / 2**n
    assert mcnemar_p(won, lost) == pytest.approx(chance)


def test_p_of_thousands_of_questions_is_a_number():
    assert mcnemar_p(5000, 5000) == 1
    assert 0 < mcnemar_p(5100, 4900) < 0.05
    assert mcnemar_p(4000, 0) == pytest.approx(0, abs=1e-300)


def test_a_pair_of_runs_differs_where_its_questions_do():
    won = compare(*WON, list("abc"), resamples=200)
    lost = compare(*LOST, list("abc"), resamples=200)
    assert (won["questions"], won["won"], won["lost"]) == (3, 1, 0) and won["difference"] == pytest.approx(1 / 3)
    assert (lost["won"], lost["lost"]) == (0, 1) and lost["difference"] == -won["difference"]
    assert lost["interval"] == pytest.approx([-end for end in reversed(won["interval"])], abs=0.34)
    same = compare([1, 0], [1, 0], list("ab"), resamples=200)
    assert (same["difference"], same["interval"], same["mcnemar_p"]) == (0, (0, 0), 1)


def test_pairing_makes_the_interval_narrower():
    before = [question % 2 for question in range(100)]
    after = [1 if question in (0, 2, 4) else right for question, right in enumerate(before)]
    names = [str(question) for question in range(100)]
    low, high = compare(before, after, names, resamples=1000)["interval"]
    alone = bootstrap_interval(after, names, resamples=1000)
    assert 0 <= low < 0.03 < high < 0.08 < alone[1] - alone[0]


def test_questions_over_one_database_are_drawn_together():
    before, after = [0] * 40, [1] * 20 + [0] * 20
    together = compare(before, after, ["a"] * 20 + ["b"] * 20, resamples=500)
    apart = compare(before, after, [str(n) for n in range(40)], resamples=500)
    assert together["interval"] == (0, 1)
    assert 0.3 < apart["interval"][0] < 0.5 < apart["interval"][1] < 0.7
    one = compare(before, after, ["a"] * 40, resamples=500)  # a single database: its questions are drawn
    assert 0.3 < one["interval"][0] < 0.5 < one["interval"][1] < 0.7


def test_shares_are_compared_too():
    found = compare([0.5, 0.25, 1.0], [0.75, 0.25, 0.5], list("abc"), resamples=200)
    assert (found["won"], found["lost"]) == (1, 1) and found["difference"] == pytest.approx(-0.25 / 3)


def predictions(**correct: bool) -> list[dict]:
    return [
        {"task_id": name, "database": name[0], "correct": right, "soft_f1": 0.5 + right / 2}
        for name, right in correct.items()
    ]


def test_questions_are_matched_by_their_id_and_the_others_counted():
    before = predictions(a1=False, a2=True, b1=False, c1=True)
    after = predictions(b1=True, a2=True, a1=False, d1=True, d2=False)
    found = compare_predictions(before, after, resamples=200, seed=0)
    assert (found["questions"], found["won"], found["lost"]) == (3, 1, 0)
    assert (found["only_before"], found["only_after"]) == (1, 2)
    assert compare_predictions(before, after, resamples=200, seed=0, by="soft_f1")["difference"] == pytest.approx(1 / 6)
    with pytest.raises(ConfigError, match="no question in common"):
        compare_predictions(predictions(a1=True), predictions(a2=True), resamples=200, seed=0)


@pytest.mark.parametrize(
    ("difference", "interval", "won", "lost", "said"),
    [
        (
            0.021,
            (-0.004, 0.046),
            12,
            7,
            "RL − SFT: +2.1 points, 95 % from −0.4 to +4.6 (won 12, lost 7, McNemar p 0.36)",
        ),
        (-0.5, (-1, 0), 0, 6, "RL − SFT: −50.0 points, 95 % from −100.0 to 0.0 (won 0, lost 6, McNemar p 0.031)"),
        (
            0.3,
            (0.2, 0.4),
            30,
            0,
            "RL − SFT: +30.0 points, 95 % from +20.0 to +40.0 (won 30, lost 0, McNemar p < 0.001)",
        ),
        (0, (0, 0), 0, 0, "RL − SFT: 0.0 points, 95 % from 0.0 to 0.0 (won 0, lost 0, McNemar p 1.00)"),
    ],
)
def test_a_comparison_is_a_sentence(difference, interval, won, lost, said):
    found = {
        "difference": difference,
        "interval": interval,
        "won": won,
        "lost": lost,
        "mcnemar_p": mcnemar_p(won, lost),
    }
    assert sentence("SFT", "RL", found) == said
