"""Our answers to a run's test questions against a bare transformers loop with the same model, in one run.

    python -m bench.answers CONFIG [--questions 80] [--rounds 2] [section.key=value …]

CONFIG is a run whose SFT is finished, with model.backend transformers.  The bare loop takes the questions sorted by
length, pads each batch and generates; ours also computes once what prompts of a batch begin with, and stops each
answer behind </sql>.  The two take turns.  `verdicts` is what our judging of all the answers takes on top.
"""

import argparse
import sys
import time
from statistics import median

import torch
from rich.console import Console
from rich.table import Table

from configs.check import check_config
from configs.schema import Config
from evaluation.run import questions
from evaluation.score import judge_answers
from models.environment import prepare
from models.template import prompt_text
from models.trained import newest_trained
from tasks.prompt import messages
from tasks.task import Task


def main(arguments: list[str] | None = None) -> int:
    """Return 0 after printing the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--questions", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_intermixed_args(arguments)
    cfg = check_config(args.config, [*args.overrides, f"evaluation.questions={args.questions}"])
    prepare(cfg)
    from models.load import load_model, load_trained

    tasks = questions(cfg)
    model, tokenizer = load_model(cfg.model)
    model = load_trained(model, newest_trained(cfg.folder, cfg.model)[1], cfg.model, seed=cfg.seed)
    model.eval()
    chats = [messages(task, cfg.data.schema_style, cfg.data.sample_values, cfg.data.answer) for task in tasks]
    seconds: dict[str, list[float]] = {"bare transformers": [], "planql": []}
    texts: dict[str, list[str]] = {}
    for _ in range(args.rounds):
        for name, ask in (("bare transformers", _bare), ("planql", _ours)):
            begun = time.monotonic()
            texts[name] = ask(model, tokenizer, chats, cfg)
            seconds[name].append(time.monotonic() - begun)
    _show(cfg, tasks, texts, seconds)
    return 0


def _bare(model, tokenizer, chats: list, cfg: Config) -> list[str]:
    prompts = [prompt_text(tokenizer, chat) for chat in chats]
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    found: dict[int, str] = {}
    for start in range(0, len(order), cfg.evaluation.batch_size):
        batch = order[start : start + cfg.evaluation.batch_size]
        asked = [prompts[place] for place in batch]
        inputs = tokenizer(asked, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            output = model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=cfg.evaluation.max_new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
        said = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        found |= dict(zip(batch, said, strict=True))
    return [found[place] for place in range(len(prompts))]


def _ours(model, tokenizer, chats: list, cfg: Config) -> list[str]:
    from models.answer import answers

    how = {"max_new_tokens": cfg.evaluation.max_new_tokens, "batch_size": cfg.evaluation.batch_size}
    found = {place: answer.text for batch in answers(model, tokenizer, chats, **how) for place, answer in batch}
    return [found[place] for place in range(len(chats))]


def _show(cfg: Config, tasks: list[Task], texts: dict[str, list[str]], seconds: dict[str, list[float]]) -> None:
    begun = time.monotonic()
    ours = judge_answers(tasks, texts["planql"], cfg)
    judging = time.monotonic() - begun
    bare = judge_answers(tasks, texts["bare transformers"], cfg)
    table = Table(title=f"{len(tasks)} questions, {cfg.model.name}, batches of {cfg.evaluation.batch_size}")
    for head in ("", "seconds", "each round", "right"):
        table.add_column(head, justify="right" if head else "left")
    for name, verdicts in (("bare transformers", bare), ("planql", ours)):
        rounds = " ".join(f"{each:.1f}" for each in seconds[name])
        right = sum(verdict["correct"] for verdict in verdicts)
        table.add_row(name, f"{median(seconds[name]):.1f}", rounds, str(right))
    table.add_row("verdicts", f"{judging:.2f}", "", "")
    Console(width=100).print(table)
    queries = zip(bare, ours, strict=True)
    print(f"the same SQL: {sum(one['sql'] == other['sql'] for one, other in queries)} of {len(tasks)}")


if __name__ == "__main__":
    sys.exit(main())
