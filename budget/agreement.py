"""`python -m budget.agreement`: the tables of docs/budget.md, in Markdown.

Ours against what others published, and with --trace 8 against the real model code, traced (minutes, needs torch).
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace

from budget.memory import GIB, Step, training_memory
from budget.published import WITHIN, Row, rows
from budget.shapes import TABLE
from configs.schema import Lora, Model

TRACED = (
    "llama-3.2-3b-instruct",
    "qwen3-4b-instruct-2507",
    "qwen2.5-coder-7b-instruct",
    "qwen3-8b",
    "qwen3-14b",
    "smollm2-135m",
)
"""The profiles' models."""
PLAIN = Model(quantization="none", backend="transformers")
CASES: dict[str, tuple[Model, Step]] = {
    "LoRA": (PLAIN, Step(2, 1024)),
    "LoRA, nothing checkpointed": (PLAIN, Step(2, 1024, checkpointing=False)),
    "LoRA, float32": (PLAIN.model_copy(update={"dtype": "float32"}), Step(2, 1024)),
    "LoRA, full loss": (PLAIN, Step(2, 1024, loss="nll")),
    "DoRA": (PLAIN.model_copy(update={"lora": Lora(dora=True)}), Step(2, 1024)),
    "all weights": (PLAIN.model_copy(update={"lora": None}), Step(2, 1024)),
    "GRPO, LoRA": (PLAIN, Step(2, 1024, 512, loss="grpo")),
    "GRPO, LoRA, tiles": (PLAIN, Step(2, 1024, 512, loss="chunked_grpo")),
    "GRPO, all weights": (PLAIN.model_copy(update={"lora": None}), Step(2, 1024, 512, loss="grpo")),
}
"""What is traced: 2 sequences of 1,024 tokens, of which GRPO scores 512."""


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; return 0."""
    parser = argparse.ArgumentParser(prog="python -m budget.agreement", description=__doc__)
    parser.add_argument("--trace", metavar="LAYERS", type=int, help="trace so many layers of the profiles' models, too")
    given = parser.parse_args(arguments)
    print("\n".join(published_table(rows())))
    if given.trace:
        print()
        for line in traced_table(given.trace):
            print(line, flush=True)
    return 0


def published_table(compared: list[Row]) -> Iterator[str]:
    """Yield the lines of the table of published figures."""
    yield "| figure | published, GiB | ours, GiB | off | agrees | assumed; why they differ |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in compared:
        said = f"{row.assumed}; {row.why}" if row.why else row.assumed
        yes = ("chosen" if row.chosen else "yes") if row.agrees else "**no**"
        cells = (f"[{row.what}]({row.source})", f"{row.published:g}", f"{row.ours:.1f}", f"{row.off:+.0%}", yes, said)
        yield f"| {' | '.join(cells)} |"
    count, chosen = sum(row.agrees for row in compared), sum(row.chosen for row in compared)
    yield f"\n{count} of {len(compared)} within {WITHIN:.0%}, {chosen} of them by an assumption chosen to fit."


def traced_table(layers: int, names: tuple[str, ...] = TRACED) -> Iterator[str]:
    """Yield the lines of the table of traced peaks: traced GiB, and how far off the formula is.

    layers: of each model, at most; they are all alike, and with fewer of them the loss weighs more.
    """
    from budget.trace import trace_step

    yield f"| GiB traced, formula off by | {' | '.join(CASES)} |"
    yield f"| --- {'| --- ' * len(CASES)}|"
    for name in names:
        cells = []
        for model, step in CASES.values():
            shape = replace(TABLE[name], layers=min(layers, TABLE[name].layers))
            traced, ours = trace_step(shape, model, step), training_memory(shape, model, step)
            cells.append(f"{traced / GIB:.2f}, {ours.tensors_bytes / traced - 1:+.1%}")
        yield f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
