"""Rewards of form: the strict one, and the article's three with their known flaws."""

import pytest

from configs.schema import Config, Data
from rewards.article import check_sql_reward, match_format_approximately, match_format_exactly
from rewards.form import format_strict
from rewards.load import load_reward
from tasks.trace import render
from tests.cities import DATABASE, GOLD, columns

GOOD = render("plan", "SELECT 1")


def exactly(text: str) -> float:
    return match_format_exactly([""], [text])[0]


def approximately(text: str) -> float:
    return match_format_approximately([""], [text])[0]


def article(*answers: str, gold_sql: str = GOLD) -> list[float]:
    """What the article's three rewards pay together."""
    size = len(answers)
    sums = zip(
        match_format_exactly([""] * size, list(answers)),
        match_format_approximately([""] * size, list(answers)),
        check_sql_reward([""] * size, list(answers), **columns(size, gold_sql)),
        strict=True,
    )
    return [round(sum(each), 6) for each in sums]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "<sql>SELECT 1</sql>",
        "<think>plan</think>",
        "Sure! " + GOOD,
        GOOD + " Done.",
        GOOD + GOOD,
        "<think>\n" + GOOD,
        "<sql>SELECT 1</sql><think>plan</think>",
        "<sql>SELECT 1</sql>",
        render("a", "SELECT 1 -- <sql>"),
        "<THINK>plan</THINK><sql>SELECT 1</sql>",
        "<think>plan</think><sql> </sql>",
        "<think> </think><sql>SELECT 1</sql>",
        "",
    ],
)
def test_only_the_exact_form_is_paid(text):
    assert format_strict([""] * 2, [text, GOOD]) == [0.0, 1.0]
    assert format_strict([""] * 2, [text, GOOD], score=2.0, otherwise=-1.0) == [-1.0, 2.0]


def test_the_form_is_that_of_the_answers_asked_for():
    alone = render("", "SELECT 1")
    assert format_strict([""] * 2, [alone, GOOD], answer="sql_only") == [1.0, 0.0]
    assert load_reward("format_strict", {}, Config(name="alone", data=Data(answer="sql_only")))([""], [alone]) == [1.0]


def test_the_article_pays_its_published_values():
    assert (exactly(GOOD), exactly("plan")) == (1.1, 0.0)
    assert (approximately(GOOD), approximately("plan")) == (0.5, -4.0)
    answers = [render("plan", sql) for sql in (GOLD, "SELECT name FROM city", "SELEC")]
    scores = check_sql_reward([""] * 4, [*answers, "no"], **columns(4))
    assert scores == [2.4, 1.2, -1.5, 0.0]
    assert check_sql_reward([""], [GOLD], gold_sql=["SELEC"], database=[DATABASE]) == [None]


@pytest.mark.parametrize(
    "text", ["Sure!\n" + GOOD, GOOD + "\nDone.", "<think>\n" + GOOD, render("a\n</think>\n<think>\nb", "SELECT 1")]
)
def test_flaw_the_exact_form_of_the_article_is_not_exact(text):
    assert exactly(text) == 1.1 and format_strict([""], [text]) == [0.0]


def test_flaw_a_good_trace_on_one_line_is_worth_as_little_as_none():
    text = "<think>plan</think><sql>SELECT 1</sql>"
    assert (exactly(text), approximately(text)) == (0.0, -4.0)
    assert format_strict([""], [text]) == [1.0]


def test_flaw_tags_are_counted_one_by_one_in_any_order():
    assert approximately("\n<sql>\na\n</sql>\n<think>\nb\n</think>\n") == 0.5


def test_flaw_rows_are_never_compared():
    same, other_words, hack, failing, silent = article(
        render("plan", GOLD),
        render("plan", "SELECT name FROM city WHERE country IN ('Italy')"),
        render("plan", "SELECT 1"),
        render("plan", "SELEC"),
        "<think>\nplan\n</think>\n<sql>\n\n</sql>",
    )
    assert (same, other_words, hack) == (4.0, 2.8, 2.8)
    assert (failing, silent) == (0.1, 1.6)  # no query is better than one with a mistake
