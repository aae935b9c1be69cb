"""Are predictions in another order than the questions?"""

import re
from collections.abc import Sequence
from pathlib import Path

from sandbox.execution import DEFAULT, execute_many
from sandbox.result import Limits

LEAST = 3
"""Predictions that must look misplaced before it is said."""
NAMED = 3
TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
NO_TABLE = re.compile(r"no such table: (?:main\.)?(.+)")

Ran = tuple[str, Path, str, str]
"""One prediction: where its question stands, its database's file, the status of its run and SQLite's message."""


def misplaced(ran: Sequence[Ran], limits: Limits = DEFAULT, workers: int = 2) -> str:
    """Return a warning if over half of the predictions that fail ask for tables of another question's database.

    Empty where they don't.  Then the two files are most likely in different orders, as then most queries fail.
    """
    failed = [(place, database, message) for place, database, status, message in ran if status == "error"]
    lacking = [(*one[:2], found.group(1)) for one in failed if (found := NO_TABLE.match(one[2]))]
    if len(lacking) < LEAST or 2 * len(lacking) <= len(failed):
        return ""
    databases = list(dict.fromkeys(database for _, database, _, _ in ran))
    results = execute_many([(database, TABLES) for database in databases], limits, workers)
    tables = {
        database: {str(name).lower() for (name,) in result.rows}
        for database, result in zip(databases, results, strict=True)
    }
    strangers = [
        (place, table, other.stem)
        for place, database, table in lacking
        if (other := next((one for one in databases if one != database and table.lower() in tables[one]), None))
    ]
    if len(strangers) < LEAST or 2 * len(strangers) <= len(failed):
        return ""
    named = "; ".join(f"{place} asks for {table}, of {other}" for place, table, other in strangers[:NAMED])
    return (
        f"{len(strangers)} of {len(failed)} predictions that fail ask for tables that their own database lacks and "
        f"another question's has ({named}): are the predictions in the order of the gold file?"
    )
