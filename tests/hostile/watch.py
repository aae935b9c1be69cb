"""What one question to the sandbox costs: time, memory of the workers, and what may be seen of the files meanwhile."""

import hashlib
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.singers import worker_pids

LATE_S = 0.5
"""How long after the time limit an answer may come, seconds."""


@dataclass
class Watch:
    """The seconds that something took, those of them that it stood in line for a processor, and its workers' memory."""

    seconds: float = 0.0
    queued_s: float = 0.0
    peak_mb: dict[int, float] = field(default_factory=dict)

    def in_time(self, timeout_s: float) -> bool:
        """Return whether the answer came by `timeout_s` + 0.5 s, time in line for a busy processor not counted."""
        return self.seconds < timeout_s + LATE_S + self.queued_s


def queued_s(task: str) -> float:
    """Return how long a task was ready to run while others had the processors, as the kernel counts it."""
    try:
        return int(Path(f"/proc/{task}/schedstat").read_text().split()[1]) / 1e9
    except OSError:  # it has ended, or this kernel does not count
        return 0.0


def memory_mb(process: str, what: str) -> float:
    """Return one of a process's memory figures: `VmRSS`, what it has now; `VmHWM`, the most it ever had."""
    return int(Path(f"/proc/{process}/status").read_text().split(f"{what}:")[1].split()[0]) / 1024


def _look(watch: Watch, queued: dict[int, float], done: threading.Event, every_s: float) -> None:
    """Look at the workers again and again, as one that was killed can't be asked any more."""
    while not done.wait(every_s):
        with suppress(OSError, RuntimeError, IndexError):  # a worker came or went meanwhile
            for pid in worker_pids():
                watch.peak_mb[pid] = memory_mb(str(pid), "VmHWM")
                queued[pid] = max(queued.get(pid, 0.0), queued_s(str(pid)))


@contextmanager
def watched(every_s: float = 0.004) -> Iterator[Watch]:
    """Measure what is done inside, by the clock and by what the kernel knows of the workers and this thread."""
    watch, done = Watch(), threading.Event()
    before = {pid: queued_s(str(pid)) for pid in worker_pids()}
    after = dict(before)
    looking = threading.Thread(target=_look, args=(watch, after, done, every_s))
    looking.start()
    mine, begun = queued_s("thread-self"), time.monotonic()
    try:
        yield watch
    finally:
        watch.seconds = time.monotonic() - begun
        watch.queued_s = queued_s("thread-self") - mine
        done.set()
        looking.join()
        watch.queued_s += sum(later - before.get(pid, 0.0) for pid, later in after.items())


def picture(folder: Path) -> dict[str, tuple]:
    """Return all that can be seen of the files in a folder; of small ones their content too."""
    seen = {}
    for path in sorted(folder.rglob("*")):
        found = path.lstat()
        plain = stat.S_ISREG(found.st_mode) and found.st_size < 2**26
        content = hashlib.sha256(path.read_bytes()).hexdigest() if plain else ""
        seen[str(path)] = (found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns, content)
    return seen
