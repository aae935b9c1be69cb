"""What must be set before torch, transformers, TRL or Unsloth are imported."""

import logging
import os
import warnings
from pathlib import Path

from configs.schema import Config, Model
from models.sources import needs_no_hub


def prepare(cfg: Config) -> None:
    """Set the environment for this run's model, then import Unsloth if the config asks for it.

    Unsloth replaces parts of TRL, transformers and PEFT and therefore comes first; its generated code goes to
    the run folder, never into the working directory.  With a local model the hub is not asked at all: each
    load would otherwise wait for it to time out.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    if needs_no_hub(cfg.model.name):
        os.environ["HF_HUB_OFFLINE"] = "1"
    for name in (
        "torchao",
        "torch.utils._pytree",
        "bitsandbytes",
    ):  # they report optional parts that are missing on CPU
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    # PEFT looks for the base model's config under the name that the config gives, at every save.
    warnings.filterwarnings("ignore", message="Could not find a config file in")
    if cfg.model.backend == "unsloth":
        os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(Path(cfg.folder, "unsloth").absolute()))
        os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
        if cfg.model.vllm:
            os.environ.setdefault("UNSLOTH_VLLM_STANDBY", "1")  # vLLM sleeps while the trainer computes
        import unsloth  # noqa: F401 (before trl, transformers and peft)


def precision(cfg: Model, seed: int) -> dict[str, object]:
    """Return the trainer options that follow from the model's type, the machine and the seed."""
    import torch

    gpu = torch.cuda.is_available()
    return {
        "bf16": gpu and cfg.dtype == "bfloat16",
        "fp16": gpu and cfg.dtype == "float16",
        "use_cpu": not gpu,
        "seed": seed,
        "dataloader_pin_memory": gpu,
        "disable_tqdm": True,
    }
