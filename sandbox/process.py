"""One worker process, as its parent holds it: started, written to, listened to, ended."""

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

from sandbox.protocol import AT_BYTES, GRACE_S, HEADER, pack, unpack

WORKER = Path(__file__).with_name("worker.py")
START_S = 30.0
"""How long a worker may take to start, seconds; on an idle machine it takes 0.06."""
MAX_REPLY_BYTES = 256 * 2**20


@dataclass(eq=False)
class Worker:
    """One worker process, the parent's end of its stdin and stdout, and the memory that it shares."""

    process: subprocess.Popen
    channel: socket.socket
    at: memoryview
    unread: bytearray = field(default_factory=bytearray)
    layers: dict[str, str] = field(default_factory=dict)

    def send(self, message: dict, patience_s: float) -> None:
        """Write a message; TimeoutError where the worker does not take it within `patience_s`."""
        self.channel.settimeout(patience_s)
        self.channel.sendall(pack(message))

    def receive(self, patience_s: float) -> dict:
        """Return the next message; EOFError when the worker has gone, TimeoutError after `patience_s` at one job."""
        received = self.unread
        place, deadline = self.at.tolist(), time.monotonic() + patience_s
        while len(received) < (length := _length(received)):
            self.channel.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                part = self.channel.recv(max(length - len(received), 2**16))
            except TimeoutError:
                if self.at.tolist() == place:
                    raise
                place, deadline = self.at.tolist(), time.monotonic() + patience_s
                continue
            if not part:
                raise EOFError
            received += part
        message = unpack(bytes(received[HEADER.size : length]))
        del received[:length]
        return message

    def stop(self) -> None:
        """End the process as the kernel would have done at its time limit."""
        for number in (signal.SIGALRM, signal.SIGCONT):
            self.process.send_signal(number)

    def wait(self) -> None:
        """Give the process the time to end by itself, so that its exit status tells why."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_S)

    def end(self) -> int:
        """Kill the process if it still lives; return its exit status."""
        self.process.kill()
        self.channel.close()
        return self.process.wait()


def _length(received: bytearray) -> int:
    """Return the length of the first message in what was received, its header included."""
    if len(received) < HEADER.size:
        return HEADER.size
    length = HEADER.size + HEADER.unpack_from(received)[0]
    if length > MAX_REPLY_BYTES:
        raise TimeoutError  # nothing that we wrote answers so; end it
    return length


class Starter:
    """The thread that starts workers: the kernel kills a worker when the *thread* that started it ends."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> Worker:
        """Return a new worker that has said it is ready; OSError where the machine has no process left."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="sandbox-starter", daemon=True)
                self._thread.start()
        started: queue.SimpleQueue = queue.SimpleQueue()
        self._asked.put(started)
        worker = started.get()
        if isinstance(worker, OSError):
            raise worker
        try:
            worker.layers = worker.receive(START_S)["layers"]
        except (TimeoutError, ConnectionError, EOFError) as error:
            raise RuntimeError(f"a sandbox worker did not start: exit status {worker.end()}") from error
        return worker

    def _serve(self) -> None:
        while True:
            started = self._asked.get()
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
