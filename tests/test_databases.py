"""Files and scripts as databases: damaged, odd, changed under our feet, and hostile."""

import multiprocessing
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from configs.errors import ConfigError
from sandbox import database_file, execute
from tests.singers import FOR_EVER, QUICK, SCRIPT, made


@pytest.fixture
def databases(own_cache):
    return own_cache / "databases"


def file_and_inode(script: str) -> tuple[Path, int]:
    file = database_file(script)
    return file, file.stat().st_ino


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


def test_a_script_is_built_once_and_kept(databases):
    script = "CREATE TABLE t (a INT, b TEXT); INSERT INTO t VALUES (1, 'x;y'), (2, NULL);"
    file = database_file(script)
    changed_ns = file.stat().st_mtime_ns
    assert file == database_file(script) and file.stat().st_mtime_ns == changed_ns
    assert file.parent == databases and file.suffix == ".sqlite" and file.read_bytes()[:6] == b"SQLite"
    assert execute(script, "SELECT * FROM t").rows == ((1, "x;y"), (2, None))


def test_many_processes_may_ask_for_one_script_at_once(databases):
    script = "CREATE TABLE t (a);" + "INSERT INTO t VALUES (randomblob(100));" * 2000
    with ProcessPoolExecutor(4, multiprocessing.get_context("fork")) as children:
        seen = {child.result() for child in [children.submit(file_and_inode, script) for _ in range(8)]}
    assert len(seen) == 1  # a second build would have put another file in its place
    sql = "SELECT count(*), sum(length(a)) FROM t"
    assert execute(seen.pop()[0], sql).rows == ((2000, 200_000),)
    assert not list(databases.glob("*.partial"))


def test_a_dump_of_sqlite_is_a_script(databases):
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
def test_a_bad_script_is_our_fault_and_leaves_nothing(databases, script, why):
    with pytest.raises(ConfigError, match=why) as error:
        database_file(script)
    assert "\n" not in str(error.value)
    assert not Path("/evil.sqlite").exists()  # workers stand in the root folder
    assert not list(databases.glob("*.sqlite")) and not list(databases.glob("*.partial"))


def test_a_script_that_never_ends_is_ended(databases, monkeypatch):
    monkeypatch.setattr("sandbox.databases.BUILD_LIMITS", QUICK)
    with pytest.raises(ConfigError, match="time limit"):
        database_file(f"CREATE TABLE t (a); {FOR_EVER};")
