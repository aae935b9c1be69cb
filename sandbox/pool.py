"""Warm worker processes, each lent to one caller at a time; `ask(request)` is all that others need."""

import atexit
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.worker import GRACE_S, OUT_OF_MEMORY, pack, unpack

WORKER = Path(__file__).with_name("worker.py")
START_S = 30.0
"""How long a worker may take to start, seconds; on an idle machine it takes 0.05."""
ATTEMPTS = 5
"""How many workers may be killed from outside over one request."""
MAX_REPLY_BYTES = 256 * 2**20


@dataclass(eq=False)
class Worker:
    """One worker process and the parent's end of its stdin and stdout."""

    process: subprocess.Popen
    channel: socket.socket

    def end(self) -> int:
        """Kill the process if it still lives; return its exit status."""
        self.process.kill()
        self.channel.close()
        return self.process.wait()


@dataclass
class Pool:
    """The workers of this process."""

    limit: int = field(default_factory=lambda: max(2, os.cpu_count() or 1))
    changed: threading.Condition = field(default_factory=threading.Condition)
    idle: list[Worker] = field(default_factory=list)
    workers: set[Worker] = field(default_factory=set)
    starting: int = 0
    to_start: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)
    starter: threading.Thread | None = None


_pool = Pool()


def allow_workers(count: int) -> None:
    """Let the pool grow to `count` workers; it never shrinks."""
    with _pool.changed:
        _pool.limit = max(_pool.limit, count)
        _pool.changed.notify_all()


def ask(request: dict) -> dict:
    """Return a worker's answer to `request`; one that hangs or dies is replaced, and that is the answer.

    A worker that somebody else killed is no fault of the request, which goes to another one then.
    """
    message = pack(request)
    for _ in range(ATTEMPTS):
        reply = _ask_once(message, request["timeout_s"])
        if "killed" not in reply:
            break
    return reply


def _ask_once(message: bytes, timeout_s: float) -> dict:
    pool = _pool
    worker = _take(pool)
    whole = False  # only after a whole question and a whole answer may a worker serve again
    deadline = time.monotonic() + timeout_s + GRACE_S
    try:
        worker.channel.settimeout(timeout_s + GRACE_S)
        worker.channel.sendall(message)
        reply = _receive(worker.channel, deadline)
        whole = not reply.get("last")
        return reply
    except TimeoutError:
        return _failed("timeout", "killed after the time limit", timeout_s + GRACE_S)
    except (ConnectionError, EOFError):
        return _epitaph(worker.process.wait(), timeout_s)
    finally:
        _give_back(pool, worker, whole)


def _epitaph(code: int, timeout_s: float) -> dict:
    """Return the answer of a worker that ended with exit status `code` instead of answering."""
    if code == OUT_OF_MEMORY:
        return _failed("too_large", "out of memory")
    if code == -signal.SIGALRM:
        return _failed("timeout", "killed after the time limit", timeout_s)
    killed = {"killed": True} if code == -signal.SIGKILL else {}
    return _failed("crashed", f"the worker died with exit status {code}") | killed


def _failed(status: str, message: str, seconds: float = 0.0) -> dict:
    return {"status": status, "columns": [], "rows": [], "message": message, "seconds": seconds}


def _receive(channel: socket.socket, deadline: float) -> dict:
    """Return the next message; EOFError when the worker has gone, TimeoutError when it is late."""
    received = bytearray()
    length = 4
    while len(received) < length:
        channel.settimeout(max(deadline - time.monotonic(), 0.001))
        part = channel.recv(max(length - len(received), 2**16))
        if not part:
            raise EOFError
        received += part
        if length == 4 and len(received) >= 4:
            length += struct.unpack_from(">I", received)[0]
            if length > MAX_REPLY_BYTES:
                raise TimeoutError  # nothing that we wrote answers so; end it
    return unpack(bytes(received[4:]))


def _take(pool: Pool) -> Worker:
    """Return an idle worker or a new one; wait where the pool is at its limit."""
    with pool.changed:
        while True:
            while pool.idle:
                worker = pool.idle.pop()
                if worker.process.poll() is None:
                    return worker
                pool.workers.discard(worker)
                worker.end()
            if len(pool.workers) + pool.starting < pool.limit:
                pool.starting += 1
                break
            pool.changed.wait()
    worker = None
    try:
        worker = _start(pool)
        return worker
    finally:
        with pool.changed:
            pool.starting -= 1
            if worker is None:
                pool.changed.notify()
            else:
                pool.workers.add(worker)


def _give_back(pool: Pool, worker: Worker, whole: bool) -> None:
    """Take `worker` back into the pool where it is `whole`; end it otherwise."""
    if not whole:
        worker.end()
    with pool.changed:
        if whole:
            pool.idle.append(worker)
        else:
            pool.workers.discard(worker)
        pool.changed.notify()


def _start(pool: Pool) -> Worker:
    """Return a new worker that has said it is ready."""
    with pool.changed:
        if pool.starter is None:
            pool.starter = threading.Thread(
                target=_start_for_ever, args=(pool.to_start,), name="sandbox-starter", daemon=True
            )
            pool.starter.start()
    started: queue.SimpleQueue = queue.SimpleQueue()
    pool.to_start.put(started)
    worker = started.get()
    if isinstance(worker, OSError):
        raise worker
    try:
        _receive(worker.channel, time.monotonic() + START_S)
    except (TimeoutError, ConnectionError, EOFError) as error:
        raise RuntimeError(f"a sandbox worker did not start: exit status {worker.end()}") from error
    return worker


def _start_for_ever(to_start: queue.SimpleQueue) -> None:
    """Start a process for each request.

    The kernel kills a worker when the *thread* that started it ends, so one that never ends starts them all.
    """
    while True:
        started = to_start.get()
        try:
            started.put(_start_process())
        except OSError as error:
            started.put(error)


def _start_process() -> Worker:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WORKER), str(os.getpid())],
            stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env={}, cwd="/", start_new_session=True,
        )  # fmt: skip
    return Worker(process, ours)


def close_pool() -> None:
    """End all workers; the next question starts new ones."""
    with _pool.changed:
        for worker in _pool.idle:
            worker.end()
            _pool.workers.discard(worker)
        _pool.idle.clear()


def _forget_pool() -> None:
    """In a forked child: leave the parent's workers alone and begin with none."""
    global _pool
    inherited, _pool = _pool, Pool(limit=_pool.limit)
    for worker in inherited.workers:
        worker.channel.close()
        worker.process.returncode = 0  # not this process's child: nothing to wait for


os.register_at_fork(after_in_child=_forget_pool)
atexit.register(close_pool)
