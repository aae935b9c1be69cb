"""Command line of stage 4."""

import sys

from configs.stage import main

ABOUT = """\
Stage 4: ask the base model, the SFT adapter and the RL adapter the same questions over databases that were not
trained on, greedily, and run every answer in the sandbox.
reads   RUNS/NAME/sft/adapter and RUNS/NAME/rl/adapter (evaluation.models=[base,sft] leaves one out)
writes  RUNS/NAME/evaluation/base.json, sft.json, rl.json (every prediction with its verdict), summary.json"""

if __name__ == "__main__":
    sys.exit(main("evaluation", ABOUT, "evaluation.run:evaluate"))
