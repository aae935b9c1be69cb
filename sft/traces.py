"""The traces as the trainer wants them: read, split, counted, whole."""

from pathlib import Path
from random import Random

from configs.errors import ConfigError
from configs.files import read_jsonl
from configs.schema import Config
from configs.screen import say

IN_DOMAIN, OUT_OF_DOMAIN = "in_domain", "out_of_domain"


def read_traces(path: Path, patience: int | None) -> list[dict]:
    """Return the rows of traces.jsonl; ConfigError where a row is no trace or none is for training."""
    rows = read_jsonl(path)
    for number, row in enumerate(rows, 1):
        if missing := {"split", "messages"} - row.keys():
            raise ConfigError(f"{path}:{number}: no {' and no '.join(sorted(missing))}; run distill again with --fresh")
    if not any(row["split"] == "train" for row in rows):
        raise ConfigError(f"{path}: no trace for training; see rejected.jsonl beside it")
    if patience and not any(row["split"] == "validation" for row in rows):
        raise ConfigError(
            f"sft.early_stopping_patience: {path} has no validation trace; raise distill.validation_traces and run "
            "distill with --fresh, or set the patience to null"
        )
    return rows


def set_aside(rows: list[dict], count: int, seed: int) -> list[dict]:
    """Return the rows with the split of `count` training traces changed to `in_domain`, the same for the same seed.

    Traces of one prompt are set aside together, so that none of them is trained on; there may be a few more for it.
    ConfigError where none would be left to train on.
    """
    prompts = [str(row["messages"][:-1]) for row in rows]
    order = sorted({prompt for prompt, row in zip(prompts, rows, strict=True) if row["split"] == "train"})
    Random(f"in-domain-{seed}").shuffle(order)
    aside: set[str] = set()
    for prompt in order:
        if sum(each in aside for each in prompts) >= count:
            break
        aside.add(prompt)
    if len(aside) == len(order):
        raise ConfigError(f"sft.in_domain_traces {count} leaves no trace to train on: there are {len(rows)}; lower it")
    moved = {"train": IN_DOMAIN}
    return [
        row | {"split": moved.get(row["split"], row["split"])} if prompt in aside else row
        for prompt, row in zip(prompts, rows, strict=True)
    ]


def datasets(rows: list[dict], tokenizer, cfg: Config) -> dict:
    """Return the traces of `train`, `validation` and `in_domain` as prompts and completions, None where there are none.

    The validation traces are of databases that no training trace is of, unless data.split is `questions`.
    """
    if cfg.sft.in_domain_traces:
        rows = set_aside(rows, cfg.sft.in_domain_traces, cfg.seed)
    longest = cfg.model.max_length
    return {split: dataset(rows, split, tokenizer, longest) for split in ("train", "validation", IN_DOMAIN)}


def validation(data: dict):
    """Return what the trainer evaluates on: the validation traces, or by name where others of the training's are, too.

    With names the losses are logged as eval_in_domain_loss and eval_out_of_domain_loss, else as eval_loss.
    """
    if data[IN_DOMAIN] is None:
        return data["validation"]
    both = {OUT_OF_DOMAIN: data["validation"], IN_DOMAIN: data[IN_DOMAIN]}
    return {name: found for name, found in both.items() if found is not None}


def dataset(rows: list[dict], split: str, tokenizer, max_length: int):
    """Return the traces of a split as prompt and completion, None where there are none.

    Too long ones are left out and counted: cut, they would teach an answer without its end.
    """
    from datasets import Dataset

    messages = [row["messages"] for row in rows if row["split"] == split]
    lengths = [len(tokenizer.apply_chat_template(each, tokenize=True, return_dict=False)) for each in messages]
    kept = [each for each, length in zip(messages, lengths, strict=True) if length <= max_length]
    if not kept:
        if messages:
            raise ConfigError(
                f"model.max_length {max_length}: every {split} trace is longer, the shortest has {min(lengths)} tokens"
            )
        return None
    left_out = len(messages) - len(kept)
    over = f", {left_out} left out as longer than {max_length}" if left_out else ""
    mean = sum(lengths) / len(lengths)
    say(f"  {split}: {len(kept)} traces, {mean:.0f} tokens on average, {max(lengths)} at most{over}")
    return Dataset.from_list([{"prompt": each[:-1], "completion": each[-1:]} for each in kept])
