"""Which of the sandbox's layers are on here, each tried and not only asked for."""

import platform
import sqlite3
from dataclasses import dataclass

from sandbox.databases import database_file
from sandbox.execution import execute
from sandbox.pool import layers
from sandbox.result import Limits, Status

SCRIPT = "CREATE TABLE probe (a INTEGER); INSERT INTO probe VALUES (1), (2), (3);"
FOR_EVER = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
BIG_SORT = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 40) "
    "SELECT count(*) FROM (SELECT randomblob(4000000) AS b FROM c ORDER BY b)"
)
PROBES: tuple[tuple[str, str, Limits, Status], ...] = (
    ("reads", "SELECT a FROM probe", Limits(), "ok"),
    ("writes nothing", "DELETE FROM probe", Limits(), "denied"),
    ("writes nothing, disguised", "WITH x AS (SELECT 1) INSERT INTO probe SELECT * FROM x", Limits(), "denied"),
    ("attaches nothing", "ATTACH ':memory:' AS other", Limits(), "denied"),
    ("sets no PRAGMA", "PRAGMA writable_schema = ON", Limits(), "denied"),
    ("calls listed functions only", "SELECT load_extension('x')", Limits(), "denied"),
    ("one statement", "SELECT 1; SELECT 2", Limits(), "denied"),
    ("clock", FOR_EVER, Limits(timeout_s=0.3), "timeout"),
    ("steps", FOR_EVER, Limits(max_steps=1_000_000), "timeout"),
    ("kill", "SELECT length(printf('%.*c', 2000000000, 'x'))", Limits(timeout_s=0.3), "timeout"),
    ("rows", "SELECT a FROM probe", Limits(max_rows=2), "too_large"),
    ("bytes of a value", "SELECT zeroblob(100000000)", Limits(), "too_large"),
    ("memory", BIG_SORT, Limits(memory_mb=128), "too_large"),
)


@dataclass(frozen=True)
class Finding:
    """One layer: whether it is on, and how that shows; `needed` ones must be on for the sandbox's promises."""

    layer: str
    on: bool
    shown: str
    needed: bool = True


def examine() -> list[Finding]:
    """Return what each layer does here, the ones around the process first."""
    found = [Finding(layer, not how.startswith("off"), how, needed=False) for layer, how in layers().items()]
    database = database_file(SCRIPT)
    for layer, sql, limits, expected in PROBES:
        result = execute(database, sql, limits)
        shown = f"{result.status} {result.message}".strip()
        found.append(Finding(layer, result.status == expected, shown))
    return found


def report(found: list[Finding]) -> str:
    """Return the findings as lines of text."""
    versions = f"SQLite {sqlite3.sqlite_version}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    width = max(len(finding.layer) for finding in found)
    lines = [f"{'on ' if each.on else 'OFF'}  {each.layer:{width}}  {each.shown}" for each in found]
    missing = [each.layer for each in found if each.needed and not each.on]
    verdict = f"does NOT hold: {', '.join(missing)}" if missing else "all that the sandbox promises holds"
    return "\n".join([versions, *lines, verdict])
