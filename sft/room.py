"""What to do where memory is short: a smaller micro batch, more of them a step, and the same step."""

from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_json, write_json
from configs.ranks import processes
from configs.schema import Config
from configs.screen import say
from models.room import heavy_weights, shortage, smaller

FOUND = "micro_batch.json"
"""What auto_batch came to, so that the same command need not find it again."""


def as_found(cfg: Config, folder: Path) -> Config:
    """Return the config with the micro batch that auto_batch has found for this folder before."""
    file = folder / FOUND
    found = read_json(file)["micro_batch"] if cfg.sft.auto_batch and file.exists() else cfg.sft.micro_batch
    return _with(cfg, found) if found < cfg.sft.micro_batch and _of_a_process(cfg) % found == 0 else cfg


def with_room(cfg: Config, folder: Path, error: BaseException) -> Config:
    """Return the config with half the micro batch, where auto_batch is on; else ConfigError says what to change."""
    sft, what = cfg.sft, shortage(error)
    less = smaller(sft.micro_batch, _of_a_process(cfg))
    if "loading the model" in what:
        raise ConfigError(f"{what}; {heavy_weights(cfg.model)}")
    if "the answers" in what:
        raise ConfigError(f"{what} to validation questions; lower evaluation.batch_size ({cfg.evaluation.batch_size})")
    if less is None:
        raise ConfigError(f"{what}, at sft.micro_batch {sft.micro_batch}; {_what_else(cfg)}, and give --fresh")
    changed = _with(cfg, less)
    now = f"sft.micro_batch={less} sft.accumulation={changed.sft.accumulation}"
    if not sft.auto_batch or processes() > 1:
        raise ConfigError(
            f"{what}; halve sft.micro_batch to {less} and raise sft.accumulation to {changed.sft.accumulation}: the "
            f"step stays the same. The same command with {now} goes on from the last checkpoint"
            + ("" if processes() > 1 else "; with sft.auto_batch=true it does so by itself")
        )
    say(f"  {what}; going on with {now}: the step stays the same")
    write_json(folder / FOUND, {"micro_batch": less})
    return changed


def _of_a_process(cfg: Config) -> int:
    """Return how many traces of a step each process takes."""
    return cfg.sft.micro_batch * cfg.sft.accumulation // processes()


def _with(cfg: Config, micro_batch: int) -> Config:
    total = cfg.sft.micro_batch * cfg.sft.accumulation
    sizes = {"micro_batch": micro_batch, "accumulation": total // micro_batch}
    return cfg.model_copy(update={"sft": cfg.sft.model_copy(update=sizes)})


def _what_else(cfg: Config) -> str:
    """Return what takes memory besides the batch, as far as this config can give it up."""
    cures = [f"lower model.max_length ({cfg.model.max_length})"]
    if not cfg.sft.trainer.get("gradient_checkpointing", True):
        cures.append("set sft.trainer.gradient_checkpointing: true")
    if cfg.model.lora is None:
        cures.append("give model.lora a rank")
    elif cfg.model.quantization != "4bit":
        cures.append("set model.quantization: 4bit")
    return ", ".join(cures)
