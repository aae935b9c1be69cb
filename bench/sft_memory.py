"""Peak memory of SFT on this machine, predicted and measured, and tokens a second, at 4, 8 and 16 bit.

    python -m bench.sft_memory CONFIG [--steps 3] [section.key=value …]

Each way of keeping the weights trains in a process of its own, the longest traces first.  Measured is how far the
resident memory rises above what it is with everything imported and no model yet, once as it is, and once with glibc
told to give each block of 64 KiB back (`MALLOC_MMAP_THRESHOLD_`): the difference is what its heap loses between blocks.
Predicted is what `budget` counts without the CUDA context and the margin, which a CPU has not.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from rich.console import Console
from rich.table import Table

from budget.peaks import stage_peaks
from budget.shapes import find_shape
from configs.check import check_config
from configs.files import read_jsonl

KEPT = {
    "4 bit": ["model.quantization=4bit"],
    "8 bit": ["model.quantization=8bit"],
    "16 bit": ["model.quantization=none", "model.dtype=bfloat16"],
    "32 bit": ["model.quantization=none", "model.dtype=float32"],
    "32 bit, all weights": ["model.quantization=none", "model.dtype=float32", "model.lora=null"],
}
CHILD = """
import json, sys
from pathlib import Path
from configs.check import check_config
from models.environment import prepare
cfg = check_config(sys.argv[1], sys.argv[2:])
prepare(cfg)
import bitsandbytes, peft, torch, transformers, trl
import trl.trainer.sft_trainer
import models.load, models.progress, models.stopping, models.answer, sft.train

def resident(key):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024

Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
sft.train.train(cfg)
print(json.dumps({"before": before, "peak": resident("VmHWM")}), file=sys.__stdout__)
"""
LONGEST_FIRST = "sft.trainer.train_sampling_strategy=group_by_length"
TRACES = re.compile(r"train: .* (\d+) at most")
GIB = 2**30


def main(arguments: list[str] | None = None) -> int:
    """Return 0 after printing the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_intermixed_args(arguments)
    table = Table(title=f"SFT on this machine, {args.steps} steps")
    columns = ("weights", "predicted, GiB", "measured, GiB", "without the heap's loss", "predicted / that", "tokens/s")
    for column in columns:
        table.add_column(column, justify="right" if column != "weights" else "left")
    with tempfile.TemporaryDirectory() as folder:
        steps = [f"sft.trainer.max_steps={args.steps}", "sft.trainer.logging_steps=1", LONGEST_FIRST]
        words = [args.config, *args.overrides, f"runs={folder}", *steps]
        subprocess.run([sys.executable, "-m", "distill", *words], check=True, capture_output=True)
        for name, more in KEPT.items():
            table.add_row(name, *_row([*words, *more]))
    Console(width=120).print(table)
    return 0


def _row(words: list[str]) -> list[str]:
    """Return the cells of one way of keeping the weights."""
    cfg = check_config(words[0], words[1:])
    held = []
    for environment in ({}, {"MALLOC_MMAP_THRESHOLD_": "65536"}):
        shutil.rmtree(cfg.folder / "sft", ignore_errors=True)
        done = subprocess.run(
            [sys.executable, "-c", CHILD, *words], capture_output=True, text=True, env=os.environ | environment
        )
        if done.returncode:
            return ["", (done.stderr.strip().splitlines() or ["failed"])[-1][:80], "", "", ""]
        said = json.loads(done.stdout.strip().splitlines()[-1])
        held.append(said["peak"] - said["before"])
        if not environment:
            rows = read_jsonl(cfg.folder / "sft" / "metrics.jsonl")
            tokens_s = max(row.get("num_tokens", 0) for row in rows) / rows[-1]["train_runtime"]
    longest = min(int(TRACES.search(done.stderr)[1]), cfg.model.max_length)
    as_long = cfg.model_copy(update={"model": cfg.model.model_copy(update={"max_length": longest})})
    parts = stage_peaks(as_long, find_shape(cfg.model.name), None)["sft"].parts
    predicted = sum(size for name, size in parts.items() if name not in ("CUDA context", "margin"))
    gib = [f"{size / GIB:.3f}" for size in (predicted, *held)]
    return [*gib, f"{predicted / held[1]:.2f}", f"{tokens_s:.0f}"]


if __name__ == "__main__":
    sys.exit(main())
