"""`python -m budget`: what a run needs of a machine."""

import argparse
import importlib
import sys

COMMANDS = {"doctor": "budget.doctor"}


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status of the command: 0, 1 where it finds something wrong, 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m budget",
        description="What a run needs of a machine, before it is rented.",
        epilog="python -m budget COMMAND --help says more of each",
    )
    parser.add_argument("command", choices=COMMANDS, help="doctor: try what a run needs of this machine")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="what the command takes")
    given = parser.parse_args(arguments)
    return importlib.import_module(COMMANDS[given.command]).main(given.rest)


if __name__ == "__main__":
    sys.exit(main())
