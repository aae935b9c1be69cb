"""Variants tell near misses of a query from it, and never what means the same."""

import json
import shutil

import pytest

from bench import lucky
from bench.rewritings import equivalents
from sandbox import Limits
from sandbox import variants as module
from sandbox.variant_chance import settled, single_subqueries
from sandbox.variant_facts import NOTHING, Condition, Link, Slot
from sandbox.variant_query import read_query
from sandbox.variants import agree_on_all, variants
from tasks.mutations import near_misses
from tests.shop import JOIN, KEY_COLUMNS, rows
from tests.singers import FOR_EVER, made

# Near misses fail


NEAR_MISSES = [
    ("SELECT name FROM customer WHERE age > 45", "SELECT name FROM customer WHERE age >= 45"),
    ("SELECT name FROM customer WHERE age > 45", "SELECT name FROM customer WHERE age > 46"),
    ("SELECT name FROM customer WHERE age <= 45.5", "SELECT name FROM customer WHERE age < 45.5"),
    ("SELECT DISTINCT name FROM customer", "SELECT name FROM customer"),
    ("SELECT name FROM customer", "SELECT DISTINCT name FROM customer"),
    ("SELECT count(*) FROM customer", "SELECT count(age) FROM customer"),
    ("SELECT count(*) FROM customer", "SELECT count(DISTINCT name) FROM customer"),
    ("SELECT count(DISTINCT amount) FROM purchase", "SELECT count(amount) FROM purchase"),
    ("SELECT name FROM customer WHERE city = 'Rome' AND age > 20", "SELECT name FROM customer WHERE city = 'Rome'"),
    ("SELECT name FROM customer WHERE city = 'Rome'", "SELECT name FROM customer WHERE city LIKE '%Rome%'"),
    ("SELECT name FROM customer WHERE city LIKE '%om%'", "SELECT name FROM customer WHERE city LIKE '%ome'"),
    ("SELECT max(age) FROM customer WHERE city <> 'Bonn'", "SELECT max(age) FROM customer"),
    (
        "SELECT name FROM customer WHERE age < 30 AND city = 'Bonn'",
        "SELECT name FROM customer WHERE age < 30 OR city = 'Bonn'",
    ),
    (JOIN, JOIN.replace("> 2", "BETWEEN 3 AND 6")),
    (
        "SELECT c.name FROM customer AS c JOIN purchase AS p ON p.customer = c.id",
        "SELECT c.name FROM customer AS c LEFT JOIN purchase AS p ON p.customer = c.id",
    ),
    (
        "SELECT DISTINCT c.name FROM customer AS c JOIN purchase AS p ON p.customer = c.id",
        "SELECT DISTINCT c.name FROM customer AS c, purchase AS p",
    ),
    ("SELECT name FROM customer ORDER BY age DESC LIMIT 1", "SELECT name FROM customer WHERE age > 50"),
    ("SELECT name FROM customer WHERE age > 26 ORDER BY age LIMIT 1", "SELECT name FROM customer WHERE age = 30"),
    (
        "SELECT city FROM customer GROUP BY city HAVING count(*) >= 2",
        "SELECT city FROM customer GROUP BY city HAVING count(*) = 2",
    ),
    (
        "SELECT name FROM customer WHERE age > (SELECT avg(age) FROM customer)",
        "SELECT name FROM customer WHERE age >= (SELECT avg(age) FROM customer)",
    ),
    ("SELECT city FROM customer EXCEPT SELECT title FROM product", "SELECT DISTINCT city FROM customer"),
    (
        "SELECT city FROM customer UNION SELECT title FROM product",
        "SELECT DISTINCT city FROM customer UNION ALL SELECT title FROM product",
    ),
    (
        "SELECT name FROM customer WHERE id IN (SELECT customer FROM purchase WHERE product = 'P-1')",
        "SELECT name FROM customer WHERE id IN (SELECT customer FROM purchase WHERE product < 'P-2')",
    ),
    (
        "SELECT sum(amount) FROM purchase WHERE strftime('%Y', day) = '2020'",
        "SELECT sum(amount) FROM purchase WHERE day < '2021-01-01'",
    ),
]


@pytest.mark.parametrize(("gold_sql", "sql"), NEAR_MISSES)
def test_a_near_miss_passes_on_the_original_and_not_on_all(shop, gold_sql, sql):
    assert agree_on_all(shop, gold_sql, [gold_sql, sql], count=0) == [True, True]
    assert agree_on_all(shop, gold_sql, [gold_sql, sql], count=6) == [True, False]


# Right answers never fail


GOLDS = [
    *dict.fromkeys(gold_sql for gold_sql, _ in NEAR_MISSES),
    "SELECT c.city, count(*) FROM customer AS c JOIN purchase AS p ON p.customer = c.id GROUP BY c.city",
    "SELECT city FROM customer JOIN purchase ON customer = id GROUP BY city ORDER BY count(*) DESC LIMIT 1",
    "SELECT name, age FROM customer WHERE age BETWEEN 30 AND 40 OR city = 'Oslo' ORDER BY age",
    "SELECT name FROM customer WHERE id NOT IN (SELECT customer FROM purchase)",
    "SELECT title FROM product WHERE NOT EXISTS (SELECT 1 FROM purchase WHERE product = code AND amount > 5)",
    "WITH big AS (SELECT * FROM purchase WHERE amount > 2) SELECT avg(price) FROM big JOIN product ON code = product",
    "SELECT city, max(age) FROM customer GROUP BY city",
]


@pytest.mark.parametrize("gold_sql", GOLDS)
def test_rewritings_that_mean_the_same_pass_on_all(shop, gold_sql):
    columns = {
        table: {name.lower(): kind or "TEXT" for _, name, kind, *_ in rows(shop, f"PRAGMA table_info({table})")}
        for table in KEY_COLUMNS
    }
    same = equivalents(gold_sql, columns)
    assert len(same) >= 2
    passing = agree_on_all(shop, gold_sql, [one.sql for one in same], count=0)
    assert sum(passing) >= 2
    right = [one for one, passes in zip(same, passing, strict=True) if passes]
    verdicts = agree_on_all(shop, gold_sql, [one.sql for one in right], count=6)
    assert [one for one, verdict in zip(right, verdicts, strict=True) if not verdict] == []


def test_most_near_misses_of_a_query_that_pass_are_found_out(shop):
    gold_sql = "SELECT name FROM customer WHERE city = 'Rome' AND age > 29"
    misses = near_misses(gold_sql, {"customer": {"id": "INT", "name": "TEXT", "city": "TEXT", "age": "INT"}})
    assert {"boundary", "constant", "condition_dropped", "and_for_or", "negated", "wrong_column"} <= {
        m.kind for m in misses
    }
    sqls = [miss.sql for miss in misses]
    lucky = sum(agree_on_all(shop, gold_sql, sqls, count=0))
    assert lucky >= 4 and sum(agree_on_all(shop, gold_sql, sqls)) <= lucky // 4


def test_the_bench_counts_both_and_goes_on_where_it_was(shop, tmp_path, capsys, monkeypatch):
    golds = ["SELECT name FROM customer WHERE age > 45", JOIN, "SELECT nope FROM customer"]
    (tmp_path / "database" / "shop").mkdir(parents=True)
    shutil.copy(shop, tmp_path / "database" / "shop" / "shop.sqlite")
    items = [{"db_id": "shop", "query": sql, "question": "?"} for sql in [*golds, golds[0]]]
    (tmp_path / "train.json").write_text(json.dumps([*items, {"db_id": "missing", "query": "SELECT 1"}]))
    command = [str(tmp_path), "--output", str(tmp_path / "lucky.jsonl")]
    assert lucky.main(command) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["queries"], summary["skipped"], summary["rejected"], summary["variants"]) == (3, 1, 0, 8)
    assert summary["near_misses"] > summary["lucky"] >= summary["found_out"] >= 4
    assert summary["rewritings"] >= summary["rewritings_passed"] > 10
    monkeypatch.setattr(lucky, "measure", lambda *_: pytest.fail("measured again"))
    assert lucky.main(command) == 0
    assert json.loads(capsys.readouterr().out) == summary
    assert lucky.main([str(tmp_path / "nowhere")]) == 2


# What counts


def test_an_answer_left_to_chance_has_no_variants(shop, monkeypatch):
    assert variants(shop, "SELECT random() AS r ORDER BY r") == ()
    monkeypatch.setattr(module, "variants", lambda *_: ())
    assert agree_on_all(shop, JOIN, [JOIN, "SELECT 1"]) == [True, False]


def test_a_limit_without_order_leaves_nothing_open(shop):
    """Such a query has one answer only where the limit cuts nothing off, or nothing that shows."""
    sql = "SELECT city FROM customer LIMIT 2"
    same = [
        "SELECT city FROM customer ORDER BY id LIMIT 2",
        "SELECT city FROM customer NOT INDEXED ORDER BY id LIMIT 2",
    ]
    assert agree_on_all(shop, sql, [*same, "SELECT city FROM customer LIMIT 1"], count=6) == [True, True, False]


def test_ties_do_not_fail_a_right_answer(shop):
    """Ages may be the same in a variant, but not for two names where the query orders by them."""
    gold_sql = "SELECT name FROM customer ORDER BY age"
    for file in variants(shop, gold_sql, count=6):
        assert rows(file, "SELECT age FROM customer GROUP BY age HAVING count(DISTINCT name) > 1") == []
    assert agree_on_all(shop, gold_sql, ["SELECT name FROM customer ORDER BY age, name DESC"], count=6) == [True]


BARE = "SELECT c.name, count(*) FROM customer AS c JOIN purchase AS p ON p.customer = c.id GROUP BY c.city"
ONE = "SELECT name FROM customer WHERE city = (SELECT city FROM customer WHERE name = 'Cy')"


@pytest.mark.parametrize(
    ("gold_sql", "same"),
    [
        (BARE, BARE.replace("p.customer = c.id", "NOT p.customer <> c.id")),
        (ONE, ONE.replace("city = (", "city IN (")),
        (ONE, "SELECT a.name FROM customer AS a JOIN customer AS b ON a.city = b.city WHERE b.name = 'Cy'"),
    ],
)
def test_what_the_gold_query_takes_for_single_is_single(shop, gold_sql, same):
    """A column that its group does not settle, a subquery that stands for one value."""
    assert variants(shop, gold_sql, count=12)
    assert agree_on_all(shop, gold_sql, [same], count=0) == agree_on_all(shop, gold_sql, [same], count=12)


def test_a_gold_query_that_fails_agrees_with_nothing(shop):
    assert agree_on_all(shop, "SELECT nope FROM customer", ["SELECT nope FROM customer", "SELECT 1"]) == [False, False]
    assert variants(shop, "SELECT nope FROM customer") == ()


def test_a_variant_on_which_the_gold_query_fails_does_not_count(shop, tmp_path, monkeypatch):
    other = made(tmp_path / "other.sqlite", "CREATE TABLE other (a)")
    monkeypatch.setattr(module, "variants", lambda *_: (other,))
    assert agree_on_all(shop, JOIN, [JOIN, "SELECT 1"]) == [True, False]


def test_no_queries_and_hostile_queries(shop):
    assert agree_on_all(shop, JOIN, []) == []
    hostile = [FOR_EVER, "DROP TABLE customer", "", "SELECT '\x00'"]
    assert agree_on_all(shop, JOIN, [*hostile, JOIN], limits=Limits(timeout_s=0.3)) == [False] * 4 + [True]


def test_the_rule_is_passed_on(shop):
    gold_sql, sql = "SELECT city FROM customer", "SELECT DISTINCT city FROM customer"
    assert agree_on_all(shop, gold_sql, [sql], how="bird") == [True]
    assert agree_on_all(shop, gold_sql, [sql], how="multiset") == [False]


# Reading the query


COLUMNS = {"t": frozenset({"a", "b", "d"}), "u": frozenset({"a", "c"})}


def test_conditions_are_found_under_any_name():
    sql = 'SELECT x.a FROM t AS x, (SELECT c AS k FROM u WHERE c <> 7) AS y WHERE x.b > 3 AND k LIKE "q%" AND 5 >= d'
    found = read_query(sql, COLUMNS)
    assert found.uses == ("t", "u")
    assert set(found.conditions) == {
        Condition(Slot(0, "b"), ">", 3),
        Condition(Slot(0, "d"), "<=", 5),
        Condition(Slot(1, "c"), "!=", 7),
        Condition(Slot(1, "c"), "like", "q%"),
    }


@pytest.mark.parametrize(
    ("sql", "holds"),
    [
        ("SELECT 1 FROM t JOIN u ON t.a = u.c", True),
        ("SELECT 1 FROM t JOIN u ON NOT t.a = u.c", False),
        ("SELECT 1 FROM t WHERE a IN (SELECT c FROM u)", True),
        ("SELECT 1 FROM t WHERE a NOT IN (SELECT c FROM u)", False),
        ("SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE c = t.a)", True),
        ("SELECT 1 FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE c = t.a)", False),
        ("SELECT a FROM t INTERSECT SELECT c FROM u", True),
        ("SELECT a FROM t EXCEPT SELECT c FROM u", False),
    ],
)
def test_links_and_whether_they_must_hold(sql, holds):
    (link,) = read_query(sql, COLUMNS).links
    assert {link.left, link.right} == {Slot(0, "a"), Slot(1, "c")} and link.holds is holds


def test_using_groups_orders_limits_and_counts():
    sql = "SELECT a, count(*) AS n FROM t JOIN u USING (a) GROUP BY b HAVING count(*) > 2 ORDER BY n, d LIMIT 4"
    found = read_query(sql, COLUMNS)
    assert found.links == (Link(Slot(1, "a"), Slot(0, "a")),)
    assert (found.grouped, found.ordered, found.counts, found.limit) == ((Slot(0, "b"),), (Slot(0, "d"),), (2,), 4)
    assert found.by_aggregate and found.may_vary and not found.conditions


@pytest.mark.parametrize(
    "sql", ["SELEC", "", "SELECT (", "SELECT '", "DROP TABLE t", "((((" * 500, "SELECT a FROM nowhere"]
)
def test_what_cannot_be_read_says_nothing(sql):
    found = read_query(sql, COLUMNS)
    assert found == NOTHING or (found.uses, found.links, found.conditions) == ((), (), ())
    assert isinstance(settled(sql), tuple) and isinstance(single_subqueries(sql), tuple)
