"""What the sandbox's tests share: a small database, queries that never end, and a look at the workers."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sandbox import Limits, pool

SCRIPT = """
CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);
CREATE TABLE song (id INTEGER PRIMARY KEY, singer INTEGER REFERENCES singer (id), title TEXT);
INSERT INTO singer VALUES (1, 'Ada', 30), (2, 'Bo', 40), (3, 'Cy', NULL);
INSERT INTO song VALUES (1, 1, 'Blue'), (2, 1, 'Red'), (3, 2, 'Green');
"""
QUICK = Limits(timeout_s=0.3)
FOR_EVER = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
DEAF = "SELECT length(printf('%.*c', 2000000000, 'x'))"
"""One long step inside SQLite, which only a kill ends."""


def made(path: Path, script: str, *rows: tuple) -> Path:
    """Write a database and return its path.

    rows: what table t, which the script makes, gets besides: any text, without quoting it for SQL.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(script)
        for row in rows:
            connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", row)
    return path


def worker_pids() -> set[int]:
    """Return the process ids of this process's workers."""
    return {worker.process.pid for worker in pool._pool.workers}


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
