"""What people see while a stage runs: lines and progress bars on stderr, so that stdout stays for data."""

import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from configs.ranks import rank

console = Console(stderr=True, quiet=rank() > 0)
PLAIN_EVERY_S = 30.0


def say(text: str) -> None:
    """Print one line of plain text; nothing in it is taken for markup, nor obeyed by a terminal."""
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(description: str, total: int | None = None, done: int = 0) -> Iterator[Callable[..., None]]:
    """Show how far a long step is; yields `advance(n=1, note="")`, where a note stands behind the rate.

    done: how much was there before, which the rate leaves out.

    On a terminal a bar with count, rate, elapsed and remaining time; in a log file one line at the start,
    one every half minute, and one at the end.
    """
    with (_bar if console.is_terminal else _lines)(description, total, done) as advance:
        yield advance


@contextmanager
def _bar(description: str, total: int | None, before: int) -> Iterator[Callable[..., None]]:
    from rich import progress as bars  # 30 ms that `--help` need not pay

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}", markup=False),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
    )
    start = time.monotonic()
    with bars.Progress(*columns, console=console) as shown:
        task = shown.add_task(description, total=total, completed=before, rate="")

        def advance(n: int = 1, note: str = "") -> None:
            done = shown.tasks[0].completed + n - before
            speed = rate(done, time.monotonic() - start)
            shown.update(task, advance=n, rate=f"{speed}, {note}" if note else speed)

        yield advance


@contextmanager
def _lines(description: str, total: int | None, before: int) -> Iterator[Callable[..., None]]:
    start = shown_at = time.monotonic()
    done, told = before, ""
    of = "" if total is None else f" of {total}"

    def speed(seconds: float) -> str:
        return f"{rate(done - before, seconds)}{told and f', {told}'}"

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal done, shown_at, told
        done, told = done + n, note
        now = time.monotonic()
        if now - shown_at >= PLAIN_EVERY_S:
            shown_at = now
            each = (now - start) / (done - before) if done > before else 0
            left = f", {clock((total - done) * each)} left" if total and each else ""
            say(f"{description}: {done}{of}, {speed(now - start)}, {clock(now - start)} elapsed{left}")

    say(f"{description}{f': {before}{of}' if before else of and f': {total}'} …")
    try:
        yield advance
    finally:  # also when it was stopped: how far it came is worth a line
        seconds = time.monotonic() - start
        say(f"{description}: {done}{of} in {clock(seconds)}, {speed(seconds)}")


def printable(text: str) -> str:
    r"""Return `text` with nothing in it that a terminal would obey: what steers it, or is invisible, becomes �.

    Line breaks stay; tabs become spaces.

    >>> printable("a\x1b[31mb\r\n\tc\u202e")
    'a�[31mb\n    c�'
    """
    lines = text.replace("\r\n", "\n").expandtabs(4).split("\n")
    return "\n".join("".join(map(_printable, line)) for line in lines)


def _printable(char: str) -> str:
    category = unicodedata.category(char)
    return "�" if category in ("Cc", "Cf", "Cs") else " " if category in ("Zl", "Zp") else char


def clock(seconds: float) -> str:
    """Return a duration for people.

    >>> clock(42.4), clock(192), clock(3725)
    ('0:42', '3:12', '1:02:05')
    """
    minutes, second = divmod(round(max(seconds, 0)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def rate(count: float, seconds: float) -> str:
    """Return how fast it goes: a count per second, or, where that is below one, seconds for each.

    >>> rate(120, 60), rate(3, 60), rate(0, 5)
    ('2.0/s', '20 s each', '–/s')
    """
    if count <= 0 or seconds <= 0:
        return "–/s"
    return f"{count / seconds:,.1f}/s" if count >= seconds else f"{seconds / count:,.0f} s each"
