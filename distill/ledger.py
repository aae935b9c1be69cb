"""What was answered and what came of it, in two files that are only ever added to.

answers.jsonl gets each answer when it arrives, before anything is done with it: what stands there is paid, and is
not asked for again.  verdicts.jsonl gets what verification makes of it; under other limits it is judged anew.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from configs.files import append_jsonl, read_jsonl

ANSWERS = "answers.jsonl"
VERDICTS = "verdicts.jsonl"
KEPT = "kept"
CUT = "cut"
CANNOT_PLAN = "cannot plan"
REFUSED = "refused"
NO_ANSWER = "no answer"
FINAL = frozenset({CANNOT_PLAN, REFUSED})
"""Verdicts that asking again would not change."""


@dataclass(frozen=True)
class Answer:
    """What a teacher said; None where it said nothing.

    trouble: what it says itself went wrong, `kind` or `kind: details`.
    key: fingerprint of the question, of the teacher's settings, and of the number of the attempt.
    input_tokens, output_tokens: as the teacher counts them; None where it doesn't.
    """

    text: str | None
    trouble: str = ""
    key: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True)
class Verdict:
    """KEPT, or why an answer is rejected, and what exactly was wrong with it."""

    verdict: str
    detail: str = ""


@dataclass(frozen=True)
class Entry:
    """An answer with the verdict on it.

    attempt: 0 for the first answer to a question; those beyond `generations` were told why the last was rejected.
    """

    attempt: int
    answer: Answer
    verdict: str
    detail: str = ""


def note(folder: Path, answer: Answer) -> None:
    """Add an answer to those of `folder`, in one write."""
    append_jsonl(folder / ANSWERS, asdict(answer))


def enter(folder: Path, key: str, under: str, verdict: Verdict) -> None:
    """Add the verdict on the answer `key`; `under`: fingerprint of the limits and checks that it was judged by."""
    append_jsonl(folder / VERDICTS, {"key": key, "under": under, **asdict(verdict)})


def read_answers(folder: Path) -> dict[str, Answer]:
    """Return the answers by their key, none at the start; a line cut short by a kill is dropped."""
    return {row["key"]: Answer(**row) for row in _rows(folder / ANSWERS)}


def read_verdicts(folder: Path, under: str) -> dict[str, Verdict]:
    """Return the verdicts by the key of the answer; those given under anything else are left out."""
    rows = (row for row in _rows(folder / VERDICTS) if row["under"] == under)
    return {row["key"]: Verdict(row["verdict"], row["detail"]) for row in rows}


def _rows(path: Path) -> list[dict]:
    return read_jsonl(path, repair=True) if path.exists() else []


def success_rate(verdicts: Collection[str]) -> float:
    """Return the share of verdicts that are KEPT, as if one more were: never 0, and 1 at the start."""
    kept = sum(verdict == KEPT for verdict in verdicts)
    return (kept + 1) / (len(verdicts) + 1)
