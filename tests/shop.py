"""A shop as a database, for tests that need keys, joins and dates, and queries over it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tasks.schema import Schema
from tasks.task import Task

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, age INTEGER, email TEXT UNIQUE);
CREATE TABLE product (code TEXT PRIMARY KEY, title TEXT, price REAL CHECK (price > 0));
CREATE TABLE purchase (
    customer INTEGER NOT NULL REFERENCES customer (id), product TEXT REFERENCES product, day TEXT, amount INTEGER,
    PRIMARY KEY (customer, product)
);
CREATE INDEX by_day ON purchase (day);
CREATE VIEW dear AS SELECT * FROM product WHERE price > 10;
INSERT INTO customer VALUES (1, 'Ada', 'Rome', 30, 'a@x'), (2, 'Bo', 'Oslo', 41, 'b@x'), (3, 'Cy', 'Rome', 52, NULL);
INSERT INTO customer VALUES (4, 'Di', 'Bonn', 25, 'd@x'), (5, 'Ed', 'Oslo', 38, 'e@x');
INSERT INTO product VALUES ('P-1', 'Tea', 3.5), ('P-2', 'Pot', 20.0), ('P-3', 'Cup', 12.0);
INSERT INTO purchase VALUES (1, 'P-1', '2020-01-05', 2), (1, 'P-2', '2020-02-01', 1), (2, 'P-1', '2021-03-04', 5);
INSERT INTO purchase VALUES (3, 'P-3', '2021-07-08', 3), (4, 'P-2', '2020-11-30', 4), (5, 'P-3', '2021-07-09', 6);
"""
JOIN = "SELECT c.name, p.amount FROM customer AS c JOIN purchase AS p ON p.customer = c.id WHERE p.amount > 2"
GOLDS = [
    "SELECT name FROM customer WHERE age > 45 AND city = 'Rome'",
    "SELECT DISTINCT city FROM customer WHERE name LIKE 'A%'",
    "SELECT c.name, p.amount FROM customer AS c JOIN purchase AS p ON p.customer = c.id WHERE p.amount BETWEEN 2 AND 4",
    "SELECT city, count(*) FROM customer GROUP BY city HAVING count(*) >= 2 ORDER BY city DESC",
    "SELECT title FROM product ORDER BY price LIMIT 2",
    "SELECT max(price), avg(price) FROM product WHERE code NOT IN ('P-1', 'P-2')",
    "SELECT name FROM customer WHERE age > (SELECT avg(age) FROM customer)",
    "SELECT name FROM customer WHERE id NOT IN (SELECT customer FROM purchase WHERE amount = 1000)",
    "SELECT city FROM customer WHERE age > 40 INTERSECT SELECT city FROM customer WHERE age < 30",
    "SELECT c.name FROM customer AS c LEFT JOIN purchase AS p ON p.customer = c.id WHERE p.day IS NULL",
    "SELECT a.name FROM customer AS a JOIN customer AS b ON a.city = b.city WHERE b.name = 'Cy' OR b.age = 30",
]
KEY_COLUMNS = {"customer": ["id", "name"], "product": ["code"], "purchase": ["customer", "product"]}


def task_on(database: str | Path, sql: str, question: str = "What is there?", task_id: str = "t") -> Task:
    """Return the task whose gold query is `sql`."""
    return Task(task_id, question, "", sql, str(database), "L1")


def columns_of(schema: Schema) -> dict[str, dict[str, str]]:
    """Return the types of the columns, by table and column."""
    return {table.name: {column.name: column.type for column in table.columns} for table in schema.tables}


def rows(file: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()
