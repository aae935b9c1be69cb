"""GRPO settings side by side: from one SFT adapter, for as many generated tokens, with several seeds.

    python -m bench.grpo CONFIG --out FOLDER --tokens 100000 --seeds 3 [section.key=value …]
        --variant "arctic: rl.rewards=arctic" --variant "dense: rl.rewards=dense"

CONFIG is a run whose SFT is finished.  A variant is a name and the keys that it changes.  Each training ends with the
step in which its tokens reach --tokens: all that were sampled, those for pass rates and of groups that were replaced
too; rl.trainer.max_steps must be enough for that.  EX is measured on the test questions before and after, with greedy
answers of the last adapter, not of best/.  FOLDER gets VARIANT-SEED.json as each is done, so that the same command
goes on; the table is of all that are there, and learning.svg shows reward and held-out EX by tokens.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from configs.check import check_config
from configs.errors import ConfigError
from configs.files import read_json, read_jsonl, write_json
from configs.schema import Config
from configs.screen import say
from configs.stage import complain
from evaluation.interval import bootstrap_interval
from evaluation.run import _questions
from evaluation.score import judge_answers
from models.environment import prepare
from models.trained import last_folder
from rl.train import _best, _options, _order, _trainer
from tasks.load import load_tasks
from tasks.task import Task


def main(arguments: list[str] | None = None) -> int:
    """Return 0 after printing the table, 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variant", action="append", required=True)
    args = parser.parse_intermixed_args(arguments)
    try:
        _run_all(args)
    except ConfigError as error:
        complain("bench.grpo", error)
        return 2
    _show(args.out)
    _draw(args.out)
    return 0


def _run_all(args: argparse.Namespace) -> None:
    cfg = check_config(args.config, args.overrides)
    variants = dict(_variant(text) for text in args.variant)
    configs = {name: check_config(args.config, [*args.overrides, *keys]) for name, keys in variants.items()}
    prepare(cfg, generates=True)
    args.out.mkdir(parents=True, exist_ok=True)
    tasks = _questions(cfg)
    if not (args.out / "before.json").exists():
        write_json(args.out / "before.json", {"questions": _before(cfg, tasks)})
    for seed in range(args.seeds):
        for name, each in configs.items():
            path = args.out / f"{name}-{seed}.json"
            if not path.exists():
                say(f"{name}, seed {seed}: {' '.join(variants[name])}")
                found = _trained(each, seed, args.tokens, tasks)
                write_json(path, {"variant": name, "keys": variants[name], "seed": seed} | found)


def _variant(text: str) -> tuple[str, list[str]]:
    """Return name and overrides.

    >>> _variant("sampled: rl.resample=1 rl.easy_first=true")
    ('sampled', ['rl.resample=1', 'rl.easy_first=true'])
    """
    name, colon, keys = text.partition(":")
    if not colon or not name.strip():
        raise ConfigError(f"--variant {text!r}: give NAME: section.key=value …")
    return name.strip(), keys.split()


def _model(cfg: Config, checkpointing: bool = False):
    from models.load import load_model, load_trained, trainable

    model, tokenizer = load_model(cfg.model, trains=True, checkpointing=checkpointing)
    model = trainable(model, cfg.model, seed=cfg.seed, checkpointing=checkpointing)
    return load_trained(model, last_folder(cfg.folder, "sft", cfg.model), cfg.model, seed=cfg.seed), tokenizer


def _before(cfg: Config, tasks: Sequence[Task]) -> dict[str, list]:
    model, tokenizer = _model(cfg)
    return _right(model, tokenizer, tasks, cfg)


def _trained(cfg: Config, seed: int, tokens: int, tasks: Sequence[Task]) -> dict:
    """Train until the tokens are spent; return steps, tokens, seconds, the curve, and what came of the questions."""
    from trl import GRPOConfig

    from models.training import trainer_config
    from rewards.score import Scorer
    from rl.prompts import prompts_that_fit

    splits = load_tasks(cfg.data, cfg.seed)  # the same for every seed: those are of the training alone
    seeded = cfg.model_copy(update={"seed": seed})
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        options = _options(cfg, folder) | {"save_strategy": "no"}
        args = trainer_config(GRPOConfig, "rl", options, cfg.model, seed)
        model, tokenizer = _model(cfg, args.gradient_checkpointing)
        fitting, _ = prompts_that_fit(splits.train, tokenizer, cfg)
        begun = time.monotonic()
        order = _order(seeded, folder, args, model, tokenizer, fitting)
        scorer = Scorer(cfg, failures=folder / "failed_reward.json")
        trainer = _trainer(seeded, folder, args, model, tokenizer, order, scorer)
        spent = _Spent(trainer, folder, tokens)
        trainer.add_callback(spent.callback())
        _best(cfg, folder, trainer, tokenizer, splits.validation)
        trainer.train()
        seconds = time.monotonic() - begun
        steps = trainer.state.global_step
        if spent.tokens < tokens:
            raise ConfigError(f"rl.trainer.max_steps: {steps} steps take {spent.tokens} tokens, fewer than {tokens}")
        curve = _curve(trainer.state.log_history, spent.at, folder / "best.jsonl")
        right = _right(trainer.model, tokenizer, tasks, cfg)
        return {"steps": steps, "tokens": spent.tokens, "seconds": seconds, "curve": curve, "questions": right}


class _Spent:
    """Counts what is sampled, from the pass rates on, and ends the training when enough is."""

    def __init__(self, trainer, folder: Path, limit: int) -> None:
        rates = folder / "pass_rates.jsonl"
        self.tokens = sum(row["tokens"] for row in read_jsonl(rates)) if rates.exists() else 0
        self.limit, self.at = limit, {0: self.tokens}
        generate = trainer._generate_single_turn

        def counting(*args, **options):
            said, rest = generate(*args, **options)
            self.tokens += sum(map(len, said))
            return said, rest

        trainer._generate_single_turn = counting

    def callback(self):
        from transformers import TrainerCallback

        spent = self

        class Ends(TrainerCallback):
            def on_step_end(self, args, state, control, **_: object) -> None:
                spent.at[state.global_step] = spent.tokens
                control.should_training_stop = spent.tokens >= spent.limit

        return Ends()


def _curve(history: list[dict], tokens: dict[int, int], best: Path) -> list[dict]:
    """Return step, tokens, and what was measured there: mean reward, share of silent groups, held-out EX."""
    ex = {row["step"]: row["ex"] for row in read_jsonl(best)} if best.exists() else {}
    logged = {row["step"]: row for row in history if "reward" in row}
    curve = []
    for step, spent in sorted(tokens.items()):
        row = logged.get(step, {})
        point = {"step": step, "tokens": spent, "reward": row.get("reward"), "silent": row.get("frac_reward_zero_std")}
        curve.append(point | {"ex": ex.get(step)})
    return curve


def _right(model, tokenizer, tasks: Sequence[Task], cfg: Config) -> dict[str, list]:
    """Return for each question [its database, whether the greedy answer is right]."""
    from models.answer import answers
    from models.held_out import prompt_of
    from models.load import ready_to_answer

    ready_to_answer(model, cfg.model)
    said, settings = {}, cfg.evaluation
    prompts = [prompt_of(task, cfg) for task in tasks]
    for some in answers(
        model, tokenizer, prompts, max_new_tokens=settings.max_new_tokens, batch_size=settings.batch_size
    ):
        said |= {place: answer.text for place, answer in some}
    judged = judge_answers(tasks, [said[place] for place in range(len(tasks))], cfg)
    return {task.task_id: [Path(task.database).stem, one["correct"]] for task, one in zip(tasks, judged, strict=True)}


def _show(folder: Path) -> None:
    before = read_json(folder / "before.json")["questions"]
    databases = [database for database, _ in before.values()]
    found = [read_json(path) for path in sorted(folder.glob("*-[0-9]*.json"))]
    variants = list(dict.fromkeys(row["variant"] for row in found))
    low, high = bootstrap_interval([right for _, right in before.values()], databases, resamples=10_000)
    ex = fmean(right for _, right in before.values())
    table = Table(title=f"EX before {100 * ex:.1f} ({100 * low:.1f}–{100 * high:.1f}), {len(before)} questions")
    for column in ("", "seeds", "steps", "tokens", "minutes", "EX after", "each seed", "after − before"):
        table.add_column(column, justify="right" if column else "left")
    for name in variants:
        rows = [row for row in found if row["variant"] == name]
        shares = [fmean(right for _, right in row["questions"].values()) for row in rows]
        gains = [fmean(row["questions"][task][1] for row in rows) - was for task, (_, was) in before.items()]
        low, high = bootstrap_interval(gains, databases, resamples=10_000)
        table.add_row(
            name,
            str(len(rows)),
            " ".join(str(row["steps"]) for row in rows),
            f"{fmean(row['tokens'] for row in rows):,.0f}",
            " ".join(f"{row['seconds'] / 60:.1f}" for row in rows),
            f"{100 * fmean(shares):.1f}",
            " ".join(f"{100 * share:.1f}" for share in shares),
            f"{100 * fmean(gains):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
        )
    Console(width=140).print(table)


def _draw(folder: Path, window: int = 5) -> None:
    """Write learning.svg: mean reward of the last `window` steps, and held-out EX, by tokens; a line a seed."""
    if not find_spec("matplotlib"):
        return say("learning.svg is not drawn: pip install matplotlib, and give the same command again")
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    found = [read_json(path) for path in sorted(folder.glob("*-[0-9]*.json"))]
    variants = list(dict.fromkeys(row["variant"] for row in found))
    figure, (rewards, shares) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for row in found:
        place = variants.index(row["variant"])
        style = {"color": f"C{place}", "alpha": 0.8, "label": row["variant"] if row["seed"] == 0 else None}
        learned = [point for point in row["curve"] if point["reward"] is not None]
        smooth = [
            fmean(point["reward"] for point in learned[max(0, at - window + 1) : at + 1]) for at in range(len(learned))
        ]
        rewards.plot([point["tokens"] / 1000 for point in learned], smooth, linewidth=1, **style)
        measured = [point for point in row["curve"] if point["ex"] is not None]
        shares.plot(
            [point["tokens"] / 1000 for point in measured],
            [100 * point["ex"] for point in measured],
            marker=".",
            linewidth=1,
            **style,
        )
    rewards.set(title=f"Mean reward, last {window} steps", xlabel="thousand tokens sampled")
    shares.set(title="EX of held-out questions, %", xlabel="thousand tokens sampled", ylim=(0, None))
    if len(variants) > 1:
        rewards.legend(frameon=False)
    for axes in (rewards, shares):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    matplotlib.rcParams["svg.hashsalt"] = "planql"
    figure.savefig(folder / "learning.svg", metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
