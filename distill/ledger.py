"""What was asked and what came of it: one line for each question, written as soon as its answer is judged.

The ledger is what an interrupted run goes on from: a question that stands in it is not asked again.
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from configs.files import append_jsonl, read_jsonl

NAME = "ledger.jsonl"
KEPT = "kept"


@dataclass(frozen=True)
class Entry:
    """The verdict on one answer.

    key: fingerprint of the question as it was put and of the teacher's settings.
    verdict: KEPT, or the reason of the rejection; detail: what exactly was wrong.
    input_tokens, output_tokens: as the teacher counts them; None where it doesn't.
    """

    key: str
    task_id: str
    split: str
    level: str
    verdict: str
    detail: str
    answer: str
    input_tokens: int | None = None
    output_tokens: int | None = None


def read_ledger(folder: Path) -> dict[str, Entry]:
    """Return the entries by their key, none at the start; a line cut short by a kill is dropped."""
    path = folder / NAME
    if not path.exists():
        return {}
    entries = (Entry(**row) for row in read_jsonl(path, repair=True))
    return {entry.key: entry for entry in entries}


def enter(path: Path, entries: Iterable[Entry]) -> None:
    """Add entries at the end of the ledger, each in one write."""
    for entry in entries:
        append_jsonl(path, asdict(entry))


def success_rate(entries: Collection[Entry]) -> float:
    """Return the share of answers that were kept, as if one more had been: never 0, and 1 at the start."""
    kept = sum(entry.verdict == KEPT for entry in entries)
    return (kept + 1) / (len(entries) + 1)
