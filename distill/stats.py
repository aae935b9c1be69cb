"""stats.json: what was wanted, what came of it, and what it cost."""

from collections import Counter
from collections.abc import Collection, Sequence

from distill.curate import ANY, Standing, delivered, shortfalls
from distill.ledger import KEPT, Entry
from distill.teachers import Teacher
from tasks.trace import parse


def stats(
    teacher: Teacher,
    goals: Sequence[Standing],
    entries: Collection[Entry],
    dropped: dict[str, int],
    now: dict[str, float],
) -> dict:
    """Return the content of stats.json.

    entries: of this run's questions.  dropped: questions left out before, by reason.
    now: `seconds` and `kept` of this call; a run that went on after a stop has had more.
    """
    traces = [trace for entry in entries if entry.verdict == KEPT and (trace := parse(entry.answer))]
    return {
        "teacher": teacher.settings,
        **{goal.goal.split: _of_split(goal, entries) for goal in goals},
        "rejected": dict(Counter(entry.verdict for entry in entries if entry.verdict != KEPT).most_common()),
        "questions_left_out": dropped,
        "input_tokens": _total([entry.input_tokens for entry in entries]),
        "output_tokens": _total([entry.output_tokens for entry in entries]),
        "dollars": 0.0 if teacher.free else None,
        "think_chars": percentiles([len(trace.think) for trace in traces]),
        "sql_chars": percentiles([len(trace.sql) for trace in traces]),
        "seconds": round(now["seconds"], 1),
        "traces_per_minute": round(60 * now["kept"] / max(now["seconds"], 1e-9), 1),
    }


def _of_split(now: Standing, entries: Collection[Entry]) -> dict:
    mine = [entry for entry in entries if entry.split == now.goal.split]
    by_level = Counter(task.level for task in delivered(now))
    asked, kept = Counter(entry.level for entry in mine), Counter()
    for entry in mine:
        kept[entry.level] += entry.verdict == KEPT
    return {
        "wanted": now.goal.total,
        "delivered": len(delivered(now)),
        "asked": len(mine),
        "kept": sum(kept.values()),
        "levels": {
            level: {"delivered": by_level[level], "asked": asked[level], "kept": kept[level]}
            for level in sorted(asked.keys() | (now.goal.queues.keys() - {ANY}))
        },
        "shortfalls": shortfalls(now),
    }


def percentiles(counts: Sequence[int]) -> dict[str, int] | None:
    """Return the median and the 95th percentile, by nearest rank; None of nothing.

    >>> percentiles([10, 20, 30, 40])
    {'p50': 20, 'p95': 40}
    """
    if not counts:
        return None
    ranked = sorted(counts)
    return {f"p{part}": ranked[-(-len(ranked) * part // 100) - 1] for part in (50, 95)}


def _total(counts: Sequence[int | None]) -> int | None:
    """Return the sum of what the teacher counted; None where it counted nothing."""
    counted = [count for count in counts if count is not None]
    return sum(counted) if counted else None
