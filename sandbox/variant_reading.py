"""A bounded part of a database's rows, with all that these refer to, read through the sandbox."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from sandbox.databases import Database
from sandbox.execution import execute, execute_many
from sandbox.result import Limits, Result
from sandbox.variant_rows import Data, ForeignKey, Row, Table, Unvariable, orphans, quoted

ROWS = 300
"""Rows of one table that a variant begins with, besides those that others refer to."""
MAX_PARENTS = 2_000
"""Rows of one table with those that others refer to; a foreign key that needs more is not kept to."""
MAX_CHARS = 4096
"""Longer texts and blobs are cut."""
LIMITS = Limits(timeout_s=30, max_rows=100_000)


@lru_cache(maxsize=4)
def read_data(database: Database) -> Data:
    """Return up to ROWS rows of each table, and all that these refer to; Unvariable where it cannot be read."""
    made = _rows(database, "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    ours = [row for row in made if row[0] != "trigger" and _is_plain(row)]
    tables = {name.lower(): _read_table(database, name) for kind, name, _ in ours if kind == "table"}
    for name, table in tables.items():
        tables[name] = replace(table, references=tuple(_references(database, table, tables)))
    _add_parents(database, tables)
    order = {"table": 0, "index": 1, "view": 2}
    return Data(tables, tuple(sorted(ours, key=lambda row: order[row[0]])))


def _is_plain(row: tuple[str, str, str]) -> bool:
    """Return whether SQLite keeps it itself: no virtual table and none of its own."""
    return not row[1].lower().startswith("sqlite_") and not row[2][:15].upper().startswith("CREATE VIRTUAL")


def _rows(database: Database, sql: str) -> tuple[tuple, ...]:
    return _checked(database, execute(database.path, sql, LIMITS))


def _checked(database: Database, result: Result) -> tuple[tuple, ...]:
    if not result.runs:
        raise Unvariable(f"database {database.path!r} cannot be varied: {result.message}; get a whole copy of it")
    return result.rows


def _read_table(database: Database, name: str) -> Table:
    described = [row for row in _pragma(database, "table_xinfo", name) if row[6] == 0]
    columns = tuple(row[1] for row in described)
    place = {column: number for number, column in enumerate(columns)}
    primary = tuple(place[row[1]] for row in sorted(described, key=lambda row: row[5]) if row[5])
    unique = {primary: None} if primary else {}
    for _, index, is_unique, _, partial in _pragma(database, "index_list", name):
        names = [row[2] for row in _pragma(database, "index_info", index)] if is_unique and not partial else [None]
        if all(one in place for one in names):
            unique[tuple(place[one] for one in names)] = None
    required = frozenset(place[row[1]] for row in described if row[3])
    table = Table(name, columns, tuple(row[2] for row in described), tuple(unique), required)
    rows = _read_rows(database, table)
    return replace(table, rows=rows, unique=table.unique or _seeming_key(table, rows))


def _pragma(database: Database, name: str, about: str) -> tuple[tuple, ...]:
    return _rows(database, f"SELECT * FROM pragma_{name}({literal(about)})")


def _seeming_key(table: Table, rows: list[Row]) -> tuple[tuple[int, ...], ...]:
    """Return the first column as a key where none is declared but its name and values say that it is one."""
    values = [row[0] for row in rows]
    named = table.columns[0].lower().endswith("id")
    return ((0,),) if named and len(values) > 1 and None not in values and len(set(values)) == len(values) else ()


def _selected(table: Table) -> str:
    """Return the columns of a table as a SELECT has them, long values cut."""
    names = map(quoted, table.columns)
    return ", ".join(
        f"CASE WHEN typeof({name}) IN ('text', 'blob') THEN substr({name}, 1, {MAX_CHARS}) ELSE {name} END"
        for name in names
    )


def _read_rows(database: Database, table: Table) -> list[Row]:
    """Return up to ROWS rows; of a table that has more, those at places spread evenly over its rowids."""
    name, columns = quoted(table.name), _selected(table)
    rows = _rows(database, f"SELECT {columns} FROM {name} LIMIT {ROWS + 1}")
    if len(rows) > ROWS:
        ends = execute(database.path, f"SELECT min(rowid), max(rowid) FROM {name}", LIMITS)
        if ends.runs and all(isinstance(end, int) for end in ends.rows[0]):  # else a table WITHOUT ROWID
            first, last = ends.rows[0]
            places = ", ".join(f"({first + (last - first) * number // (ROWS - 1)})" for number in range(ROWS))
            nearest = f"SELECT (SELECT min(rowid) FROM {name} WHERE rowid >= column1) FROM (VALUES {places})"
            rows = _rows(database, f"SELECT {columns} FROM {name} WHERE rowid IN ({nearest}) ORDER BY rowid")
    return [list(row) for row in rows[:ROWS]]


def _references(database: Database, table: Table, tables: dict[str, Table]) -> Iterator[ForeignKey]:
    """Yield the declared foreign keys whose parent columns are a key, as SQLite wants them to be."""
    declared: dict[int, list[tuple]] = {}
    for row in _pragma(database, "foreign_key_list", table.name):
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


def _add_parents(database: Database, tables: dict[str, Table]) -> None:
    """Add the rows that others refer to; drop a foreign key where one of them is not there."""
    waiting = [(table, key) for table in tables.values() for key in table.references]
    while waiting:
        table, key = waiting.pop()
        parent = tables[key.parent]
        children = list(dict(orphans(table, key, tables)).values())
        found = _find(database, parent, key, children) if len(parent.rows) + len(children) <= MAX_PARENTS else [None]
        if None in found:
            table.references = tuple(other for other in table.references if other != key)
            table.__post_init__()
        elif found:
            parent.rows += found
            waiting += [(parent, above) for above in parent.references]


def _find(database: Database, parent: Table, key: ForeignKey, children: Sequence[Row]) -> list[Row | None]:
    """Return the row of the parent table that each child refers to."""
    columns = [quoted(parent.columns[column]) for column in key.parent_columns]
    sqls = []
    for child in children:
        wanted = zip(columns, (literal(child[column]) for column in key.columns), strict=True)
        where = " AND ".join(f"{column} = {value}" for column, value in wanted)
        sqls.append(f"SELECT {_selected(parent)} FROM {quoted(parent.name)} WHERE {where} LIMIT 1")
    results = execute_many([(database.path, sql) for sql in sqls], LIMITS)
    return [list(result.rows[0]) if result.rows else None for result in results]


def literal(value: object) -> str:
    """Return a value as it stands in SQL.

    >>> literal("it's"), literal(None), literal(1.5), literal(float("-inf")), literal(b"a")
    ("'it''s'", 'NULL', '1.5', '-9e999', "x'61'")
    """
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value).replace("inf", "9e999")
