"""Which words of a question stand beside which step of its plan."""

from pathlib import Path

import pytest

from distill.plan import write_plan
from sandbox import database_file
from tasks.schema import read_schema
from tasks.task import Task
from tests.shop import SHOP

# A question, its query, and lines of the short plan.
LINKED = [
    (
        "Who is younger than Bo?",
        "SELECT name FROM customer WHERE age < (SELECT age FROM customer WHERE name = 'Bo')",
        [
            "A: open customer; filter \"Bo\": customer.name = 'Bo'; deliver customer.age",
            'filter "younger than": customer.age < A',
        ],
    ),
    (
        "Which customers who bought at least 3 pieces are older than the average?",
        "SELECT name FROM customer JOIN purchase ON customer = id "
        "WHERE amount >= 3 AND age > (SELECT avg(age) FROM customer)",
        ['filter "at least 3": purchase.amount >= 3', 'filter "older than the average": customer.age > A'],
    ),
    (
        "Which cities have more than 2 customers?",
        "SELECT city FROM customer GROUP BY city HAVING count(*) > 2",
        ['having "more than 2 customers": count(*) > 2'],
    ),
    (
        'Which customers live in "Rome" or "Oslo"?',
        "SELECT name FROM customer WHERE city = 'Rome' OR city = 'Oslo'",
        ["filter \"Rome\" and \"Oslo\": customer.city = 'Rome' OR customer.city = 'Oslo'"],
    ),
    (
        'Which customers do not live in "Rome"?',
        "SELECT name FROM customer WHERE city != 'Rome'",
        ['filter "not" and "Rome": customer.city != \'Rome\''],
    ),
    (
        "Which products cost less than 5 or more than 15?",
        "SELECT title FROM product WHERE price > 15 INTERSECT SELECT title FROM product WHERE price < 5",
        [
            'A: open product; filter "more than 15": product.price > 15; deliver product.title',
            'B: open product; filter "less than 5": product.price < 5; deliver product.title',
        ],
    ),
    (
        "Who made the largest number of purchases?",
        "SELECT customer FROM purchase GROUP BY customer ORDER BY count(*) DESC LIMIT 1",
        ['sort "largest number of purchases": count(*) desc'],
    ),
    (
        "Which customers have no purchases?",
        "SELECT name FROM customer WHERE id NOT IN (SELECT customer FROM purchase)",
        ['filter "no purchases": customer.id NOT IN A'],
    ),
    (
        "List the products, the cheapest first.",
        "SELECT title FROM product ORDER BY price",
        ['sort "the cheapest first": product.price'],
    ),
    (
        "Which products were bought by the customer?",
        "SELECT product FROM purchase GROUP BY product",
        ["group purchase.product"],
    ),
]


@pytest.fixture(scope="module")
def shop(cache) -> str:
    path: Path = database_file(SHOP)
    return str(path)


def plan(question: str, sql: str, shop: str, detail: str) -> str:
    return write_plan(Task("t", question, "", sql, shop, "L1"), read_schema(shop), detail)


@pytest.mark.parametrize(("question", "sql", "lines"), LINKED)
def test_words_stand_beside_what_they_ask_for(question, sql, lines, shop):
    found = plan(question, sql, shop, "short").splitlines()
    assert [line for line in lines if line not in found] == []


def test_a_subquery_does_not_take_the_words_for_what_the_question_asks(shop):
    sql = "SELECT name FROM customer WHERE name IN (SELECT name FROM customer WHERE age > 40)"
    first, *_, last = plan("Show the names of customers older than 40.", sql, shop, "full").splitlines()
    assert '("names' not in first
    assert '("names' in last


def test_one_word_is_not_quoted_for_two_tables(cache):
    shop = str(database_file("CREATE TABLE phone (id INTEGER); CREATE TABLE phone_market (phone_id INTEGER)"))
    sql = "SELECT id FROM phone WHERE id NOT IN (SELECT phone_id FROM phone_market)"
    first, second, *_ = plan("Which phones are nowhere on sale?", sql, shop, "full").splitlines()
    assert '"phones"' not in first
    assert '"phones"' in second
