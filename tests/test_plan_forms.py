"""Plans of forms that the training corpora lack: each is covered, said in words, and runs as it did."""

import re
from pathlib import Path

import pytest

from distill.plan import write_plan
from distill.plan_sql import plain_sql
from sandbox import execute
from tasks.plan_names import facts_of_sql, names_in_plan
from tasks.schema import Schema
from tests.shop import task_on

# A query, and what its full plan must say.
FORMS = [
    (
        "SELECT name, rank() OVER (PARTITION BY city ORDER BY age DESC) AS place FROM customer",
        "the rank of each row among the rows with the same customer.city, by customer.age, highest first (rank(), ties"
        " leave gaps)",
    ),
    (
        "WITH r AS (SELECT name, dense_rank() OVER (ORDER BY age) AS k FROM customer) SELECT name FROM r WHERE k <= 2",
        "A, which the query calls r: open customer; deliver customer.name, and the rank of each row, by customer.age,"
        " lowest first (dense_rank(), ties leave no gaps) as k",
    ),
    (
        "SELECT day, sum(amount) OVER (ORDER BY day ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM purchase",
        "the sum of purchase.amount, by purchase.day, earliest first, from 2 rows before it to the row itself",
    ),
    (
        "SELECT day, amount - lag(amount) OVER w FROM purchase WINDOW w AS (PARTITION BY customer ORDER BY day)",
        "purchase.amount of 1 row before each row among the rows with the same purchase.customer, by purchase.day,"
        " earliest first",
    ),
    ("SELECT name, avg(age) OVER (PARTITION BY city) FROM customer", "average of customer.age among the rows with"),
    ("SELECT name, ntile(2) OVER (ORDER BY age) FROM customer", "which of 2 equal parts each row is in"),
    ("SELECT name, count(*) OVER () FROM customer", "the number of rows over all rows (a window)"),
    ("SELECT name, sum(age) OVER (ORDER BY age) FROM customer", "from the start up to each row"),
    (
        "SELECT title, CASE WHEN price > 15 THEN 'dear' WHEN price > 5 THEN 'fair' ELSE 'cheap' END FROM product",
        "'dear' if product.price > 15, else 'fair' if product.price > 5, else 'cheap' (CASE)",
    ),
    (
        "SELECT sum(CASE WHEN age > 40 THEN 1 ELSE 0 END) FROM customer",
        "the number of rows where customer.age > 40 (a sum of 1 for each, else 0)",
    ),
    ("SELECT count(CASE city WHEN 'Rome' THEN 1 END) FROM customer", "the number of rows where customer.city = 'Rome'"),
    (
        "SELECT city, 100.0 * sum(iif(age > 40, 1, 0)) / count(*) FROM customer GROUP BY city",
        "(sum gives the number of rows where customer.age > 40)",
    ),
    (
        "SELECT max(CASE WHEN city = 'Rome' THEN age END) FROM customer",
        "the maximum of customer.age over rows where customer.city = 'Rome'",
    ),
    ("SELECT count(*) FILTER (WHERE age > 30) FROM customer", "the number of rows where customer.age > 30 (FILTER)"),
    (
        "SELECT strftime('%Y', day) AS y, count(*) FROM purchase GROUP BY y",
        "Group the rows by the year of purchase.day (strftime '%Y').",
    ),
    ("SELECT count(*) FROM purchase WHERE day > date('now', '-1 year')", "(1 year before today)"),
    ("SELECT julianday('now') - julianday(day) > 30 FROM purchase", "julianday counts in days"),
    ("SELECT amount FROM purchase WHERE strftime('%m', day) = '07'", "('%m' is the month)"),
    (
        "SELECT max(n) FROM (SELECT count(*) AS n FROM purchase GROUP BY customer) AS counts",
        "A: open purchase; group the rows by purchase.customer; deliver the number of rows in each group as n.",
    ),
    ("SELECT avg(n) FROM (SELECT sum(amount) AS n FROM purchase GROUP BY product)", "the average of A.n"),
    (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT x FROM n",
        "begin with the rows of B; add the rows of C, again and again, each time from the rows added last, until there"
        " are no more",
    ),
    (
        "WITH RECURSIVE up(id) AS (SELECT id FROM customer WHERE name = 'Ada' UNION "
        "SELECT customer.id FROM customer JOIN up ON customer.id = up.id + 1) "
        "SELECT name FROM customer JOIN up USING (id)",
        "add the rows of C that are not there yet",
    ),
    (
        "SELECT name FROM customer AS c WHERE EXISTS (SELECT 1 FROM purchase WHERE customer = c.id AND amount > 4)",
        "where EXISTS A (A has at least one row)",
    ),
    (
        "SELECT name FROM customer WHERE NOT EXISTS (SELECT * FROM purchase WHERE customer = id)",
        "NOT EXISTS A (A has no row)",
    ),
    ("SELECT name FROM customer WHERE age > (SELECT avg(age) FROM customer)", "A, one value: open customer"),
    ("SELECT name FROM customer WHERE id NOT IN (SELECT customer FROM purchase)", "A, a list: open purchase"),
    (
        "SELECT c.name FROM customer AS c LEFT JOIN purchase AS p ON p.customer = c.id WHERE p.customer IS NULL",
        "purchase.customer IS NULL (no match was found)",
    ),
    ("SELECT a.name FROM customer a JOIN customer b ON a.age > b.age AND b.name = 'Bo'", "customer as a"),
    ("SELECT name FROM customer WHERE name LIKE 'A%'", "LIKE 'A%' (at its start)"),
    ("SELECT name FROM customer WHERE name NOT LIKE '%d%'", "NOT LIKE '%d%' (nowhere in it)"),
    ("SELECT name FROM customer ORDER BY email DESC NULLS FIRST", "with nulls first"),
    ("SELECT name FROM customer ORDER BY name DESC LIMIT 2 OFFSET 1", "kip the first row, then "),
    ("SELECT name FROM customer ORDER BY random() LIMIT 1", "random(), that is in random order"),
    ("SELECT round(avg(price), 1) FROM product", "the average of product.price rounded to 1 decimal"),
    ("SELECT coalesce(max(age), 0) FROM customer", "the maximum of customer.age (or 0 where that is NULL)"),
    ("SELECT CAST(sum(age) AS REAL) / count(*) FROM customer", "(the cast keeps the decimals)"),
    ("SELECT group_concat(DISTINCT city) FROM customer", "the different values of customer.city in one text"),
    ("SELECT substr(day, 1, 4), count(*) FROM purchase GROUP BY 1", "characters 1 to 4 of purchase.day"),
    (
        "SELECT id FROM customer UNION SELECT customer FROM purchase EXCEPT SELECT 1 INTERSECT SELECT 2 ORDER BY id",
        "Of these, keep those that are not in C.",
    ),
]


def plans(sql: str, shop: Path, schema: Schema, detail: str = "full", seeds: int = 4) -> set[str]:
    return {write_plan(task_on(shop, sql), schema, detail, seed) for seed in range(seeds)}


@pytest.mark.parametrize(("sql", "said"), FORMS)
def test_a_form_is_said_in_words_whatever_the_seed(sql, said, shop, schema):
    assert [plan for plan in plans(sql, shop, schema) if said not in plan] == []


@pytest.mark.parametrize("sql", [sql for sql, _ in FORMS])
def test_a_form_names_what_it_reads_and_runs_as_before(sql, shop, schema):
    for plan in plans(sql, shop, schema) | plans(sql, shop, schema, "short"):
        tables, columns, unknown = names_in_plan(plan, schema)
        assert unknown == set()
        assert (tables, columns) == facts_of_sql(sql, schema)
    if "random" not in sql:
        plain, gold = execute(shop, plain_sql(sql, schema)), execute(shop, sql)
        assert gold.runs
        assert plain.rows == gold.rows


def test_a_subquery_that_only_asks_for_a_row_delivers_nothing(shop, schema):
    sql = "SELECT name FROM customer WHERE EXISTS (SELECT 1 FROM purchase WHERE customer = id)"
    for plan in plans(sql, shop, schema):
        assert "deliver 1" not in plan
        assert re.search(r"Work out A, for each row of customer: open purchase; keep .*= customer.id\.$", plan, re.M)


def test_a_recursive_query_has_its_name_before_its_branches(shop, schema):
    sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT max(x) FROM n"
    (plan,) = plans(sql, shop, schema, "short")
    assert plan.splitlines() == [
        "B: deliver 1 as x",
        "C: open A; filter A.x < 5; deliver A.x + 1 as x",
        "A (with n): repeat B union all C",
        "open A",
        "deliver max(A.x)",
    ]


def test_a_filter_follows_the_table_that_it_is_about(shop, schema):
    sql = (
        "SELECT p.amount FROM purchase AS p CROSS JOIN customer AS c ON c.id = p.customer "
        "WHERE c.city = 'Rome' AND p.amount > 1"
    )  # CROSS JOIN keeps SQLite from choosing the order
    for plan in plans(sql, shop, schema):
        steps = plan.splitlines()
        assert "Open purchase, then customer" in steps[0]
        assert "purchase.amount > 1" in steps[1]
        assert re.search("look up .*customer where customer.id = purchase.customer", steps[2], re.I)
        assert "customer.city = 'Rome'" in steps[3]


def test_orders_are_said_as_their_column_needs(shop, schema):
    said = {
        column: {plan.splitlines()[1] for plan in plans(f"SELECT 1 FROM {table} ORDER BY {column} DESC", shop, schema)}
        for table, column in (("customer", "age"), ("customer", "name"), ("purchase", "day"), ("product", "code"))
    }
    assert all("high" in step for step in said["age"])
    assert all("from Z to A" in step or "in descending order" in step for step in said["name"])
    assert all("latest first" in step or "newest first" in step for step in said["day"])
    assert all("from Z to A" in step or "in descending order" in step for step in said["code"])
