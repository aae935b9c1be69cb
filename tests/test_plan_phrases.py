"""Which words of a question stand beside which step of its plan."""

from pathlib import Path

import pytest

from distill.plan import write_plan
from sandbox import database_file
from tasks.schema import read_schema
from tests.shop import task_on

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
        ['filter "do not live" and "Rome": customer.city != \'Rome\''],
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
        "Which customers have never made a purchase of 1000?",
        "SELECT name FROM customer WHERE id NOT IN (SELECT customer FROM purchase WHERE amount = 1000)",
        ['filter "have never made a purchase of 1000": customer.id NOT IN A'],
    ),
    (
        "Which customers do not live in the city Rome?",
        "SELECT name FROM customer WHERE city != 'Rome'",
        ["filter \"do not live in the city Rome\": customer.city != 'Rome'"],
    ),
    (
        "Show the names of the customers sorted by their names.",
        "SELECT name FROM customer ORDER BY name",
        ['sort "sorted by their names": customer.name'],
    ),
    (
        "Which purchase is the most recent?",
        "SELECT customer FROM purchase ORDER BY day LIMIT 1",
        ["sort purchase.day"],
    ),
    (
        "Which customers live in Rome and are 30 years old?",
        "SELECT name FROM customer WHERE city = 'Rome' INTERSECT SELECT name FROM customer WHERE age = 30",
        ["deliver A intersect B"],
    ),
    (
        "Which customer has the city of Bonn and age 30?",
        "SELECT name FROM customer WHERE city = 'Bonn' AND age = 30",
        ["filter \"city of Bonn\": customer.city = 'Bonn'", 'filter "age 30": customer.age = 30'],
    ),
    (
        "Which products were bought by the customer?",
        "SELECT product FROM purchase GROUP BY product",
        ["group purchase.product"],
    ),
]


def plan(question: str, sql: str, database: Path, detail: str) -> str:
    return write_plan(task_on(database, sql, question), read_schema(str(database)), detail)


@pytest.mark.parametrize(("question", "sql", "lines"), LINKED)
def test_words_stand_beside_what_they_ask_for(question, sql, lines, shop):
    found = plan(question, sql, shop, "short").splitlines()
    assert [line for line in lines if line not in found] == []


def test_a_subquery_does_not_take_the_words_for_what_the_question_asks(shop):
    sql = "SELECT name FROM customer WHERE name IN (SELECT name FROM customer WHERE age > 40)"
    first, *_, last = plan("Show the names of customers older than 40.", sql, shop, "full").splitlines()
    assert '("names' not in first
    assert '("names' in last


# A question, its query, and the words beside what the full plan delivers.
DELIVERED = [
    (
        "Count the number of customers in Rome.",
        "SELECT count(*) FROM customer WHERE city = 'Rome'",
        "number of customers",
    ),
    ("How many customers did buy?", "SELECT count(DISTINCT customer) FROM purchase", "How many customers"),
    ("Who is at least as old as Bo?", "SELECT min(age), name FROM customer", ""),
    ("What are the ids of those in Rome?", "SELECT id FROM customer", "ids"),
    ("Show the maximum age and day of the most recent one.", "SELECT max(day) FROM purchase", "most recent"),
    ("What is the total number and amount?", "SELECT sum(amount) FROM purchase", "total number"),
]


@pytest.mark.parametrize(("question", "sql", "words"), DELIVERED)
def test_words_stand_beside_what_is_delivered(question, sql, words, shop):
    last = plan(question, sql, shop, "full").splitlines()[-1]
    assert f'{words}")' in last if words else '"' not in last


def test_only_the_blocks_of_the_answer_take_its_words(shop):
    sql = (
        "SELECT name FROM customer WHERE name IN (SELECT name FROM customer WHERE age > 40) "
        "EXCEPT SELECT name FROM customer WHERE city = 'Rome'"
    )
    listed, first, second, _ = plan("Show the names of those over 40 but not in Rome.", sql, shop, "full").splitlines()
    assert '("names' not in listed
    assert '("names' in first and '("names' in second


def test_one_word_is_not_quoted_for_two_tables(cache):
    phones = database_file("CREATE TABLE phone (id INTEGER); CREATE TABLE phone_market (phone_id INTEGER)")
    sql = "SELECT id FROM phone WHERE id NOT IN (SELECT phone_id FROM phone_market)"
    first, second, *_ = plan("Which phones are nowhere on sale?", sql, phones, "full").splitlines()
    assert '"phones"' not in first
    assert '"phones"' in second
