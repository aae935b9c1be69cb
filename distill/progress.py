"""The progress bar of a stage whose work other processes do: what they add to the ledger tells."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from configs.screen import progress
from distill.cost import dollars
from distill.ledger import ANSWERS, KEPT, VERDICTS
from distill.work import Work

LOOK_EVERY_S = 0.5


@contextmanager
def shown_progress(work: Work) -> Iterator[None]:
    """Show, while the rounds run, how many of the wanted traces are verified, tokens per second and dollars."""
    wanted = sum(sum(now.aimed.values()) for now in work.standings(work.answers()))
    seen, ended = Seen(work), Event()
    seen.look()
    with progress(f"distill ({work.teacher.name}), verified traces", wanted, min(wanted, len(seen.kept))) as advance:
        watcher = Thread(target=_watch, args=(seen, wanted, advance, ended), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _watch(seen: "Seen", wanted: int, advance: Callable[..., None], ended: Event) -> None:
    start, before, shown, last = time.monotonic(), seen.output_tokens, min(wanted, len(seen.kept)), False
    while not last:
        last = ended.wait(LOOK_EVERY_S)  # once more after the end
        seen.look()
        kept = min(wanted, len(seen.kept))
        speed = (seen.output_tokens - before) / (time.monotonic() - start)
        advance(kept - shown, _note(speed, seen))
        shown = kept


def _note(tokens_per_second: float, seen: "Seen") -> str:
    cost = dollars(seen.work.cfg.distill, seen.input_tokens, seen.output_tokens)
    speed = f"{tokens_per_second:,.0f} tokens/s" if seen.output_tokens else ""
    return speed if cost is None else f"{speed}, ${cost:,.4f}"


class Seen:
    """What the ledger's files hold; `look` reads what was added to them since."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.kept: set[str] = set()
        self.input_tokens = self.output_tokens = 0
        self._questions = {key: task.task_id for task, keys in work.keys.items() for key in keys}
        self._read = {work.folder / ANSWERS: 0, work.folder / VERDICTS: 0}

    def look(self) -> None:
        """Read on; a line that is not whole yet is left for the next time."""
        for path in self._read:
            for row in self._new_rows(path):
                if "verdict" not in row:
                    self.input_tokens += row["input_tokens"] or 0
                    self.output_tokens += row["output_tokens"] or 0
                elif row["verdict"] == KEPT and row["under"] == self.work.under and row["key"] in self._questions:
                    self.kept.add(self._questions[row["key"]])

    def _new_rows(self, path: Path) -> list[dict]:
        if not path.exists():
            return []
        with open(path, "rb") as file:
            file.seek(self._read[path])
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read[path] += len(whole + newline)
        return [json.loads(line) for line in whole.split(b"\n") if line.strip()]
