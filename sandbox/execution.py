"""SQL that nobody trusts, run over a database, and judged against its gold query."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from configs.errors import ConfigError
from sandbox.databases import Database, locate
from sandbox.judge import Rule
from sandbox.pool import Reply, allow_workers, ask
from sandbox.result import Limits, Result, Verdict
from sandbox.sharing import QUICK_S, Batch

DEFAULT = Limits()

How = Rule | Literal["steps"]
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


def count_steps(
    pairs: Sequence[tuple[str | Path, str]], limits: Limits = DEFAULT, workers: int = 2
) -> list[int | None]:
    """Return for each (database, sql) the steps of SQLite's virtual machine that the query took to its last row.

    To within 100 steps, upwards, and the same on every machine with the same SQLite; None where it does not run.
    """
    return _run(pairs, limits, workers, lambda reply: None if reply[0] == "died" else reply[1], "steps")


def judge_many(
    items: Sequence[tuple[str | Path, str, str]], how: Rule = "ordered", limits: Limits = DEFAULT, workers: int = 2
) -> list[Verdict]:
    """Return one Verdict per (database, gold SQL, SQL), in order: does the query give the gold rows, by the rule `how`?

    As `execute_many`, but rows are compared in the worker that has them, which also remembers the results of
    gold queries: no rows cross a pipe.
    """
    return _run(items, limits, workers, _verdict, how)


def _run(items: Sequence[tuple], limits: Limits, workers: int, read, how: How = "ordered") -> list:
    located = {database: locate(database) for database in dict.fromkeys(database for database, *_ in items)}
    # Jobs over one database stand together, so that a worker opens few of them.
    unique = sorted(dict.fromkeys(items), key=lambda item: located[item[0]].path)
    jobs: list[Job] = [(located[database], *sqls) for database, *sqls in unique]
    replies = _ask_side_by_side(jobs, limits, workers, how)
    results = {item: read(reply) for item, reply in zip(unique, replies, strict=True)}
    return [results[item] for item in items]


def _ask_side_by_side(jobs: list[Job], limits: Limits, workers: int, how: How) -> list[Reply]:
    """Return the replies to all jobs: first those that take a short time, then the costly ones, one by one."""
    if len(jobs) < 2:
        return _ask(jobs, limits, how)
    allow_workers(workers)

    def ask_some(places: Sequence[int], quick_s: float | None, share_s: float) -> list[Reply]:
        # A costly query has had its first, short time.
        left = limits if quick_s else replace(limits, timeout_s=max(limits.timeout_s - QUICK_S, 0.001))
        return _ask([jobs[place] for place in places], left, how, quick_s, share_s)

    return Batch(len(jobs), workers).run(ask_some)


def _ask(
    jobs: list[Job], limits: Limits, how: How = "ordered", quick_s: float | None = None, share_s: float = math.inf
) -> list[Reply]:
    """Return a worker's replies to `jobs`; ConfigError where a database turns out to be none."""
    if not jobs:
        return []
    databases = {database.path: database for database, *_ in jobs}
    numbers = {path: number for number, path in enumerate(databases)}
    request = {
        "do": "jobs",
        "databases": [[database.uri, *database.key] for database in databases.values()],
        "jobs": [[numbers[database.path], *sqls] for database, *sqls in jobs],
        "how": how,
        "quick_s": quick_s,
        "share_s": share_s,
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
