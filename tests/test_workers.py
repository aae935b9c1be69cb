"""The sandbox's worker processes: killed, forked, shared by threads, and many queries at once."""

import math
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from configs.errors import ConfigError
from sandbox import Limits, execute, execute_many, pool, process
from tests.processes import run_code
from tests.singers import DEAF, FOR_EVER, QUICK, is_alive, worker_pids

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
    source = process.WORKER.read_text().replace("Path(__file__).parent", repr(str(process.WORKER.parent)))
    broken.write_text(source.replace("def serve(", "def serve(*_):\n    os.abort()\n\n\ndef unused("))
    monkeypatch.setattr(process, "WORKER", broken)
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
    assert (soft["Max file size"], soft["Max core file size"], soft["Max open files"]) == ("0", "0", "160")
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
    done = run_code(program, database, FOR_EVER, DEAF)
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
