"""Stage 2: teach the model the traces; loss on the answer only."""

from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_jsonl
from configs.loggers import REPORTING
from configs.schema import Config
from configs.screen import say
from configs.stage import begin, finish, wrote
from models.environment import prepare

DEFAULTS = {
    "learning_rate": 2e-4,
    "num_train_epochs": 2,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.05,
    "logging_steps": 5,
    "eval_strategy": "steps",
    "eval_steps": 50,
    "save_steps": 50,
}
"""Used where `sft.trainer` says nothing.  Learning rate and epochs as in Unsloth's QLoRA guide."""

PROBES = 8
"""Questions asked after training, to see whether the model stops by itself."""


def train(cfg: Config, fresh: bool = False) -> Path:
    """Train a new adapter on the verified traces; return its folder."""
    traces = cfg.folder / "distill" / "traces.jsonl"
    settings = cfg.model_dump(mode="json", include={"seed", "model", "sft"}, exclude={"sft": {"trainer": REPORTING}})
    begun = begin(cfg, "sft", settings, {"traces": traces}, fresh)
    adapter = begun.folder / "adapter"
    if begun.status == "finished":
        return adapter
    rows = _read_traces(traces, cfg.sft.early_stopping_patience)

    prepare(cfg)
    from trl import SFTConfig, SFTTrainer

    from models.load import add_adapter, load_model, name_base
    from models.progress import Progress, last_checkpoint, save_adapter
    from models.stopping import run
    from models.template import check_template
    from models.training import last_loss, set_up, trainer_config

    validates = any(row["split"] == "validation" for row in rows)
    args = trainer_config(SFTConfig, "sft", _options(cfg, begun.folder, validates=validates), cfg.model, cfg.seed)
    model, tokenizer = load_model(cfg.model)
    check_template(tokenizer)
    data = {split: _dataset(rows, split, tokenizer, cfg.model.max_length) for split in ("train", "validation")}
    model = add_adapter(model, cfg.model, seed=cfg.seed, checkpointing=args.gradient_checkpointing)
    name_base(model, cfg.model)
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=data["train"],
        eval_dataset=data["validation"],
        args=args,
        callbacks=[Progress(begun.folder, "sft: steps"), *_early_stopping(cfg)],
    )
    set_up(trainer)
    done = run(trainer, last_checkpoint(begun.folder))
    save_adapter(trainer.model, tokenizer, adapter)
    stops = _stops(cfg, trainer.model, tokenizer, data["validation"] or data["train"])
    loss, traces = last_loss(trainer), len(data["train"])
    finish(begun, steps=done.global_step, loss=loss, traces=traces, stops=stops)
    wrote(begun, f"adapter after {done.global_step} steps on {traces} traces, last loss {loss}")
    return adapter


def _read_traces(path: Path, patience: int | None) -> list[dict]:
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


def _dataset(rows: list[dict], split: str, tokenizer, max_length: int):
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


def _options(cfg: Config, folder: Path, *, validates: bool) -> dict:
    """Return what SFTConfig is made from: the user's options, and what follows from the rest of the config."""
    options = DEFAULTS | cfg.sft.trainer
    stops_early = cfg.sft.early_stopping_patience is not None and validates
    return options | {
        "output_dir": str(folder),
        "per_device_train_batch_size": cfg.sft.micro_batch,
        "per_device_eval_batch_size": cfg.sft.micro_batch,
        "gradient_accumulation_steps": cfg.sft.accumulation,
        "max_length": cfg.model.max_length,
        "completion_only_loss": True,
        "eval_strategy": options["eval_strategy"] if validates else "no",
        "load_best_model_at_end": stops_early,
        "metric_for_best_model": "eval_loss" if stops_early else None,
        "restore_callback_states_from_checkpoint": stops_early,  # its patience, too
    }


def _stops(cfg: Config, model, tokenizer, data) -> float:
    """Return the share of a few answers that end by themselves."""
    from models.answer import stopping_share
    from models.load import ready_to_answer

    ready_to_answer(model, cfg.model)
    prompts = data.select(range(min(PROBES, len(data))))["prompt"]
    return stopping_share(model, tokenizer, list(prompts), max_new_tokens=cfg.evaluation.max_new_tokens)


def _early_stopping(cfg: Config) -> list:
    from transformers import EarlyStoppingCallback

    patience, threshold = cfg.sft.early_stopping_patience, cfg.sft.early_stopping_threshold
    return [EarlyStoppingCallback(patience, threshold)] if patience else []
