"""The metrics beside EX: soft F1, R-VES, and the class of what is wrong."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.errors import MEANINGS, error_class, message_class
from evaluation.soft_f1 import soft_f1, soft_f1_of_rows
from evaluation.ves import r_ves, reward, rewards_by_seconds, rewards_by_steps, trimmed_mean
from sandbox import Limits, Result, execute, is_ordered, judge_many, same_result
from sandbox.execution import count_steps
from tests.singers import FOR_EVER, made

CITIES = """
CREATE TABLE city (name TEXT, people INTEGER);
CREATE TABLE river (name TEXT, length INTEGER);
INSERT INTO city VALUES ('Oslo', 7), ('Bern', 1), ('Lima', 100), ('Lima', 100);
"""
NUMBERS = """
CREATE TABLE t (a INTEGER PRIMARY KEY);
INSERT INTO t WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 50000) SELECT a FROM n;
"""
ANY_ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=5)


@pytest.fixture(scope="module")
def cities(tmp_path_factory) -> str:
    return str(made(tmp_path_factory.mktemp("cities") / "cities.sqlite", CITIES))


@pytest.mark.parametrize(
    ("rows", "gold_rows", "score"),
    [
        ([], [], 1),
        ([(1,)], [], 0),
        ([], [(1,)], 0),
        ([("Rome", 3)], [("Rome", 3)], 1),
        ([(3, "Rome")], [("Rome", 3)], 1),  # where in its row a value stands is free
        ([(3.0,)], [(3,)], 1),
        ([("3",)], [(3,)], 0),
        ([(0.1 + 0.2,)], [(0.3,)], 0),  # no tolerance
        ([(None,)], [(None,)], 1),
        ([(1,), (1,), (2,)], [(1,), (2,), (2,)], 1),  # repeated rows count once
        ([(2,), (1,)], [(1,), (2,)], 0),  # by position, though nobody ordered
        ([(1, 2)], [(1,)], 2 / 3),  # tp 1, fp 1
        ([(1,)], [(1, 2)], 2 / 3),  # tp 1/2, fn 1/2
        ([(1, 1)], [(1, 2)], 4 / 5),  # tp 2/2, as both are in gold's row; fn 1/2
        ([(1,), (2,), (3,)], [(1,)], 1 / 2),  # tp 1, fp 2
        ([(1,)], [(1,), (2,), (3,), (4,)], 2 / 5),  # tp 1, fn 3
    ],
)
def test_soft_f1_is_what_one_counts_by_hand(rows, gold_rows, score):
    assert soft_f1_of_rows(rows, gold_rows) == pytest.approx(score)


@given(ANY_ROWS, ANY_ROWS)
def test_soft_f1_is_a_share_and_full_for_gold_itself(rows, gold_rows):
    assert 0 <= soft_f1_of_rows(rows, gold_rows) <= 1
    assert soft_f1_of_rows(gold_rows, gold_rows) == 1


def test_a_query_that_does_not_run_has_no_soft_f1():
    nothing, one = Result("empty", ("a",)), Result("ok", ("a",), ((1,),))
    assert soft_f1(nothing, nothing) == soft_f1(one, one) == 1
    for failed in (Result("error", message="no"), Result("timeout"), Result("too_large")):
        assert soft_f1(failed, nothing) == soft_f1(nothing, failed) == soft_f1(failed, one) == 0


@pytest.mark.parametrize(
    ("ratio", "paid"), [(9, 1.25), (2, 1.25), (1.999, 1), (1, 1), (0.999, 0.75), (0.5, 0.75), (0.499, 0.5), (0.25, 0.5)]
)
def test_a_reward_goes_by_the_published_thresholds(ratio, paid):
    assert reward(ratio) == paid
    assert reward(ratio / 1000) == 0.25


def test_r_ves_is_the_mean_of_the_roots():
    assert 100 * r_ves([1.0, 1.0]) == 100
    assert 100 * r_ves([1.25, 0.0]) == pytest.approx(50 * sqrt(1.25))
    assert r_ves([0.25] * 4) == 0.5


def test_outliers_are_left_out_and_equal_ratios_are_not():
    assert trimmed_mean([1.0] * 99 + [1000.0]) == 1
    assert trimmed_mean([1.0, 3.0]) == 2  # nothing is 3 deviations from a mean of two
    assert trimmed_mean([0.7]) == 0.7


def test_a_slower_query_is_paid_less_and_a_wrong_one_nothing(tmp_path):
    database = str(made(tmp_path / "t.sqlite", NUMBERS))
    fast, slow = "SELECT a FROM t WHERE a = 7", "SELECT a FROM t WHERE a + 0 = 7"
    pairs = [(database, fast, fast), (database, fast, slow), (database, slow, fast), (database, fast, "SELECT 8")]
    right = [verdict.correct for verdict in judge_many(pairs, "bird")]
    assert right == [True, True, True, False]
    assert rewards_by_steps(pairs, right) == [1.0, 0.25, 1.25, 0.0]
    assert rewards_by_seconds(pairs[1:], right[1:], repeats=7) == [0.25, 1.25, 0.0]
    assert 0.5 <= rewards_by_seconds(pairs[:1], [True], repeats=30)[0] <= 1.25
    assert rewards_by_steps([(database, FOR_EVER, FOR_EVER)], [True], Limits(max_steps=1000)) == [0.0]


def test_steps_do_not_depend_on_what_ran_before(cities):
    pairs = [(cities, f"SELECT count(*) FROM city AS a, city AS b, city AS c WHERE a.people > {n}") for n in range(20)]
    first = count_steps(pairs)
    for database, sql in pairs:  # SQLite goes on counting in a statement that is kept
        execute(database, sql)
    assert all(count_steps(pairs) == first for _ in range(3))


@pytest.mark.parametrize(
    ("sql", "gold_sql", "found"),
    [
        ("SELECT name FROM city", "SELECT name FROM city", "right"),
        ("SELECT name FROM city WHERE people > 5", "SELECT name FROM city", "other_rows"),
        ("SELECT people FROM city", "SELECT name FROM city", "other_rows"),
        ("SELECT name FROM city", "SELECT name FROM city WHERE 0", "other_rows"),
        ("SELECT * FROM city", "SELECT name FROM city", "other_columns"),
        ("SELECT * FROM city WHERE 0", "SELECT name FROM city WHERE 0", "other_columns"),
        ("SELECT people, name FROM city", "SELECT name, people FROM city", "column_order"),
        ("SELECT name FROM city ORDER BY people DESC", "SELECT name FROM city ORDER BY people", "row_order"),
        ("SELECT DISTINCT name FROM city", "SELECT name FROM city", "duplicates"),
        ("SELECT name FROM city", "SELECT DISTINCT name FROM city", "duplicates"),
        ("SELECT name FROM city WHERE 0", "SELECT name FROM city", "no_rows"),
        (None, "SELECT name FROM city", "no_sql"),
        ("SELECT nme FROM city", "SELECT 1", "no_such_column"),
        ("SELECT c.name FROM city", "SELECT 1", "no_such_column"),
        ("SELECT * FROM city JOIN river USING (people)", "SELECT 1", "no_such_column"),
        ("SELECT 1 UNION SELECT 2 ORDER BY people", "SELECT 1", "no_such_column"),
        ('SELECT name FROM city WHERE nme = "near x: syntax error"', "SELECT 1", "no_such_column"),
        ("SELECT name FROM town", "SELECT 1", "no_such_table"),
        ("SELECT name FROM city, river", "SELECT 1", "ambiguous_column"),
        ("SELECT year(name) FROM city", "SELECT 1", "function"),
        ("SELECT round() FROM city", "SELECT 1", "function"),
        ("SELECT name FROM city WHERE max(people) = people", "SELECT 1", "function"),
        ("SELECT name FROM city WHERE rank() OVER () = 1", "SELECT 1", "function"),
        ("SELECT json_extract('{', '$.a')", "SELECT 1", "function"),
        ("SELECT name FORM city WHERE 1", "SELECT 1", "syntax"),
        ("SELECT name FROM city WHERE", "SELECT 1", "syntax"),
        ("SELECT 'name FROM city", "SELECT 1", "syntax"),
        ("SELECT 1 LIMIT 1 UNION SELECT 2", "SELECT 1", "syntax"),
        ("Rome", "SELECT 1", "syntax"),
        ("", "SELECT 1", "syntax"),
        ("SELECT 1 UNION SELECT 1, 2", "SELECT 1", "other_error"),
        ("DELETE FROM city", "SELECT 1", "denied"),
        ("SELECT 1; SELECT 2", "SELECT 1", "denied"),
        (FOR_EVER, "SELECT 1", "timeout"),
        ("SELECT 1 FROM city AS a, city AS b, city AS c, city AS d", "SELECT 1", "too_large"),
        ("SELECT name FROM city", "SELECT nme FROM city", "gold_failed"),
        (None, "SELECT nme FROM city", "gold_failed"),
    ],
)
def test_what_is_wrong_has_a_name(cities, sql, gold_sql, found):
    limits = Limits(max_steps=100_000, max_rows=100)
    gold = execute(cities, gold_sql, limits)
    predicted = None if sql is None else execute(cities, sql, limits)
    correct = predicted is not None and same_result(gold, predicted, "ordered", is_ordered(gold_sql))
    assert error_class(correct, predicted, gold) == found
    assert found in MEANINGS


def test_a_worker_that_died_has_crashed_and_a_new_message_is_another_error():
    assert error_class(False, Result("crashed", message="its worker died"), Result("ok", ("a",), ((1,),))) == "crashed"
    assert message_class("SQLite 4 says no such column") == "other_error"
