"""One query over one connection that can only read."""

import contextlib
import re
import sqlite3
import time

from sandbox.guard import DESCRIBING_PRAGMAS, TICK, Guard
from sandbox.result import Limits, Result, Status

MAX_RESULT_BYTES = 16 * 2**20
"""Text, blobs and numbers of one result together."""
MAX_VALUE_BYTES = 16 * 2**20
"""One text, blob or row inside SQLite."""
MAX_SQL_BYTES = 2**20
CELL_BYTES = 64
"""What a value counts beside its text: what it takes to hand it on."""
FETCHED_ROWS = 16
"""Rows fetched between two looks at their size: few, as each may have MAX_VALUE_BYTES."""
CACHED_STATEMENTS = 32
FINE_TICK = 100
"""As TICK, where steps are counted: a query of many small steps is then half as slow again."""
SETTINGS = "; ".join(
    f"PRAGMA {one}" for one in ("temp_store=MEMORY", "query_only=ON", "trusted_schema=OFF", "cell_size_check=ON")
)
OPENING_S, OPENING_STEPS = 1.0, 50_000_000
"""What opening a database may take."""
LATER = Result("timeout", message="later")
"""Stands for a query that was stopped at `quick_s`, before its own limits."""

_READING = {"SELECT", "WITH", "VALUES"}
_OTHER_STATEMENTS = frozenset(
    """ALTER ANALYZE ATTACH BEGIN COMMIT CREATE DELETE DETACH DROP END EXPLAIN INSERT PRAGMA REINDEX RELEASE
    REPLACE ROLLBACK SAVEPOINT UPDATE VACUUM""".split()  # noqa: SIM905
)
_SPACE = r"(?:\s|--[^\n]*+|/\*.*?\*/)"
_FIRST_WORD = re.compile(rf"{_SPACE}*+([A-Za-z_]*)", re.DOTALL)
_EXPLAIN_QUERY_PLAN = re.compile(rf"EXPLAIN{_SPACE}++QUERY{_SPACE}++PLAN\b", re.IGNORECASE | re.DOTALL)
_TABLE_FUNCTIONS = [*(f"pragma_{name}" for name in sorted(DESCRIBING_PRAGMAS)), "json_each", "json_tree"]


class Reader:
    """An open database: `rows(sql, limits)` is all it does."""

    def __init__(self, uri: str) -> None:
        self._guard = Guard()
        self._connection = connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, cached_statements=CACHED_STATEMENTS
        )
        with contextlib.ExitStack() as undo:
            undo.callback(connection.close)  # an open file less, where the database is none
            connection.set_progress_handler(self._guard.tick, TICK)
            self._guard.begin(time.monotonic() + OPENING_S, OPENING_STEPS)  # what is read may be hostile
            connection.executescript(SETTINGS)
            set_limits(connection)
            connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES)
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").close()  # a file that is none fails here
            connection.set_authorizer(self._guard.reading)
            undo.pop_all()
        self._has_virtual_tables = False
        self._counted = 0

    def close(self) -> None:
        self._connection.close()

    def steps(self, sql: str, limits: Limits, quick_s: float | None = None) -> tuple[Result, int]:
        """Return what came of a query, and the steps of SQLite's virtual machine that it took, to within FINE_TICK."""
        self._connection.set_progress_handler(self._guard.tick, FINE_TICK)
        self._counted += 1
        fresh = f"/*{self._counted}*/" + sql.lstrip("; \t\r\n\f")  # a cached statement goes on counting within a tick
        try:
            return self.rows(fresh, limits, quick_s, FINE_TICK), FINE_TICK * (self._guard.ticks + 1)
        finally:
            self._connection.set_progress_handler(self._guard.tick, TICK)

    def rows(self, sql: str, limits: Limits, quick_s: float | None = None, tick: int = TICK) -> Result:
        """Return what came of a query, never raising for what it does; LATER where it wants more than `quick_s`."""
        sql = sql.strip("; \t\r\n\f")
        if refused := refusal(sql):
            return refused
        begun = time.monotonic()
        quick = quick_s is not None and quick_s < limits.timeout_s
        self._guard.begin(begun + (quick_s if quick else limits.timeout_s), limits.max_steps, tick)
        try:
            status, columns, rows, message = self._fetch(sql, limits.max_rows)
        except (sqlite3.Error, sqlite3.Warning, UnicodeError, ValueError, OverflowError) as error:
            if quick and self._guard.over == "time":
                return LATER
            status, message = failure(error, self._guard, limits)
            columns, rows = (), ()
        return Result(status, columns, rows, message, time.monotonic() - begun)

    def _fetch(self, sql: str, max_rows: int) -> tuple[Status, tuple, tuple, str]:
        try:
            return _read(self._connection.execute(sql), max_rows)
        except sqlite3.DatabaseError as error:
            if self._guard.declared and not self._has_virtual_tables:
                self._connect_virtual_tables()
                return self._fetch(sql, max_rows)
            if not str(error).startswith("Could not decode to UTF-8"):
                raise
        # Only a database with broken text pays for the slower way.
        self._connection.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            return _read(self._connection.execute(sql), max_rows)
        finally:
            self._connection.text_factory = str

    def _connect_virtual_tables(self) -> None:
        """Touch each virtual table once: SQLite declares it on first use, which the authorizer denies."""
        self._has_virtual_tables = True
        self._guard.denied = ""
        self._connection.set_authorizer(None)
        try:
            own = self._connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'")
            for name in (*_TABLE_FUNCTIONS, *(name.replace('"', '""') for (name,) in own.fetchall())):
                with contextlib.suppress(sqlite3.Error):  # a module that this SQLite lacks, or a damaged table
                    self._connection.execute(f'SELECT 1 FROM "{name}" LIMIT 0')
        finally:
            self._connection.set_authorizer(self._guard.reading)


def _read(cursor: sqlite3.Cursor, max_rows: int) -> tuple[Status, tuple, tuple, str]:
    try:
        columns = tuple(column[0] for column in cursor.description or ())
        rows, size = [], sum(map(len, columns))
        while size <= MAX_RESULT_BYTES and (more := cursor.fetchmany(FETCHED_ROWS)):
            rows += more
            if len(rows) > max_rows:
                return "too_large", (), (), f"more than {max_rows} rows"
            size += CELL_BYTES * len(more) * len(columns)
            size += sum([len(value) for row in more for value in row if isinstance(value, (str, bytes))])
        if size > MAX_RESULT_BYTES:
            return "too_large", (), (), f"more than {MAX_RESULT_BYTES >> 20} MiB of rows"
        return ("ok" if rows else "empty"), columns, tuple(rows), ""
    finally:
        cursor.close()


def set_limits(connection: sqlite3.Connection) -> None:
    """Set what one statement may hold in SQLite, whether it reads or builds."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)


def refusal(sql: str) -> Result | None:
    """Return the result of SQL that is not a query at all, or None where SQLite may look at it.

    >>> refusal("/* hm */ select 1"), refusal("DROP TABLE t").status, refusal("SELEC 1").status
    (None, 'denied', 'error')
    """
    found = _FIRST_WORD.match(sql)
    word = found[1].upper()
    if word in _READING or (word == "EXPLAIN" and _EXPLAIN_QUERY_PLAN.match(sql, found.start(1))):
        return None
    if word in _OTHER_STATEMENTS:
        allowed = "only SELECT, WITH, VALUES and EXPLAIN QUERY PLAN"
        return Result("denied", message=f"{word} is not allowed: {allowed}")
    rest = sql[found.end() - len(word) :].split(maxsplit=1)
    return Result("error", message=f'near "{rest[0][:40]}": syntax error' if rest else "there is no statement")


def failure(error: Exception, guard: Guard, limits: Limits) -> tuple[Status, str]:
    """Return the status and the message of a statement that SQLite, or Python's sqlite3, stopped."""
    text = str(error)
    if guard.over == "steps":
        return "timeout", f"stopped after {limits.max_steps:,} steps of the virtual machine"
    if guard.over:
        return "timeout", "stopped at the time limit"
    if guard.denied:
        return "denied", guard.denied
    if text.startswith("You can only execute one statement"):
        return "denied", "one statement at a time"
    if text in ("string or blob too big", "query string is too large"):
        return "too_large", text
    return "error", text[:500]
