"""The verdict on each answer's query, found once however many rewards of a step ask for it."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import Literal

from configs.schema import Sandbox
from rewards.text import Completion, text_of
from sandbox import Limits, Verdict, judge_many
from sandbox.databases import locate
from sandbox.judge import Rule
from tasks.trace import extract_sql

Gate = Literal["right", "runs", "none"]
"""What an answer must do before a shaping reward pays it anything."""
Judged = tuple[tuple[str | None, Verdict], ...]

DEFAULT = Sandbox()
"""For rewards that are called outside a run, which passes on its own."""
KEPT = 8
"""Sets of verdicts that are remembered: a batch has one for each judge, and one for its changed copies."""
_kept: OrderedDict[tuple, Future] = OrderedDict()
_lock = Lock()


def judged(
    completions: Sequence[Completion],
    gold_sql: Sequence[str],
    database: Sequence[str | Path],
    judge: Rule,
    sandbox: Sandbox,
) -> Judged:
    """Return for each completion its query, None where it has none, and what came of it against the gold query.

    The query is looked for leniently (`tasks.trace.extract_sql`), so that form is paid for by the rewards of form
    alone; but what stands in <think> is no answer.  Without a query the verdict is the gold query's own: `correct` is
    None where that one does not run.
    The last few batches are remembered, and threads that ask for the same batch at once wait for one of them.
    """
    texts = tuple(map(text_of, completions))
    files = {each: locate(each) for each in dict.fromkeys(database)}  # a changed file is another one
    key = texts, tuple(gold_sql), tuple(files[each] for each in database), judge, sandbox

    def work() -> Judged:
        sqls = list(map(extract_sql, texts))
        items = [(where, gold, sql or gold) for where, gold, sql in zip(database, gold_sql, sqls, strict=True)]
        return tuple(zip(sqls, judge_many(items, judge, Limits(**sandbox.limits), sandbox.workers), strict=True))

    return once(key, work)


def is_right(verdict: Verdict, trust_empty: bool = False) -> bool | None:
    """Return whether a query gives the gold rows; None where the gold rows cannot tell.

    They cannot where the gold query does not run, nor, unless `trust_empty`, where it gives no row: then every query
    that asks for what is not there looks right.  A query that does not run is wrong whatever the gold rows.

    >>> is_right(Verdict("ok", "ok", True)), is_right(Verdict("empty", "empty", True))
    (True, None)
    >>> is_right(Verdict("empty", "error", False)), is_right(Verdict("error", "error", None))
    (False, None)
    """
    if verdict.runs and verdict.gold == "empty" and not trust_empty:
        return None
    return verdict.correct


def passes(gate: Gate, sql: str | None, verdict: Verdict) -> bool | None:
    """Return whether an answer passes the gate of a shaping reward; None where that cannot be judged.

    >>> passes("runs", "SELECT 1", Verdict("ok", "ok", False)), passes("right", "SELECT 1", Verdict("ok", "ok", False))
    (True, False)
    >>> passes("none", None, Verdict("ok", "ok", True)), passes("runs", None, Verdict("ok", "ok", True))
    (True, False)
    """
    if gate == "none":
        return True
    if verdict.correct is None:
        return None
    if sql is None or not verdict.runs:
        return False
    return gate == "runs" or is_right(verdict)


def once(key: tuple, work: Callable[[], tuple]) -> tuple:
    """Return what `work` returns, or returned for this key a short while ago; a failure is not remembered."""
    with _lock:
        found = _kept.get(key)
        promise = found or _kept.setdefault(key, Future())
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    if found is None:
        try:
            promise.set_result(work())
        except BaseException as error:
            with _lock:
                _kept.pop(key, None)
            promise.set_exception(error)
    return promise.result()
