"""`python -m sandbox`: run one query, judge files of predictions, or look which walls stand."""

import argparse
import json
import sys
from dataclasses import asdict

from configs.errors import ConfigError
from sandbox import execute
from sandbox.arguments import add_files, add_limits, limits_of

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
    add_files(judge)
    judge.set_defaults(do=_judge)
    doctor = commands.add_parser("doctor", help="try each layer and say which are on")
    doctor.set_defaults(do=_doctor)
    for command in (run, judge):
        add_limits(command)
    return parser


def _run(given: argparse.Namespace) -> int:
    result = execute(given.database, given.sql, limits_of(given))
    print(json.dumps(asdict(result), ensure_ascii=False, default=lambda blob: {"hex": blob.hex()}))
    return 0


def _judge(given: argparse.Namespace) -> int:
    from sandbox.predictions import judge_files

    summary = judge_files(given.predictions, given.gold, given.databases, given.how, limits_of(given), given.workers)
    for verdict in summary.pop("verdicts"):
        if not verdict["correct"]:
            print(verdict["place"], verdict["database"], verdict["status"], verdict["message"], sep="\t")
    if summary["warning"]:
        print(f"warning: {summary['warning']}", file=sys.stderr)
    print(json.dumps(summary, ensure_ascii=False))
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from sandbox.doctor import examine, report

    found = examine()
    print(report(found))
    return 0 if all(finding.on or not finding.needed for finding in found) else 1


if __name__ == "__main__":
    sys.exit(main())
