"""What a database holds: tables, columns with example values, foreign keys; read through the sandbox."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from configs.errors import ConfigError
from sandbox import Limits, execute

EXAMPLE_ROWS = 200  # looked at per table: enough for a few distinct values, cheap for any size of table
EXAMPLE_CHARS = 24
_LIMITS = Limits(timeout_s=10, max_rows=100_000)

# What SQLite does not take as a bare name everywhere (tried out with 3.40), and words that read as a join.
_KEYWORDS = """
ADD ALL ALTER AND AS AUTOINCREMENT BETWEEN CASE CAST CHECK COLLATE COMMIT CONSTRAINT CREATE CROSS
CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DEFAULT DEFERRABLE DELETE DISTINCT DROP ELSE END ESCAPE EXCEPT
EXISTS FOREIGN FROM FULL GROUP HAVING IN INDEX INNER INSERT INTERSECT INTO IS ISNULL JOIN LEFT LIKE LIMIT
NATURAL NOT NOTHING NOTNULL NULL ON OR ORDER OUTER PRIMARY RAISE REFERENCES RETURNING RIGHT SELECT SET TABLE
THEN TO TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN WHERE WITH
"""
_RESERVED = frozenset(_KEYWORDS.split())
_BARE_NAME = re.compile(r"[^\W\d]\w*")
_FINGERPRINT = re.compile("[0-9a-f]{64}")  # the name of a database built from a script says nothing
_OURS = r"m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.sql NOT LIKE 'CREATE VIRTUAL%'"


@dataclass(frozen=True)
class Column:
    """A column; `examples` are distinct values that stand in it, long texts cut."""

    name: str
    type: str
    primary_key: bool
    examples: tuple[object, ...] = ()


@dataclass(frozen=True)
class ForeignKey:
    """`table.column` points at `other_table.other_column`."""

    table: str
    column: str
    other_table: str
    other_column: str


@dataclass(frozen=True)
class Table:
    """A table with its columns, in the order of its CREATE TABLE."""

    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Schema:
    """The tables of a database in the order of their creation; `name` is the database's own."""

    tables: tuple[Table, ...]
    foreign_keys: tuple[ForeignKey, ...]
    name: str = ""


@lru_cache(maxsize=4096)
def read_schema(database: str, examples: int = 3) -> Schema:
    """Return the schema of a SQLite file, names in their own letter case, without views and SQLite's tables.

    examples: how many values to keep per column, at most.
    """
    tables = _read_tables(database)
    keys = _read_foreign_keys(database, tables)
    if examples:
        tables = tuple(_with_examples(database, table, examples) for table in tables)
    name = Path(database).stem
    return Schema(tables, keys, "database" if _FINGERPRINT.fullmatch(name) else name)


def quoted(name: str) -> str:
    """Return a table or column name as it must stand in SQL.

    >>> quoted("city"), quoted("order"), quoted("Zip code"), quoted('a"b')
    ('city', '"order"', '"Zip code"', '"a""b"')
    """
    if _BARE_NAME.fullmatch(name) and name.upper() not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def _rows(database: str, sql: str) -> tuple[tuple, ...]:
    result = execute(database, sql, _LIMITS)
    if not result.runs:
        raise ConfigError(f"{database}: the schema cannot be read ({result.message}); is the file damaged?")
    return result.rows


def _read_tables(database: str) -> tuple[Table, ...]:
    sql = (
        "SELECT m.name, c.name, c.type, c.pk FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c "
        f"WHERE {_OURS} AND c.hidden <> 1 ORDER BY m.rowid, c.cid"
    )
    columns: dict[str, list[Column]] = {}
    for table, column, type_, key in _rows(database, sql):
        columns.setdefault(table, []).append(Column(column, type_ or "", key > 0))
    return tuple(Table(name, tuple(found)) for name, found in columns.items())


def _read_foreign_keys(database: str, tables: tuple[Table, ...]) -> tuple[ForeignKey, ...]:
    """Return the foreign keys whose ends both exist; a target column not declared is the primary key."""
    sql = (
        'SELECT m.name, f."from", f."table", f."to", f.seq '
        "FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f "
        f"WHERE {_OURS} ORDER BY m.rowid, f.id DESC, f.seq"
    )
    by_name = {table.name.lower(): table for table in tables}
    keys = []
    for table, column, other, other_column, position in _rows(database, sql):
        target = by_name.get(other.lower())
        own_end = _find_column(by_name[table.lower()], column)
        other_end = _find_target(target, other_column, position) if target else None
        if target and own_end and other_end:
            keys.append(ForeignKey(table, own_end, target.name, other_end))
    return tuple(dict.fromkeys(keys))


def _find_column(table: Table, name: str) -> str | None:
    return next((column.name for column in table.columns if column.name.lower() == name.lower()), None)


def _find_target(table: Table, name: str | None, position: int) -> str | None:
    if name is not None:
        return _find_column(table, name)
    keys = [column.name for column in table.columns if column.primary_key]
    return keys[position] if position < len(keys) else None


def _with_examples(database: str, table: Table, examples: int) -> Table:
    """Return the table with example values from its first rows; a table that cannot be read keeps none."""
    cut = ", ".join(_cut_in_sql(quoted(column.name)) for column in table.columns)
    result = execute(database, f"SELECT {cut} FROM {quoted(table.name)} LIMIT {EXAMPLE_ROWS}", _LIMITS)
    values = zip(*result.rows, strict=True) if result.rows else [()] * len(table.columns)
    return Table(
        table.name,
        tuple(
            Column(column.name, column.type, column.primary_key, _distinct(found, examples))
            for column, found in zip(table.columns, values, strict=True)
        ),
    )


def _cut_in_sql(column: str) -> str:
    """Return SQL for the start of a text, nothing of a blob, and any other value whole."""
    start = f"substr({column}, 1, {EXAMPLE_CHARS + 1})"  # one more, to see that it was cut
    return f"CASE typeof({column}) WHEN 'text' THEN {start} WHEN 'blob' THEN NULL ELSE {column} END"


def _distinct(values: tuple[object, ...], examples: int) -> tuple[object, ...]:
    """Return the first distinct values that say something.

    >>> _distinct(("Oslo", None, "", "Oslo", "a text of more than 24 characters"), 3)
    ('Oslo', 'a text of more than 24 c…')
    """
    said = (value for value in values if value is not None and str(value).strip())
    return tuple(dict.fromkeys(_shorten(value) for value in said))[:examples]


def _shorten(value: object) -> object:
    if isinstance(value, str) and len(value) > EXAMPLE_CHARS:
        return value[:EXAMPLE_CHARS] + "…"
    return value
