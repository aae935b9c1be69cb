"""What a run has trained, found and checked from its files alone: an adapter, or without `model.lora` a whole model."""

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from configs.errors import ConfigError
from configs.evaluation_schema import Stage
from configs.files import read_json
from configs.load import schema_problems
from configs.schema import Config, Model
from models.adapter import check_adapter

ACCOUNT = "export.json"
"""What an export says of itself; under `config`, how it was asked in training."""


def run_config(run: Path) -> Config:
    """Return the config that a run's folder was made with, from its config.json."""
    file = run / "config.json"
    if not file.is_file():
        raise ConfigError(f"{run}: no run there (config.json is missing); give the folder of a run, as runs/NAME")
    try:
        return Config.model_validate(read_json(file).get("config"))
    except ValidationError as error:
        raise ConfigError(f"{file}: {schema_problems(error)[0]}; it was written by another version") from None


def kind(cfg: Model) -> Literal["adapter", "model"]:
    """Return what the stages train, which is also what the folder of it is called."""
    return "adapter" if cfg.lora else "model"


def last_folder(run: Path, stage: str, cfg: Model) -> Path:
    """Return where a stage that has finished leaves what it trained."""
    return run / stage / kind(cfg)


def trained_folder(run: Path, stage: Stage, cfg: Model) -> Path | None:
    """Return where a run keeps what `stage` trained: best/ by EX, where rl kept one; None for the base model.

    The folder need not be there.
    """
    if stage == "base":
        return None
    best = run / stage / "best"
    return best if best.is_dir() else last_folder(run, stage, cfg)


def newest_trained(run: Path, cfg: Model) -> tuple[Stage, Path]:
    """Return the last stage of a run that has finished, and the folder of what it trained, checked."""
    for stage in ("rl", "sft"):
        if last_folder(run, stage, cfg).is_dir():
            folder = trained_folder(run, stage, cfg)
            check_trained(folder, cfg)
            return stage, folder
    raise ConfigError(f"{run}: neither rl/{kind(cfg)} nor sft/{kind(cfg)} is there; run python -m sft first")


def check_trained(folder: Path, cfg: Model) -> None:
    """Raise ConfigError unless `folder` holds what `model:` of the config describes."""
    if cfg.lora:
        check_adapter(folder, cfg)
        return
    if not (folder / "config.json").exists() or not (folder / "model.safetensors").exists():
        raise ConfigError(f"{folder}: model.lora null, but no whole model there (config.json, model.safetensors)")
    base = read_json(folder / "config.json").get("base_model_name_or_path")
    if base != cfg.name:
        raise ConfigError(f"{folder}: this model was trained from {base}, the config says {cfg.name}; use the same")


def weights_file(folder: Path) -> Path:
    """Return the file of the weights that a stage trained."""
    adapter = folder / "adapter_model.safetensors"
    return adapter if adapter.exists() else folder / "model.safetensors"
