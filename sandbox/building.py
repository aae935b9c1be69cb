"""A database made from a script of DDL and rows, in memory."""

import sqlite3
import time

from sandbox.guard import TICK, Guard
from sandbox.reading import failure, set_limits
from sandbox.result import Limits

MAX_BUILT_BYTES = 64 * 2**20
"""Size of a database built from a script."""


def build(script: str, limits: Limits) -> dict:
    """Return the `image`, the bytes of the database that a script makes, or why it is `unusable`.

    It is built in memory and handed to the parent, so that no worker ever needs to write a file.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    guard = Guard()
    try:
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA max_page_count={MAX_BUILT_BYTES // 4096}")
        set_limits(connection)
        connection.set_authorizer(guard.building)
        connection.set_progress_handler(guard.tick, TICK)
        guard.begin(time.monotonic() + limits.timeout_s, limits.max_steps)
        connection.executescript(script)
        connection.set_authorizer(None)
        if connection.in_transaction:
            connection.execute("COMMIT")
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return {"unusable": "it makes no table"}
        return {"image": connection.serialize()}
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, ValueError, OverflowError) as error:
        return {"unusable": failure(error, guard, limits)[1]}
    finally:
        connection.close()
