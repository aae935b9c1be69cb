"""Hundreds of attempts to break the sandbox: each is answered in time, in its memory, and nothing on disk changes."""

import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from configs.errors import ConfigError
from sandbox import Limits, Result, execute, execute_many, pool
from sandbox.reading import MAX_RESULT_BYTES
from tests.hostile.cases import CASES
from tests.hostile.databases import DAMAGES, DEFINITIONS, FILES, NOTES, PLAIN, READ_NOTES, SCRIPTS, flipped, written
from tests.hostile.watch import LATE_S, picture, watched
from tests.singers import FOR_EVER, worker_pids

LIMITS = Limits(timeout_s=0.3, memory_mb=256)
QUICK_GROUPS = {"writes", "reach", "tricks", "deep", "bytes"}


def where_workers_stand() -> dict[int, list[str]]:
    return {pid: sorted(os.listdir(f"/proc/{pid}/cwd")) for pid in worker_pids()}


def size(result: Result) -> int:
    """Return the bytes of all text and blobs in a result, and eight for each number."""
    values = [*result.columns, *(value for row in result.rows for value in row)]
    return sum(len(value) if isinstance(value, str | bytes) else 8 for value in values)


def ask(database: object, sql: str) -> Result | None:
    """Return the sandbox's answer, None where it refuses the database."""
    try:
        return execute(database, sql, LIMITS)
    except ConfigError as error:
        assert "\n" not in str(error)
        return None


def keeps_its_promises(database: object, sql: str, allowed: set[str], folder: Path, harmless: Path) -> None:
    """Assert all that the sandbox promises about one question, whatever is asked of whatever it is."""
    execute(harmless, "SELECT 1", LIMITS)  # a worker is warm, as it would be
    before, around = picture(folder), list(where_workers_stand().values())
    with watched() as watch:
        result = ask(database, sql)
    status = result.status if result else "refused"
    assert status in allowed, f"{status}: {result and result.message[:300]}"
    assert watch.in_time(LIMITS.timeout_s), watch
    assert all(peak_mb <= LIMITS.memory_mb for peak_mb in watch.peak_mb.values()), watch
    assert result is None or size(result) <= MAX_RESULT_BYTES
    assert picture(folder) == before
    assert execute(harmless, "SELECT 1", LIMITS).rows == ((1,),)
    assert all(listing in around for listing in where_workers_stand().values())


@pytest.fixture(scope="module", autouse=True)
def own_workers():
    """Workers that no other test has fed."""
    pool.close_pool()


@pytest.fixture
def plain(tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("plain") / "plain.sqlite", PLAIN)


# Statements


def test_the_suite_is_large():
    assert len(CASES) >= 300 and len({(case.group, case.title) for case in CASES}) == len(CASES)
    assert {"ok", "empty", "error", "denied", "timeout", "too_large"} <= {status for c in CASES for status in c.allowed}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}-{case.title}")
def test_statement(database, case):
    keeps_its_promises(database, case.sql, case.allowed, database.parent, database)


def test_an_army_of_statements_leaves_nothing_behind(database):
    cases = [case for case in CASES if case.group in QUICK_GROUPS and "timeout" not in case.allowed]
    before, seen = picture(database.parent), []
    for _ in range(4):
        results = execute_many([(database, case.sql) for case in cases], LIMITS)
        assert [case.title for case, r in zip(cases, results, strict=True) if r.status not in case.allowed] == []
        seen.append((len(worker_pids()), len(os.listdir("/proc/self/fd")), threading.active_count()))
    assert seen[1:] == seen[:1] * 3
    assert picture(database.parent) == before


# Databases


@pytest.mark.parametrize(("allowed", "title", "script"), DEFINITIONS, ids=[row[1] for row in DEFINITIONS])
def test_definition(tmp_path, plain, allowed, title, script):
    path = written(tmp_path / "hostile.sqlite", script if script.startswith(PLAIN[:14]) else PLAIN + script)
    keeps_its_promises(path, "SELECT * FROM v", set(allowed.split(" or ")), tmp_path, plain)


@pytest.fixture(scope="module")
def notes(tmp_path_factory) -> bytes:
    return written(tmp_path_factory.mktemp("notes") / "notes.sqlite", NOTES).read_bytes()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_database(tmp_path, plain, notes, damage):
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(damage(notes))
    for sql in READ_NOTES:
        keeps_its_promises(path, sql, {"ok", "empty", "error", "refused"}, tmp_path, plain)


@pytest.mark.parametrize("decade", range(8))
def test_bytes_flipped_at_random(tmp_path, plain, notes, decade):
    for seed in range(10 * decade, 10 * decade + 10):
        path = tmp_path / f"{seed}.sqlite"
        path.write_bytes(flipped(notes, seed))
        before = picture(tmp_path)
        with watched() as watch:
            statuses = [answer.status if (answer := ask(path, sql)) else "refused" for sql in READ_NOTES]
        assert set(statuses) <= {"ok", "empty", "error", "refused", "too_large"}, seed
        assert watch.in_time(LIMITS.timeout_s) and picture(tmp_path) == before
    assert execute(plain, "SELECT b FROM t").rows == (("one",), ("two",))


@pytest.mark.parametrize(("allowed", "make"), FILES.values(), ids=FILES)
def test_file(tmp_path, plain, monkeypatch, allowed, make):
    monkeypatch.chdir(tmp_path)
    keeps_its_promises(make(tmp_path), "SELECT * FROM t", {allowed}, tmp_path, plain)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.usefixtures("own_cache")
def test_script(tmp_path, plain, monkeypatch, script):
    monkeypatch.setattr("sandbox.databases.BUILD_LIMITS", LIMITS)
    around = os.listdir("/")
    with watched() as watch, pytest.raises(ConfigError) as error:
        execute(script, "SELECT * FROM t", LIMITS)
    assert "\n" not in str(error.value) and watch.in_time(LIMITS.timeout_s)
    assert [path.name for path in tmp_path.rglob("*.*") if not path.name.startswith(".lock")] == []
    assert os.listdir("/") == around and execute(plain, "SELECT 1").rows == ((1,),)


def test_many_damaged_databases_do_not_wear_a_worker_out(tmp_path, notes):
    for number in range(60):  # more than a worker may have files open
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(notes[: 5000 + number])
        assert ask(path, "SELECT 1") is None
    fresh = written(tmp_path / "fresh.sqlite", PLAIN)
    assert execute(fresh, "SELECT b FROM t", LIMITS).rows == (("one",), ("two",))


# Changes under our feet


def test_a_lock_of_another_process_holds_nobody_up(tmp_path, plain):
    path = written(tmp_path / "locked.sqlite", PLAIN)
    other = sqlite3.connect(path, isolation_level=None)
    other.executescript("BEGIN EXCLUSIVE; UPDATE t SET b = 'not yet'; DELETE FROM t WHERE a = 2")
    keeps_its_promises(path, "SELECT b FROM t", {"ok"}, tmp_path, plain)
    assert execute(path, "SELECT b FROM t", LIMITS).rows == (("one",), ("two",))
    other.execute("COMMIT")
    assert execute(path, "SELECT b FROM t", LIMITS).rows == (("not yet",),)
    other.close()


def test_a_link_is_followed_to_where_it_leads_now(tmp_path, plain):
    link, other = tmp_path / "link.sqlite", written(tmp_path / "other.sqlite", PLAIN.replace("one", "uno"))
    for target, rows in [(plain, (("one",),)), (other, (("uno",),)), ("/etc/passwd", None), (plain, (("one",),))]:
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        result = ask(link, "SELECT b FROM t WHERE a = 1")
        assert (result and result.rows) == rows


def test_a_database_replaced_in_secret_is_read_anew(tmp_path):
    path = written(tmp_path / "t.sqlite", PLAIN)
    assert execute(path, "SELECT b FROM t").rows[0] == ("one",)
    found = path.stat()
    other = written(tmp_path / "other.sqlite", PLAIN.replace("one", "uno"))
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert other.stat().st_size == found.st_size
    other.replace(path)
    assert execute(path, "SELECT b FROM t").rows[0] == ("uno",)


def test_a_database_goes_and_comes_back(tmp_path):
    path = written(tmp_path / "t.sqlite", PLAIN)
    whole = path.read_bytes()
    assert execute(path, "SELECT 1").status == "ok"
    path.unlink()
    assert ask(path, "SELECT b FROM t") is None
    os.mkfifo(path)
    assert ask(path, "SELECT b FROM t") is None
    path.unlink()
    path.write_bytes(whole)
    assert execute(path, "SELECT b FROM t").rows == (("one",), ("two",))


def test_a_database_cut_while_a_query_reads_it(tmp_path, plain, notes):
    path = tmp_path / "cut.sqlite"
    path.write_bytes(notes)
    product = "SELECT sum(length(a.body || b.body)) FROM note a, note b, note c WHERE a.id + b.id > c.id"
    with ThreadPoolExecutor(1) as threads, watched() as watch:
        waiting = threads.submit(ask, path, product)
        time.sleep(0.1)
        os.truncate(path, 4096)
        assert waiting.result().status in {"ok", "error", "timeout"}
    assert watch.in_time(LIMITS.timeout_s)
    assert ask(path, product) is None and execute(plain, "SELECT 1").rows == ((1,),)


def test_deaf_and_endless_queries_side_by_side(database):
    deaf = [case.sql for case in CASES if case.title.startswith("one call that")]
    pairs = [(database, sql) for sql in [*deaf, FOR_EVER, "SELECT 1"]]
    with watched() as watch:
        results = execute_many(pairs, LIMITS, workers=2)
    assert results[-1].rows == ((1,),) and {result.status for result in results[:-1]} <= {"timeout", "too_large"}
    assert watch.in_time(len(pairs) / 2 * (LIMITS.timeout_s + LATE_S)), watch
