"""One hostile test for each promise of the sandbox."""

import hashlib
import json
import math
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from configs.errors import ConfigError
from sandbox import Limits, database_file, execute, execute_many, pool
from sandbox.__main__ import main

ROOT = Path(__file__).parents[1]
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


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANQL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield database_file(SCRIPT)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANQL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "databases"


def made(path: Path, script: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path


def file_and_inode(script: str) -> tuple[Path, int]:
    file = database_file(script)
    return file, file.stat().st_ino


def worker_pids() -> set[int]:
    return {worker.process.pid for worker in pool._pool.workers}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# What comes back


def test_rows_columns_and_status(database):
    result = execute(database, "SELECT name AS who, age FROM singer ORDER BY id")
    assert (result.status, result.columns) == ("ok", ("who", "age"))
    assert result.rows == (("Ada", 30), ("Bo", 40), ("Cy", None))
    assert result.runs and result.message == "" and 0 < result.seconds < 1


def test_no_rows_still_have_columns(database):
    result = execute(database, "SELECT name FROM singer WHERE age > 99")
    assert (result.status, result.columns, result.rows, result.runs) == ("empty", ("name",), (), True)


def test_every_kind_of_value_survives_the_trip(database):
    sql = "SELECT x'00ff', 9e999, -9e999, 9007199254740993, -9223372036854775808, NULL, 'é\n\"', 0.1, '', x''"
    inf = math.inf
    assert execute(database, sql).rows == (
        (b"\x00\xff", inf, -inf, 9007199254740993, -(2**63), None, 'é\n"', 0.1, "", b""),
    )


def test_broken_utf8_is_replaced(database):
    assert execute(database, "SELECT CAST(x'41ff' AS TEXT), 'B'").rows == (("A\ufffd", "B"),)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM singer;",
        "SELECT * FROM singer ;; \n",
        "-- a comment\n/* and another; */ SELECT * FROM singer -- the end;",
        "WITH s AS (SELECT 1) SELECT * FROM s",
        "VALUES (1), (2)",
        "EXPLAIN QUERY PLAN SELECT * FROM singer",
        "explain\nquery plan select 1",
        "SELECT ';' FROM singer",
        "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE%'",
        "SELECT name, pk FROM pragma_table_info('singer')",
        "SELECT m.name, x.name FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x",
        'SELECT "table", "from", "to" FROM pragma_foreign_key_list(\'song\')',
        "SELECT value FROM json_each('[1, 2]')",
        "SELECT sum(age) OVER (ORDER BY id), sqrt(4), group_concat(name) FROM singer",
    ],
)
def test_allowed(database, sql):
    assert execute(database, sql).status == "ok"


def test_index_pragmas_describe(tmp_path):
    path = made(tmp_path / "i.sqlite", "CREATE TABLE t (a, b); CREATE UNIQUE INDEX i ON t (b)")
    sql = "SELECT i.name, c.name FROM pragma_index_list('t') AS i, pragma_index_info(i.name) AS c"
    assert execute(path, sql).rows == (("i", "b"),)


@pytest.mark.parametrize("module", ["fts4(a)", "fts5(a)", "rtree(id, a, b)"])
def test_virtual_tables_of_a_database_can_be_read(tmp_path, module):
    path = made(
        tmp_path / "v.sqlite",
        f"CREATE VIRTUAL TABLE v USING {module}; INSERT INTO v VALUES (1{', 2, 3' * ('r' in module)})",
    )
    assert execute(path, "SELECT a FROM v").status == "ok"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("SELECT nope FROM singer", "no such column: nope"),
        ("SELECT 1 FROM", "incomplete input"),
        ("", "there is no statement"),
        (" ;-- nothing", "syntax error"),
        ("/* never closed", "syntax error"),
        ("SELECT ?", "Incorrect number of bindings"),
        ("SELECT \x00 1", "null character"),
        ("SELECT '\ud800'", "surrogates"),
        ("SELECT abs(-9223372036854775808)", "integer overflow"),
    ],
)
def test_bad_sql_is_data(database, sql, message):
    result = execute(database, sql)
    assert result.status == "error" and not result.runs
    assert message in result.message


# Reading only


DENIED = [
    "INSERT INTO singer VALUES (9, 'x', 1)",
    "REPLACE INTO singer VALUES (1, 'x', 1)",
    "UPDATE singer SET age = 0",
    "DELETE FROM singer",
    "WITH s AS (SELECT 1) INSERT INTO singer SELECT 9, 'x', 1",
    "WITH s AS (SELECT 1) DELETE FROM singer",
    "WITH s AS (SELECT 1) UPDATE singer SET age = 0 RETURNING *",
    "EXPLAIN QUERY PLAN DELETE FROM singer",
    "EXPLAIN SELECT 1",
    "DROP TABLE singer",
    "CREATE TABLE t (a)",
    "CREATE TEMP TABLE t (a)",
    "CREATE VIRTUAL TABLE t USING fts5(a)",
    "ALTER TABLE singer RENAME TO x",
    "ATTACH 'file:other.sqlite' AS other",
    "/* hi */ -- there\n aTtAcH ':memory:' AS other",
    "DETACH main",
    "PRAGMA writable_schema = ON",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA table_info(singer)",
    "SELECT * FROM pragma_database_list",
    "VACUUM INTO 'copy.sqlite'",
    "REINDEX",
    "ANALYZE",
    "BEGIN",
    "SAVEPOINT s",
    "SELECT load_extension('evil.so')",
    "SELECT LOAD_EXTENSION('evil.so')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE singer",
    "SELECT 1;; -- x\n SELECT 2",
]


@pytest.mark.parametrize("sql", DENIED)
def test_denied(database, sql):
    result = execute(database, sql)
    assert (result.status, result.rows) == ("denied", ())
    assert result.message


def test_no_statement_changes_a_byte_on_disk(database):
    def picture():
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in database.parent.iterdir()}

    before, changed_ns = picture(), database.stat().st_mtime_ns
    execute_many([(database, sql) for sql in DENIED])
    execute(database, "SELECT readfile('/etc/passwd'), writefile('x', 'y')")
    assert picture() == before and database.stat().st_mtime_ns == changed_ns


def test_a_big_sort_writes_no_file(database):
    numbers = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 60000) "
    result = execute(database, numbers + "SELECT x, hex(randomblob(200)) AS h FROM c ORDER BY h LIMIT 5")
    assert result.status == "ok"


# Limits


@pytest.mark.parametrize(
    "sql",
    [
        FOR_EVER,
        "SELECT count(*) FROM " + ", ".join(f"song AS s{i}" for i in range(30)),
        "SELECT count(*) FROM " + ", ".join(f"json_each('[1, 2, 3, 4, 5, 6, 7]') AS j{i}" for i in range(9)),
        DEAF,
        "SELECT instr(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || '1')",
    ],
)  # fmt: skip
def test_what_never_ends_is_ended(database, sql):
    begun = time.monotonic()
    result = execute(database, sql, QUICK)
    assert result.status == "timeout", result
    assert time.monotonic() - begun < QUICK.timeout_s + 1.2  # 0.4 s of grace, and a busy machine
    assert execute(database, "SELECT 1").rows == ((1,),)


def test_too_many_rows(database):
    sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000) SELECT x FROM c"
    result = execute(database, sql)
    assert (result.status, result.rows) == ("too_large", ())
    assert execute(database, "VALUES (1), (2), (3)", Limits(max_rows=3)).status == "ok"
    assert execute(database, "VALUES (1), (2), (3)", Limits(max_rows=2)).status == "too_large"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT randomblob(1000000000)",
        "SELECT zeroblob(2000000000)",
        "SELECT hex(zeroblob(15000000))",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 99) SELECT zeroblob(1000000) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 99) "
        "SELECT max(r) FROM (SELECT randomblob(8000000) AS r FROM c ORDER BY r)",
        "SELECT " + ", ".join(["zeroblob(15000000)"] * 100),
        "SELECT '" + "x" * 2_000_000 + "'",
    ],
)
def test_too_much_memory(database, sql):
    result = execute(database, sql, Limits(memory_mb=256))
    assert result.status == "too_large", result
    assert execute(database, "SELECT 1", Limits(memory_mb=256)).rows == ((1,),)


def test_the_memory_limit_is_the_callers(database):
    # The sort keeps some 128 MB: too much for the small limit, and fine for the large one.
    sql = (
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 16) "
        "SELECT count(*) FROM (SELECT DISTINCT randomblob(8000000) FROM c)"
    )
    assert execute(database, sql, Limits(memory_mb=96)).status == "too_large"
    assert execute(database, sql, Limits(memory_mb=1024)).status == "ok"


# Processes


def test_a_worker_killed_from_outside_is_replaced(database):
    execute(database, "SELECT 1")
    for pid in worker_pids():
        os.kill(pid, signal.SIGKILL)
    assert execute(database, "SELECT 2").rows == ((2,),)


def test_a_worker_killed_at_work_is_replaced_and_asked_again(database):
    pool.close_pool()
    slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000000) SELECT count(*) FROM c"
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(execute, database, slow, Limits(timeout_s=20))
        while not worker_pids():
            time.sleep(0.01)
        time.sleep(0.1)
        for pid in worker_pids():
            os.kill(pid, signal.SIGKILL)
        assert waiting.result().rows == ((3_000_000,),)


def test_a_worker_that_always_dies_is_a_crash(database, tmp_path, monkeypatch):
    broken = tmp_path / "worker.py"
    source = pool.WORKER.read_text()
    broken.write_text(source.replace("def query(", "def query(*_):\n    os.abort()\n\n\ndef unused("))
    monkeypatch.setattr(pool, "WORKER", broken)
    pool.close_pool()
    assert execute(database, "SELECT 1").status == "crashed"
    monkeypatch.undo()
    assert execute(database, "SELECT 1").status == "ok"


def test_the_worker_sees_no_secrets(database, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    pool.close_pool()
    assert execute(database, "SELECT 1").status == "ok"
    (pid,) = worker_pids()
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    soft = {line[:26].strip(): line[26:].split()[0] for line in limits}
    assert (soft["Max file size"], soft["Max core file size"], soft["Max open files"]) == ("0", "0", "32")
    assert soft["Max address space"] == str(512 * 2**20)


def test_workers_die_with_their_parent(database):
    program = (
        "import os, sys, threading, time; from sandbox import *; from sandbox import pool\n"
        "for sql in sys.argv[2:]:\n"
        "    threading.Thread(target=execute, args=(sys.argv[1], sql, Limits(60))).start()\n"
        "while len(pool._pool.workers) < 2: time.sleep(0.01)\n"
        "time.sleep(0.1); print(*(w.process.pid for w in pool._pool.workers), flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(database), FOR_EVER, DEAF],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2 and done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 2
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_alive, pids))


def test_workers_outlive_the_thread_that_asked_first(database):
    pool.close_pool()
    thread = threading.Thread(target=execute, args=(database, "SELECT 1"))
    thread.start()
    thread.join()
    before = worker_pids()
    time.sleep(0.05)
    assert execute(database, "SELECT 2").rows == ((2,),)
    assert worker_pids() == before and len(before) == 1


def test_many_threads_get_their_own_answers(database):
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda i: execute(database, f"SELECT {i}, name FROM singer"), range(200)))
    assert [result.rows[0] for result in results] == [(i, "Ada") for i in range(200)]
    assert len(worker_pids()) <= max(2, os.cpu_count())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_use_workers_of_their_own(database, method):
    execute(database, "SELECT 1")
    mine = worker_pids()
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as children:
        waiting = [children.submit(execute, database, f"SELECT {i}") for i in range(20)]
        here = [execute(database, f"SELECT {-i}").rows for i in range(20)]
        there = [child.result().rows for child in waiting]
    assert here == [((-i,),) for i in range(20)]
    assert there == [((i,),) for i in range(20)]
    assert worker_pids() == mine and all(map(is_alive, mine))


def test_nothing_is_left_open(database):
    execute(database, DEAF, QUICK)
    execute(database, "SELECT 1")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        pool.close_pool()
        execute(database, "SELECT 1")
    assert len(os.listdir("/proc/self/fd")) <= before


# Many at once


def test_answers_come_in_order_and_doubles_run_once(database):
    sql = "SELECT random()"
    results = execute_many([(database, "SELECT 1"), (database, sql), (str(database), "SELECT 2"), (database, sql)])
    assert [results[0].rows, results[2].rows] == [((1,),), ((2,),)]
    assert results[1] == results[3]
    assert execute_many([]) == []


def test_a_slow_query_does_not_hold_up_the_rest(database):
    slow = "WITH RECURSIVE c(x) AS (SELECT {} UNION ALL SELECT x + 1 FROM c LIMIT 20000) SELECT count(*) FROM c"
    pairs = [(database, FOR_EVER), *((database, slow.format(i)) for i in range(40))]
    begun = time.monotonic()
    results = execute_many(pairs, Limits(timeout_s=1.5), workers=2)
    assert [result.status for result in results] == ["timeout", *["ok"] * 40]
    assert time.monotonic() - begun < 1.5 + 0.8


def test_a_missing_database_stops_the_batch_before_it_runs(database, tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.sqlite"):
        execute_many([(database, FOR_EVER), (tmp_path / "nowhere.sqlite", "SELECT 1")])


def test_a_warm_query_is_fast(database):
    execute(database, "SELECT 1")
    best = math.inf
    for i in range(200):
        begun = time.perf_counter()
        execute(database, f"SELECT {i}")
        best = min(best, time.perf_counter() - begun)
    assert best < 0.001


# Databases


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("missing.sqlite", None, "no such file"),
        ("empty.sqlite", b"", "empty file"),
        ("notes.txt", b"hello, this is not a database at all", "not a SQLite database"),
        ("garbage.sqlite", b"SQLite format 3\0" + b"\x07" * 5000, "damaged"),
        ("header.sqlite", b"SQLite format 3\0", "damaged"),
    ],
)
def test_what_is_no_database_is_our_fault(tmp_path, name, content, why):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=why) as error:
        execute(path, "SELECT 1")
    assert name in str(error.value) and "\n" not in str(error.value)


def test_a_folder_is_no_database(tmp_path):
    with pytest.raises(ConfigError, match="folder"):
        execute(tmp_path, "SELECT 1")


def test_a_database_cut_short_is_damaged(tmp_path, database):
    path = tmp_path / "cut.sqlite"
    path.write_bytes(database.read_bytes()[:5000])
    with pytest.raises(ConfigError, match="damaged"):
        execute(path, "SELECT * FROM singer")


def test_changes_that_wait_in_a_wal_are_not_missed(tmp_path):
    path = tmp_path / "wal.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    with pytest.raises(ConfigError, match="wal_checkpoint"):
        execute(path, "SELECT * FROM t")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert execute(path, "SELECT * FROM t").rows == ((1,),)
    connection.close()


def test_a_changed_file_is_read_anew(tmp_path):
    path = made(tmp_path / "a.sqlite", "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    assert execute(path, "SELECT a FROM t").rows == ((1,),)
    made(tmp_path / "b.sqlite", "CREATE TABLE t (a); INSERT INTO t VALUES (2)").replace(path)
    assert execute(path, "SELECT a FROM t").rows == ((2,),)


def test_odd_paths_are_taken_literally(tmp_path, monkeypatch):
    odd = tmp_path / "a b%20?mode=rwc#é"
    odd.mkdir()
    path = made(odd / "x&immutable=0.sqlite", "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    assert execute(path, "SELECT a FROM t").rows == ((1,),)
    monkeypatch.chdir(odd)
    assert execute("x&immutable=0.sqlite", "SELECT a FROM t").rows == ((1,),)


def test_more_databases_than_stay_open(tmp_path):
    paths = [made(tmp_path / f"{i}.sqlite", f"CREATE TABLE t (a); INSERT INTO t VALUES ({i})") for i in range(20)]
    for _ in range(2):
        assert [execute(path, "SELECT a FROM t").rows for path in paths] == [((i,),) for i in range(20)]


def test_a_script_is_built_once_and_kept(cache):
    script = "CREATE TABLE t (a INT, b TEXT); INSERT INTO t VALUES (1, 'x;y'), (2, NULL);"
    file = database_file(script)
    changed_ns = file.stat().st_mtime_ns
    assert file == database_file(script) and file.stat().st_mtime_ns == changed_ns
    assert file.parent == cache and file.suffix == ".sqlite" and file.read_bytes()[:6] == b"SQLite"
    assert execute(script, "SELECT * FROM t").rows == ((1, "x;y"), (2, None))


def test_many_processes_may_ask_for_one_script_at_once(cache):
    script = "CREATE TABLE t (a);" + "INSERT INTO t VALUES (randomblob(100));" * 2000
    with ProcessPoolExecutor(4, multiprocessing.get_context("fork")) as children:
        seen = {child.result() for child in [children.submit(file_and_inode, script) for _ in range(8)]}
    assert len(seen) == 1  # a second build would have put another file in its place
    sql = "SELECT count(*), sum(length(a)) FROM t"
    assert execute(seen.pop()[0], sql).rows == ((2000, 200_000),)
    assert not list(cache.glob("*.partial"))


def test_a_dump_of_sqlite_is_a_script(cache):
    source = sqlite3.connect(":memory:")
    source.executescript(SCRIPT)
    dump = "PRAGMA foreign_keys=OFF;\n" + "\n".join(source.iterdump())
    assert execute(dump, "SELECT count(*) FROM song").rows == ((3,),)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("CREATE TABLE t (a); INSERT INTO t VALUES (1, 2);", "2 values"),
        ("CREATE TABLE t (a; ", "syntax error"),
        ("CREATE TABLE t (a); ATTACH 'evil.sqlite' AS e; CREATE TABLE e.t (a)", "not allowed"),
        ("CREATE TABLE t (a); PRAGMA writable_schema = ON", "not allowed"),
        ("CREATE TABLE t (a); SELECT load_extension('x')", "not allowed"),
        ("CREATE TABLE t (a); VACUUM INTO 'evil.sqlite'", "not allowed"),
        ("CREATE TABLE t (a); CREATE VIRTUAL TABLE v USING fts5(a)", "not allowed"),
        ("CREATE TABLE t (a); DROP TABLE t", "no table"),
        ("CREATE TABLE t (a); INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
         "SELECT zeroblob(1000000) FROM c", "full"),
    ],
)  # fmt: skip
def test_a_bad_script_is_our_fault_and_leaves_nothing(cache, script, why):
    with pytest.raises(ConfigError, match=why) as error:
        database_file(script)
    assert "\n" not in str(error.value)
    assert not Path("/evil.sqlite").exists()  # workers stand in the root folder
    assert not list(cache.glob("*.sqlite")) and not list(cache.glob("*.partial"))


def test_a_script_that_never_ends_is_ended(cache, monkeypatch):
    monkeypatch.setattr("sandbox.databases.BUILD_TIMEOUT_S", 0.3)
    with pytest.raises(ConfigError, match="time limit"):
        database_file(f"CREATE TABLE t (a); {FOR_EVER};")


# On the command line


def test_run_prints_json(database, capsys):
    assert main(["run", str(database), "SELECT name, x'ff' FROM singer LIMIT 1", "--timeout-s", "2"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["status"], printed["columns"], printed["rows"]) == (
        "ok",
        ["name", "x'ff'"],
        [["Ada", {"hex": "ff"}]],
    )
    assert main(["run", str(database), "VALUES (1), (2)", "--max-rows", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "too_large"


def test_run_says_in_one_line_what_is_no_database(tmp_path, capsys):
    assert main(["run", str(tmp_path / "nowhere.sqlite"), "SELECT 1"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "nowhere.sqlite" in err


def test_the_sandbox_needs_no_other_package():
    program = "import sys; sys.path.insert(0, '.'); import sandbox, sandbox.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded - set(sys.stdlib_module_names) <= {"sandbox", "configs", "__main__"}
