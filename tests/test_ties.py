"""Ties: which rows a gold ORDER BY leaves tied, told for any query that SQLite takes, and judged so."""

import sqlite3
from itertools import accumulate, groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import Limits, Result, database_file, execute, judge_many, same_result
from sandbox.databases import locate
from sandbox.reading import Reader
from sandbox.ties import tied_runs
from sandbox.worker import Desk

SCRIPT = """
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, "order by" TEXT, people INTEGER);
INSERT INTO city VALUES (1, 'ulm', 'DE', 3), (2, 'Bonn', 'DE', 7), (3, 'Graz', 'AT', 7), (4, 'ULM', 'AT', NULL),
    (5, 'Bern', NULL, 1), (6, 'Chur', NULL, NULL);
CREATE INDEX by_people ON city (people);
"""


@pytest.fixture(scope="module")
def cities(cache):
    return database_file(SCRIPT)


@pytest.mark.parametrize(
    ("sql", "runs"),
    [
        # terms: names, expressions, ordinals, aliases
        ("SELECT id FROM city ORDER BY people", (2, 1, 1, 2)),
        ("SELECT id FROM city ORDER BY people DESC, id % 2", (1, 1, 1, 1, 2)),
        ("SELECT id, people FROM city ORDER BY 2", (2, 1, 1, 2)),
        ("SELECT id, people AS p FROM city ORDER BY p", (2, 1, 1, 2)),
        ("SELECT id AS people, people AS id FROM city ORDER BY people", (1,) * 6),
        ("SELECT id, people AS n FROM city ORDER BY n IS NULL", (4, 2)),
        ("SELECT id FROM city ORDER BY CASE WHEN people > 2 THEN 'a, b' ELSE ')' END, 1 > 3", (3, 3)),
        ("SELECT * FROM city ORDER BY people", (2, 1, 1, 2)),
        # NULL, collations
        ("SELECT id FROM city ORDER BY people NULLS LAST", (1, 1, 2, 2)),
        ("SELECT id FROM city ORDER BY people DESC NULLS FIRST", (2, 2, 1, 1)),
        ("SELECT id FROM city ORDER BY name DESC", (2, 1, 1, 1, 1)),
        ("SELECT name FROM city ORDER BY name DESC", (2, 1, 1, 1, 1)),
        ("SELECT name FROM city ORDER BY 1 COLLATE BINARY DESC", (1,) * 6),
        ('SELECT id FROM city ORDER BY "order by" COLLATE NOCASE', (2, 2, 2)),
        # quoted names, texts and comments
        ('SELECT id FROM city ORDER BY "order by" -- LIMIT 1, 2', (2, 2, 2)),
        ("SELECT id FROM city ORDER BY [order by] /* , id", (2, 2, 2)),
        ("SELECT id FROM city ORDER/**/BY `order by` ; -- done;", (2, 2, 2)),
        ("SELECT id, '-- /* LIMIT' FROM city WHERE name <> 'it''s ;' order\nby \"order by\" limit 9 ;", (2, 2, 2)),
        # parentheses, windows, WITH
        ("SELECT id FROM (SELECT * FROM city ORDER BY id LIMIT 5, 1) ORDER BY people", (1,)),
        ("SELECT id, rank() OVER (ORDER BY people) FROM city ORDER BY 2", (2, 1, 1, 2)),
        ("SELECT id, rank() OVER w FROM city WINDOW w AS (ORDER BY id) ORDER BY people", (2, 1, 1, 2)),
        ("SELECT id FROM city ORDER BY (SELECT count(*) FROM city c WHERE c.people < city.people)", (3, 1, 2)),
        ("SELECT id FROM city ORDER BY rank() OVER (ORDER BY people), id / 5", (1, 1, 1, 1, 2)),
        ("WITH c AS (SELECT id, people p FROM city ORDER BY id LIMIT 9) SELECT id FROM c ORDER BY p", (2, 1, 1, 2)),
        # DISTINCT, GROUP BY, compound
        ('SELECT DISTINCT people, "order by" FROM city ORDER BY 1', (2, 1, 1, 2)),
        ('SELECT DISTINCT "order by" FROM city ORDER BY "order by" IS NULL', (2, 1)),
        ('SELECT DISTINCT "order by" FROM city WHERE id > 2 ORDER BY people IS NOT NULL', (2,)),
        ('SELECT "order by", count(*) AS n FROM city GROUP BY 1 ORDER BY n', (3,)),
        ('SELECT "order by" FROM city GROUP BY 1 HAVING count(*) = 2 ORDER BY sum(people) DESC', (1, 1, 1)),
        ('SELECT people, "order by" FROM city UNION SELECT 9, 9 ORDER BY people', (2, 1, 1, 2, 1)),
        ("SELECT id, people FROM city UNION ALL SELECT id, people FROM city WHERE id = 5 ORDER BY 2", (2, 1, 1, 1, 2)),
        # LIMIT
        ("SELECT id FROM city ORDER BY people LIMIT 4", (2, 1, 1)),
        ("SELECT id FROM city ORDER BY people LIMIT 2 + 4", (2, 1, 1, 2)),
        ("SELECT id FROM city ORDER BY people LIMIT (SELECT 6 LIMIT 1 OFFSET 0)", (2, 1, 1, 2)),
    ],
)
def test_runs(cities, sql, runs):
    gold = execute(cities, sql)
    assert gold.status == "ok"
    assert tied_runs(sql, gold, lambda text: execute(cities, text)) == runs


@pytest.mark.parametrize(
    ("sql", "runs"),
    [
        ("SELECT id FROM city ORDER BY people DESC NULLS FIRST LIMIT 3", (2, 1)),
        ("SELECT id FROM city ORDER BY (people > 1) DESC, people DESC NULLS FIRST LIMIT 5", (2, 1, 1, 1)),
        ("SELECT id FROM city ORDER BY people LIMIT 1", None),
        ("SELECT 1 FROM city ORDER BY people LIMIT 1", (1,)),
    ],
)
def test_a_limit_that_cuts_through_a_tie_is_strict_from_there_on(cities, sql, runs):
    assert tied_runs(sql, execute(cities, sql), lambda text: execute(cities, text)) == runs


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM city",
        "SELECT id FROM (SELECT * FROM city ORDER BY people)",
        "SELECT id FROM city ORDER BY people LIMIT 4 OFFSET 1",
        "SELECT id FROM city ORDER BY people LIMIT 0, 6",
        "SELECT id FROM city WHERE id > 9 ORDER BY people",
        "SELECT random() FROM city ORDER BY 1",
        "SELECT random(), id FROM city ORDER BY id > 0",
        "SELECT hex(randomblob(9)) AS r FROM city ORDER BY people, r",
    ],
)
def test_what_cannot_be_told(cities, sql):
    assert tied_runs(sql, execute(cities, sql), lambda text: execute(cities, text)) is None


def test_a_query_that_fails_tells_nothing(cities):
    sql = "SELECT id FROM city ORDER BY people"
    gold = execute(cities, sql)
    asked = []
    for status in ("error", "timeout", "too_large"):
        assert tied_runs(sql, gold, lambda text, status=status: asked.append(text) or Result(status)) is None
    assert len(asked) == 6 and all(text.startswith(sql) for text in asked)


def test_a_random_order_is_seldom_taken_for_a_tie(cities):
    sql = "SELECT id FROM city ORDER BY random()"
    found = [tied_runs(sql, execute(cities, sql), lambda text: execute(cities, text)) for _ in range(20)]
    assert found.count((6,)) <= 3  # one in 720 by chance


# Against sort keys worked out by hand

TERMS = {
    "a": lambda row: row[0],
    "b DESC": lambda row: row[1],
    "1 NULLS LAST": lambda row: row[0],
    "2 COLLATE NOCASE DESC": lambda row: row[1] and row[1].lower(),
    "typeof(a)": lambda row: type(row[0]),
    "c % 2": lambda row: row[2] % 2,
}
VALUES = st.tuples(st.sampled_from([None, 0, 1]), st.sampled_from([None, "x", "X"]), st.integers(0, 3))


@given(st.lists(VALUES, min_size=1, max_size=9), st.lists(st.sampled_from(list(TERMS)), min_size=1), st.integers(1, 9))
def test_runs_are_those_of_equal_keys(table, terms, limit):
    sql = f"SELECT a, b, c FROM t ORDER BY {', '.join(terms)}"
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (a, b, c)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", table)

        def run(text: str) -> Result:
            return Result("ok", rows=tuple(connection.execute(text).fetchall()))

        whole, cut = run(sql), run(f"{sql} LIMIT {limit}")
        found, found_cut = tied_runs(sql, whole, run), tied_runs(f"{sql} LIMIT {limit}", cut, run)
    ties = [list(rows) for _, rows in groupby(whole.rows, lambda row: [TERMS[term](row) for term in terms])]
    assert found == cut_up(ties)
    ends = set(accumulate(map(len, ties)))
    assert found_cut is None or set(accumulate(found_cut)) >= {end for end in ends if end <= limit}
    if limit in ends:
        assert found_cut == cut_up(ties[: sorted(ends).index(limit) + 1])


def cut_up(ties: list[list[tuple]]) -> tuple[int, ...]:
    """Return the lengths of the runs, those of equal rows as ones."""
    return tuple(n for rows in ties for n in ([len(rows)] if len(set(rows)) > 1 else [1] * len(rows)))


# The verdict


def made(*values: tuple) -> Result:
    return Result("ok", ("a",) * len(values[0]), values)


def test_each_run_is_compared_as_a_multiset():
    gold = made((1, "a"), (1, "b"), (2, "c"), (3, "d"), (3, "e"))
    ties = (2, 1, 2)
    tied, across = (gold.rows[i] for i in (1, 0)), (gold.rows[i] for i in (0, 2))
    moved = made(*tied, *gold.rows[2:])
    assert same_result(gold, moved, "ordered", True, ties)
    assert not same_result(gold, moved, "ordered", True)
    assert not same_result(gold, made(*across, gold.rows[1], *gold.rows[3:]), "ordered", True, ties)
    assert not same_result(gold, made(*gold.rows[:4], (3, "f")), "ordered", True, ties)
    assert not same_result(gold, made(*gold.rows[:4]), "ordered", True, ties)
    assert not same_result(gold, moved, "spider", True, ties)  # as published


def test_the_tolerance_holds_within_ties():
    gold, predicted = made((0.1 + 0.2,), (7.0,), (8.0,)), made((7.0,), (0.3,), (8.0 + 1e-12,))
    assert same_result(gold, predicted, "ordered", True, (2, 1))
    assert not same_result(gold, predicted, "ordered", True, (1, 2))


GOLD = "SELECT name, people FROM city ORDER BY people"


@pytest.mark.parametrize(
    ("sql", "correct"),
    [
        ("SELECT name, people FROM city ORDER BY people, name", True),
        ("SELECT name, people FROM city ORDER BY people, name DESC", True),
        ("SELECT name, people FROM city ORDER BY people DESC", False),
        ("SELECT name, people FROM city ORDER BY people NULLS LAST", False),
        ("SELECT name, people FROM city ORDER BY name", False),
        ("SELECT name, people FROM city ORDER BY people, name LIMIT 5", False),
        ("SELECT upper(name), people FROM city ORDER BY people, name", False),
    ],
)
def test_verdicts(cities, sql, correct):
    for how, expected in (("ordered", correct), ("multiset", not sql.endswith("5") and "upper" not in sql)):
        (verdict,) = judge_many([(cities, GOLD, sql)], how)
        assert verdict.correct is expected


def test_ties_serve_all_answers_of_a_group(cities):
    sqls = [f"SELECT name, people FROM city ORDER BY people, {key}" for key in ("id", "name", "-id", "name DESC, id")]
    for workers in (1, 2):
        verdicts = judge_many([(cities, GOLD, sql) for sql in sqls], workers=workers)
        assert [verdict.correct for verdict in verdicts] == [True] * 4


def test_ties_are_worked_out_once_and_only_where_they_matter(cities, monkeypatch):
    ran = []
    rows = Reader.rows
    monkeypatch.setattr(Reader, "rows", lambda *words: ran.append(words[1]) or rows(*words))
    monkeypatch.setattr("sandbox.worker.limit_time", lambda seconds: None)  # it would end this process, not a worker
    database = locate(cities)
    desk = Desk(memoryview(bytearray(8)).cast("I"))
    request = {"databases": [[database.uri, *database.key]], "quick_s": None}
    plain, tied, other, wrong = (f"SELECT name, people FROM city ORDER BY {n}" for n in ("2", "2, 1", "2, -id", "1"))
    for sql, how, runs, correct in (
        (plain, "ordered", 2, True),  # gold, and the prediction
        (tied, "multiset", 1, True),
        (tied, "ordered", 3, True),
        (other, "ordered", 1, True),
        (wrong, "ordered", 1, False),
        (GOLD.replace("SELECT", "SELECT 1,"), "ordered", 1, False),
    ):
        ran.clear()
        _, _, _, verdict, _ = desk.answer([0, GOLD, sql], request | {"how": how}, Limits())
        assert (len(ran), verdict) == (runs, correct)


def test_where_the_ties_cost_more_than_a_query_may_the_order_is_golds(cache):
    """The gold query and the answer follow an index; only what asks for the ties has to sort."""
    counting = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000) SELECT x, 1 FROM c"
    database = database_file(f"CREATE TABLE n (x, y); INSERT INTO n {counting}; CREATE INDEX i ON n (y, x);")
    item = (database, "SELECT x, y FROM n ORDER BY y", "SELECT x, y FROM n ORDER BY y DESC, x DESC")
    for max_steps, correct in ((200_000, True), (20_000, False)):
        (verdict,) = judge_many([item], limits=Limits(max_steps=max_steps))
        assert (verdict.gold, verdict.status, verdict.correct) == ("ok", "ok", correct)
