"""What SFT and GRPO set up alike: TRL's arguments, and a trainer that reports once and in one place."""

import math
import os
from pathlib import Path

import torch
from transformers import PrinterCallback, TrainerCallback

from configs.errors import ConfigError
from configs.schema import Model

DEFAULTS = {
    "optim": "adamw_torch_fused",  # Unsloth has other defaults on a GPU than TRL on a CPU
    "weight_decay": 0.0,
    "save_total_limit": 2,
}
"""Used by both stages where the config says nothing, so that a run is the same on every machine."""


def trainer_config(kind, stage: str, options: dict, cfg: Model, seed: int):
    """Return TRL's config object `kind(**options)`; ConfigError for a combination that TRL refuses."""
    gpu = torch.cuda.is_available()
    machine = {
        "bf16": gpu and cfg.dtype == "bfloat16",
        "fp16": gpu and cfg.dtype == "float16",
        "use_cpu": not gpu,
        "dataloader_pin_memory": gpu,
        "seed": seed,
        "disable_tqdm": True,
        "logging_nan_inf_filter": False,  # else a NaN loss is logged as the mean of those before it
    }
    try:
        return kind(**DEFAULTS | _reported_as(Path(options["output_dir"])) | options | machine)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{stage}.trainer: {' '.join(str(error).split())}") from None


def _reported_as(folder: Path) -> dict[str, str]:
    """Return the names of a stage's training in wandb and trackio; wandb's files go to its folder."""
    project = "planql"
    os.environ.setdefault("WANDB_PROJECT", project)
    os.environ.setdefault("WANDB_DIR", str(folder))
    return {"project": project, "run_name": f"{folder.parent.name}-{folder.name}"}


def set_up(trainer) -> None:
    """Take out the trainer's own printing and its model card, stop at NaN, and keep what is trained in float32.

    TRL casts the adapter of a quantised model to bfloat16, in which a step of 1e-5 rounds to nothing.
    """
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(StopAtNaN())
    trainer.create_model_card = lambda *_, **__: None
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def last_loss(trainer) -> float | None:
    """Return the training loss that was logged last, also where it was before a resume; None where none was."""
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return round(losses[-1], 4) if losses else None


class StopAtNaN(TrainerCallback):
    """Ends a training whose loss or gradient is no number, before that step is saved: no step after it can mend it."""

    def on_log(self, args, state, control, logs: dict[str, float], **_: object) -> None:
        """Raise ConfigError; not for the gradient in float16, where the step is left out and the scale lowered."""
        for name in ("loss",) if args.fp16 else ("loss", "grad_norm"):
            if not math.isfinite(value := logs.get(name, 0.0)):
                raise ConfigError(
                    f"{name} became {value} at step {state.global_step}; lower trainer.learning_rate, "
                    "or set model.dtype: float32"
                )
