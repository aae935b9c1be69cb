"""Warm worker processes, each lent to one caller at a time; `ask` and `build` are all that others need."""

import atexit
import os
import signal
import threading
from dataclasses import dataclass, field

from sandbox.process import Starter, Worker
from sandbox.protocol import GRACE_S, NO_JOB, OUT_OF_MEMORY

ATTEMPTS = 5
"""How many workers may be killed from outside while they are at one job."""
MOST_KILLS = 50
"""How many may be killed before they are at it."""
LATE_S = GRACE_S + 0.1
"""How long after a job's time limit the parent still waits before it kills; the kernel kills at GRACE_S."""
Reply = list
"""What came of a job, see `sandbox.protocol`; ["died", status, message, at gold] where it ended its worker."""


@dataclass
class Pool:
    """The workers of this process."""

    limit: int = field(default_factory=lambda: max(2, os.cpu_count() or 1))
    changed: threading.Condition = field(default_factory=threading.Condition)
    idle: list[Worker] = field(default_factory=list)
    workers: set[Worker] = field(default_factory=set)
    starting: int = 0
    starter: Starter = field(default_factory=Starter)


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
    killed = elsewhere = 0
    while len(replies) < len(request["jobs"]):
        rest = request | {"jobs": request["jobs"][len(replies) :]}
        got, end = _ask_once(rest)
        replies += got
        if end is None:
            continue
        code, place, at_gold = end
        if got:
            killed = elsewhere = 0
        killed += code == -signal.SIGKILL and place is not None
        elsewhere += place is None
        if code != -signal.SIGKILL or killed == ATTEMPTS or elsewhere == MOST_KILLS:
            place = len(got) if place is None else place
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


def _ask_once(request: dict) -> tuple[list[Reply], tuple[int, int | None, bool] | None]:
    """Return the replies that one worker gave, and how it ended where it did.

    That is its exit status, the number of the job it was at, and whether it was at the gold query.  A worker that
    ended between two jobs was at none, and it was somebody else who ended it.
    """
    worker = _take(_pool)
    messages = _talk(request, worker)
    replies = [reply for message in messages for reply in message["replies"]]
    if len(replies) == len(request["jobs"]) or any("last" in message for message in messages):
        return replies, None
    place = worker.at[0]
    if place == NO_JOB or place < len(replies):
        return replies, (-signal.SIGKILL, None, False)
    return replies, (worker.process.returncode, place, bool(worker.at[1]))


def _talk(request: dict, worker: Worker) -> list[dict]:
    """Return what comes back for a request; a worker that did not answer it whole has ended then."""
    messages: list[dict] = []
    wanted = len(request.get("jobs", "1"))
    whole = False  # only after a whole question and a whole answer may a worker serve again
    patience_s = request["timeout_s"] + LATE_S
    worker.at[0] = NO_JOB
    try:
        worker.send(request, patience_s)
        while wanted > 0:
            message = worker.receive(patience_s)
            messages.append(message)
            wanted -= len(message.get("replies", "1"))
            if "last" in message:
                return messages
        whole = True
    except TimeoutError:
        worker.stop()
        worker.wait()
    except (ConnectionError, EOFError):
        worker.wait()
    finally:
        _give_back(_pool, worker, whole)
    return messages


def _epitaph(code: int, request: dict) -> tuple[str, str]:
    """Return status and message of a job whose worker ended with exit status `code`."""
    if code in (-signal.SIGALRM, -signal.SIGXCPU):
        return "timeout", "killed after the time limit"
    if code == OUT_OF_MEMORY:
        return "too_large", f"more than {request['memory_mb']} MiB of memory"
    return "crashed", f"the worker died with exit status {code}"


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
        worker = pool.starter.start()
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
