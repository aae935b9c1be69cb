"""Queries that a database refuses, made from a gold query: names that are not there, or that are two things."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from distill.difference import named, text
from tasks.mutations import Columns, read, sources
from tasks.schema import quoted
from tasks.sql_text import name_text, sql_text


@dataclass(frozen=True)
class Refused:
    """A query that cannot run, what was done to the gold query, and ways to say what is wrong with it."""

    kind: str
    sql: str
    ways: tuple[str, ...]


def refused(gold_sql: str, columns: Columns) -> list[Refused]:
    """Return queries with one wrong name: a column of another table, a column that could be two tables', a plural.

    gold_sql: with tables' own names, as `plain_sql` writes it.

    >>> [one.sql for one in refused("SELECT a FROM t", {"t": {"a": "INT"}})]
    ['SELECT a FROM ts']
    """
    tree, full = read(gold_sql, columns), named(gold_sql, columns)
    return [*_columns(tree, full, columns), *_tables(tree, columns)]


def _columns(tree: exp.Query, full: exp.Query, columns: Columns) -> Iterator[Refused]:
    """full: the same tree with the tables of its columns."""
    for place, (column, meant) in enumerate(zip(tree.find_all(exp.Column), full.find_all(exp.Column), strict=True)):
        select = column.find_ancestor(exp.Select)
        opened = {source.name.lower() for source in (sources(select) if select else {}).values()}
        if not meant.table or not opened <= columns.keys():
            continue
        for name in _others(column.name, columns, opened):
            ways = (
                f"no table that it opens has a column {name}; it must be {text(meant)}",
                f"{name} is no column of {name_text(meant.table)}; it must be {text(meant)}",
            )
            yield Refused("unknown_column", _changed(tree, exp.Column, place, "this", exp.to_identifier(name)), ways)
        if column.table and sum(column.name.lower() in columns[table] for table in opened) > 1:
            way = f"more than one of its tables has a column {name_text(column.name)}; {text(meant)} is meant"
            yield Refused("unqualified", _changed(tree, exp.Column, place, "table", None), (way,))


def _others(name: str, columns: Columns, opened: set[str]) -> list[str]:
    """Return columns of tables that are not open which share a word with a column's name."""
    words = set(name.lower().split("_"))
    here = {other for table in opened for other in columns[table]}
    there = dict.fromkeys(other for table in columns.values() for other in table if other not in here)
    return [other for other in there if words & set(other.split("_")) and quoted(other) == other]


def _tables(tree: exp.Query, columns: Columns) -> Iterator[Refused]:
    for name in dict.fromkeys(table.name for table in tree.find_all(exp.Table)):
        other = name[:-1] if name.lower().endswith("s") else f"{name}s"
        if name.lower() in columns and other.lower() not in columns and quoted(other) == other:
            copy = tree.copy()
            for node in copy.find_all(exp.Table, exp.Column):
                part = "this" if isinstance(node, exp.Table) else "table"
                if node.args.get(part) and node.args[part].name == name:
                    node.set(part, exp.to_identifier(other))
            yield Refused("unknown_table", sql_text(copy), (f"there is no table {other}; it is {name_text(name)}",))


def _changed(tree: exp.Query, kind: type[exp.Expr], place: int, part: str, value: exp.Expr | None) -> str:
    copy = tree.copy()
    list(copy.find_all(kind))[place].set(part, value)
    return sql_text(copy)
