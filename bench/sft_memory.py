"""Peak memory of SFT on this machine, predicted and measured, and tokens a second, at 4, 8 and 16 bit.

    python -m bench.sft_memory CONFIG [--steps 3] [section.key=value …]

Each way of keeping the weights trains in a process of its own, the longest traces first.  Measured is how far the
resident memory rises above what it is with everything imported and no model yet; predicted is what `budget` counts
without the CUDA context and the margin, which a CPU has not.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from budget.peaks import stage_peaks
from budget.shapes import find_shape
from configs.check import check_config

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
    for column in ("weights", "predicted, GiB", "measured, GiB", "predicted / measured", "tokens/s"):
        table.add_column(column, justify="right" if column != "weights" else "left")
    with tempfile.TemporaryDirectory() as folder:
        words = [args.config, *args.overrides, f"runs={folder}", f"sft.trainer.max_steps={args.steps}", LONGEST_FIRST]
        subprocess.run([sys.executable, "-m", "distill", *words], check=True, capture_output=True)
        for name, more in KEPT.items():
            table.add_row(name, *_row([*words, *more]))
            shutil.rmtree(check_config(words[0], words[1:]).folder / "sft", ignore_errors=True)
    Console(width=120).print(table)
    return 0


def _row(words: list[str]) -> list[str]:
    """Return the cells of one way of keeping the weights."""
    cfg = check_config(words[0], words[1:])
    done = subprocess.run([sys.executable, "-c", CHILD, *words], capture_output=True, text=True)
    if done.returncode:
        return ["", (done.stderr.strip().splitlines() or ["failed"])[-1][:80], "", ""]
    said = json.loads(done.stdout.strip().splitlines()[-1])
    longest = min(int(TRACES.search(done.stderr)[1]), cfg.model.max_length)
    as_long = cfg.model_copy(update={"model": cfg.model.model_copy(update={"max_length": longest})})
    parts = stage_peaks(as_long, find_shape(cfg.model.name), None)["sft"].parts
    predicted = sum(size for name, size in parts.items() if name not in ("CUDA context", "margin"))
    measured = said["peak"] - said["before"]
    rows = [json.loads(line) for line in Path(cfg.folder, "sft", "metrics.jsonl").read_text().splitlines()]
    tokens = max(row.get("num_tokens", 0) for row in rows) / max(row.get("train_runtime", 0) for row in rows)
    ratio = f"{predicted / measured:.2f}"
    return [f"{predicted / GIB:.3f}", f"{measured / GIB:.3f}", ratio, f"{tokens:.0f}"]


if __name__ == "__main__":
    sys.exit(main())
