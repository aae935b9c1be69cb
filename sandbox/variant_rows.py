"""A bounded part of a database's rows, whole under its keys: read from a file, and written as one."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random

from sandbox.databases import Database

ROWS = 300
"""Rows of one table that a variant begins with, besides those that others refer to."""
MAX_PARENTS = 2_000
"""Rows of one table with those that others refer to; a foreign key that needs more is not kept to."""
MAX_CHARS = 4096
"""Longer texts and blobs are cut."""
MAX_STEPS = 200_000_000
"""SQLite's steps over one file, so that an odd schema cannot hold us up."""
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


def read_data(database: Database) -> Data:
    """Return up to ROWS rows of each table, and all that these refer to.  The file is only read."""
    with closing(sqlite3.connect(database.uri, uri=True)) as connection:
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        _bound(connection)
        made = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        ours = [row for row in made if row[0] != "trigger" and _is_plain(row)]
        tables = {name.lower(): _read_table(connection, name) for kind, name, _ in ours if kind == "table"}
        for name, table in tables.items():
            tables[name] = replace(table, references=tuple(_references(connection, table, tables)))
        _add_parents(connection, tables)
        order = {"table": 0, "index": 1, "view": 2}
        return Data(tables, tuple(sorted(ours, key=lambda row: order[row[0]])))


def _is_plain(row: tuple[str, str, str]) -> bool:
    """Return whether SQLite keeps it itself: no virtual table and none of its own."""
    return not row[1].lower().startswith("sqlite_") and not row[2][:15].upper().startswith("CREATE VIRTUAL")


def _bound(connection: sqlite3.Connection) -> None:
    """Let the schema's own expressions do no harm and the file as a whole take a bounded time."""
    connection.execute("PRAGMA trusted_schema=OFF")
    left = [MAX_STEPS // 100_000]

    def spend() -> bool:
        left[0] -= 1
        return left[0] < 0

    connection.set_progress_handler(spend, 100_000)


def _read_table(connection: sqlite3.Connection, name: str) -> Table:
    described = [row for row in connection.execute(f"PRAGMA table_xinfo({quoted(name)})") if row[6] == 0]
    columns = tuple(row[1] for row in described)
    place = {column: number for number, column in enumerate(columns)}
    primary = tuple(place[row[1]] for row in sorted(described, key=lambda row: row[5]) if row[5])
    unique = {primary: None} if primary else {}
    for _, index, is_unique, _, partial in connection.execute(f"PRAGMA index_list({quoted(name)})").fetchall():
        names = [row[2] for row in connection.execute(f"PRAGMA index_info({quoted(index)})")]
        if is_unique and not partial and all(one in place for one in names):
            unique[tuple(place[one] for one in names)] = None
    required = frozenset(place[row[1]] for row in described if row[3])
    table = Table(name, columns, tuple(row[2] for row in described), tuple(unique), required)
    rows = _read_rows(connection, table)
    return replace(table, rows=rows, unique=table.unique or _seeming_key(table, rows))


def _seeming_key(table: Table, rows: list[Row]) -> tuple[tuple[int, ...], ...]:
    """Return the first column as a key where none is declared but its name and values say that it is one."""
    values = [row[0] for row in rows]
    named = table.columns[0].lower().endswith("id")
    return ((0,),) if named and len(values) > 1 and None not in values and len(set(values)) == len(values) else ()


def _read_rows(connection: sqlite3.Connection, table: Table) -> list[Row]:
    """Return up to ROWS rows; of a table that has more, those at places spread evenly over its rowids."""
    name, columns = quoted(table.name), ", ".join(map(quoted, table.columns))
    rows = [_cut(row) for row in connection.execute(f"SELECT {columns} FROM {name} LIMIT {ROWS + 1}")]
    if len(rows) > ROWS:
        with suppress(sqlite3.OperationalError):  # a table WITHOUT ROWID
            first, last = (connection.execute(f"SELECT {f}(rowid) FROM {name}").fetchone()[0] for f in ("min", "max"))
            pick = f"SELECT rowid, {columns} FROM {name} WHERE rowid >= ? ORDER BY rowid LIMIT 1"
            places = (first + (last - first) * number // (ROWS - 1) for number in range(ROWS))
            found = [connection.execute(pick, (place,)).fetchone() for place in places]
            return list({row[0]: _cut(row[1:]) for row in found}.values())
    return rows[:ROWS]


def _cut(row: tuple) -> Row:
    return [value[:MAX_CHARS] if isinstance(value, (str, bytes)) else value for value in row]


def _references(connection: sqlite3.Connection, table: Table, tables: dict[str, Table]) -> Iterator[ForeignKey]:
    """Yield the declared foreign keys whose parent columns are a key, as SQLite wants them to be."""
    declared: dict[int, list[tuple]] = {}
    for row in connection.execute(f"PRAGMA foreign_key_list({quoted(table.name)})").fetchall():
        declared.setdefault(row[0], []).append(row)
    for rows in declared.values():
        parent = tables.get(rows[0][2].lower())
        if parent is None:
            continue
        columns = tuple(table.place[row[3].lower()] for row in rows)
        named = tuple(parent.place.get(row[4].lower(), -1) for row in rows if row[4])
        wanted = named or (parent.unique[0] if parent.unique else ())
        if len(wanted) == len(columns) and any(set(wanted) == set(key) for key in parent.unique):
            yield ForeignKey(columns, parent.name.lower(), wanted)


def _add_parents(connection: sqlite3.Connection, tables: dict[str, Table]) -> None:
    """Add the rows that others refer to; drop a foreign key where one of them is not there."""
    waiting = [(table, key) for table in tables.values() for key in table.references]
    while waiting:
        table, key = waiting.pop()
        parent = tables[key.parent]
        missing = dict(orphans(table, key, tables))
        found = [_find(connection, parent, key, missing[one]) for one in missing]
        if None in found or len(parent.rows) + len(found) > MAX_PARENTS:
            table.references = tuple(other for other in table.references if other != key)
            table.__post_init__()
        elif found:
            parent.rows += found
            waiting += [(parent, above) for above in parent.references]


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


def _find(connection: sqlite3.Connection, parent: Table, key: ForeignKey, child: Row) -> Row | None:
    """Return the row of the parent table that a child refers to."""
    where = " AND ".join(f"{quoted(parent.columns[column])} = ?" for column in key.parent_columns)
    sql = f"SELECT {', '.join(map(quoted, parent.columns))} FROM {quoted(parent.name)} WHERE {where}"
    row = connection.execute(sql, [child[column] for column in key.columns]).fetchone()
    return row and _cut(row)


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


def image(data: Data, twin: Random | None = None) -> bytes:
    """Return the bytes of a database with these rows; those that a CHECK refuses are dropped.

    twin: give the same rows in another order, without keys and indexes.  A query whose answer its text
    settles returns the same from both.
    """
    refused = False
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size=1024")
        _bound(connection)
        connection.execute("BEGIN")
        _create(connection, data, bare=twin is not None)
        for table in data.tables.values():
            rows = twin.sample(table.rows, len(table.rows)) if twin else table.rows
            kept = _insert(connection, table, rows)
            refused |= len(kept) < len(rows)
            table.rows = table.rows if twin else kept
        connection.execute("COMMIT")
        if not refused or twin:
            return connection.serialize()
    make_whole(data)
    return image(data)


def _create(connection: sqlite3.Connection, data: Data, bare: bool) -> None:
    for kind, name, sql in data.schema:
        if kind == "table":
            table = data.tables[name.lower()]
            columns = ", ".join(f"{quoted(one)} {kind}" for one, kind in zip(table.columns, table.types, strict=True))
            simple = bare and not NEEDED_AS_IT_IS.search(sql)
            connection.execute(f"CREATE TABLE {quoted(name)} ({columns})" if simple else sql)
        elif kind == "view" or not bare:
            connection.execute(sql)


def _insert(connection: sqlite3.Connection, table: Table, rows: list[Row]) -> list[Row]:
    """Return the rows that the table took."""
    names, marks = ", ".join(map(quoted, table.columns)), ", ".join("?" * len(table.columns))
    sql, kept = f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({marks})", []
    for row in rows:
        with suppress(sqlite3.IntegrityError, OverflowError):
            connection.execute(sql, row)
            kept.append(row)
    return kept
