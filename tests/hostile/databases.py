"""Databases that try to break the sandbox: hostile definitions, damaged pages, files that are no files, scripts."""

import os
import random
import socket
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

PLAIN = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two');"
NOTES = """
CREATE TABLE note (id INTEGER PRIMARY KEY, singer INTEGER, body TEXT);
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 400)
INSERT INTO note SELECT x, x % 7, replace(hex(zeroblob(x % 50)), '0', 'word ') FROM c;
INSERT INTO note VALUES (999, 1, hex(zeroblob(20000)));
CREATE INDEX note_singer ON note (singer, body);
CREATE TABLE gone (x); INSERT INTO gone SELECT body FROM note; DROP TABLE gone;
"""
READ_NOTES = (
    "SELECT count(*), sum(length(body)) FROM note",
    "SELECT a.id FROM note a JOIN note b ON b.singer = a.id ORDER BY a.body, b.id LIMIT 20",
    "SELECT singer, max(body) FROM note GROUP BY singer HAVING body LIKE '%word%'",
    "SELECT name, sql FROM sqlite_master",
)
BOMB = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT"
DEAF = "length(printf('%.*c', 2000000000, 'x'))"


def forged(kind: str, name: str, root: int, sql: str) -> str:
    """Return the script that puts a row of its own into the schema."""
    quoted = sql.replace("'", "''")
    return (
        "PRAGMA writable_schema = ON;"
        f"INSERT INTO sqlite_master VALUES ('{kind}', '{name}', '{name}', {root}, '{quoted}')"
    )


DEFINITIONS = [
    ("denied or error", "a view that loads code", "CREATE VIEW v AS SELECT load_extension('evil.so')"),
    ("denied or error", "a view that writes a file", "CREATE VIEW v AS SELECT writefile('evil', b) FROM t"),
    ("denied or error", "a view of a tokenizer's address", "CREATE VIEW v AS SELECT fts3_tokenizer('simple')"),
    ("denied or error", "a view of other files", "CREATE VIEW v AS SELECT * FROM pragma_database_list"),
    ("timeout", "a view without an end", f"CREATE VIEW v AS {BOMB} count(*) FROM c"),
    ("timeout or too_large", "a view deaf to the clock", f"CREATE VIEW v AS SELECT {DEAF} FROM t"),
    ("too_large", "a view of a gigabyte", "CREATE VIEW v AS SELECT randomblob(1000000000)"),
    ("error", "a view of itself", "CREATE VIEW v AS SELECT * FROM w; CREATE VIEW w AS SELECT * FROM v"),
    ("timeout or too_large or error", "views that double", "CREATE VIEW v0 AS SELECT a FROM t UNION SELECT 0;"
        + "".join(f"CREATE VIEW v{i} AS SELECT x.a FROM v{i - 1} x, v{i - 1} y;" for i in range(1, 20))
        + "CREATE VIEW v AS SELECT count(*) FROM v19"),
    ("error", "a view over nothing", "CREATE VIEW v AS SELECT * FROM nowhere"),
    ("ok", "a view that takes the name of a description",
        "CREATE VIEW pragma_table_info AS SELECT 666 AS a; CREATE VIEW v AS SELECT * FROM pragma_table_info"),
    ("timeout or too_large", "a column deaf to the clock",
        forged("table", "v", 2, f"CREATE TABLE v (x, y, z AS ({DEAF}))")),
    ("too_large", "a column of a gigabyte",
        forged("table", "v", 2, "CREATE TABLE v (x, y, z AS (hex(zeroblob(1e9))))")),
    ("error or denied", "a column computed by a function of somebody else's",
        forged("table", "v", 2, "CREATE TABLE v (x, y AS (evil(x)))")),
    ("error", "an order of somebody else's", "CREATE VIEW v AS SELECT a FROM t ORDER BY b COLLATE evil"),
    ("ok", "an index computed by something slow",
        "CREATE TABLE v (x); CREATE INDEX i ON v (replace(hex(zeroblob(x)), '0', 'xx')); INSERT INTO v VALUES (9)"),
    ("ok", "a column named by a hundred kilobytes", f'CREATE TABLE v ("{"n" * 100_000}"); INSERT INTO v VALUES (1)'),
    ("ok", "a table named like an attack", "CREATE TABLE \"x'; DROP TABLE t; --\" (a); CREATE TABLE v AS SELECT 1"),
    ("ok or timeout", "twenty thousand tables", "BEGIN;" + "".join(
        forged("table", f"t{i}", 2, f"CREATE TABLE t{i} (x)") + ";" for i in range(20_000))
        + "CREATE TABLE v AS SELECT 1; COMMIT"),
    ("ok or timeout or refused", "a thousand virtual tables", "BEGIN;" + "".join(
        forged("table", f"t{i}", 0, f"CREATE VIRTUAL TABLE t{i} USING fts5(x)") + ";" for i in range(1000))
        + "CREATE TABLE v AS SELECT 1; COMMIT"),
    ("error or denied", "a virtual table of a module that is not there",
        forged("table", "v", 0, "CREATE VIRTUAL TABLE v USING csv(filename='/etc/passwd')")),
    ("ok or error or denied", "a virtual table that shows pages", "CREATE VIRTUAL TABLE v USING dbstat"),
    ("timeout", "full-text search that is set up by a query without an end", "CREATE VIRTUAL TABLE v USING fts5(x);"
        f"DROP TABLE v_config; CREATE VIEW v_config(k, v) AS {BOMB} 'x' || x, x FROM c WHERE x < 0"),
    ("timeout or empty or error", "full-text search over a query without an end",
        f"CREATE VIEW w(x) AS {BOMB} x FROM c; CREATE VIRTUAL TABLE v USING fts5(x, content = w)"),
    ("ok or error or denied", "full-text search ranked by code", "CREATE VIRTUAL TABLE v USING fts5(x);"
        "INSERT INTO v VALUES ('a'); INSERT INTO v_config VALUES ('rank', 'bm25(load_extension(''evil''))')"),
    ("ok or error or denied or too_large", "full-text search with noise for its pages",
        "CREATE VIRTUAL TABLE v USING fts5(x); INSERT INTO v VALUES ('a b c');"
        "UPDATE v_data SET block = x'ff00ff7f8081fffffffff0'"),
    ("ok or error or denied", "a tree of rectangles with noise for its nodes",
        "CREATE VIRTUAL TABLE v USING rtree(i, a, b); INSERT INTO v VALUES (1, 2, 3);"
        "UPDATE v_node SET data = x'0001ffff' || zeroblob(1200)"),
    ("ok or error or denied", "a tree of rectangles that holds itself",
        "CREATE VIRTUAL TABLE v USING rtree(i, a, b); INSERT INTO v VALUES (1, 2, 3);"
        "UPDATE v_node SET data = x'00050001' || x'0000000000000001' || zeroblob(1200)"),
    ("error or refused", "a schema with a statement in it", forged("table", "v", 2, "DROP TABLE t")),
    ("ok or refused", "a schema with two statements in it",
        forged("table", "v", 2, "CREATE TABLE v (x); DROP TABLE t")),
    ("error or refused", "a schema that calls a query a table",
        forged("table", "v", 2, f"CREATE TABLE v AS {BOMB} x FROM c")),
    ("error or refused or ok", "a table that is the schema", forged("table", "v", 1, "CREATE TABLE v (a, b, c, d, e)")),
    ("error or refused", "a table beyond the file", forged("table", "v", 999_999, "CREATE TABLE v (x)")),
    ("error or refused or ok", "a table without a page", forged("table", "v", 0, "CREATE TABLE v (x)")),
    ("error or refused or ok", "an index that is a table", PLAIN.replace(" t ", " v ")
        + forged("index", "i", 2, "CREATE INDEX i ON v (a)")),
]  # fmt: skip
"""statuses that `SELECT * FROM v` may have, what it tries, script; `refused` means ConfigError"""


def put(place: int, value: bytes) -> Callable[[bytes], bytes]:
    """Return the change that writes `value` at `place`."""
    return lambda image: image[:place] + value + image[place + len(value) :]


def page(number: int, place: int, value: bytes) -> Callable[[bytes], bytes]:
    """Return the change that writes `value` at `place` of page `number`, counted from 1."""
    return put((number - 1) * 4096 + place, value)


DAMAGES = {
    "cut within its first page": lambda image: image[:700],
    "cut after its first page": lambda image: image[:4096],
    "cut in the middle of a page": lambda image: image[:10_000],
    "less its last byte": lambda image: image[:-1],
    "followed by noise": lambda image: image + bytes(range(256)) * 64,
    "the same page again and again": lambda image: image[:4096] * 9,
    "its pages backwards": lambda image: image[:4096] + b"".join(
        image[i : i + 4096] for i in range(len(image) - 4096, 4095, -4096)),
    "zeros but for its first page": lambda image: image[:4096] + bytes(len(image) - 4096),
    "ones but for its header": lambda image: image[:100] + b"\xff" * (len(image) - 100),
    "pages of no bytes": put(16, b"\0\0"),
    "pages of 65,536 bytes, it says": put(16, b"\0\1"),
    "pages of 512 bytes, it says": put(16, b"\2\0"),
    "pages that are all reserve": put(20, b"\xff"),
    "written for a WAL that is not there": put(18, b"\2\2"),
    "written by a version to come": put(18, b"\7\7"),
    "four billion pages, it says": put(28, b"\xff" * 4),
    "free pages without end": put(32, b"\0\0\0\2\xff\xff\xff\xff"),
    "a schema of the year 3000": put(44, b"\0\0\0\x63"),
    "text in a code nobody knows": put(56, b"\0\0\0\x09"),
    "text in another code than it says": put(56, b"\0\0\0\2"),
    "a schema of more cells than fit": put(103, b"\xff\xff"),
    "a schema whose cells lie outside": put(108, b"\xff\xff\xff\xff"),
    "a tree that is its own branch": page(2, 8, struct.pack(">I", 2)),
    "a tree that grows from the schema": page(2, 8, struct.pack(">I", 1)),
    "a tree that leads nowhere": page(2, 8, struct.pack(">I", 0)),
    "a tree of no kind": page(2, 0, b"\x07"),
    "a table that is an index": page(2, 0, b"\x0a"),
}  # fmt: skip


def flipped(image: bytes, seed: int) -> bytes:
    """Return `image` with 1 to 64 bytes changed, mostly where pages begin, but not what calls it a database."""
    chance, changed = random.Random(seed), bytearray(image)
    for _ in range(2 ** (seed % 7)):
        start = chance.randrange(0, len(image), 4096)
        place = max(start + chance.randrange(chance.choice((16, 100, 4096))), 24)
        changed[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(changed)


def written(path: Path, script: str) -> Path:
    """Write a database by a script that SQLite lets pass with its defences down; return its path."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(f"PRAGMA page_size = 4096; PRAGMA synchronous = OFF; {script}")
    connection.close()
    return path


def _link(folder: Path, target: str | Path) -> Path:
    link = folder / "link.sqlite"
    link.symlink_to(target)
    return link


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.sqlite")
    return folder / "pipe.sqlite"


def _socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "s.sqlite"))
    return folder / "s.sqlite"


def _sparse(folder: Path) -> Path:
    path = written(folder / "sparse.sqlite", PLAIN)
    os.truncate(path, 2**40)
    return path


def _with(suffix: str, content: bytes) -> Callable[[Path], Path]:
    """Return the maker of a database with a file beside it that SQLite would take for its own."""

    def make(folder: Path) -> Path:
        path = written(folder / "plain.sqlite", PLAIN)
        (folder / f"plain.sqlite{suffix}").write_bytes(content)
        return path

    return make


SCRIPTS = {
    "a file attached": f"{PLAIN} ATTACH 'evil.sqlite' AS evil; CREATE TABLE evil.t (x);",
    "a file written": f"{PLAIN} VACUUM INTO 'evil.sqlite';",
    "a file read": f"{PLAIN} INSERT INTO t SELECT 3, readfile('/etc/passwd');",
    "code loaded": f"{PLAIN} INSERT INTO t SELECT 3, load_extension('evil.so');",
    "code loaded by a trigger": f"{PLAIN} CREATE TRIGGER e AFTER INSERT ON t BEGIN SELECT load_extension('evil'); END;"
    "INSERT INTO t VALUES (3, 'three');",
    "the schema opened": f"{PLAIN} PRAGMA writable_schema = ON; DELETE FROM sqlite_master;",
    "the schema rewritten": f"{PLAIN} UPDATE sqlite_master SET sql = 'evil';",
    "a virtual table": f"{PLAIN} CREATE VIRTUAL TABLE v USING fts5(x);",
    "an end that never comes": f"{PLAIN} INSERT INTO t {BOMB} x + 9, x FROM c;",
    "a trigger that calls itself": f"{PLAIN} PRAGMA recursive_triggers = ON; CREATE TRIGGER e AFTER INSERT ON t BEGIN "
    "INSERT INTO t SELECT new.a + 1, new.b; END; INSERT INTO t VALUES (3, 'three');",
    "deaf to the clock": f"{PLAIN} INSERT INTO t SELECT 3, {DEAF};",
    "a gigabyte": f"{PLAIN} INSERT INTO t SELECT 3, randomblob(1000000000);",
    "a hundred megabytes, piece by piece": f"{PLAIN} INSERT INTO t {BOMB} x + 9, zeroblob(1000000) FROM c LIMIT 100;",
    "a NUL": f"{PLAIN} INSERT INTO t VALUES (3, '\0');",
    "half of a surrogate": f"{PLAIN} INSERT INTO t VALUES (3, '\ud800');",
    "a quote left open": f"{PLAIN} INSERT INTO t VALUES (3, 'three);",
    "parentheses": f"{PLAIN} INSERT INTO t VALUES (3, {'(' * 100_000}1{')' * 100_000});",
    "two thousand columns and more": f"{PLAIN} CREATE TABLE wide ({', '.join(f'c{i}' for i in range(3000))});",
    "a table twice": PLAIN * 2,
}
"""Scripts that are no database: what they try → script"""

JOURNAL = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + struct.pack(">5I", 1, 7, 2, 512, 4096) + bytes(484 + 4100)
FILES = {
    "a folder": ("refused", lambda folder: folder),
    "a pipe": ("refused", _fifo),
    "a socket": ("refused", _socket),
    "a device without an end": ("refused", lambda _: "/dev/zero"),
    "a device without a beginning": ("refused", lambda _: "/dev/null"),
    "the parent's memory": ("refused", lambda _: "/proc/self/mem"),
    "the parent's secrets": ("refused", lambda _: "/proc/self/environ"),
    "the parent's input": ("refused", lambda _: "/dev/stdin"),
    "in memory": ("refused", lambda _: ":memory:"),
    "nameless": ("refused", lambda _: ""),
    "an address that creates": ("refused", lambda folder: f"file:{folder}/evil.sqlite?mode=rwc"),
    "a path with a NUL": ("refused", lambda folder: f"{folder}/evil\0.sqlite"),
    "a path that is too long": ("refused", lambda folder: f"{folder}/{'x' * 5000}"),
    "a path of half a surrogate": ("refused", lambda folder: f"{folder}/\ud800.sqlite"),
    "a link to nowhere": ("refused", lambda folder: _link(folder, "nowhere.sqlite")),
    "a link to itself": ("refused", lambda folder: _link(folder, "link.sqlite")),
    "a link to a pipe": ("refused", lambda folder: _link(folder, _fifo(folder))),
    "a link to words": ("refused", lambda folder: _link(folder, "/etc/passwd")),
    "a link to a database": ("ok", lambda folder: _link(folder, written(folder / "t.sqlite", PLAIN))),
    "a terabyte of holes": ("ok", _sparse),
    "pages of 512 bytes": ("ok", lambda folder: written(folder / "t.sqlite", f"PRAGMA page_size = 512; {PLAIN}")),
    "pages of 64 KiB": ("ok", lambda folder: written(folder / "t.sqlite", f"PRAGMA page_size = 65536; {PLAIN}")),
    "text of 16 bits": ("ok", lambda folder: written(folder / "t.sqlite", f"PRAGMA encoding = 'UTF-16be'; {PLAIN}")),
    "kept tidy": ("ok", lambda folder: written(folder / "t.sqlite", f"PRAGMA auto_vacuum = INCREMENTAL; {PLAIN}")),
    "read by a WAL": ("ok", lambda folder: written(folder / "t.sqlite", f"PRAGMA journal_mode = WAL; {PLAIN}")),
    "beside a WAL of noise": ("refused", _with("-wal", b"\x37\x7f\x06\x82" + bytes(range(256)) * 20)),
    "beside an empty WAL": ("ok", _with("-wal", b"")),
    "beside a journal to roll back": ("ok", _with("-journal", JOURNAL)),
    "beside an index of a WAL": ("ok", _with("-shm", bytes(32768))),
}
"""what it is → statuses that reading it may have, its maker"""
