"""`python -m sandbox run DB "SQL"`: one query, its Result as JSON."""

import argparse
import json
import sys
from dataclasses import asdict

from configs.errors import ConfigError
from sandbox import Limits, execute


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 with a Result, whatever it says; 2 where the database is none."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Run SQL that nobody trusts.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run one query and print its Result as JSON")
    run.add_argument("database", metavar="DB", help="a SQLite file, or a script with CREATE TABLE")
    run.add_argument("sql", metavar="SQL", help="one SELECT, WITH, VALUES or EXPLAIN QUERY PLAN statement")
    run.add_argument("--timeout-s", type=float, default=Limits.timeout_s, help="seconds (default %(default)s)")
    run.add_argument("--max-rows", type=int, default=Limits.max_rows, help="rows (default %(default)s)")
    given = parser.parse_args(arguments)
    try:
        result = execute(given.database, given.sql, Limits(timeout_s=given.timeout_s, max_rows=given.max_rows))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(asdict(result), ensure_ascii=False, default=lambda blob: {"hex": blob.hex()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
