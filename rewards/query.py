"""What a query does, as rewards read it: any text may come, and equal ones are read once."""

from dataclasses import replace
from functools import lru_cache

from tasks.schema import Column, read_schema
from tasks.scope import CannotPlan, Resolved, resolve
from tasks.story_sql import SqlStory, read_sql

UNREADABLE = (CannotPlan, RecursionError)
"""What comes of SQL that is no SELECT, names what the schema does not have, or is nested too deeply."""

HIDDEN = tuple(Column(name, "INTEGER", primary_key=False) for name in ("rowid", "oid", "_rowid_"))


@lru_cache(maxsize=4096)
def story_of(sql: str, database: str) -> SqlStory | None:
    """Return what a query does, None where it is UNREADABLE."""
    try:
        return read_sql(sql, read_schema(database, examples=0))
    except UNREADABLE:
        return None


def resolved(sql: str, database: str, rowids: bool = False) -> Resolved | None:
    """Return a query whose columns carry their tables, None where it is UNREADABLE; the tree is the caller's own.

    rowids: whether it may name SQLite's hidden column.
    """
    schema = read_schema(database, examples=0)
    if rowids:
        schema = replace(schema, tables=tuple(replace(one, columns=one.columns + HIDDEN) for one in schema.tables))
    try:
        return resolve(sql, schema)
    except UNREADABLE:
        return None
