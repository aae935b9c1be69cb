"""What a worker gives up before it reads its first request: layers around SQLite, in case SQLite itself has a hole.

Landlock: https://docs.kernel.org/userspace-api/landlock.html (its numbers are the same on every architecture).
"""

import ctypes
import math
import os
import resource
import signal
import struct
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446
LANDLOCK_VERSION = 1
LANDLOCK_READ_FILE = 1 << 2
FS_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""Landlock's ABI → how many kinds of access to files it knows."""
NET_RIGHTS = {4: 2}
SCOPES = {6: 2}
DESCRIPTORS = 160
NAME = "Landlock"


def confine(parent_pid: int) -> dict[str, str]:
    """Give up all that a worker does not need, and die when the parent does; return the layers and how each is on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(0)  # the parent died before the line above
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGALRM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the parent's mask is inherited
    for what, most in (
        (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):  # fmt: skip
        resource.setrlimit(what, (most, most))
    return {
        "environment": f"nothing inherited ({', '.join(os.environ) or 'empty'})",
        "resource limits": f"no file written, no core, no process, {DESCRIPTORS} descriptors, memory and CPU a query",
        "parent's death": "ends the worker",
        NAME: _landlock(libc),
        "seccomp": "off: not used, no maintained package offers it",
    }


def _landlock(libc: ctypes.CDLL) -> str:
    """Deny this process every access to files but reading them, TCP, and signals to others; return what is on."""
    if sys.platform != "linux":
        return "off: Linux only"
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION)
    if version < 1:
        return f"off: {os.strerror(ctypes.get_errno())}; a kernel of 5.13 or later has it, where it is switched on"
    rights = (1 << _known(FS_RIGHTS, version)) - 1 & ~LANDLOCK_READ_FILE
    net, scopes = ((1 << _known(table, version)) - 1 for table in (NET_RIGHTS, SCOPES))
    attributes = struct.pack("QQQ", rights, net, scopes)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return f"off: {os.strerror(ctypes.get_errno())}"
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    failed = libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    if failed:
        return f"off: {os.strerror(ctypes.get_errno())}"
    return f"on (ABI {version}): files are read only" + ", no TCP" * (net > 0) + ", no signals" * (scopes > 0)


def _known(table: dict[int, int], version: int) -> int:
    return max((count for since, count in table.items() if since <= version), default=0)


def limit_memory(size_bytes: int) -> None:
    """Limit the address space, which the next request may change."""
    now, hard = resource.getrlimit(resource.RLIMIT_AS)
    size_bytes = size_bytes if hard == resource.RLIM_INFINITY else min(size_bytes, hard)
    if now != size_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (size_bytes, hard))


def limit_time(seconds: float) -> None:
    """Have the kernel end this process after `seconds` by the clock."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def limit_cpu(seconds: float) -> None:
    """Have the kernel end this process soon after `seconds` of CPU time, should the clock's alarm not do it."""
    used = math.ceil(time.process_time() + seconds) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (used if hard == resource.RLIM_INFINITY else min(used, hard), hard))
