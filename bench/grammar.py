"""Selects made at random over a small shop, nearly all of which SQLite runs."""

import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, born INTEGER, "credit limit" REAL);
CREATE TABLE product (sku TEXT PRIMARY KEY, title TEXT, price REAL, "order" INTEGER, picture BLOB) WITHOUT ROWID;
CREATE TABLE purchase (customer INTEGER REFERENCES customer (id), sku TEXT REFERENCES product (sku), day DATE,
  pieces INTEGER, note);
CREATE TABLE nobody (a, b INTEGER);
CREATE VIEW spent AS SELECT customer, sum(price * pieces) AS total FROM purchase JOIN product USING (sku)
  GROUP BY customer;
CREATE INDEX purchase_customer ON purchase (customer, day);
INSERT INTO customer VALUES (1, 'Ada', 'Rome', 1980, 10.5), (2, 'Bo', NULL, 1990, 0), (3, 'Élodie', 'rome', NULL, -1),
  (4, '', 'Oslo', 2001, 1e10), (5, 'O''Hara', '北京', 1955, NULL), (6, 'ada', 'Oslo', 1980, 0.1),
  (7, 'Zoë 🙂', 'Rome', 1, 3);
INSERT INTO product VALUES ('a1', 'Tea', 2.5, 1, x'00ff'), ('a2', 'Tea', 2.50, 2, NULL),
  ('b1', 'Rice', 0.1, NULL, x''), ('b2', '100% wool', 99, -3, zeroblob(9)),
  ('', 'Under_score', NULL, 0, 'text, in truth'), ('c', NULL, 1e-9, 7, x'e9');
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 40)
INSERT INTO purchase SELECT x % 9, substr('a1a2b1b2c', x % 5 * 2 + 1, 2), date('2020-01-01', (x * 37) || ' days'),
  x % 4, CASE x % 6 WHEN 0 THEN NULL WHEN 1 THEN x WHEN 2 THEN 'n' || x WHEN 3 THEN x / 8.0 WHEN 4 THEN '' ELSE '7' END
  FROM c;
"""
LITERALS = (
    "0", "1", "-1", "2", "7", "0.5", "1980", "9223372036854775807", "1e10", "NULL", "''", "'Ada'", "'a1'", "'%a%'",
    "'_o'", "'2020-05-01'", "x'00ff'", "'100%'", "TRUE", "'北京'", "'it''s'",
)  # fmt: skip
ONE = ("abs", "length", "lower", "upper", "trim", "typeof", "hex", "quote", "unicode", "round", "sign", "date", "ltrim")
TWO = ("coalesce", "ifnull", "nullif", "instr", "min", "max", "substr", "round", "rtrim")
COMPARISONS = ("=", "<>", "<", ">=", "<=", ">")
OPERATORS = (*COMPARISONS, "+", "-", "*", "/", "%", "||", "IS", "IS NOT", "AND", "OR", "&", "|", "<<")
AGGREGATES = ("count", "sum", "avg", "min", "max", "total", "group_concat", "count(DISTINCT", "sum(DISTINCT")
WINDOWS = (
    "row_number()", "rank()", "dense_rank()", "ntile(3)", "lag({0})", "lead({0}, 2)", "sum({0})", "count(*)",
    "first_value({0})", "nth_value({0}, 2)",
)  # fmt: skip
JOINS = (" JOIN", " LEFT JOIN", " CROSS JOIN", " INNER JOIN", ",")
ORDERS = ("", " DESC", " COLLATE NOCASE", " DESC NULLS LAST")
TYPES = ("INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC")
KEYS = {"id": "customer", "customer": "customer", "sku": "sku", "city": "city", "x": "x"}
"""column → what it is a key of, for joins that find something"""

Schema = dict[str, tuple[str, ...]]
"""table → its columns, quoted where they must be"""


def read_schema(database: Path) -> Schema:
    """Return the tables and views of a database with their columns."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    rows = connection.execute(
        "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type IN ('table','view')"
    ).fetchall()
    connection.close()
    schema: Schema = {}
    for table, column in rows:
        schema[table] = (*schema.get(table, ()), f'"{column}"' if column == "order" or " " in column else column)
    return schema


def select(chance: random.Random, schema: Schema, depth: int = 2, width: int | None = None) -> str:
    """Return a select over the schema, `width` columns wide and at most `depth` selects deep."""
    source, columns = _source(chance, schema, depth)
    width = width or chance.choices((1, 2, 3, 5), (3, 4, 2, 1))[0]
    where = f" WHERE {_condition(chance, schema, columns, depth)}" if chance.random() < 0.5 else ""
    distinct = "DISTINCT " if chance.random() < 0.15 else ""
    kind, group = chance.random(), ""
    what = [expression(chance, columns, 2 if kind > 0.3 else 1) for _ in range(width)]
    if kind < 0.3:
        what[-1] = _aggregate(chance, columns)
        group = _group(chance, columns, width)
    elif kind < 0.4:
        what[-1] = _window(chance, columns)
    sql = f"SELECT {distinct}{', '.join(what)} FROM {source}{where}{group}"
    if depth > 0 and chance.random() < 0.1:
        how = chance.choice(("UNION", "UNION ALL", "EXCEPT", "INTERSECT"))
        sql += f" {how} SELECT * FROM ({select(chance, schema, depth - 1, width)})"
    if chance.random() < 0.4:
        sql += f" ORDER BY {chance.randint(1, width)}{chance.choice(ORDERS)}"
    if chance.random() < 0.3:
        sql += f" LIMIT {chance.choice((0, 1, 5, 100, -1))}{chance.choice(('', ' OFFSET 2'))}"
    return sql


def expression(chance: random.Random, columns: Sequence[str], depth: int) -> str:
    """Return a value made of `columns`, literals, operators and functions."""
    if depth <= 0 or chance.random() < 0.35:
        return chance.choice(columns if chance.random() < 0.7 else LITERALS)
    a, b, c = (expression(chance, columns, depth - 1 - chance.randrange(2)) for _ in range(3))
    shapes = (
        f"{a} {chance.choice(OPERATORS)} {b}",
        f"({a} {chance.choice(OPERATORS)} {b})",
        f"{chance.choice(ONE)}({a})",
        f"{chance.choice(TWO)}({a}, {b})",
        f"CASE WHEN {a} THEN {b} ELSE {c} END",
        f"CAST({a} AS {chance.choice(TYPES)})",
        f"({a}) BETWEEN {b} AND {c}",
        f"({a}) {chance.choice(('LIKE', 'NOT LIKE', 'GLOB'))} {chance.choice(LITERALS)}",
        f"({a}) IN ({b}, {c})",
        f"({a}) IS {chance.choice(('NULL', 'NOT NULL'))}",
        f"NOT ({a})",
        f"-({a})",
        f"replace({a}, {b}, {c})",
        f"iif({a}, {b}, {c})",
        f"({a}) = ({b}) COLLATE NOCASE",
    )
    return chance.choice(shapes)


def _source(chance: random.Random, schema: Schema, depth: int) -> tuple[str, list[str]]:
    """Return a FROM clause and the columns that it offers, with their aliases."""
    clause, columns = "", []
    for number in range(chance.choices((1, 2, 3), (6, 4, 1))[0]):
        if depth > 0 and chance.random() < 0.15:
            table, names = _derived(chance, schema, depth), ("x", "y")
        else:
            table = chance.choice([*schema, *list(schema)[:3]])  # those with rows twice
            names = schema[table]
        alias = f"t{depth}{number}"
        mine = [f"{alias}.{name}" for name in names]
        how = chance.choice(JOINS) if columns else ""
        on = f" ON {_joined(chance, columns, mine)}" if how.endswith("JOIN") else ""
        clause += f"{how} {table} AS {alias}{on}" if how else f"{table} AS {alias}"
        columns += mine
    return clause, columns


def _derived(chance: random.Random, schema: Schema, depth: int) -> str:
    """Return a subquery with the columns x and y."""
    inner = select(chance, schema, depth - 1, width=2)
    if chance.random() < 0.5:
        return f"(WITH q(x, y) AS ({inner}) SELECT * FROM q)"
    return f"(SELECT NULL AS x, NULL AS y WHERE 0 UNION ALL SELECT * FROM ({inner}))"


def _joined(chance: random.Random, columns: list[str], mine: list[str]) -> str:
    """Return a condition that joins a table's own columns to those before, by their keys where both have them."""

    def key(column: str) -> str | None:
        return KEYS.get(column.partition(".")[2])

    pairs = [(a, b) for a in columns for b in mine if key(a) and key(a) == key(b)]
    a, b = chance.choice(pairs) if pairs and chance.random() < 0.8 else (chance.choice(columns), chance.choice(mine))
    return f"{a} = {b}"


def _condition(chance: random.Random, schema: Schema, columns: list[str], depth: int) -> str:
    """Return a condition, with a subquery now and then."""
    if depth > 0 and chance.random() < 0.2:
        inner = f"SELECT * FROM ({select(chance, schema, depth - 1, width=1)})"
        how = chance.choice(("IN ({})", "NOT IN ({})", "= ({} LIMIT 1)", "< ({} LIMIT 1)"))
        return f"{chance.choice(columns)} {how.format(inner)}"
    if depth > 0 and chance.random() < 0.1:
        table = chance.choice(list(schema))
        own = f"e.{chance.choice(schema[table])}"
        return f"EXISTS (SELECT 1 FROM {table} AS e WHERE {own} = {chance.choice(columns)})"
    return expression(chance, columns, 2)


def _group(chance: random.Random, columns: list[str], width: int) -> str:
    """Return GROUP BY all columns but the last, which is an aggregate, and HAVING now and then."""
    group = f" GROUP BY {', '.join(str(i) for i in range(1, width))}" if width > 1 else ""
    if chance.random() < 0.3:
        group += f" HAVING {_aggregate(chance, columns)} {chance.choice(COMPARISONS)} 1"
    return group


def _aggregate(chance: random.Random, columns: Sequence[str]) -> str:
    """Return an aggregate of some column, or of all rows."""
    name = chance.choice(AGGREGATES)
    column = chance.choice(columns)
    return f"{name}{' ' if '(' in name else '('}{column})" if chance.random() < 0.8 else "count(*)"


def _window(chance: random.Random, columns: Sequence[str]) -> str:
    """Return a window function over some column, in an order that leaves no doubt."""
    part = f"PARTITION BY {chance.choice(columns)} " if chance.random() < 0.5 else ""
    what = chance.choice(WINDOWS).format(chance.choice(columns))
    return f"{what} OVER ({part}ORDER BY {', '.join(columns)})"
