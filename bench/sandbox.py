"""The sandbox's speed beside evaluators without walls: python -m bench.sandbox SPIDER_FOLDER

In one run and on the same pairs of predicted and gold query: ours, (a) a new connection for each pair under
`func_timeout` in a pool of two processes, as public evaluators do, and (b) bare sqlite3 with connections kept
open, in two processes, without any protection.  (a) needs `pip install func-timeout==4.3.5`.
"""

import argparse
import gc
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from configs.schema import Data
from sandbox import Limits, execute, execute_many, judge_many, pool
from tasks.load import load_tasks
from tasks.mutations import near_misses
from tasks.schema import read_schema

Pair = tuple[str, str, str]
"""Database, gold SQL, predicted SQL."""
LIMITS = Limits(timeout_s=5.0)
PROMPTS, ANSWERS = 32, 8
FOR_EVER = "WITH RECURSIVE c(x) AS (SELECT {} UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
CONSOLE = Console(width=120)
_connections: dict[str, sqlite3.Connection] = {}


def pairs_of(spider: str, count: int, slow_s: float, rng: random.Random) -> list[Pair]:
    """Return different pairs of a Spider gold query and a near miss of it, neither over a limit nor `slow_s`."""
    splits = load_tasks(Data(source="spider", path=spider, test_share=0, validation_share=0), seed=0)
    tasks = rng.sample(splits.train, len(splits.train))
    found: dict[Pair, None] = {}
    for task in tasks:
        columns = {
            table.name.lower(): {column.name.lower(): column.type for column in table.columns}
            for table in read_schema(task.database).tables
        }
        misses = near_misses(task.gold_sql, columns)
        for miss in rng.sample(misses, min(2, len(misses))):
            found[task.database, task.gold_sql, miss.sql] = None
    pairs = list(found)
    queries = list(dict.fromkeys((database, sql) for database, *sqls in pairs for sql in sqls))
    results = dict(zip(queries, execute_many(queries, Limits(timeout_s=0.5)), strict=True))
    slow = {
        query
        for query, result in results.items()
        if result.status not in ("ok", "empty", "error") or result.seconds > slow_s
    }
    usable = [(database, *sqls) for database, *sqls in pairs if not slow & {(database, sql) for sql in sqls}]
    CONSOLE.print(f"{len(pairs) - len(usable)} of {len(pairs)} pairs left out: over a limit, or slower than {slow_s} s")
    return rng.sample(usable, min(count, len(usable)))


def batches_of(pairs: Sequence[Pair], count: int, rng: random.Random) -> list[list[Pair]]:
    """Return GRPO batches: 32 prompts × 8 answers, of which half repeat another one of their group."""
    groups: dict[tuple[str, str], list[str]] = {}
    for database, gold, sql in pairs:
        groups.setdefault((database, gold), []).append(sql)
    batches = []
    for _ in range(count):
        batch: list[Pair] = []
        for (database, gold), misses in rng.sample(list(groups.items()), PROMPTS):
            texts = [gold, *misses, *(f"{gold} -- {n}" for n in range(ANSWERS))][: ANSWERS // 2]
            batch += [(database, gold, sql) for sql in texts * 2]
        batches.append(batch)
    return batches


def ours(pairs: Sequence[Pair]) -> list[bool]:
    """Return the verdicts of `judge_many`, two workers."""
    return [bool(verdict.correct) for verdict in judge_many(pairs, "bird", LIMITS, workers=2)]


def judge_anew(pair: Pair) -> bool:
    """Return whether two queries give the same set of rows, through a new connection."""
    database, gold, sql = pair
    connection = sqlite3.connect(database)
    try:
        return set(connection.execute(sql).fetchall()) == set(connection.execute(gold).fetchall())
    finally:
        connection.close()


def judge_under_timeout(pair: Pair) -> bool:
    from func_timeout import FunctionTimedOut, func_timeout

    try:
        return func_timeout(LIMITS.timeout_s, judge_anew, args=(pair,))
    except (FunctionTimedOut, sqlite3.Error):
        return False


def judge_bare(pair: Pair) -> bool:
    database, gold, sql = pair
    connection = _connections.get(database)
    if connection is None:
        connection = _connections[database] = sqlite3.connect(database)
    try:
        return set(connection.execute(sql).fetchall()) == set(connection.execute(gold).fetchall())
    except sqlite3.Error:
        return False


def evaluator(processes) -> Callable[[Sequence[Pair]], list[bool]]:
    """Return (a): each pair is a task of its own for the pool."""

    def judge(pairs: Sequence[Pair]) -> list[bool]:
        return [waiting.get() for waiting in [processes.apply_async(judge_under_timeout, (pair,)) for pair in pairs]]

    return judge


def bare(processes) -> Callable[[Sequence[Pair]], list[bool]]:
    """Return (b): large pieces for the pool, as little between the processes as can be."""
    return lambda pairs: processes.map(judge_bare, pairs, chunksize=max(1, len(pairs) // 16))


def compare(title: str, work: Sequence[Sequence[Pair]], contenders: dict[str, Callable], rounds: int) -> dict:
    """Return the pairs per second of each contender, median of `rounds` in turn; all must agree on the verdicts."""
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    total = sum(map(len, work))
    for _ in range(rounds):
        answers = {}
        for name, judge in contenders.items():
            gc.collect()
            begun = time.perf_counter()
            answers[name] = [judge(part) for part in work]
            speeds[name].append(total / (time.perf_counter() - begun))
    first = answers["ours"]
    differ = {
        name: sum(a != b for x, y in zip(first, other, strict=True) for a, b in zip(x, y, strict=True))
        for name, other in answers.items()
    }
    median = {name: statistics.median(values) for name, values in speeds.items()}
    table = Table(title=f"{title}: {total} pairs, median of {rounds} rounds")
    for column in ("", "pairs/s", "slowest–fastest", "ours ÷ this", "verdicts that differ from ours"):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in speeds.items():
        row = [f"{median[name]:,.0f}", f"{min(values):,.0f}–{max(values):,.0f}", f"{median['ours'] / median[name]:.2f}"]
        table.add_row(name, *row, str(differ[name]))
    CONSOLE.print(table)
    return {"pairs": total, "pairs_per_s": median, "differ": differ}


def with_endless(batches: Sequence[Sequence[Pair]], share: float, rng: random.Random) -> dict:
    """Return how much longer batches take when some of their queries never end."""
    limits = Limits(timeout_s=1.0, max_steps=10**12)
    plain = _seconds(batches, limits)
    spoilt, endless = [], 0
    for batch in batches:
        batch = list(batch)
        for place in rng.sample(range(len(batch)), round(len(batch) * share / 2) * 2):
            endless += 1
            batch[place] = (*batch[place][:2], FOR_EVER.format(endless))
        spoilt.append(batch)
    slow = _seconds(spoilt, limits)
    floor = endless * limits.timeout_s / 2
    CONSOLE.print(
        f"{endless} endless queries of {sum(map(len, batches))}: {plain:.2f} s → {slow:.2f} s; "
        f"their timeouts ÷ 2 workers: {floor:.2f} s"
    )
    return {"endless": endless, "plain_s": plain, "with_endless_s": slow, "timeouts_by_workers_s": floor}


def _seconds(batches: Sequence[Sequence[Pair]], limits: Limits) -> float:
    begun = time.perf_counter()
    for batch in batches:
        judge_many(batch, "bird", limits, workers=2)
    return time.perf_counter() - begun


def by_size(sizes_mb: Sequence[float], folder: Path) -> list[dict]:
    """Return the time of a warm lookup, a first one and a full scan as databases grow."""
    found = []
    for size_mb in sizes_mb:
        path = folder / f"{size_mb}.sqlite"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, filler BLOB)")
        rows = int(size_mb * 2**20 / 1050)
        connection.executemany("INSERT INTO t VALUES (?, ?, randomblob(1000))", ((n, f"n{n}") for n in range(rows)))
        connection.commit()
        connection.close()
        times = {}
        for name, sql in (
            ("first_ms", "SELECT name FROM t WHERE id = 7"),
            ("warm_ms", "SELECT name FROM t WHERE id = 8"),
            ("scan_ms", "SELECT count(filler) FROM t"),
        ):
            begun = time.perf_counter()
            status = execute(path, sql, Limits(timeout_s=60)).status
            times[name] = round(1000 * (time.perf_counter() - begun), 2) if status == "ok" else status
        found.append({"size_mb": size_mb, **times})
        CONSOLE.print(found[-1])
        path.unlink()
    return found


def survive(pairs: Sequence[Pair], count: int, rng: random.Random) -> dict:
    """Return what came of queries while workers were killed at random, against the same ones undisturbed."""
    queries = [(*pairs[n % len(pairs)][::2], n) for n in range(count)]
    queries = [(database, f"{sql} -- {n}") for database, sql, n in queries]
    expected = execute_many(queries, LIMITS)
    before = len(os.listdir("/proc/self/fd"))
    stop = threading.Event()
    killed = 0

    def kill_some() -> None:
        nonlocal killed
        while not stop.wait(0.05):
            for worker in list(pool._pool.workers):
                if rng.random() < 0.5:
                    os.kill(worker.process.pid, signal.SIGKILL)
                    killed += 1

    thread = threading.Thread(target=kill_some)
    thread.start()
    got = execute_many(queries, LIMITS)
    stop.set()
    thread.join()
    pool.close_pool()
    execute_many(queries[:50], LIMITS)
    wrong = sum((a.status, a.rows) != (b.status, b.rows) for a, b in zip(expected, got, strict=True))
    figures = {
        "queries": len(queries),
        "killed": killed,
        "lost_or_swapped": wrong,
        "crashed": sum(result.status == "crashed" for result in got),
        "descriptors": [before, len(os.listdir("/proc/self/fd"))],
        "workers_left": len(pool._pool.workers),
    }
    CONSOLE.print(figures)
    return figures


def worker_memory_mb() -> list[float]:
    """Return the resident memory of each worker, MB: now and at its peak."""
    found = []
    for worker in pool._pool.workers:
        status = Path(f"/proc/{worker.process.pid}/status").read_text()
        found += [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(("VmRSS", "VmHWM"))]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sandbox", description=__doc__.splitlines()[0])
    parser.add_argument("spider", help="the Spider folder")
    parser.add_argument("--pairs", type=int, default=6000)
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument(
        "--slow-s", type=float, default=0.02, help="leave out pairs with a slower query: a few would be all that counts"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--largest-mb", type=float, default=500)
    given = parser.parse_args()
    rng = random.Random(0)
    with multiprocessing.get_context("fork").Pool(2) as processes:  # before there are threads
        pairs = pairs_of(given.spider, given.pairs, given.slow_s, rng)
        batches = batches_of(pairs, given.batches, rng)
        contenders = {
            "ours": ours,
            "(a) new connection, func_timeout": evaluator(processes),
            "(b) bare sqlite3": bare(processes),
        }
        figures = {"unique": compare("unique pairs", [pairs], contenders, given.rounds)}
        figures["grpo"] = compare("GRPO batches", batches, contenders, given.rounds)
    figures["worker_memory_mb"] = worker_memory_mb()
    figures["endless"] = with_endless(batches[:10], 0.02, rng)
    figures["survival"] = survive(pairs, 10_000, rng)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        sizes = [size for size in (0.1, 1, 10, 100, 500) if size <= given.largest_mb]
        figures["by_size"] = by_size(sizes, Path(folder))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
