"""`python -m budget`: what a run needs of a machine."""

import argparse
import importlib
import sys

COMMANDS = {"doctor": "budget.doctor", "calibrate": "budget.calibrate", "compare": "budget.compare"}
"""The first word; any other is a CONFIG."""
ABOUT = """\
What a run needs of a GPU, before it is rented: whether it fits, how long it takes, what it costs.

  python -m budget configs/rtx4090-llama3.2-3b.yaml                        on each GPU of the table
  python -m budget configs/rtx4090-llama3.2-3b.yaml --gpu rtx3090          on one, stage by stage
  python -m budget configs/h200-qwen3-4b.yaml --gpu l4 --fit smaller.yaml  write a config that fits
  python -m budget compare A.yaml B.yaml                                   where the money goes
  python -m budget calibrate RUN                                           how far off it was, and this machine's speed
  python -m budget doctor [CONFIG]                                         is this machine ready?
"""


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status of the command: 0, 1 where something does not fit or is wrong, 2 for bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        return importlib.import_module(COMMANDS[first]).main(arguments[1:])
    from budget.estimate import run

    return run(_parser().parse_intermixed_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m budget",
        description=ABOUT,
        epilog="exit status: 0 where it fits (without --gpu: on some GPU), 1 where it does not, 2 for bad input",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG", help="the YAML of a run; or doctor, calibrate, compare")
    parser.add_argument("overrides", metavar="section.key=value", nargs="*", help="keys to replace")
    parser.add_argument("--gpu", metavar="NAME", help="rtx4090, rtx3090, l4, a100-40, a100-80, h100 or h200")
    parser.add_argument("--fit", metavar="FILE", help="write a config there whose sizes fit the GPU of --gpu")
    parser.add_argument("--prices", metavar="FILE", help="your own prices, in the form of budget/prices.yaml")
    parser.add_argument("--speed", metavar="FILE", help="a machine's speed, as `calibrate` wrote it")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
