"""Whether the checkpoints of both trainings fit on the disk."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from budget.findings import Finding
from budget.shapes import Shape, find_shape, read_shape
from configs.errors import ConfigError
from configs.paths import cache_folder
from configs.schema import Config
from models.sources import MADE_HERE, VERSION, needs_no_hub

GB = 10**9
LEFT_FREE = 2 * GB
"""Logs, completions, reports, databases; and room so that the machine itself goes on."""
WEIGHT_BYTES, ADAM_BYTES = 4, 8
"""Of a parameter of the adapter, in float32: itself, and AdamW's two moments."""
OTHER_FILES = 30 * 10**6
"""Of a checkpoint: the tokenizer, 11 to 17 MB for Llama 3 and Qwen, and the trainer's state."""
HUB_BYTES = 2
"""Of a parameter of the model: bfloat16, as the hub has it; less where it is kept quantised."""
WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json")
UNKNOWN_MILLIONS = 8000
"""Parameters of a model of which neither shape nor name tells more."""
SAVE_TOTAL_LIMIT = 2
"""As models.training sets it, which is too heavy to ask."""


def check_disk(cfg: Config) -> Finding:
    """Return whether the run's folder has room for what both trainings keep at once.

    Each keeps its last checkpoints and, while it writes the next, one more; then its adapter, and the best one.
    """
    weights, how = adapter_parameters(cfg)
    adapter = weights * WEIGHT_BYTES + OTHER_FILES
    checkpoint = adapter + weights * ADAM_BYTES
    kept = [trainer.get("save_total_limit") or SAVE_TOTAL_LIMIT for trainer in (cfg.sft.trainer, cfg.rl.trainer)]
    need = sum((count + 1) * checkpoint + 2 * adapter for count in kept) + LEFT_FREE
    there = _existing(Path(cfg.runs).absolute())
    free = shutil.disk_usage(there).free + _held(cfg.folder)
    found = (
        f"{free / GB:.1f} GB free in {there}; needed {need / GB:.1f} GB: "
        f"{' and '.join(f'{count} + 1' for count in kept)} checkpoints of {checkpoint / GB:.2f} GB, "
        f"adapters, {LEFT_FREE / GB:g} GB left over ({how})"
    )
    if free < need:
        return Finding("disk", "fail", found, "runs=FOLDER on a larger disk, or save_total_limit: 1 in the trainers")
    return Finding("disk", "ok", found)


def check_download(cfg: Config) -> Finding | None:
    """Return whether the hub's cache has room for the model; None where nothing is to be downloaded."""
    if not to_download(cfg.model.name) or not find_spec("huggingface_hub"):
        return None
    from huggingface_hub.constants import HF_HUB_CACHE

    shape = _shape(cfg.model.name)
    weights = shape.parameters if shape else (parameters_by_name(cfg.model.name) or UNKNOWN_MILLIONS) * 10**6
    need = weights * HUB_BYTES
    there = _existing(Path(HF_HUB_CACHE).absolute())
    free = shutil.disk_usage(there).free
    found = f"{free / GB:.1f} GB free in {there}; {cfg.model.name} has at most {need / GB:.1f} GB"
    if free < need:
        return Finding("disk for the model", "fail", found, "HF_HOME=FOLDER on a larger disk")
    return Finding("disk for the model", "ok", found)


def to_download(name: str) -> bool:
    """Tell whether a model is neither made here, nor a folder, nor in the hub's cache."""
    return not needs_no_hub(name) and not any(cached(name, file) for file in WEIGHT_FILES)


def adapter_parameters(cfg: Config) -> tuple[int, str]:
    """Return how many weights are trained, and how that is known: by the model's shape, or only by its name."""
    lora = cfg.model.lora
    shape = _shape(cfg.model.name)
    if lora is None:
        return _all_parameters(cfg.model.name, shape)
    if shape:
        each = sum(sum(shape.linears[name]) for name in lora.targets if name in shape.linears)
        return shape.layers * lora.r * each, "by the model's shape"
    millions = parameters_by_name(cfg.model.name)
    return by_size(millions or UNKNOWN_MILLIONS, lora.r), _how(millions)


def _all_parameters(name: str, shape: Shape | None) -> tuple[int, str]:
    if shape:
        return shape.parameters, "by the model's shape"
    millions = parameters_by_name(name)
    return (millions or UNKNOWN_MILLIONS) * 10**6, _how(millions)


def _how(millions: int | None) -> str:
    return f"by {millions:,} M in the name" if millions else f"taken for {UNKNOWN_MILLIONS // 1000} B"


def by_size(millions: int, r: int) -> int:
    """Return about how many weights an adapter on all seven linear layers has, from the model's size alone.

    33 √parameters for each rank: 1.0 to 1.3 times what SmolLM2-135M, Llama-3.2-3B, Qwen3-4B, Qwen2.5-7B, Qwen3-8B and
    Qwen3-14B have by their shapes.
    """
    return int(r * 33 * (millions * 10**6) ** 0.5)


def parameters_by_name(name: str) -> int | None:
    """Return the millions of parameters that a model's name tells.

    >>> parameters_by_name("unsloth/Llama-3.2-3B-Instruct"), parameters_by_name("smollm2-135m"), parameters_by_name("x")
    (3000, 135, None)
    """
    said = re.search(r"(?<![\w.])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", name.rpartition("/")[2], re.IGNORECASE)
    return round(float(said[1]) * (1000 if said[2] in "bB" else 1)) if said else None


def _shape(name: str) -> Shape | None:
    """Return the model's shape, by its config.json on this machine or by the table; None where neither has it."""
    file = cached(name, "config.json")
    try:
        return read_shape(file) if file else find_shape(name, hub=False)
    except ConfigError:
        return None


def cached(name: str, file: str) -> Path | None:
    """Return a file of a model that is on this machine: a folder's, one made here, or one from the hub's cache."""
    if name in MADE_HERE:
        path = cache_folder() / "models" / f"{name}-{VERSION}" / file
    elif Path(name).is_dir():
        path = Path(name, file)
    elif find_spec("huggingface_hub"):
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            found = try_to_load_from_cache(name, file)
        except HFValidationError:
            return None
        return Path(found) if isinstance(found, str) else None
    else:
        return None
    return path if path.is_file() else None


def _held(folder: Path) -> int:
    """Return the bytes of the run's own files: a run that goes on has part of what it needs already."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())
