"""What TRL's SFTConfig is made from, and which of the config's settings a half-done training may change."""

from pathlib import Path

from configs.errors import ConfigError
from configs.loggers import REPORTING
from configs.ranks import processes
from configs.schema import Config
from sft.traces import OUT_OF_DOMAIN

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
ALL_WEIGHTS = {"learning_rate": 2e-5}
"""In their place without `model.lora`: a tenth, as TRL's trl/scripts/sft.py and SFTConfig have it."""

OPEN = {"micro_batch", "accumulation", "auto_batch", "ex_every", "ex_questions"}
"""Settings of sft that may change half-way: what is learned depends on the product of the first two alone."""


def settings(cfg: Config) -> dict:
    """Return all that the adapter depends on."""
    fixed = cfg.model_dump(
        mode="json",
        include={"seed", "model", "sft"},
        exclude={"sft": {"trainer": REPORTING, **dict.fromkeys(OPEN, True)}},
    )
    return fixed | {"sft": fixed["sft"] | {"traces_per_step": cfg.sft.micro_batch * cfg.sft.accumulation}}


def options(cfg: Config, folder: Path, *, validates: bool, in_domain: bool = False) -> dict:
    """Return the user's options, and what follows from the rest of the config.

    validates, in_domain: which traces there are to evaluate on besides the training's.
    """
    given = DEFAULTS | ({} if cfg.model.lora else ALL_WEIGHTS) | cfg.sft.trainer
    return (
        given
        | {
            "output_dir": str(folder),
            "per_device_train_batch_size": cfg.sft.micro_batch,
            "per_device_eval_batch_size": 1,  # a batch's loss is a mean: else the whole one's depends on micro_batch
            "gradient_accumulation_steps": _accumulation(cfg),
            "max_length": _max_length(cfg),
            "completion_only_loss": True,
            "eval_strategy": given["eval_strategy"] if validates or in_domain else "no",
        }
        | _keeps_best(cfg, given, validates, in_domain)
    )


def _keeps_best(cfg: Config, given: dict, validates: bool, in_domain: bool) -> dict:
    """Return the options of early stopping: each evaluation is a checkpoint, else the best one might be none."""
    if cfg.sft.early_stopping_patience is None or not validates:
        return {}
    for key in ("strategy", "steps"):
        wanted, own = given[f"eval_{key}"], cfg.sft.trainer.get(f"save_{key}", given[f"eval_{key}"])
        if own != wanted:
            raise ConfigError(
                f"sft.trainer.save_{key} {own}: with early stopping each evaluation is a checkpoint; leave it out, or "
                f"give it eval_{key}'s {wanted}"
            )
    return {
        "load_best_model_at_end": True,
        "metric_for_best_model": f"eval_{OUT_OF_DOMAIN}_loss" if in_domain else "eval_loss",
        "greater_is_better": False,
        "restore_callback_states_from_checkpoint": True,  # its patience, too
        "save_strategy": given["eval_strategy"],
        "save_steps": given["eval_steps"],
    }


def _accumulation(cfg: Config) -> int:
    """Return the passes of a process to a step, which several processes share; ConfigError where they can't."""
    if cfg.sft.accumulation % processes():
        raise ConfigError(
            f"sft.accumulation {cfg.sft.accumulation} is not divided by {processes()} processes, which share a step; "
            "change one of them"
        )
    return cfg.sft.accumulation // processes()


def _max_length(cfg: Config) -> int | None:
    """Return where TRL cuts; none of the traces is longer, and without padding TRL wants to hear of no limit."""
    padding_free = cfg.sft.trainer.get("padding_free") and not cfg.sft.trainer.get("packing")
    return None if padding_free and cfg.model.backend == "transformers" else cfg.model.max_length
