"""`python -m sandbox`: run one query, judge files of predictions, or look which walls stand."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from configs.errors import ConfigError
from sandbox import Limits, execute
from sandbox.judge import Rule

EXAMPLES = """\
examples:
  python -m sandbox run shop.sqlite "SELECT count(*) FROM customer"
  python -m sandbox judge --predictions predict_dev.json --gold dev.json --databases dev_databases --how bird
  python -m sandbox doctor
"""


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0, 1 where `doctor` finds a wall missing, 2 for bad input."""
    given = _parser().parse_args(arguments)
    try:
        return given.do(given)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Run SQL that nobody trusts, and judge it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run one query and print its Result as JSON")
    run.add_argument("database", metavar="DB", help="a SQLite file, or a script with CREATE TABLE")
    run.add_argument("sql", metavar="SQL", help="one SELECT, WITH, VALUES or EXPLAIN QUERY PLAN statement")
    run.set_defaults(do=_run)
    judge = commands.add_parser(
        "judge", help="score predictions in BIRD's or Spider's published form: the wrong ones, then a JSON summary"
    )
    judge.add_argument("--predictions", type=Path, required=True, metavar="FILE")
    judge.add_argument("--gold", type=Path, required=True, metavar="FILE", help="JSON, or lines of SQL, tab, database")
    judge.add_argument(
        "--databases", type=Path, required=True, metavar="DIR", help="holds NAME/NAME.sqlite or NAME.sqlite"
    )
    judge.add_argument("--how", choices=get_args(Rule), default="ordered", help="the rule (default %(default)s)")
    judge.add_argument("--workers", type=int, default=2, help="worker processes (default %(default)s)")
    judge.set_defaults(do=_judge)
    doctor = commands.add_parser("doctor", help="try each layer and say which are on")
    doctor.set_defaults(do=_doctor)
    for command in (run, judge):
        command.add_argument("--timeout-s", type=float, default=Limits.timeout_s, help="seconds (default %(default)s)")
        command.add_argument("--max-rows", type=int, default=Limits.max_rows, help="rows (default %(default)s)")
        command.add_argument("--memory-mb", type=int, default=Limits.memory_mb, help="MiB (default %(default)s)")
        command.add_argument(
            "--max-steps", type=int, default=Limits.max_steps, help="of SQLite's machine (default %(default)s)"
        )
    return parser


def _limits(given: argparse.Namespace) -> Limits:
    try:
        return Limits(given.timeout_s, given.max_rows, given.memory_mb, given.max_steps)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _run(given: argparse.Namespace) -> int:
    result = execute(given.database, given.sql, _limits(given))
    print(json.dumps(asdict(result), ensure_ascii=False, default=lambda blob: {"hex": blob.hex()}))
    return 0


def _judge(given: argparse.Namespace) -> int:
    from sandbox.predictions import judge_files

    summary = judge_files(given.predictions, given.gold, given.databases, given.how, _limits(given), given.workers)
    for verdict in summary.pop("verdicts"):
        if not verdict["correct"]:
            print(verdict["place"], verdict["database"], verdict["status"], verdict["message"], sep="\t")
    print(json.dumps(summary, ensure_ascii=False))
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from sandbox.doctor import examine, report

    found = examine()
    print(report(found))
    return 0 if all(finding.on or not finding.needed for finding in found) else 1


if __name__ == "__main__":
    sys.exit(main())
