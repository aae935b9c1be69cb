"""`python -m distill CONFIG [section.key=value …]`."""

import sys

from configs.stage import main

ABOUT = (
    "Stage 1: questions with gold SQL → verified traces. Reads the data that the config names; writes "
    "RUNS/NAME/distill/ traces.jsonl, rejected.jsonl (with the reason), stats.json."
)

if __name__ == "__main__":
    sys.exit(main("distill", ABOUT, "distill.run:distill"))
