"""judge_many and execute_many: whole batches, judged where their rows are, whatever some of the queries do."""

import contextlib
import os
import signal
import threading
import time

import pytest

from configs.errors import ConfigError
from sandbox import Limits, Verdict, execute, execute_many, judge_many, pool
from tests.singers import DEAF, FOR_EVER, QUICK, worker_pids

NAMES = "SELECT name FROM singer"
TOO_BIG = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 40) "
    "SELECT count(*) FROM (SELECT randomblob(4000000) AS b FROM c ORDER BY b)"
)
"""A sort that needs 160 MB, with a result of one row."""


def test_each_answer_gets_its_verdict(database):
    verdicts = {
        NAMES: ("ok", True),
        "SELECT name FROM singer ORDER BY age": ("ok", True),
        "SELECT name FROM singer WHERE age > 30": ("ok", False),
        "SELECT name FROM singer WHERE age > 300": ("empty", False),
        "SELECT nmae FROM singer": ("error", False),
        "DELETE FROM singer": ("denied", False),
    }
    got = judge_many([(database, NAMES, sql) for sql in verdicts])
    assert [(verdict.status, verdict.correct) for verdict in got] == list(verdicts.values())
    assert got[2].message == "1 rows, gold 3" and got[2].runs and not got[4].runs


@pytest.mark.parametrize(("how", "correct"), [("ordered", False), ("multiset", True), ("bird", True)])
def test_the_rule_is_the_callers(database, how, correct):
    gold = "SELECT name FROM singer ORDER BY name"
    (verdict,) = judge_many([(database, gold, "SELECT name FROM singer ORDER BY name DESC")], how)
    assert verdict.correct is correct


@pytest.mark.parametrize(
    ("gold", "status"),
    [("SELECT nmae FROM singer", "error"), (FOR_EVER, "timeout"), (DEAF, "timeout"), (TOO_BIG, "too_large")],
)
def test_a_gold_query_that_fails_is_never_a_match(database, gold, status):
    limits = Limits(timeout_s=0.3, memory_mb=128) if status == "timeout" else Limits(timeout_s=30, memory_mb=128)
    alike, other, fine = judge_many([(database, gold, gold), (database, gold, NAMES), (database, NAMES, NAMES)],
                                    limits=limits)  # fmt: skip
    assert (alike.gold, alike.correct) == (other.gold, other.correct) == (status, None) and other.message
    assert fine == Verdict("ok", "ok", True)


@pytest.mark.parametrize(("sql", "status"), [(FOR_EVER, "timeout"), (DEAF, "timeout"), (TOO_BIG, "too_large")])
def test_one_bad_answer_costs_the_others_nothing(database, sql, status):
    items = [(database, NAMES, f"{NAMES} WHERE id > {n % 4}") for n in range(100)]
    items[50] = (database, NAMES, sql)
    got = judge_many(items, limits=Limits(timeout_s=1.0 if status == "timeout" else 30, memory_mb=128))
    assert (got[50].gold, got[50].status, got[50].correct) == ("ok", status, False)
    assert [verdict.correct for n, verdict in enumerate(got) if n != 50] == [n % 4 == 0 for n in range(100) if n != 50]


def test_gold_queries_run_once_for_their_group(database):
    gold = "SELECT random() FROM singer"
    first, second = judge_many([(database, gold, f"{gold} -- {n}") for n in range(2)], workers=1)
    assert first.correct is second.correct is False
    assert judge_many([(database, gold, gold)])[0].correct  # the same text is the same answer


def test_costly_queries_share_the_workers(database):
    items = [(database, NAMES, FOR_EVER.replace("1 UNION", f"{n} UNION")) for n in range(4)]
    items += [(database, NAMES, f"{NAMES} -- {n}") for n in range(60)]
    begun = time.monotonic()
    got = judge_many(items, limits=QUICK, workers=2)
    assert [verdict.status for verdict in got] == ["timeout"] * 4 + ["ok"] * 60
    assert time.monotonic() - begun < 4 * QUICK.timeout_s / 2 + 0.5


def test_gold_and_prediction_have_each_a_time_of_their_own(database):
    slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT {}) SELECT max(x) > 9 FROM c"
    seconds = execute(database, slow.format(3_000_000)).seconds
    gold, sql = (slow.format(3_000_000 + more) for more in (0, 1))
    (verdict,) = judge_many([(database, gold, sql)], limits=Limits(timeout_s=1.5 * seconds))
    assert verdict == Verdict("ok", "ok", True)


def test_steps_are_counted_the_same_on_every_run(database):
    counted = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT {}) SELECT count(*) FROM c"
    enough = next(n for n in range(1_000, 100_000, 1_000) if _steps(database, counted.format(n)) == "timeout")
    assert all(_steps(database, counted.format(enough + more)) == "timeout" for more in (500, 1_000, 5_000))
    assert all(_steps(database, counted.format(enough - less)) == "ok" for less in (1_500, 2_000))
    (verdict,) = judge_many([(database, NAMES, FOR_EVER)], limits=Limits(max_steps=1_000_000))
    assert verdict.message == "stopped after 1,000,000 steps of the virtual machine"


def _steps(database, sql: str) -> str:
    return execute(database, sql, Limits(max_steps=100_000)).status


def test_workers_killed_at_random_lose_and_swap_nothing(database):
    queries = [(database, f"SELECT {n}, name FROM singer") for n in range(2_000)]
    stop = threading.Event()

    def kill_some() -> None:
        while not stop.wait(0.02):
            for pid in worker_pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_some)
    killer.start()
    got = execute_many(queries)
    stop.set()
    killer.join()
    assert [result.rows[0] for result in got] == [(n, "Ada") for n in range(2_000)]
    assert len(pool._pool.workers) <= pool._pool.limit


def test_a_damaged_database_stops_the_batch(database, tmp_path):
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(database.read_bytes()[:5000])
    with pytest.raises(ConfigError, match="damaged"):
        judge_many([(database, NAMES, NAMES), (broken, NAMES, "SELECT 1")])
