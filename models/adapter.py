"""Is a saved adapter one that the config describes?  Answered from its files, before anything heavy is loaded."""

from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_json
from configs.schema import Model


def check_adapter(folder: Path, cfg: Model) -> None:
    """Raise ConfigError unless `folder` holds an adapter that `model:` of the config describes."""
    file = folder / "adapter_config.json"
    if not file.exists() or not (folder / "adapter_model.safetensors").exists():
        raise ConfigError(f"{folder}: no adapter there (adapter_config.json and adapter_model.safetensors)")
    saved = read_json(file)
    for key, was, now in (
        ("model.name", saved["base_model_name_or_path"], cfg.name),
        ("model.lora.r", saved["r"], cfg.lora.r),
        ("model.lora.alpha", saved["lora_alpha"], cfg.lora.alpha),
        ("model.lora.rslora", saved["use_rslora"], cfg.lora.rslora),
        ("model.lora.dora", saved.get("use_dora", False), cfg.lora.dora),
        ("model.lora.targets", sorted(saved["target_modules"]), sorted(cfg.lora.targets)),
    ):
        if was != now:
            raise ConfigError(
                f"{folder}: this adapter was trained with {key} = {was}, the config says {now}; use the same"
            )
