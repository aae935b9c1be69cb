"""Arguments that commands share: files of predictions and of gold queries, and a query's limits."""

import argparse
from pathlib import Path
from typing import get_args

from configs.errors import ConfigError
from sandbox.judge import Rule
from sandbox.result import Limits


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the two files, the databases, the rule by which rows are compared, and the number of workers."""
    parser.add_argument("--predictions", type=Path, required=True, metavar="FILE")
    parser.add_argument("--gold", type=Path, required=True, metavar="FILE", help="JSON, or lines of SQL, tab, database")
    parser.add_argument(
        "--databases", type=Path, required=True, metavar="DIR", help="holds NAME/NAME.sqlite or NAME.sqlite"
    )
    parser.add_argument("--how", choices=get_args(Rule), default="ordered", help="the rule (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (default %(default)s)")


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the limits of one query."""
    parser.add_argument("--timeout-s", type=float, default=Limits.timeout_s, help="seconds (default %(default)s)")
    parser.add_argument("--max-rows", type=int, default=Limits.max_rows, help="rows (default %(default)s)")
    parser.add_argument("--memory-mb", type=int, default=Limits.memory_mb, help="MiB (default %(default)s)")
    parser.add_argument(
        "--max-steps", type=int, default=Limits.max_steps, help="of SQLite's machine (default %(default)s)"
    )


def limits_of(given: argparse.Namespace) -> Limits:
    """Return the limits that were given; ConfigError for what is no limit."""
    try:
        return Limits(given.timeout_s, given.max_rows, given.memory_mb, given.max_steps)
    except ValueError as error:
        raise ConfigError(str(error)) from None
