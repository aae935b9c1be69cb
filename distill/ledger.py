"""What was asked and what came of it: one line for each answer, written as soon as it is judged.

The ledger is what an interrupted run goes on from: an answer that stands in it is not asked for again.
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from configs.files import append_jsonl, read_jsonl

NAME = "ledger.jsonl"
KEPT = "kept"
CUT = "cut"
CANNOT_PLAN = "cannot plan"
REFUSED = "refused"
NO_ANSWER = "no answer"
FINAL = frozenset({CANNOT_PLAN, REFUSED})
"""Verdicts that asking again would not change."""


@dataclass(frozen=True)
class Entry:
    """The verdict on one answer.

    key: fingerprint of the question, of the teacher's settings, and of the number of the attempt.
    attempt: 0 for the first answer to a question; those beyond `generations` were told why the last was rejected.
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
    attempt: int = 0


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


def success_rate(verdicts: Collection[str]) -> float:
    """Return the share of verdicts that are KEPT, as if one more were: never 0, and 1 at the start."""
    kept = sum(verdict == KEPT for verdict in verdicts)
    return (kept + 1) / (len(verdicts) + 1)
