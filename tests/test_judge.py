"""What holds for any two results, each rule against its definition, and which queries have an order of their own."""

import random
from collections import Counter
from itertools import accumulate, pairwise, permutations
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox import Result, is_ordered, same_result
from sandbox.judge import Rule, _close

RULES = get_args(Rule)
VALUES = st.sampled_from([None, 0, 1, 2, 1.0, 0.5, "", "a", "1", b"a", 2**53 + 1, float(2**53)])
BITS = st.integers(0, 1)
NEAR = st.sampled_from([1 + step * 4e-10 for step in range(6)] + [1, 2])
"""Floats each of which is close to the next two, and far from the others."""
A, B, C, D = (1 + step * 4e-10 for step in range(4))


def tables(values: st.SearchStrategy, most_columns: int = 4, most_rows: int = 5) -> st.SearchStrategy:
    """Return a strategy for the rows of one result."""
    rows = st.integers(1, most_columns).map(lambda width: st.tuples(*[values] * width))
    return rows.flatmap(lambda row: st.lists(row, max_size=most_rows))


def pairs(values: st.SearchStrategy, most_columns: int = 4, most_rows: int = 5) -> st.SearchStrategy:
    """Return a strategy for two results, most of them alike: shuffled rows and columns, and perhaps a cell changed."""

    @st.composite
    def drawn(draw):
        gold = draw(tables(values, most_columns, most_rows))
        if not gold or draw(st.integers(0, 4)) == 0:
            return gold, draw(tables(values, most_columns, most_rows))
        order = draw(st.permutations(range(len(gold[0])))) if draw(st.booleans()) else range(len(gold[0]))
        predicted = [[row[column] for column in order] for row in gold]
        if draw(st.booleans()):
            predicted = draw(st.permutations(predicted))
        for _ in range(draw(st.integers(0, 2))):
            predicted[draw(st.integers(0, len(gold) - 1))][draw(st.integers(0, len(gold[0]) - 1))] = draw(values)
        return gold, list(map(tuple, predicted))

    return drawn()


def result(rows: list[tuple]) -> Result:
    return Result("ok" if rows else "empty", ("a",) * (len(rows[0]) if rows else 1), tuple(rows))


def rows(*values: tuple) -> Result:
    return Result("ok" if values else "empty", ("a", "b"), values)


# Each rule against its definition


@given(pairs(VALUES), st.booleans())
def test_spider_is_the_rule_tried_with_every_order_of_columns(pair, ordered):
    assert same_result(*map(result, pair), "spider", ordered) is by_every_order(*pair, ordered)


@given(pairs(BITS, most_columns=6, most_rows=7), st.booleans())
def test_spider_among_columns_that_are_hard_to_tell_apart(pair, ordered):
    assert same_result(*map(result, pair), "spider", ordered) is by_every_order(*pair, ordered)


def by_every_order(gold: list[tuple], predicted: list[tuple], ordered: bool) -> bool:
    """Return the verdict of the test-suite rule, by trying all permutations of the columns."""
    if not gold or not predicted:
        return not gold and not predicted
    if len(gold[0]) != len(predicted[0]):
        return False
    tried = ([tuple(row[i] for i in order) for row in predicted] for order in permutations(range(len(gold[0]))))
    return any(gold == other if ordered else Counter(gold) == Counter(other) for other in tried)


@given(pairs(VALUES), st.booleans())
def test_bird_is_the_equality_of_sets(pair, ordered):
    assert same_result(*map(result, pair), "bird", ordered) is (set(pair[0]) == set(pair[1]))


@given(pairs(st.one_of(VALUES, NEAR)) | pairs(NEAR, most_columns=2))
@example(([(A, A), (B, D), (A, C)], [(A, D), (B, A), (A, C)]))  # sorting pairs the wrong rows
@example(([(A,), (A,), (C,)], [(B,), (D,), (D,)]))  # two rows want the same partner
def test_multiset_is_the_rule_tried_with_every_pairing(pair):
    gold, predicted = pair
    alike = len(gold) == len(predicted) and (not gold or len(gold[0]) == len(predicted[0]))
    expected = alike and any(in_step(gold, other) for other in permutations(predicted))
    assert same_result(result(gold), result(predicted), "multiset") is expected


@given(pairs(st.one_of(VALUES, NEAR)))
def test_ordered_is_row_for_row(pair):
    gold, predicted = pair
    alike = len(gold) == len(predicted) and (not gold or len(gold[0]) == len(predicted[0]))
    assert same_result(result(gold), result(predicted), "ordered", True) is (alike and in_step(gold, predicted))


@given(pairs(st.one_of(VALUES, NEAR)), st.lists(st.integers(1, 3), min_size=5, max_size=5))
def test_ties_are_free_within_their_runs(pair, lengths):
    gold, predicted = map(result, pair)
    ends = [min(end, len(gold.rows)) for end in accumulate(lengths)]
    ties = [end - begin for begin, end in pairwise([0, *ends])]
    says = same_result(gold, predicted, "ordered", True, ties)
    alike = len(gold.rows) == len(predicted.rows) and gold.columns == predicted.columns
    cut = [[result(pair[side][begin:end]) for side in (0, 1)] for begin, end in pairwise([0, *ends])]
    assert says is (alike and all(same_result(*parts, "multiset") for parts in cut))
    assert says or not same_result(gold, predicted, "ordered", True)
    assert same_result(gold, predicted, "multiset") or not says


def in_step(gold: list[tuple], predicted: tuple[tuple, ...]) -> bool:
    """Return whether each row is close to the one at the same place."""
    return all(_close(*values) for ours in zip(gold, predicted, strict=True) for values in zip(*ours, strict=True))


# What holds between the rules


@given(pairs(st.one_of(VALUES, NEAR)), st.booleans())
def test_the_stricter_rule_implies_the_looser(pair, ordered):
    gold, predicted = map(result, pair)
    says = {rule: same_result(gold, predicted, rule, ordered) for rule in RULES}
    assert says["multiset"] or not says["ordered"]
    assert says["ordered"] == says["multiset"] or ordered
    assert same_result(gold, predicted, "spider") or not says["spider"]
    exact = not any(isinstance(value, float) for row in (*gold.rows, *predicted.rows) for value in row)
    if exact or gold.rows == predicted.rows:
        assert says["bird"] or not says["multiset"]
        assert says["spider"] or not says["ordered"]


@given(pairs(st.one_of(VALUES, NEAR)), st.booleans(), st.sampled_from(RULES))
def test_it_does_not_matter_which_is_gold(pair, ordered, rule):
    gold, predicted = map(result, pair)
    assert same_result(gold, predicted, rule, ordered) is same_result(predicted, gold, rule, ordered)
    assert same_result(gold, gold, rule, ordered)


@given(pairs(st.one_of(VALUES, NEAR)), st.randoms(use_true_random=False), st.sampled_from(RULES))
def test_shuffled_rows_get_the_same_verdict_where_gold_has_no_order(pair, draw, rule):
    gold, predicted = pair
    shuffled = draw.sample(predicted, len(predicted))
    assert same_result(result(gold), result(shuffled), rule) is same_result(result(gold), result(predicted), rule)


@given(tables(BITS, most_columns=12, most_rows=12), st.randoms(use_true_random=False), st.booleans())
def test_spider_finds_any_order_of_columns(gold, draw, ordered):
    order = draw.sample(range(len(gold[0])), len(gold[0])) if gold else []
    predicted = [tuple(row[column] for column in order) for row in gold]
    if not ordered:
        draw.shuffle(predicted)
    assert same_result(result(gold), result(predicted), "spider", ordered)


def test_spider_tells_columns_apart_by_more_than_counting():
    draw = random.Random(4)
    one_ring, two_rings = ring(24), [(*row, *[0] * 12) for row in ring(12)] + [(*[0] * 12, *row) for row in ring(12)]
    order = draw.sample(range(24), 24)
    other = [tuple(row[column] for column in order) for row in draw.sample(two_rings, 24)]
    assert same_result(result(two_rings), result(other), "spider")
    assert not same_result(result(one_ring), result(other), "spider")


def test_spider_tries_each_candidate_where_all_look_alike():
    rings = [(*row, *[0] * 6) for row in ring(6)]
    rings += [(*[0] * start, *row, *[0] * (9 - start)) for start in (6, 9) for row in ring(3)]
    for seed in range(10):
        order = random.Random(seed).sample(range(12), 12)
        assert same_result(result(rings), result([tuple(row[i] for i in order) for row in rings[::-1]]), "spider")


def ring(size: int) -> list[tuple]:
    """Return a table in which each column shares a row with the next, and the last with the first."""
    return [tuple(int(column in (row, (row + 1) % size)) for column in range(size)) for row in range(size)]


def test_the_default_is_ordered_and_an_unknown_rule_is_an_error():
    first, second = rows((1, 1), (2, 2)), rows((2, 2), (1, 1))
    assert same_result(first, second)
    assert not same_result(first, second, ordered=True)
    assert same_result(first, second, "multiset", ordered=True)
    with pytest.raises(ValueError, match="no rule 'set'; there are ordered"):
        same_result(first, second, "set")


# What golden SQL cannot show


@pytest.mark.parametrize("status", ["error", "denied", "timeout", "too_large", "crashed"])
@pytest.mark.parametrize("how", RULES)
def test_what_did_not_run_never_matches(status, how):
    broken, empty = Result(status, ("a", "b")), rows()
    assert not same_result(broken, broken, how)
    assert not same_result(empty, broken, how)
    assert not same_result(broken, empty, how)
    assert same_result(empty, empty, how)


def test_mixed_types_in_a_column_can_be_compared():
    mixed = [(None, 1), ("x", 2), (b"x", 3), (1.5, 4), (2, 5)]
    noisy = [(None, 1), ("x", 2), (b"x", 3), (1.5 + 1e-12, 4), (2, 5)]
    assert same_result(rows(*mixed), rows(*reversed(noisy)))
    assert not same_result(rows(*mixed), rows(*reversed(noisy[:-1]), (2, 6)))


def test_tolerance_has_an_end():
    assert same_result(rows((1000.0, 0)), rows((1000.0000005, 0)))
    assert not same_result(rows((1000.0, 0)), rows((1000.00001, 0)))
    assert same_result(rows((0.0, 0)), rows((1e-10, 0)))
    assert not same_result(rows((0.0, 0)), rows((1e-8, 0)))


def test_a_float_near_two_whole_numbers_does_not_make_them_equal():
    assert not same_result(rows((10**9 + 1, 0), (10**9 + 0.5, 1)), rows((10**9 + 2, 0), (10**9 + 0.5, 1)))


def test_noise_never_parts_shuffled_rows():
    draw = random.Random(5)
    for _ in range(50):
        exact = [(draw.choice([0.1, 0.2, 0.3, 1e6, 1 / 3]), draw.choice([0.7, 2 / 3, 5.0])) for _ in range(40)]
        noisy = [tuple(value * (1 + draw.uniform(-1e-13, 1e-13)) for value in row) for row in exact]
        draw.shuffle(noisy)
        assert same_result(rows(*exact), rows(*noisy))
        wrong = [*noisy[:-1], (noisy[-1][0], noisy[-1][1] + 0.01)]
        assert not same_result(rows(*exact), rows(*wrong))


def test_many_rows_near_each_other_are_told_apart():
    draw = random.Random(6)
    exact = [(1.7e9 + draw.randrange(20), 1.7e9 + number) for number in range(300)]
    noisy = [tuple(value * (1 + draw.uniform(-1e-15, 1e-15)) for value in row) for row in exact]
    draw.shuffle(noisy)
    assert same_result(rows(*exact), rows(*noisy))
    assert not same_result(rows(*exact), rows(*noisy[:-1], (noisy[-1][0], 1.8e9)))


# Which queries have an order of their own


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t ORDER BY a",
        "select a from t\norder\n by a limit 3",
        "SELECT a FROM t ORDER/* by */BY a",
        "WITH x AS (SELECT 1) SELECT * FROM x ORDER BY 1",
        "SELECT ')' FROM t ORDER BY a",
        "SELECT 'it''s (' FROM t ORDER BY a",
        "SELECT [a)] FROM t ORDER BY a",
        "SELECT a FROM t UNION SELECT b FROM u ORDER BY 1",
    ],
)
def test_ordered(sql):
    assert is_ordered(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t",
        "SELECT * FROM (SELECT a FROM t ORDER BY a)",
        "SELECT rank() OVER (PARTITION BY b ORDER BY a) FROM t",
        "WITH x AS (SELECT a FROM t ORDER BY a LIMIT 3) SELECT * FROM x",
        "SELECT a FROM t -- ORDER BY a",
        "SELECT a FROM t /* ORDER BY a",
        "SELECT 'x ORDER BY a' FROM t",
        'SELECT "order by" FROM t',
        "SELECT `order by` FROM t",
        "SELECT reorder, by_ FROM t",
        "SELECT 'never closed ORDER BY a",
        "",
    ],
)
def test_not_ordered(sql):
    assert not is_ordered(sql)
