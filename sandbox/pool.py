"""Warm worker processes, each lent to one caller at a time; `ask` and `build` are all that others need."""

import atexit
import contextlib
import mmap
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.protocol import AT_BYTES, GRACE_S, HEADER, NO_JOB, OUT_OF_MEMORY, pack, unpack

WORKER = Path(__file__).with_name("worker.py")
START_S = 30.0
"""How long a worker may take to start, seconds; on an idle machine it takes 0.06."""
ATTEMPTS = 5
"""How many workers may be killed from outside over one job."""
LATE_S = GRACE_S + 0.1
"""How long after a job's time limit the parent still waits before it kills; the kernel kills at GRACE_S."""
MAX_REPLY_BYTES = 256 * 2**20
Reply = list
"""What came of a job, see `sandbox.protocol`; ["died", status, message, at gold] where it ended its worker."""


@dataclass(eq=False)
class Worker:
    """One worker process, the parent's end of its stdin and stdout, and the memory that it shares."""

    process: subprocess.Popen
    channel: socket.socket
    at: memoryview
    unread: bytearray = field(default_factory=bytearray)
    layers: dict[str, str] = field(default_factory=dict)

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


def ask(request: dict) -> list[Reply]:
    """Return the replies to a request's jobs, in order.

    A job that hangs or ends its worker is answered by that, and the others go on with a new worker.  A
    worker that somebody else killed is no fault of the job, which is asked again.
    """
    replies: list[Reply] = []
    killed = 0
    while len(replies) < len(request["jobs"]):
        rest = request | {"jobs": request["jobs"][len(replies) :]}
        got, end = _ask_once(rest)
        replies += got
        if end is None:
            continue
        code, place, at_gold = end
        killed = (0 if got else killed) + (code == -signal.SIGKILL)
        if code != -signal.SIGKILL or killed == ATTEMPTS:
            # Replies that were on their way when the worker ended are lost: those jobs are asked again, alone.
            done = [_ask_alone(rest, job) for job in rest["jobs"][len(got) : place]]
            replies += [*done, ["died", *_epitaph(code, request), at_gold]]
    return replies


def _ask_alone(request: dict, job: list) -> Reply:
    return ask(request | {"jobs": [job]})[0]


def build(request: dict) -> dict:
    """Return a worker's answer to a request that builds a database."""
    for _ in range(ATTEMPTS):
        worker = _take(_pool)
        if messages := _talk(request, worker):
            return messages[0]
        if worker.process.returncode != -signal.SIGKILL:
            break
    return {"unusable": _epitaph(worker.process.returncode, request)[1]}


def layers() -> dict[str, str]:
    """Return the layers around a worker and how each is on, as the worker found them."""
    worker = _take(_pool)
    _give_back(_pool, worker, whole=True)
    return worker.layers


def _ask_once(request: dict) -> tuple[list[Reply], tuple[int, int, bool] | None]:
    """Return the replies that one worker gave, and how it ended where it did: exit status, job, at its gold query."""
    worker = _take(_pool)
    messages = _talk(request, worker)
    replies = [reply for message in messages for reply in message["replies"]]
    if len(replies) == len(request["jobs"]) or any("last" in message for message in messages):
        return replies, None
    place = worker.at[0]
    if place == NO_JOB or place < len(replies):  # between two jobs: somebody else ended it
        return replies, (-signal.SIGKILL, len(replies), False)
    return replies, (worker.process.returncode, place, bool(worker.at[1]))


def _talk(request: dict, worker: Worker) -> list[dict]:
    """Return what comes back for a request; a worker that did not answer it whole has ended then."""
    messages: list[dict] = []
    wanted = len(request.get("jobs", "1"))
    whole = False  # only after a whole question and a whole answer may a worker serve again
    worker.at[0] = NO_JOB
    try:
        worker.channel.settimeout(request["timeout_s"] + LATE_S)
        worker.channel.sendall(pack(request))
        while wanted > 0:
            message = _receive(worker, request["timeout_s"] + LATE_S)
            messages.append(message)
            wanted -= len(message.get("replies", "1"))
            if "last" in message:
                return messages
        whole = True
    except TimeoutError:
        for number in (signal.SIGALRM, signal.SIGCONT):  # end it as the kernel would have done
            worker.process.send_signal(number)
        _wait_for_end(worker)
    except (ConnectionError, EOFError):
        _wait_for_end(worker)
    finally:
        _give_back(_pool, worker, whole)
    return messages


def _wait_for_end(worker: Worker) -> None:
    """Give a worker the time to end by itself, so that its exit status tells why."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.process.wait(GRACE_S)


def _epitaph(code: int, request: dict) -> tuple[str, str]:
    """Return status and message of a job whose worker ended with exit status `code`."""
    if code in (-signal.SIGALRM, -signal.SIGXCPU):
        return "timeout", "killed after the time limit"
    if code == OUT_OF_MEMORY:
        return "too_large", f"more than {request['memory_mb']} MiB of memory"
    return "crashed", f"the worker died with exit status {code}"


def _receive(worker: Worker, patience_s: float) -> dict:
    """Return the next message; EOFError when the worker has gone, TimeoutError when it is `patience_s` at one job."""
    received = worker.unread
    place, deadline = worker.at.tolist(), time.monotonic() + patience_s
    while len(received) < (length := _length(received)):
        worker.channel.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            part = worker.channel.recv(max(length - len(received), 2**16))
        except TimeoutError:
            if worker.at.tolist() == place:
                raise
            place, deadline = worker.at.tolist(), time.monotonic() + patience_s
            continue
        if not part:
            raise EOFError
        received += part
    message = unpack(bytes(received[HEADER.size : length]))
    del received[:length]
    return message


def _length(received: bytearray) -> int:
    """Return the length of the first message in what was received, its header included."""
    if len(received) < HEADER.size:
        return HEADER.size
    length = HEADER.size + HEADER.unpack_from(received)[0]
    if length > MAX_REPLY_BYTES:
        raise TimeoutError  # nothing that we wrote answers so; end it
    return length


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
        worker.layers = _receive(worker, START_S)["layers"]
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
    shared = os.memfd_create("at")
    try:
        os.ftruncate(shared, AT_BYTES)
        at = memoryview(mmap.mmap(shared, AT_BYTES)).cast("I")
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(WORKER), str(os.getpid()), str(shared)],
                stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env={}, cwd="/", start_new_session=True,
                pass_fds=(shared,),
            )  # fmt: skip
    finally:
        os.close(shared)
    return Worker(process, ours, at)


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
