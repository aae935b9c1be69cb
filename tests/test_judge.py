"""When two results are the same: golden pairs, and what SQL cannot show."""

import random
import re
from pathlib import Path

import pytest

from sandbox import Result, database_file, execute, is_ordered, same_result

GOLDEN = (Path(__file__).parent / "golden" / "judge.sql").read_text()
HEADER = re.compile(r"^-- multiset: (true|false)  bird: (true|false)  (.+)\n(.+;)\n(.+;)$", re.MULTILINE)
PAIRS = [(title, multiset, bird, sql, gold) for multiset, bird, title, sql, gold in HEADER.findall(GOLDEN)]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANQL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield database_file(GOLDEN.split("-- multiset:")[0])


def rows(*values: tuple) -> Result:
    return Result("ok" if values else "empty", ("a", "b"), values)


def test_every_golden_pair_is_read():
    assert len(PAIRS) == GOLDEN.count("-- multiset:") >= 30


@pytest.mark.parametrize(("title", "multiset", "bird", "sql", "gold_sql"), PAIRS, ids=[p[0] for p in PAIRS])
def test_golden_pair(database, title, multiset, bird, sql, gold_sql):
    gold, predicted = execute(database, gold_sql), execute(database, sql)
    assert same_result(gold, predicted, "multiset", is_ordered(gold_sql)) is (multiset == "true")
    assert same_result(gold, predicted, "bird", is_ordered(gold_sql)) is (bird == "true")


@pytest.mark.parametrize("status", ["error", "denied", "timeout", "too_large", "crashed"])
@pytest.mark.parametrize("how", ["multiset", "bird"])
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
    assert same_result(rows((1000.0, 0)), rows((1000.0005, 0)))
    assert not same_result(rows((1000.0, 0)), rows((1000.01, 0)))
    assert same_result(rows((0.0, 0)), rows((1e-10, 0)))
    assert not same_result(rows((0.0, 0)), rows((1e-8, 0)))


def test_a_float_near_two_whole_numbers_does_not_make_them_equal():
    assert not same_result(rows((1_000_001, 0), (1_000_000.5, 1)), rows((1_000_002, 0), (1_000_000.5, 1)))


def test_noise_never_parts_shuffled_rows():
    draw = random.Random(5)
    for _ in range(50):
        exact = [(draw.choice([0.1, 0.2, 0.3, 1e6, 1 / 3]), draw.choice([0.7, 2 / 3, 5.0])) for _ in range(40)]
        noisy = [tuple(value * (1 + draw.uniform(-1e-13, 1e-13)) for value in row) for row in exact]
        draw.shuffle(noisy)
        assert same_result(rows(*exact), rows(*noisy))
        wrong = [*noisy[:-1], (noisy[-1][0], noisy[-1][1] + 0.01)]
        assert not same_result(rows(*exact), rows(*wrong))


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
