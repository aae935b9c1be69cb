"""The worker process: runs SQL that nobody trusts, and judges it, for the parent that asks on stdin.

Started as `python -I -S worker.py PARENT_PID COUNTER` with an empty environment; COUNTER is a descriptor of
shared memory in which the worker notes the job it is at, and whether it is at the job's gold query, so that
the parent knows which one ended it.
It knows the standard library and the sandbox's own modules; `sandbox/__init__.py` is the parent's side.
"""

import contextlib
import mmap
import os
import signal
import sqlite3
import sys
import time
import types
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

if __name__ == "__main__":  # there is no package around a script: make one, without the parent's `__init__`
    package = sys.modules["sandbox"] = types.ModuleType("sandbox")
    package.__path__ = [str(Path(__file__).parent)]

from sandbox.building import build, fill
from sandbox.confinement import confine, limit_cpu, limit_memory, limit_time
from sandbox.judge import is_ordered, same_result
from sandbox.protocol import AT_BYTES, GRACE_S, HEADER, NO_JOB, OUT_OF_MEMORY, pack, unpack
from sandbox.reading import LATER, Reader
from sandbox.result import Limits, Result
from sandbox.ties import tied_runs

OPEN_DATABASES = 128
KEPT_GOLD_BYTES = 32 * 2**20
"""Size of the gold results that are kept, about, in their worker's memory."""
LARGEST_KEPT_BYTES = 2 * 2**20
FLUSH_S = 0.01
"""How long a reply may wait for others to share its message, seconds."""
FLUSH_REPLIES = 64


class Unusable(Exception):
    """The file is no database, or a broken one."""


@dataclass
class Gold:
    """A gold query with what came of it; `ties` is None until it is asked for, and where it can't be told."""

    sql: str
    result: Result
    ordered: bool
    ties: tuple[int, ...] | None = None


class Golds:
    """Results of gold queries, the least recently used ones forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple, tuple[Gold, int]] = OrderedDict()
        self._size = 0

    def get(self, key: tuple) -> Gold | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, key: tuple, gold: Gold) -> None:
        rows = gold.result.rows
        size = 500 + sum(72 + sum(len(v) if isinstance(v, (str, bytes)) else 32 for v in row) for row in rows)
        if size > LARGEST_KEPT_BYTES or gold.result.status == "timeout":
            return
        self._kept[key] = gold, size
        self._size += size
        while self._size > KEPT_GOLD_BYTES:
            self._size -= self._kept.popitem(last=False)[1][1]


class Desk:
    """What a worker keeps between requests: open databases and gold results."""

    def __init__(self, at: memoryview) -> None:
        self._at = at
        self._readers: OrderedDict[tuple, Reader] = OrderedDict()
        self._golds = Golds()

    def clear(self) -> None:
        """Forget all, to have the memory back."""
        self._readers.clear()
        self._golds = Golds()

    def answer(self, job: list, request: dict, limits: Limits) -> list:
        """Return the reply to one job of a request."""
        number, *sqls = job
        database = request["databases"][number]
        quick_s = request["quick_s"]
        try:
            reader = self._reader(database)
            if request["how"] == "steps":
                result, steps = reader.steps(sqls[0], limits, quick_s)
                return ["later"] if result is LATER else ["steps", steps if result.runs else None]
            if len(sqls) == 1:
                result = reader.rows(sqls[0], limits, quick_s)
                return ["later"] if result is LATER else ["rows", *vars(result).values()]
            return self._verdict(reader, database, sqls, request["how"], limits, quick_s)
        except Unusable as error:
            return ["unusable", str(error)]

    def _verdict(self, reader: Reader, database: list, sqls: list, how: str, limits: Limits, quick_s) -> list:
        gold_sql, sql = sqls
        key = (*database[1:], gold_sql, limits.max_rows, limits.max_steps)
        kept = self._golds.get(key)
        if kept is None:
            self._at[1] = True
            kept = Gold(gold_sql, reader.rows(gold_sql, limits, quick_s), is_ordered(gold_sql))
            self._at[1] = False
            limit_time(limits.timeout_s + GRACE_S)  # the prediction has a time of its own
            if kept.result is LATER:
                return ["later"]
            self._golds.keep(key, kept)
        gold = kept.result
        if not gold.runs:
            return ["verdict", gold.status, gold.status, None, gold.message]
        if sql == gold_sql:
            return ["verdict", gold.status, gold.status, True, ""]
        begun = time.monotonic()
        predicted = reader.rows(sql, limits, quick_s)
        if predicted is LATER:
            return ["later"]
        if not predicted.runs:
            return ["verdict", gold.status, predicted.status, False, predicted.message]
        correct = same_result(gold, predicted, how, kept.ordered)
        if not correct and how == "ordered" and same_result(gold, predicted, "multiset"):
            ties = self._ties(reader, kept, limits, begun + limits.timeout_s)
            correct = same_result(gold, predicted, how, kept.ordered, ties)
        message = "" if correct else f"{len(predicted.rows)} rows, gold {len(gold.rows)}"
        return ["verdict", gold.status, predicted.status, correct, message]

    def _ties(self, reader: Reader, gold: Gold, limits: Limits, deadline: float) -> tuple[int, ...] | None:
        """Return the runs of tied gold rows, or None; two queries, for which the job's own time must do."""

        def run(sql: str) -> Result:
            return reader.rows(sql, replace(limits, timeout_s=max(deadline - time.monotonic(), 0.001)))

        with contextlib.suppress(MemoryError):  # the prediction is not to blame
            gold.ties = gold.ties or tied_runs(gold.sql, gold.result, run)
        return gold.ties

    def _reader(self, database: list) -> Reader:
        uri, *key = database
        key = tuple(key)
        if key not in self._readers:
            for stale in [other for other in self._readers if other[0] == key[0]]:
                self._readers.pop(stale).close()
            try:
                self._readers[key] = Reader(uri)
            except sqlite3.Error as error:
                raise Unusable(str(error)) from error
            if len(self._readers) > OPEN_DATABASES:
                self._readers.popitem(last=False)[1].close()
        self._readers.move_to_end(key)
        return self._readers[key]


def serve(request: dict, desk: Desk, at: memoryview) -> None:
    """Write the replies to a request's jobs, several to a message."""
    limits = limits_of(request)
    replies: list[list] = []
    begun = flushed = time.monotonic()
    limit_cpu(len(request["jobs"]) * 2 * (limits.timeout_s + GRACE_S))  # a gold query has a time of its own
    for place, job in enumerate(request["jobs"]):
        if place and time.monotonic() - begun > request["share_s"]:
            replies += [["waiting"]] * (len(request["jobs"]) - place)
            break
        at[0], at[1] = place, False
        # If SQLite cannot be stopped, or the parent is gone or asleep, the kernel ends it.
        limit_time(limits.timeout_s + GRACE_S)
        try:
            replies.append(answer(desk, job, request, limits))
        except MemoryError:
            desk.clear()
            write(pack({"replies": [*replies, no_memory(job, limits, bool(at[1]))], "last": True}))
            return
        if len(replies) == FLUSH_REPLIES or replies[-1][0] == "rows" or time.monotonic() - flushed > FLUSH_S:
            write(pack({"replies": replies}))
            replies, flushed = [], time.monotonic()
    if replies:
        write(pack({"replies": replies}))
    at[0] = NO_JOB
    signal.setitimer(signal.ITIMER_REAL, 0)


def answer(desk: Desk, job: list, request: dict, limits: Limits) -> list:
    """Return the reply to one job, which shall not want for memory because of those before it."""
    deadline = time.monotonic() + limits.timeout_s
    try:
        return desk.answer(job, request, limits)
    except MemoryError:
        desk.clear()
        return desk.answer(job, request, replace(limits, timeout_s=max(deadline - time.monotonic(), 0.001)))


def no_memory(job: list, limits: Limits, at_gold: bool) -> list:
    """Return the reply to a job that wanted more memory than there is."""
    message = f"more than {limits.memory_mb} MiB of memory"
    if len(job) == 2:
        return ["rows", "too_large", [], [], message, 0.0]
    return ["verdict", "too_large" if at_gold else "ok", "too_large", None if at_gold else False, message]


def limits_of(request: dict) -> Limits:
    return Limits(*(request[name] for name in Limits.__dataclass_fields__))


def read(length: int) -> bytes:
    """Return exactly `length` bytes of stdin; end the process where there are no more."""
    parts, left = [], length
    while left:
        part = os.read(0, left)
        if not part:
            os._exit(0)
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def write(message: bytes) -> None:
    view = memoryview(message)
    while view:
        view = view[os.write(1, view) :]


def main() -> None:
    """Answer until stdin ends."""
    shared = mmap.mmap(int(sys.argv[2]), AT_BYTES)
    os.close(int(sys.argv[2]))
    at = memoryview(shared).cast("I")
    layers = confine(int(sys.argv[1]))
    write(pack({"ready": True, "layers": layers}))
    desk = Desk(at)
    try:
        while True:
            request = unpack(read(HEADER.unpack(read(HEADER.size))[0]))
            limit_memory(request["memory_mb"] * 2**20)
            if request["do"] == "jobs":
                serve(request, desk, at)
                continue
            limit_cpu(request["timeout_s"] + GRACE_S)
            limit_time(request["timeout_s"] + GRACE_S)
            if request["do"] == "build":
                write(pack(build(request["script"], limits_of(request))))
            else:
                write(pack(fill(request["schema"], request["tables"], limits_of(request))))
            signal.setitimer(signal.ITIMER_REAL, 0)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
