"""A file or a folder that many processes may ask for, and one makes."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


def make_once(path: Path, make: Callable[[Path], None]) -> None:
    """Have `make` write `path`, whole or not at all, unless another process has done so by the time it is our turn.

    `make` gets the path to write to; the name comes from what is made, as a hash say.  OSError where the folder around
    it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Sixteen locks, so that different ones seldom wait for each other.
    with open(path.parent / f".lock-{path.name[0]}", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not path.exists():
                aside = path.with_suffix(".partial")
                if aside.is_dir():
                    shutil.rmtree(aside)  # left by a process that was killed
                make(aside)
                aside.replace(path)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # also for children forked meanwhile, which hold the lock open
