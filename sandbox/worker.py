"""The worker process: reads requests from stdin, runs SQL that nobody trusts, answers on stdout.

Started as `python -I -S worker.py PARENT_PID` with an empty environment, so this file stands alone on the
standard library.  The parent imports `pack`, `unpack` and the constants, so that both sides speak the same
protocol: four bytes of length (big-endian), then JSON, with bytes as {"base64": …}.

    {"do": "query", "uri": …, "key": …, "sql": …, "timeout_s": …, "max_rows": …, "memory_mb": …}
        → {"status": …, "columns": …, "rows": …, "message": …, "seconds": …}  or  {"unusable": why}
    {"do": "build", "script": …, "timeout_s": …, "memory_mb": …}
        → {"image": the database file's bytes}  or  {"unusable": why}

An answer with "last": true is followed by the worker's own end.
"""

import base64
import contextlib
import ctypes
import json
import os
import re
import resource
import signal
import sqlite3
import struct
import sys
import time
from collections import OrderedDict

OUT_OF_MEMORY = 77
"""Exit status of a worker that had not even the memory to say so."""
GRACE_S = 0.4
"""How long after the time limit the parent still waits before it kills, seconds."""
MAX_RESULT_BYTES = 16 * 2**20
"""Text, blobs and numbers of one result together."""
MAX_VALUE_BYTES = 16 * 2**20
"""One text, blob or row inside SQLite."""
MAX_SQL_BYTES = 2**20
MAX_BUILT_BYTES = 64 * 2**20
"""Size of a database built from a script."""
OPEN_DATABASES = 8

READING = {"SELECT", "WITH", "VALUES"}
OTHER_STATEMENTS = frozenset(
    """ALTER ANALYZE ATTACH BEGIN COMMIT CREATE DELETE DETACH DROP END EXPLAIN INSERT PRAGMA REINDEX RELEASE
    REPLACE ROLLBACK SAVEPOINT UPDATE VACUUM""".split()  # noqa: SIM905
)
FIRST_WORD = re.compile(r"(?:\s|--[^\n]*+|/\*.*?\*/)*+([A-Za-z_]*)", re.DOTALL)
EXPLAIN_QUERY_PLAN = re.compile(r"EXPLAIN\s+QUERY\s+PLAN\b", re.IGNORECASE)

DENIED_FUNCTIONS = frozenset(
    """load_extension readfile writefile edit lsdir fsdir zipfile fts3_tokenizer optimize eval
    shell_add_schema sqlite_log""".split()  # noqa: SIM905
)
DESCRIBING_PRAGMAS = frozenset(
    "table_info table_xinfo table_list foreign_key_list index_list index_info index_xinfo".split()  # noqa: SIM905
)
TABLE_FUNCTIONS = [*(f"pragma_{name}" for name in sorted(DESCRIBING_PRAGMAS)), "json_each", "json_tree"]
ASKED_BY_FTS = {"data_version", "page_size"}
READING_ACTIONS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
DENIED_IN_SCRIPTS = {
    sqlite3.SQLITE_ATTACH,
    sqlite3.SQLITE_DETACH,
    sqlite3.SQLITE_CREATE_VTABLE,
    sqlite3.SQLITE_DROP_VTABLE,
}
ACTION_NAMES = {
    sqlite3.SQLITE_INSERT: "INSERT into",
    sqlite3.SQLITE_UPDATE: "UPDATE of",
    sqlite3.SQLITE_DELETE: "DELETE from",
    sqlite3.SQLITE_PRAGMA: "PRAGMA",
    sqlite3.SQLITE_FUNCTION: "function",
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_CREATE_VTABLE: "CREATE VIRTUAL TABLE",
}
UNUSABLE_CODES = {
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
}


def pack(message: dict) -> bytes:
    """Return a message as it goes over the pipe.

    >>> unpack(pack({"a": [b"\\x00", 2**62, float("inf"), "é", None]})[4:])
    {'a': [b'\\x00', 4611686018427387904, inf, 'é', None]}
    """
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=_bytes_to_json)
    body = text.encode("utf-8", "surrogatepass")
    return struct.pack(">I", len(body)) + body


def unpack(body: bytes) -> dict:
    """Return the message in `body`, which is what `pack` made less its four bytes of length."""
    return json.loads(body.decode("utf-8", "surrogatepass"), object_hook=_bytes_from_json)


def _bytes_to_json(value: bytes) -> dict:
    return {"base64": base64.b64encode(value).decode()}


def _bytes_from_json(value: dict) -> dict | bytes:
    return base64.b64decode(value["base64"]) if value.keys() == {"base64"} else value


class Guard:
    """SQLite's two callbacks for one connection: what may be done, and until when."""

    def __init__(self) -> None:
        self.denied = ""
        self.expired = False
        self.deadline = 0.0

    def begin(self, deadline: float) -> None:
        self.denied, self.expired, self.deadline = "", False, deadline

    def late(self) -> bool:
        """Return true, which stops SQLite, when the time is up."""
        if time.monotonic() > self.deadline:
            self.expired = True
        return self.expired

    def reading(self, action: int, first: str | None, second: str | None, _db: object, _view: object) -> int:
        """Return SQLite's verdict on one action of a query: reading is allowed, all else denied."""
        if action in READING_ACTIONS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and second and second.lower() not in DENIED_FUNCTIONS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and first:
            name = first.lower()
            if name in DESCRIBING_PRAGMAS or (name in ASKED_BY_FTS and second is None):
                return sqlite3.SQLITE_OK
        return self._deny(action, first, second)

    def building(self, action: int, first: str | None, second: str | None, _db: object, _view: object) -> int:
        """Return SQLite's verdict on one action of a script, which may change its own database."""
        if action == sqlite3.SQLITE_PRAGMA:
            # Dumps begin by switching this off; there is nothing to switch, so it is passed over.
            ignored = (first or "").lower() == "foreign_keys"
            return sqlite3.SQLITE_IGNORE if ignored else self._deny(action, first, second)
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in DENIED_FUNCTIONS:
            return self._deny(action, first, second)
        return self._deny(action, first, second) if action in DENIED_IN_SCRIPTS else sqlite3.SQLITE_OK

    def _deny(self, action: int, first: str | None, second: str | None) -> int:
        what = second if action == sqlite3.SQLITE_FUNCTION else first
        self.denied = self.denied or f"{ACTION_NAMES.get(action, 'this')} {what or ''}".strip() + " is not allowed"
        return sqlite3.SQLITE_DENY


def open_database(uri: str) -> tuple[sqlite3.Connection, Guard]:
    """Return a connection that can only read, and its guard; the schema has been read once."""
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, cached_statements=64)
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    _connect_virtual_tables(connection)
    _set_sqlite_limits(connection)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES)
    guard = Guard()
    connection.set_authorizer(guard.reading)
    connection.set_progress_handler(guard.late, 1000)
    return connection, guard


def _connect_virtual_tables(connection: sqlite3.Connection) -> None:
    """Touch each virtual table once: SQLite declares it on first use, which the authorizer would deny."""
    own = connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'").fetchall()
    for name in [*TABLE_FUNCTIONS, *(name.replace('"', '""') for (name,) in own)]:
        with contextlib.suppress(sqlite3.OperationalError):  # this SQLite may lack its module
            connection.execute(f'SELECT 1 FROM "{name}" LIMIT 0')


def _set_sqlite_limits(connection: sqlite3.Connection) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)


def refusal(sql: str) -> dict | None:
    """Return the answer to SQL that is not a query at all, or None where SQLite may look at it.

    >>> refusal("/* hm */ select 1"), refusal("DROP TABLE t")["status"], refusal("SELEC 1")["status"]
    (None, 'denied', 'error')
    """
    found = FIRST_WORD.match(sql)
    word = found[1].upper()
    if word in READING or (word == "EXPLAIN" and EXPLAIN_QUERY_PLAN.match(sql, found.start(1))):
        return None
    if word in OTHER_STATEMENTS:
        return _failed("denied", f"{word} is not allowed: only SELECT, WITH, VALUES and EXPLAIN QUERY PLAN")
    rest = sql[found.end() - len(word) :].split(maxsplit=1)
    return _failed("error", f'near "{rest[0][:40]}": syntax error' if rest else "there is no statement")


def query(connection: sqlite3.Connection, guard: Guard, request: dict) -> dict:
    """Return what came of one query, never raising for what the SQL does."""
    sql = request["sql"].rstrip("; \t\r\n\f")
    if refused := refusal(sql):
        return refused
    begun = time.monotonic()
    guard.begin(begun + request["timeout_s"])
    try:
        answer = _fetch(connection, sql, request["max_rows"])
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, ValueError, OverflowError) as error:
        answer = _failure(error, guard)
    answer["seconds"] = time.monotonic() - begun
    return answer


def _fetch(connection: sqlite3.Connection, sql: str, max_rows: int) -> dict:
    connection.text_factory = str
    try:
        return _rows(connection, sql, max_rows)
    except sqlite3.OperationalError as error:
        if not str(error).startswith("Could not decode to UTF-8"):
            raise
    # Only a database with broken text pays for the slower way.
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return _rows(connection, sql, max_rows)


def _rows(connection: sqlite3.Connection, sql: str, max_rows: int) -> dict:
    cursor = connection.execute(sql)
    try:
        columns = [column[0] for column in cursor.description or ()]
        rows, size = [], 0
        for row in cursor:
            rows.append(row)
            size += 16 * len(row) + sum(len(value) for value in row if isinstance(value, (str, bytes)))
            if len(rows) > max_rows:
                return _failed("too_large", f"more than {max_rows} rows")
            if size > MAX_RESULT_BYTES:
                return _failed("too_large", f"more than {MAX_RESULT_BYTES >> 20} MiB of rows")
        return {"status": "ok" if rows else "empty", "columns": columns, "rows": rows, "message": ""}
    finally:
        cursor.close()


def _failure(error: Exception, guard: Guard) -> dict:
    """Return the answer for a query that SQLite, or Python's sqlite3, stopped."""
    text = str(error)
    if guard.expired:
        return _failed("timeout", "stopped at the time limit")
    if guard.denied:
        return _failed("denied", guard.denied)
    if text.startswith("You can only execute one statement"):
        return _failed("denied", "one statement at a time")
    if text in ("string or blob too big", "query string is too large"):
        return _failed("too_large", text)
    return _failed("error", text)


def _failed(status: str, message: str) -> dict:
    return {"status": status, "columns": [], "rows": [], "message": message[:500], "seconds": 0.0}


def build(request: dict) -> dict:
    """Return the bytes of the database that a script of DDL and rows makes, or why it makes none.

    It is built in memory and handed to the parent, so that no worker ever needs to write a file.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    guard = Guard()
    try:
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA max_page_count={MAX_BUILT_BYTES // 4096}")
        _set_sqlite_limits(connection)
        connection.set_authorizer(guard.building)
        connection.set_progress_handler(guard.late, 1000)
        guard.begin(time.monotonic() + request["timeout_s"])
        connection.executescript(request["script"])
        connection.set_authorizer(None)
        if connection.in_transaction:
            connection.execute("COMMIT")
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return {"unusable": "it makes no table"}
        return {"image": connection.serialize()}
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, ValueError, OverflowError) as error:
        return {"unusable": _failure(error, guard)["message"]}
    finally:
        connection.close()


def answer_query(request: dict, opened: OrderedDict) -> dict:
    """Return the answer to a query over one of the `opened` databases; the least recently used are closed."""
    key = tuple(request["key"])
    if key not in opened:
        for stale in [other for other in opened if other[0] == key[0]]:
            opened.pop(stale)[0].close()
        try:
            opened[key] = open_database(request["uri"])
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF in UNUSABLE_CODES or str(error).startswith("malformed"):
                return {"unusable": str(error)}
            return _failed("error", str(error))
        if len(opened) > OPEN_DATABASES:
            opened.popitem(last=False)[1][0].close()
    opened.move_to_end(key)
    return query(*opened[key], request)


def answer(request: dict, opened: OrderedDict) -> bytes:
    """Return the packed answer to one request; no memory is an answer too, and the worker's last."""
    # If the parent is gone or asleep, the kernel still ends a query that SQLite cannot stop.
    signal.setitimer(signal.ITIMER_REAL, request["timeout_s"] + 2 * GRACE_S)
    _limit_memory(request["memory_mb"] * 2**20)
    try:
        return pack(build(request) if request["do"] == "build" else answer_query(request, opened))
    except MemoryError:
        opened.clear()
        return pack(_failed("too_large", f"more than {request['memory_mb']} MiB of memory") | {"last": True})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(size: int) -> None:
    """Limit the address space to `size` bytes, which the next request may change."""
    now, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = size if hard == resource.RLIM_INFINITY else min(size, hard)
    if now != size:
        resource.setrlimit(resource.RLIMIT_AS, (size, hard))


def confine(parent_pid: int) -> None:
    """Give up all that a worker does not need, and die when the parent does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent_pid:
        os._exit(0)  # the parent died before the line above
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the parent's mask is inherited
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))


def _read(length: int) -> bytes:
    """Return exactly `length` bytes of stdin; end the process where there are no more."""
    parts, left = [], length
    while left:
        part = os.read(0, left)
        if not part:
            os._exit(0)
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _write(message: bytes) -> None:
    view = memoryview(message)
    while view:
        view = view[os.write(1, view) :]


def main() -> None:
    """Answer until stdin ends."""
    confine(int(sys.argv[1]))
    opened: OrderedDict = OrderedDict()
    _write(pack({"ready": True}))
    try:
        while True:
            (length,) = struct.unpack(">I", _read(4))
            _write(answer(unpack(_read(length)), opened))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
