"""The rows of a variant's tables and what keeps them whole, made into a database in a worker."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random

from configs.errors import ConfigError
from sandbox.pool import build
from sandbox.result import Limits

LIMITS = Limits(timeout_s=30, memory_mb=1024)
"""What making one database may take."""
NEEDED_AS_IT_IS = re.compile(r"\bCOLLATE\b|\bAS\s*\(", re.IGNORECASE)
"""A collation or a computed column, which a table's list of columns does not tell."""
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")

Row = list
"""The values of one row; None is NULL."""


@dataclass(frozen=True)
class ForeignKey:
    """The columns at these places refer to those of a parent table.  A key that the original breaks is none."""

    columns: tuple[int, ...]
    parent: str
    parent_columns: tuple[int, ...]


@dataclass
class Table:
    """A table's rows, and what they must keep to.  `fixed` columns are part of a key, and never NULL."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    unique: tuple[tuple[int, ...], ...]
    required: frozenset[int]
    references: tuple[ForeignKey, ...] = ()
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.place = {name.lower(): number for number, name in enumerate(self.columns)}
        keys = [*self.unique, *(key.columns for key in self.references)]
        self.fixed = frozenset(column for key in keys for column in key)
        self.single = frozenset(key[0] for key in self.unique if len(key) == 1)

    def values(self, column: int) -> list:
        """Return the values of a column that are not NULL, as often as they are there."""
        return [row[column] for row in self.rows if row[column] is not None]

    def nullable(self, column: int) -> bool:
        return column not in self.required and column not in self.fixed

    def reference(self, column: int) -> ForeignKey | None:
        """Return the foreign key that a column is part of."""
        return next((key for key in self.references if column in key.columns), None)


@dataclass(frozen=True)
class Data:
    """A database's tables by their names in lower case, and the schema: kind, name, statement."""

    tables: dict[str, Table]
    schema: tuple[tuple[str, str, str], ...]

    def copy(self) -> "Data":
        """Return the same with rows of its own."""
        tables = {name: replace(table, rows=[list(row) for row in table.rows]) for name, table in self.tables.items()}
        return replace(self, tables=tables)


def quoted(name: str) -> str:
    """Return a name as SQLite always takes it.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def as_stored(value: object, declared: str) -> object:
    """Return a value as a column of the `declared` type compares it: "7" may well be the number 7.

    >>> as_stored("7", "INTEGER"), as_stored(7, "VARCHAR(10)"), as_stored("x", "INT")
    (7.0, '7', 'x')
    """
    if isinstance(value, (int, float)):
        return str(value) if _is_text(declared) else value
    return float(value) if isinstance(value, str) and not _is_text(declared) and NUMBER.fullmatch(value) else value


@cache
def _is_text(declared: str) -> bool:
    declared = declared.upper()
    return "INT" not in declared and any(word in declared for word in ("CHAR", "CLOB", "TEXT"))


def orphans(table: Table, key: ForeignKey, tables: dict[str, Table]) -> Iterator[tuple[tuple, Row]]:
    """Yield the rows whose parent is not there, each with what it looks for."""
    parent = tables[key.parent]
    types = [parent.types[column] for column in key.parent_columns]

    def wanted(row: Row, columns: tuple[int, ...]) -> tuple:
        return tuple(as_stored(row[column], declared) for column, declared in zip(columns, types, strict=True))

    known = {wanted(row, key.parent_columns) for row in parent.rows}
    for row in table.rows:
        looked_for = wanted(row, key.columns)
        if None not in looked_for and looked_for not in known:
            yield looked_for, row


def make_whole(data: Data) -> None:
    """Drop the rows that a key does not allow: second ones, and, again and again, those without their parent."""
    for table in data.tables.values():
        for key in table.unique:
            seen: dict[object, Row] = {}
            for row in table.rows:
                values = tuple(row[column] for column in key)
                seen.setdefault(object() if None in values else values, row)
            table.rows = list(seen.values())
    dropped = True
    while dropped:
        dropped = False
        for table in data.tables.values():
            for key in table.references:
                lost = {id(row) for _, row in orphans(table, key, data.tables)}
                table.rows = [row for row in table.rows if id(row) not in lost]
                dropped |= bool(lost)


class Unvariable(ConfigError):
    """A database of which no copy can be made, as its schema needs what SQLite alone has not."""


class Unbuildable(Exception):
    """SQLite does not take the schema a second time."""


def image(data: Data, twin: Random | None = None) -> bytes:
    """Return the bytes of a database with these rows; those that a CHECK refuses are dropped.

    twin: give the same rows in another order, without keys and indexes.  A query whose answer its text
    settles returns the same from both.
    """
    orders = [twin.sample(table.rows, len(table.rows)) if twin else table.rows for table in data.tables.values()]
    tables = [[_insertion(table), rows] for table, rows in zip(data.tables.values(), orders, strict=True)]
    schema = list(_schema(data, bare=twin is not None))
    reply = build({"do": "fill", "schema": schema, "tables": tables} | vars(LIMITS))
    if "unusable" in reply:
        raise Unbuildable(reply["unusable"])
    if twin or not any(reply["refused"]):
        return reply["image"]
    for table, refused in zip(data.tables.values(), map(set, reply["refused"]), strict=True):
        table.rows = [row for number, row in enumerate(table.rows) if number not in refused]
    make_whole(data)
    return image(data)


def _schema(data: Data, bare: bool) -> Iterator[str]:
    """Yield the statements that make the tables; `bare` ones have neither keys nor indexes."""
    for kind, name, sql in data.schema:
        if kind == "table" and bare and not NEEDED_AS_IT_IS.search(sql):
            table = data.tables[name.lower()]
            columns = (f"{quoted(one)} {kind}" for one, kind in zip(table.columns, table.types, strict=True))
            yield f"CREATE TABLE {quoted(name)} ({', '.join(columns)})"
        elif kind != "index" or not bare:
            yield sql


def _insertion(table: Table) -> str:
    names, marks = ", ".join(map(quoted, table.columns)), ", ".join("?" * len(table.columns))
    return f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({marks})"
