"""A database made in memory: from a script of DDL and rows, or from a schema and the rows of its tables."""

import contextlib
import sqlite3
import time
from collections.abc import Callable

from sandbox.guard import TICK, Guard
from sandbox.reading import failure, set_limits
from sandbox.result import Limits

MAX_BUILT_BYTES = 64 * 2**20
"""Size of a database that is built."""
SMALL_PAGE_BYTES = 1024
"""A page of a database with few rows."""


def build(script: str, limits: Limits) -> dict:
    """Return the `image`, the bytes of the database that a script makes, or why it is `unusable`.

    It is built in memory and handed to the parent, so that no worker ever needs to write a file.
    """

    def write(connection: sqlite3.Connection) -> dict:
        connection.executescript(script)
        return {}

    return _made(write, limits, 4096)


def fill(schema: list[str], tables: list[list], limits: Limits) -> dict:
    """Return the `image` of a database with rows, and for each table the numbers of the rows that it `refused`.

    tables: for each, the statement that inserts one row, and the rows.
    """

    def write(connection: sqlite3.Connection) -> dict:
        connection.execute("BEGIN")
        for sql in schema:
            connection.execute(sql)
        return {"refused": [_insert(connection, sql, rows) for sql, rows in tables]}

    return _made(write, limits, SMALL_PAGE_BYTES)


def _insert(connection: sqlite3.Connection, sql: str, rows: list[list]) -> list[int]:
    """Insert rows; return the numbers of those that the table refused."""
    refused = list(range(len(rows)))
    for number, row in enumerate(rows):
        with contextlib.suppress(sqlite3.IntegrityError, OverflowError):
            connection.execute(sql, row)
            refused.remove(number)
    return refused


def _made(write: Callable[[sqlite3.Connection], dict], limits: Limits, page_bytes: int) -> dict:
    """Return what `write` returns and the image of what it wrote, or why that is unusable."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    guard = Guard()
    try:
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute(f"PRAGMA page_size={page_bytes}")
        connection.execute(f"PRAGMA max_page_count={MAX_BUILT_BYTES // page_bytes}")
        set_limits(connection)
        connection.set_authorizer(guard.building)
        connection.set_progress_handler(guard.tick, TICK)
        guard.begin(time.monotonic() + limits.timeout_s, limits.max_steps)
        written = write(connection)
        connection.set_authorizer(None)
        if connection.in_transaction:
            connection.execute("COMMIT")
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return {"unusable": "it makes no table"}
        return {"image": connection.serialize()} | written
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, ValueError, OverflowError) as error:
        return {"unusable": failure(error, guard, limits)[1]}
    finally:
        connection.close()
