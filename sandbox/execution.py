"""SQL that nobody trusts, run over a database, and judged against its gold query."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path

from configs.errors import ConfigError
from sandbox.databases import Database, locate
from sandbox.judge import Rule
from sandbox.pool import Reply, allow_workers, ask
from sandbox.result import Limits, Result, Verdict

DEFAULT = Limits()
QUICK_S = 0.03
"""What a query of a batch may take at first, seconds; costly ones begin again after all others, for what is left."""
SHARE_S = 0.005
"""How long a worker goes on with one request of a batch, seconds; what is left then is shared out anew."""
MOST_JOBS = 64
"""Jobs of one request."""

Job = tuple[Database, *tuple[str, ...]]
"""A database and a query, for rows; or a database, a gold query and a query, for a verdict."""


def execute(database: str | Path, sql: str, limits: Limits = DEFAULT) -> Result:
    """Return what came of running `sql` over `database`, a SQLite file or a script of DDL and rows.

    Whatever the SQL does is data.  A database that is missing or is none is our fault: ConfigError.
    """
    (reply,) = _ask([(locate(database), sql)], limits)
    return _result(reply)


def execute_many(pairs: Sequence[tuple[str | Path, str]], limits: Limits = DEFAULT, workers: int = 2) -> list[Result]:
    """Return one Result per (database, sql) pair, in order; `workers` processes run side by side.

    Identical pairs run once.  Costly queries come last, so that none waits behind them.
    All databases are looked at first: a bad one raises before anything runs.
    """
    return _run(pairs, limits, workers, _result)


def judge_many(
    items: Sequence[tuple[str | Path, str, str]], how: Rule = "ordered", limits: Limits = DEFAULT, workers: int = 2
) -> list[Verdict]:
    """Return one Verdict per (database, gold SQL, SQL), in order: does the query give the gold rows, by the rule `how`?

    As `execute_many`, but rows are compared in the worker that has them, which also remembers the results of
    gold queries: no rows cross a pipe.
    """
    return _run(items, limits, workers, _verdict, how)


def _run(items: Sequence[tuple], limits: Limits, workers: int, read, how: Rule = "ordered") -> list:
    located = {database: locate(database) for database in dict.fromkeys(database for database, *_ in items)}
    # Jobs over one database stand together, so that a worker opens few of them.
    unique = sorted(dict.fromkeys(items), key=lambda item: located[item[0]].path)
    jobs: list[Job] = [(located[database], *sqls) for database, *sqls in unique]
    replies = _ask_side_by_side(jobs, limits, workers, how)
    results = {item: read(reply) for item, reply in zip(unique, replies, strict=True)}
    return [results[item] for item in items]


def _ask_side_by_side(jobs: list[Job], limits: Limits, workers: int, how: Rule) -> list[Reply]:
    """Return the replies to all jobs: first those that take a short time, then the costly ones, one by one."""
    if len(jobs) < 2:
        return _ask(jobs, limits, how)
    allow_workers(workers)
    replies: list[Reply] = [["waiting"]] * len(jobs)
    with ThreadPoolExecutor(workers) as threads:
        while waiting := [place for place, reply in enumerate(replies) if reply[0] == "waiting"]:
            size = max(1, min(MOST_JOBS, len(waiting) // (2 * workers)))
            parts = [waiting[start : start + size] for start in range(0, len(waiting), size)]
            answers = threads.map(lambda part: _ask([jobs[place] for place in part], limits, how, True), parts)
            for place, reply in zip(waiting, chain.from_iterable(answers), strict=True):
                replies[place] = reply
        costly = [place for place, reply in enumerate(replies) if reply[0] == "later"]
        rest = replace(limits, timeout_s=limits.timeout_s - QUICK_S) if costly else limits
        again = threads.map(lambda place: _ask([jobs[place]], rest, how), costly)
        for place, (reply,) in zip(costly, again, strict=True):
            replies[place] = reply
    return replies


def _ask(jobs: list[Job], limits: Limits, how: Rule = "ordered", shared: bool = False) -> list[Reply]:
    """Return a worker's replies to `jobs`; ConfigError where a database turns out to be none."""
    if not jobs:
        return []
    numbers = {database: number for number, database in enumerate(dict.fromkeys(database for database, *_ in jobs))}
    request = {
        "do": "jobs",
        "databases": [{"uri": database.uri, "key": database.key} for database in numbers],
        "jobs": [[numbers[database], *sqls] for database, *sqls in jobs],
        "how": how,
        "quick_s": QUICK_S if shared else None,
        "share_s": SHARE_S if shared else math.inf,
    }
    replies = ask(request | vars(limits))
    for reply, (database, *_) in zip(replies, jobs, strict=True):
        if reply[0] == "unusable":
            raise ConfigError(f"database {database.path!r} is damaged: {reply[1]}; get a whole copy of it")
    return replies


def _result(reply: Reply) -> Result:
    if reply[0] == "died":
        return Result(reply[1], message=reply[2])
    _, status, columns, rows, message, seconds = reply
    return Result(status, tuple(columns), tuple(map(tuple, rows)), message, seconds)


def _verdict(reply: Reply) -> Verdict:
    if reply[0] == "died":
        _, status, message, at_gold = reply
        return Verdict(status, status, None, message) if at_gold else Verdict("ok", status, False, message)
    return Verdict(*reply[1:])
