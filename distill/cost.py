"""What answers have cost, what more of them may cost, and how many of them a limit allows."""

from collections.abc import Iterable, Sequence
from math import ceil
from statistics import mean

from configs.distill_schema import Distill
from configs.schema import Config
from distill.ledger import KEPT, Answer, Entry
from distill.work import Answers, Work

MILLION = 1_000_000
CHARS_PER_TOKEN = 3.5
"""Of English and SQL, about."""
FEWEST_CHARS_PER_TOKEN = 2
"""So that a limit holds: no common tokenizer makes more tokens of a prompt in English and SQL."""
USUAL_TOKENS = {"plan": 300, "cot": 200, "sql_only": 60}
"""Of an answer, until the ledger knows better."""


def dollars(chosen: Distill, input_tokens: float, output_tokens: float) -> float | None:
    """Return what tokens cost at the config's prices; None where it has none."""
    if chosen.input_price is None or chosen.output_price is None:
        return None
    return (input_tokens * chosen.input_price + output_tokens * chosen.output_price) / MILLION


def spent(chosen: Distill, answers: Iterable[Answer]) -> float | None:
    """Return what answers have cost, those that were rejected too."""
    counts = [(answer.input_tokens or 0, answer.output_tokens or 0) for answer in answers]
    return dollars(chosen, sum(count[0] for count in counts), sum(count[1] for count in counts))


def affordable(chosen: Distill, rows: Sequence[dict], already: float) -> list[dict]:
    """Return the first rows whose answers cannot cost more than is left of max_dollars, however long they are."""
    if chosen.max_dollars is None:
        return list(rows)
    left, taken = chosen.max_dollars - already, []
    for row in rows:
        left -= dollars(chosen, _chars(row) / FEWEST_CHARS_PER_TOKEN, chosen.max_new_tokens) or 0.0
        if left < 0:
            break
        taken.append(row)
    return taken


def estimate(cfg: Config, work: Work, answers: Answers) -> str:
    """Return in words what the run will ask and cost from here on."""
    chosen, rows = cfg.distill, work.next_rows(answers)
    entries = [entry for some in answers.values() for entry in some]
    if paid := len(work.unjudged()):
        return (
            f"distill: {paid:,} answers are there and not judged yet, which costs nothing; run it to see what is left"
        )
    if not rows:
        return "distill: nothing is left to ask"
    inputs, outputs = _usual_tokens(cfg, rows, entries)
    kept = sum(entry.verdict == KEPT for entry in entries)
    likely, most = (dollars(chosen, len(rows) * inputs, len(rows) * n) for n in (outputs, chosen.max_new_tokens))
    price = (
        f"${likely:.2f}, at most ${most:.2f}"
        if likely is not None
        else "nothing" if work.teacher.free else "unknown: distill.input_price and output_price say what a token costs"
    )  # fmt: skip
    source = f"{len(entries)} answers so far, {kept} kept" if entries else "no answer yet, so lengths are guessed"
    return (
        f"distill: would ask {work.teacher.name} for {len(rows):,} answers, and again as many as it fails to give; "
        f"about {ceil(len(rows) * inputs):,} tokens in and {ceil(len(rows) * outputs):,} out; cost: {price} ({source})"
    )


def _usual_tokens(cfg: Config, rows: Sequence[dict], entries: Sequence[Entry]) -> tuple[float, float]:
    """Return the tokens of a prompt and of an answer, on average."""
    answers = [entry.answer for entry in entries]
    counted = [(one.input_tokens, one.output_tokens) for one in answers if one.input_tokens and one.output_tokens]
    if counted:
        return mean(count[0] for count in counted), mean(count[1] for count in counted)
    chars = sum(_chars(row) for row in rows) / len(rows)
    return chars / CHARS_PER_TOKEN, min(USUAL_TOKENS[cfg.data.answer], cfg.distill.max_new_tokens)


def _chars(row: dict) -> int:
    return sum(len(message["content"]) for message in row["messages"])
