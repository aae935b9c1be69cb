"""Command line of stage 2."""

import sys

from configs.stage import main

ABOUT = """\
Stage 2: teach the model the traces (QLoRA, LoRA or all weights; loss on the answer only).
reads   RUNS/NAME/distill/traces.jsonl
writes  RUNS/NAME/sft/adapter (model/ where model.lora is null), metrics.jsonl, ex.jsonl, checkpoint-*"""

if __name__ == "__main__":
    sys.exit(main("sft", ABOUT, "sft.train:train"))
