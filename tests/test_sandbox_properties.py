"""What is true of the sandbox whatever the SQL: found out with statements that hypothesis makes up."""

import random
import sqlite3
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.accidents import TOKEN, mutated
from bench.fuzz import VARIES, bare, difference
from bench.grammar import SHOP, read_schema, select
from sandbox import Limits, Result, execute, execute_many
from sandbox.result import Status
from tests.hostile.cases import CASES
from tests.singers import made

LIMITS = Limits(timeout_s=0.3, max_rows=300, memory_mb=256)
QUICK = [case.sql for case in CASES if len(case.sql) < 2000 and case.allowed <= {"ok", "empty", "error", "denied"}]
WORDS = sorted({token for sql in [*QUICK, SHOP] for token in TOKEN.findall(sql) if not token.isspace()})
ANY_CHARACTER = st.characters(exclude_categories=())  # surrogates too, which the default leaves out

chances = st.randoms(use_true_random=False)
texts = st.text(ANY_CHARACTER, max_size=300)
soups = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("shop") / "shop.sqlite", SHOP)


@pytest.fixture(scope="module")
def schema(shop):
    return read_schema(shop)


def is_consistent(result: Result) -> bool:
    """Return whether a result's fields agree with its status and with each other."""
    values = [value for row in result.rows for value in row]
    return (
        result.status in get_args(Status)
        and bool(result.rows) == (result.status == "ok")
        and bool(result.message) == (not result.runs)
        and bool(result.columns) == result.runs
        and all(type(row) is tuple and len(row) == len(result.columns) for row in result.rows)
        and all(type(column) is str for column in result.columns)
        and all(value is None or type(value) in (int, float, str, bytes) for value in values)
        and len(result.rows) <= LIMITS.max_rows
        and 0 <= result.seconds < LIMITS.timeout_s + 0.5
    )


def told(result: Result) -> tuple:
    """Return all of a result but how long it took, with 1 and 1.0 told apart."""
    return result.status, result.columns, repr(result.rows), result.message


@given(texts | texts.map("SELECT {}".format) | texts.map("SELECT '{}'".format))
@example("")
@example(";")
@example("SELECT '\ud800'")
@example("SELECT 1\x00")
@example("WITH")
@settings(max_examples=400)
def test_any_text_has_a_result(shop, sql):
    assert is_consistent(execute(shop, sql, LIMITS))


@given(soups | soups.map("SELECT {}".format) | soups.map("WITH RECURSIVE {}".format))
@settings(max_examples=400)
def test_any_words_have_a_result(shop, sql):
    assert is_consistent(execute(shop, sql, LIMITS))


@given(chances)
@settings(max_examples=300)
def test_any_accident_has_a_result(shop, schema, chance):
    start = chance.choice([select(chance, schema), chance.choice(QUICK)])
    assert is_consistent(execute(shop, mutated(chance, start, QUICK), LIMITS))


@given(chances)
@settings(max_examples=300)
def test_a_select_returns_what_sqlite_returns(shop, schema, chance):
    sql = select(chance, schema)
    result = execute(shop, sql, LIMITS)
    connection = bare(shop)
    found = difference(connection, sql, result, LIMITS.max_rows)
    connection.close()
    assert is_consistent(result) and (found == "" or result.status == "timeout")


def test_most_selects_run(shop, schema):
    chance = random.Random(0)
    results = execute_many([(shop, select(chance, schema)) for _ in range(300)], LIMITS)
    statuses = [result.status for result in results]
    assert statuses.count("ok") > 100 and statuses.count("ok") + statuses.count("empty") > 270


@given(st.lists(st.tuples(st.booleans(), chances), min_size=1, max_size=12))
@settings(max_examples=60)
def test_together_and_one_by_one_give_the_same(shop, schema, database, drawn):
    pairs = []
    for in_shop, chance in drawn:
        sql = select(chance, schema, depth=1)
        pairs.append((shop if in_shop else database, sql if chance.random() < 0.7 else mutated(chance, sql, QUICK)))
    pairs = [(path, sql) for path, sql in pairs if not VARIES.search(sql)] * 2  # each twice
    together = execute_many(pairs, LIMITS)
    assert [told(result) for result in together] == [told(execute(path, sql, LIMITS)) for path, sql in pairs]


@given(soups | chances.map(lambda chance: mutated(chance, chance.choice(QUICK), QUICK)))
@settings(max_examples=200)
def test_the_same_again_is_the_same(shop, sql):
    if not VARIES.search(sql):
        assert told(execute(shop, sql, LIMITS)) == told(execute(shop, sql, LIMITS))


VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=("Cs",)))
    | st.binary()
)


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=20))
@settings(max_examples=60)
def test_values_come_back_as_they_are(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("values") / "v.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE v (a, b, c)")
    connection.executemany("INSERT INTO v VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()
    assert repr(list(execute(path, "SELECT * FROM v", LIMITS).rows)) == repr(rows)


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=40)
def test_the_limit_on_rows_is_exact(database, rows, most):
    counted = f"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT {rows}) SELECT x FROM c"
    result = execute(database, counted, Limits(max_rows=most))
    assert (result.status == "ok") == (rows <= most) and len(result.rows) in (0, rows)
