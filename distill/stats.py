"""stats.json: what was wanted, what came of it, and what it cost."""

from collections import Counter
from collections.abc import Collection, Sequence

from distill.cost import spent
from distill.curate import ANY, Standing, delivered, shortfalls
from distill.ledger import KEPT, Entry
from distill.work import Answers, Work
from tasks.story import is_repair
from tasks.trace import parse


def stats(
    work: Work,
    goals: Sequence[Standing],
    answers: Answers,
    dropped: dict[str, int],
    against: dict[str, int],
    now: dict[str, float],
) -> dict:
    """Return the content of stats.json.

    goals, answers: where the run stands at its end.  dropped: questions left out before, by reason.
    against: the questions of each evaluation set that nothing may stand near to.
    now: `seconds`, `kept` and `output_tokens` of this call; a run that went on after a stop has had more.
    """
    teacher, chosen = work.teacher, work.cfg.distill
    entries = [entry for some in answers.values() for entry in some]
    kept = [entry.answer.text or "" for entry in entries if entry.verdict == KEPT]
    traces = [trace for text in kept if (trace := parse(text, teacher.settings["answer"]))]
    paid, levels = work.paid(), {task.level for task in answers}
    return {
        "teacher": teacher.settings,
        **{goal.goal.split: _of_split(goal, answers) for goal in goals},
        "answers": len(entries),
        "rejected": _rejected(entries),
        "rejected_by_level": {
            level: _rejected([entry for task in answers if task.level == level for entry in answers[task]])
            for level in sorted(levels)
        },
        "no_answer": len(work.silent),
        "questions_left_out": dropped,
        "evaluation_questions": against,
        "input_tokens": _total([answer.input_tokens for answer in paid]),
        "output_tokens": _total([answer.output_tokens for answer in paid]),
        "dollars": 0.0 if teacher.free else spent(chosen, paid),
        "repairs": sum(is_repair(trace.think) for trace in traces),
        "think_chars": percentiles([len(trace.think) for trace in traces]),
        "sql_chars": percentiles([len(trace.sql) for trace in traces]),
        "seconds": round(now["seconds"], 1),
        "traces_per_minute": round(60 * now["kept"] / max(now["seconds"], 1e-9), 1),
        "output_tokens_per_second": round(now["output_tokens"] / max(now["seconds"], 1e-9), 1),
    }


def _rejected(entries: Collection[Entry]) -> dict[str, int]:
    """Return how many answers were rejected, by reason, the commonest first."""
    return dict(Counter(entry.verdict for entry in entries if entry.verdict != KEPT).most_common())


def _of_split(now: Standing, answers: Answers) -> dict:
    mine = {task: answers[task] for queue in now.goal.queues.values() for task in queue if task in answers}
    by_level = Counter(task.level for task in delivered(now))
    asked = Counter(task.level for task in mine)
    kept = Counter(task.level for task, entries in mine.items() if any(one.verdict == KEPT for one in entries))
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
