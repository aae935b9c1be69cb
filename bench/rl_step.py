"""A GRPO step of ours against a bare TRL script with the same model, questions, rewards and settings, in one run.

    python -m bench.rl_step CONFIG [--steps 6] [--rounds 2] [section.key=value …]

CONFIG is a run whose SFT is finished, with model.backend transformers.  The two take turns, each from the SFT
adapter with the same seed, so that their answers are as alike as sampling allows; answers differ in length
all the same, hence the time per 1,000 tokens beside the time of a step.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from configs.check import check_config
from configs.files import read_jsonl
from configs.schema import Config
from models.environment import prepare
from models.trained import last_folder
from rl.train import _options, _trainer
from tasks.load import load_tasks


def main(arguments: list[str] | None = None) -> int:
    """Return 0 after printing the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_intermixed_args(arguments)
    cfg = check_config(args.config, [*args.overrides, f"rl.trainer.max_steps={args.steps}", "rl.ex_every=0"])
    prepare(cfg, generates=True)
    found: dict[str, list[dict[str, float]]] = {"bare TRL": [], "planql": []}
    for _ in range(args.rounds):
        for name, rows in found.items():
            with tempfile.TemporaryDirectory() as folder:
                rows.append(_run(cfg, name == "planql", Path(folder)))
    _show(found, args.steps)
    return 0


def _run(cfg: Config, ours: bool, folder: Path) -> dict[str, float]:
    """Train some steps; return seconds a step, tokens a step, and the share of the time that rewards took."""
    from trl import GRPOConfig, GRPOTrainer

    from models.load import load_model, load_trained, trainable
    from models.training import set_up, trainer_config
    from rewards.score import Scorer
    from rl.prompts import as_rows, prompts_that_fit
    from rl.signal import training_order

    args = trainer_config(GRPOConfig, "rl", _options(cfg, folder) | {"save_strategy": "no"}, cfg.model, cfg.seed)
    checkpointing = args.gradient_checkpointing
    model, tokenizer = load_model(cfg.model, trains=True, checkpointing=checkpointing)
    model = trainable(model, cfg.model, seed=cfg.seed, checkpointing=checkpointing)
    model = load_trained(model, last_folder(cfg.folder, "sft", cfg.model), cfg.model, seed=cfg.seed)
    tasks, _ = prompts_that_fit(load_tasks(cfg.data, cfg.seed).train, tokenizer, cfg)
    order = training_order(tasks, {}, args.max_steps * cfg.rl.prompts_per_step, False, cfg.seed)
    scorer = Scorer(cfg)
    if ours:
        trainer = _trainer(cfg, folder, args, model, tokenizer, order, scorer)
    else:
        trainer = GRPOTrainer(
            model=model, processing_class=tokenizer, train_dataset=as_rows(order, cfg), args=args,
            reward_funcs=scorer.functions(cfg.rl.generations),
        )  # fmt: skip
        set_up(trainer)
    timed = []
    trainer.reward_funcs = [_timed(function, timed) for function in trainer.reward_funcs]
    start = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - start
    steps = [row for row in trainer.state.log_history if "completions/mean_length" in row]
    answers = cfg.rl.prompts_per_step * cfg.rl.generations
    tokens = sum(row["completions/mean_length"] for row in steps) * answers
    if ours:
        assert len(read_jsonl(folder / "completions.jsonl")) == args.max_steps * answers
    assert timed, "no reward was called"
    return {"seconds": seconds / len(steps), "tokens": tokens / len(steps), "rewards": sum(timed) / seconds}


def _timed(function, seconds: list[float]):
    def reward(**columns):
        start = time.monotonic()
        scores = function(**columns)
        seconds.append(time.monotonic() - start)
        return scores

    reward.__name__ = function.__name__
    return reward


def _show(found: dict[str, list[dict[str, float]]], steps: int) -> None:
    table = Table(title=f"GRPO, median of {len(found['planql'])} rounds of {steps} steps")
    for column in ("", "s a step", "tokens a step", "s per 1,000 tokens", "in rewards"):
        table.add_column(column, justify="right" if column else "left")
    for name, rows in found.items():
        step, tokens = median(row["seconds"] for row in rows), median(row["tokens"] for row in rows)
        each = median(1000 * row["seconds"] / row["tokens"] for row in rows)
        share = median(row["rewards"] for row in rows)
        table.add_row(name, f"{step:.2f}", f"{tokens:,.0f}", f"{each:.2f}", f"{100 * share:.2f} %")
    console = Console()
    console.print(table)
    bare, ours = (median(1000 * row["seconds"] / row["tokens"] for row in rows) for rows in found.values())
    console.print(f"planql takes {ours / bare:.2f} × the time of bare TRL for as many tokens")


if __name__ == "__main__":
    sys.exit(main())
