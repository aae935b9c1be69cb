"""`python -m bench.fuzz --statements 200000 --seed 0`: are the sandbox's promises kept, whatever chance writes?

Selects over a small shop, the same after accidents, hostile statements of the test suite, and noise, in batches through
`execute_many`.  After each batch: nobody was late, the file and its folder are what they were, descriptors and threads
are as many.  What runs is compared with bare sqlite3 on the same file, rows and columns.  Prints a table, and the
figures as one line of JSON; exit status 1 where a promise was broken.
"""

import argparse
import gc
import json
import os
import random
import re
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.accidents import mutated
from bench.grammar import SHOP, Schema, read_schema, select
from sandbox import Limits, Result, execute, execute_many
from sandbox.reading import MAX_VALUE_BYTES
from tests.hostile.cases import CASES
from tests.hostile.watch import LATE_S, Watch, memory_mb, picture, watched

PARENT_MAY_GROW_MB = 64
KINDS = {"select": 48, "accident": 42, "noise": 6, "hostile": 4}
"""kind of statement → its share, %"""
SMALL = [case.sql for case in CASES if len(case.sql) < 5000]
LARGE = [case.sql for case in CASES if len(case.sql) >= 5000]
VARIES = re.compile(
    r"random|now|current_|changes|last_insert|strftime|unixepoch|(date|time|day)\s*\(\s*\)|pragma|sqlite_",
    re.IGNORECASE,
)
"""What need not give the same twice, or not on two connections."""


@dataclass
class Figures:
    """What a run counted."""

    statements: int = 0
    seconds: float = 0.0
    kinds: Counter = field(default_factory=Counter)
    statuses: Counter = field(default_factory=Counter)
    by_kind: dict[str, Counter] = field(default_factory=lambda: {kind: Counter() for kind in KINDS})
    compared: int = 0
    compared_with_rows: int = 0
    slowest_s: float = 0.0
    slowest_alone_s: float = 0.0
    workers: set[int] = field(default_factory=set)
    worker_peak_mb: float = 0.0
    parent_mb: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    crashed: Counter = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def see(self, watch: Watch) -> None:
        """Note the workers there were, and the most memory that one had."""
        self.workers |= watch.peak_mb.keys()
        self.worker_peak_mb = max(self.worker_peak_mb, *watch.peak_mb.values(), 0.0)

    def must(self, kept: bool, promise: str) -> None:
        """Note a broken promise."""
        if not kept:
            self.broken.append(promise)
            print(f"BROKEN: {promise}", file=sys.stderr, flush=True)


def statements(chance: random.Random, schema: Schema, count: int) -> Iterator[tuple[str, str]]:
    """Yield (kind, statement)."""
    recent = [select(chance, schema) for _ in range(100)]
    for kind in chance.choices(list(KINDS), list(KINDS.values()), k=count):
        if kind == "select":
            sql = recent[chance.randrange(100)] = select(chance, schema)
        elif kind == "accident":
            start = chance.choice(SMALL) if chance.random() < 0.2 else select(chance, schema)
            sql = mutated(chance, start, [*chance.sample(SMALL, 5), *chance.sample(recent, 5)])
        elif kind == "hostile":
            sql = chance.choice(LARGE if chance.random() < 0.1 else SMALL)
        else:
            letters = chance.choices(range(0x110000 if chance.random() < 0.3 else 0x80), k=chance.randrange(200))
            sql = chance.choice(("", "SELECT ", "SELECT '", "WITH ")) + "".join(map(chr, letters))
        yield kind, sql


def bare(database: Path) -> sqlite3.Connection:
    """Return a connection as anybody would open it, but reading only and with the sandbox's limit for one value."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


def difference(connection: sqlite3.Connection, sql: str, result: Result, max_rows: int) -> str | None:
    """Return in what bare sqlite3 differs from the sandbox's `result`; "" for nothing, None where it took too long."""
    deadline = time.monotonic() + 2
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 1000)
    try:
        cursor = connection.execute(sql.strip("; \t\r\n\f"))  # which the sandbox allows, and Python does not
        rows = cursor.fetchmany(max_rows + 1)
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, ValueError) as error:
        if str(error) == "interrupted":
            return None
        return "" if result.status in ("error", "denied") else f"{result.status}, but bare: {error}"
    columns = tuple(column[0] for column in cursor.description or ())
    cursor.close()
    if len(rows) > max_rows:
        return "" if result.status == "too_large" else f"{result.status}, but bare gives too many rows"
    if not result.runs:
        return f"{result.status} ({result.message}), but bare gives {len(rows)} rows"
    return "" if (repr(rows), columns) == (repr(list(result.rows)), result.columns) else "other rows or columns"


def consistent(result: Result, max_rows: int) -> bool:
    """Return whether a result is one that may be: rows for `ok` alone, a message for failures alone."""
    return (
        bool(result.rows) == (result.status == "ok")
        and len(result.rows) <= max_rows
        and all(len(row) == len(result.columns) for row in result.rows)
        and bool(result.message) != result.runs
    )


def run_batch(
    figures: Figures,
    database: Path,
    batch: Sequence[tuple[str, str]],
    limits: Limits,
    workers: int,
) -> list[Result]:
    """Return the results of one batch; note each promise that it broke."""
    before = picture(database.parent)
    with watched(every_s=0.02) as watch:
        results = execute_many([(database, sql) for _, sql in batch], limits, workers)
    figures.see(watch)
    late_s = limits.timeout_s + LATE_S
    for (kind, sql), result in zip(batch, results, strict=True):
        figures.statuses[result.status] += 1
        figures.by_kind[kind][result.status] += 1
        if result.status == "crashed":
            figures.crashed[f"{result.message}: {sql[:200]}"] += 1
        figures.must(consistent(result, limits.max_rows), f"inconsistent {result!r:.500} of {sql!r:.2000}")
        figures.must(result.seconds <= late_s + watch.queued_s, f"late: {result.seconds:.3f} s for {sql!r:.2000}")
    slow_s = sum(late_s for result in results if result.status in ("timeout", "too_large", "crashed"))
    figures.must(watch.in_time(slow_s + len(batch) * 0.01), f"a batch took {watch}, {slow_s:.1f} s of it excused")
    figures.must(
        picture(database.parent) == before, f"the file or its folder changed in a batch with {batch[0]!r:.300}"
    )
    return results


def compare(
    figures: Figures, database: Path, batch: Sequence[tuple[str, str]], results: list[Result], max_rows: int
) -> None:
    """Note where bare sqlite3 gives something else; what the sandbox stopped is not asked again."""
    connection = bare(database)
    for (kind, sql), result in zip(batch, results, strict=True):
        harmless = result.runs or (kind == "select" and result.status in ("error", "denied", "too_large"))
        if not harmless or VARIES.search(sql):
            continue
        found = difference(connection, sql, result, max_rows)
        figures.compared += found is not None
        figures.compared_with_rows += found is not None and result.status == "ok"
        figures.must(not found, f"{found}: {sql!r:.2000}")
    connection.close()


def take_stock(figures: Figures) -> None:
    """Note what this process holds."""
    gc.collect()
    figures.parent_mb.append(memory_mb("self", "VmRSS"))
    figures.descriptors.append(len(os.listdir("/proc/self/fd")))
    figures.threads.append(threading.active_count())


def run(database: Path, given: argparse.Namespace) -> Figures:
    """Return the figures of a whole run."""
    limits = Limits(timeout_s=given.timeout_s, max_rows=given.max_rows, memory_mb=given.memory_mb)
    figures, slowest = Figures(statements=given.statements), []
    chance, schema = random.Random(given.seed), read_schema(database)
    stream = statements(chance, schema, given.statements)
    begun = told = time.monotonic()
    for start in range(0, given.statements, given.batch):
        batch = [next(stream) for _ in range(min(given.batch, given.statements - start))]
        figures.kinds.update(kind for kind, _ in batch)
        results = run_batch(figures, database, batch, limits, given.workers)
        if start // given.batch % given.compare_every == 0:
            compare(figures, database, batch, results, limits.max_rows)
        slow = [(result.seconds, sql) for (_, sql), result in zip(batch, results, strict=True)]
        slowest = sorted([*slowest, *slow], reverse=True)[:20]
        if start // given.batch % 10 == 9:
            take_stock(figures)
        if time.monotonic() > told + 15:
            told, done = time.monotonic(), start + len(batch)
            print(f"{done:,} of {given.statements:,}, {done / (told - begun):,.0f}/s", file=sys.stderr, flush=True)
    figures.seconds = time.monotonic() - begun
    figures.slowest_s = slowest[0][0]
    for _, sql in slowest:
        with watched() as watch:
            execute(database, sql, limits)
        figures.see(watch)
        figures.slowest_alone_s = max(figures.slowest_alone_s, watch.seconds)
        figures.must(watch.in_time(limits.timeout_s), f"late, alone: {watch} for {sql!r:.2000}")
    finish(figures, limits)
    return figures


def finish(figures: Figures, limits: Limits) -> None:
    """Note the promises that only a whole run can break."""
    take_stock(figures)
    figures.must(figures.worker_peak_mb <= limits.memory_mb, f"a worker had {figures.worker_peak_mb:.0f} MiB")
    quarter = max(len(figures.parent_mb) // 4, 1)
    grown_mb = median(figures.parent_mb[-quarter:]) - median(figures.parent_mb[:quarter])
    figures.must(grown_mb <= PARENT_MAY_GROW_MB, f"the parent grew by {grown_mb:.0f} MiB")
    figures.must(max(figures.descriptors) <= figures.descriptors[0] + 2, f"descriptors: {figures.descriptors}")
    figures.must(max(figures.threads) <= figures.threads[0] + 1, f"threads: {figures.threads}")


def report(figures: Figures) -> None:
    """Print the table and the line of JSON."""
    names = sorted(figures.statuses)
    print(f"{'':10}{'all':>9}" + "".join(f"{name:>11}" for name in names))
    for kind, counted in [*figures.by_kind.items(), ("all", figures.statuses)]:
        print(f"{kind:10}{sum(counted.values()):9,}" + "".join(f"{counted[name]:11,}" for name in names))
    print(f"{figures.statements / figures.seconds:,.0f} statements/s in {figures.seconds:,.0f} s, comparing included")
    print(f"slowest {figures.slowest_s:.3f} s by the worker's clock, {figures.slowest_alone_s:.3f} s by ours, alone")
    print(f"{figures.compared:,} compared with bare sqlite3, {figures.compared_with_rows:,} of them with rows")
    print(f"{len(figures.workers):,} workers, {figures.worker_peak_mb:.0f} MiB at most")
    for what, values in {
        "MiB": figures.parent_mb,
        "descriptors": figures.descriptors,
        "threads": figures.threads,
    }.items():
        print(f"parent's {what}: {values[0]:.0f} → {values[-1]:.0f}, {max(values):.0f} at most")
    print(f"{sum(figures.crashed.values())} crashes of a worker, over {len(figures.crashed)} statements")
    print(f"promises broken: {len(figures.broken)}")
    print(json.dumps(vars(figures) | {"workers": len(figures.workers), "broken": figures.broken[:20]}))


def main() -> int:
    """Return the exit status: 0 where all promises were kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--statements", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=500, help="statements that go to execute_many at once")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--timeout-s", type=float, default=0.1)
    parser.add_argument("--max-rows", type=int, default=1000)
    parser.add_argument("--memory-mb", type=int, default=256)
    parser.add_argument("--compare-every", type=int, default=2, help="compare each n-th batch with bare sqlite3")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "shop.sqlite"
        connection = sqlite3.connect(database)
        connection.executescript(SHOP)
        connection.close()
        figures = run(database, given)
    report(figures)
    return 1 if figures.broken else 0


if __name__ == "__main__":
    sys.exit(main())
