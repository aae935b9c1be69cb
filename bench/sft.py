"""Our SFT stage against a bare script (`bench.bare_sft`) with the same model, traces and settings, in one run.

    python -m bench.sft CONFIG [--rounds 2] [section.key=value …]

Bare script, our stage, and our stage with length grouping and with packing take turns, each in a process of its own,
for the same epochs over the same traces.  Time is that of the training alone and of the whole process: ours also looks
at its questions once more to see whether the model stops by itself.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from configs.check import check_config
from configs.files import read_jsonl
from configs.schema import Config
from models.sources import model_source
from models.training import DEFAULTS
from sft.options import options

BARE = "bare"
OURS: dict[str, list[str]] = {
    "planql": [],
    "planql, length grouping": ["sft.trainer.train_sampling_strategy=group_by_length"],
    "planql, packing": ["sft.trainer.packing=true"],
}


@dataclass(frozen=True)
class Run:
    """One training."""

    training_s: float
    process_s: float
    tokens: float
    """That are not padding."""
    steps: int
    loss: float
    peak_bytes: int
    """Highest resident memory of the process."""


def main(arguments: list[str] | None = None) -> int:
    """Return 0 after printing the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_intermixed_args(arguments)
    found: dict[str, list[Run]] = {name: [] for name in (BARE, *OURS)}
    with tempfile.TemporaryDirectory() as folder:
        words = [args.config, *args.overrides, f"runs={folder}", "sft.trainer.logging_steps=1"]
        cfg = check_config(args.config, words[1:])
        _process(["-m", "distill", *words])
        for number in range(args.rounds):
            for name, runs in found.items():
                aside = Path(folder) / f"{number}-{len(name)}"
                runs.append(_bare(cfg, aside) if name == BARE else _ours(cfg, aside, words, OURS[name]))
                print(f"round {number + 1}: {name}: {runs[-1]}", file=sys.stderr)
    _show(found, cfg)
    return 0


def _bare(cfg: Config, folder: Path) -> Run:
    """Train with the bare script."""
    folder.mkdir()
    here = {"output_dir": str(folder), "seed": cfg.seed, "use_cpu": True, "disable_tqdm": True}
    model = cfg.model.model_dump(include={"backend", "quantization", "dtype", "max_length", "lora"})
    given = model | {
        "traces": str(cfg.folder / "distill" / "traces.jsonl"),
        "folder": str(folder),
        "model": str(model_source(cfg.model.name)),
        "seed": cfg.seed,
        "options": DEFAULTS | options(cfg, folder, validates=True) | here | {"bf16": False, "report_to": "none"},
    }
    (folder / "settings.json").write_text(json.dumps(given))
    said, process_s, peak_bytes = _process(["-m", "bench.bare_sft", str(folder / "settings.json")])
    row = json.loads(said.splitlines()[-1])
    return Run(row["seconds"], process_s, row["tokens"], row["steps"], row["loss"], peak_bytes)


def _ours(cfg: Config, folder: Path, words: list[str], more: list[str]) -> Run:
    """Train with the stage, on the same traces."""
    name = folder.name
    (folder.parent / name).mkdir()
    os.symlink(cfg.folder / "distill", folder.parent / name / "distill")
    _, process_s, peak_bytes = _process(["-m", "sft", *words, *more, f"name={name}"])
    rows = read_jsonl(folder.parent / name / "sft" / "metrics.jsonl")
    last = rows[-1]
    tokens = max(row["num_tokens"] for row in rows if "num_tokens" in row)
    loss = [row["loss"] for row in rows if "loss" in row][-1]
    return Run(last["train_runtime"], process_s, tokens, last["step"], loss, peak_bytes)


def _process(words: list[str]) -> tuple[str, float, int]:
    """Return what a Python process wrote on stdout, its seconds, and its highest resident memory in bytes."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as log:
        process = subprocess.Popen([sys.executable, *words], stdout=out, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        for file in (out, log):
            file.seek(0)
        if status:
            raise SystemExit(f"{' '.join(words)} failed:\n{log.read().decode()[-3000:]}")
        return out.read().decode(), seconds, usage.ru_maxrss * 1024


def _show(found: dict[str, list[Run]], cfg: Config) -> None:
    rounds, model = len(found[BARE]), cfg.model
    table = Table(title=f"SFT, {model.name} {model.quantization} with {model.backend}, median of {rounds} rounds")
    columns = ("", "s training", "s process", "steps", "tokens", "tokens/s", "last loss", "peak RSS, GiB", "× bare")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    bare = median(run.training_s for run in found[BARE])
    for name, runs in found.items():
        seconds = median(run.training_s for run in runs)
        first = runs[0]
        cells = [f"{seconds:.1f}", f"{median(run.process_s for run in runs):.1f}", str(first.steps)]
        cells += [f"{first.tokens:,.0f}", f"{first.tokens / seconds:.1f}", f"{first.loss:.4f}"]
        cells += [f"{max(run.peak_bytes for run in runs) / 2**30:.2f}", f"{seconds / bare:.3f}"]
        table.add_row(name, *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    sys.exit(main())
