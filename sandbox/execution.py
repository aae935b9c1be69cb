"""SQL that nobody trusts, run over a database: `(database, sql, limits) → Result`."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from configs.errors import ConfigError
from sandbox.databases import Database, locate
from sandbox.pool import allow_workers, ask
from sandbox.result import Limits, Result

DEFAULT = Limits()


def execute(database: str | Path, sql: str, limits: Limits = DEFAULT) -> Result:
    """Return what came of running `sql` over `database`, a SQLite file or a script of DDL and rows.

    Whatever the SQL does is data.  A database that is missing or is none is our fault: ConfigError.
    """
    return _run(locate(database), sql, limits)


def execute_many(pairs: Sequence[tuple[str | Path, str]], limits: Limits = DEFAULT, workers: int = 2) -> list[Result]:
    """Return one Result per (database, sql) pair, in order; `workers` processes run side by side.

    Identical pairs run once.  A slow query holds up one worker, and the others take what is left.
    All databases are looked at first: a bad one raises before anything runs.
    """
    located = {database: locate(database) for database in dict.fromkeys(database for database, _ in pairs)}
    jobs = [(located[database], sql) for database, sql in pairs]
    unique = list(dict.fromkeys(jobs))
    if workers == 1 or len(unique) < 2:
        results = [_run(database, sql, limits) for database, sql in unique]
    else:
        allow_workers(workers)
        with ThreadPoolExecutor(min(workers, len(unique))) as threads:
            results = list(threads.map(lambda job: _run(*job, limits), unique))
    by_job = dict(zip(unique, results, strict=True))
    return [by_job[job] for job in jobs]


def _run(database: Database, sql: str, limits: Limits) -> Result:
    request = {"do": "query", "uri": database.uri, "key": database.key, "sql": sql}
    reply = ask(request | vars(limits))
    if "unusable" in reply:
        raise ConfigError(f"database {database.path!r} is damaged: {reply['unusable']}; get a whole copy of it")
    return Result(
        reply["status"],
        tuple(reply["columns"]),
        tuple(map(tuple, reply["rows"])),
        reply["message"],
        reply["seconds"],
    )
