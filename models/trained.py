"""What a run has trained, found from its files alone."""

from pathlib import Path

from pydantic import ValidationError

from configs.errors import ConfigError
from configs.evaluation_schema import Stage
from configs.files import read_json
from configs.load import schema_problems
from configs.schema import Config
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


def adapter_folder(run: Path, stage: Stage) -> Path | None:
    """Return where a run keeps what `stage` trained: best/ by EX, where rl kept one; None for the base model.

    The folder need not be there.
    """
    if stage == "base":
        return None
    best = run / stage / "best"
    return best if best.is_dir() else run / stage / "adapter"


def newest_adapter(run: Path, cfg: Config) -> tuple[Stage, Path]:
    """Return the last stage of a run that has finished an adapter, and the adapter's folder, checked."""
    for stage in ("rl", "sft"):
        if (run / stage / "adapter").is_dir():
            folder = adapter_folder(run, stage)
            check_adapter(folder, cfg.model)
            return stage, folder
    raise ConfigError(f"{run}: neither rl/adapter nor sft/adapter is there; run python -m sft first")
