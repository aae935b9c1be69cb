"""Command line of stage 3."""

import sys

from configs.stage import main

ABOUT = """\
Stage 3: improve the adapter with GRPO: sample a group of answers per question, score each with the rewards,
and make the better ones of each group more likely.
reads   RUNS/NAME/sft/adapter, and the training questions
writes  RUNS/NAME/rl/adapter, metrics.jsonl, completions.jsonl (each answer with its scores), checkpoint-*"""

if __name__ == "__main__":
    sys.exit(main("rl", ABOUT, "rl.train:train"))
