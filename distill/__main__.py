"""`python -m distill CONFIG [section.key=value …]`, and `python -m distill show RUN`."""

import argparse
import sys

from configs import stage

ABOUT = """\
Stage 1: questions with gold SQL → verified traces. Reads the data that the config names; writes
RUNS/NAME/distill/ traces.jsonl (and .parquet), rejected.jsonl (with the reason), stats.json.

`python -m distill show RUN [-n 3] [--level L4]` prints traces of a run; show --help has its options.
"""


def main(argv: list[str]) -> int:
    """Return the exit status: 0, 2 for bad input, 130 when stopped."""
    if argv[:1] == ["show"]:
        from distill.show import show  # nothing that the stage needs

        return show(argv[1:])
    return stage.main("distill", ABOUT, "distill.publish:distill_and_push", argv, _options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--push",
        metavar="REPO",
        help="when done, send the traces with a card to this dataset of the Hugging Face hub (NAME or OWNER/NAME); "
        "the token comes from HF_TOKEN or `hf auth login`",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be asked and what it would cost, and ask nothing"
    )
    parser.add_argument("--private", action="store_true", help="with --push: a new dataset is private")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
