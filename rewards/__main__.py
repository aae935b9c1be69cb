"""`python -m rewards`: list, try, audit and start rewards."""

import argparse
import logging
import sys

from configs.errors import ConfigError
from rewards import commands

ABOUT = """\
Rewards: what GRPO pays for.

  python -m rewards list                                       what there is, and its settings
  python -m rewards new my_reward.py                           a starter of your own, with a test
  python -m rewards try configs/cpu.yaml --completion a.txt    what each reward says of an answer, and why
  python -m rewards audit configs/cpu.yaml                     do known tricks pay?  before a GPU is rented
"""


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0, 1 where an audit is not clean, 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m rewards", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands.add_to(parser.add_subparsers(dest="command", required=True, metavar="list | new | try | audit"))
    given, others = parser.parse_known_args(arguments)
    overrides = vars(given).get("overrides")
    if others and (overrides is None or any(word.startswith("-") for word in others)):
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    if others:  # overrides behind options, which argparse does not take for more of the same
        overrides += others
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of each odd statement, and hacks are odd
    try:
        return given.do(given)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
