"""What must be set before torch, transformers, TRL or Unsloth are imported."""

import importlib.util
import logging
import os
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path

from configs.errors import ConfigError
from configs.schema import Config
from models.sources import needs_no_hub


def prepare(cfg: Config, *, generates: bool = False) -> None:
    """Set the environment for this run's model, then import Unsloth if the config asks for it.

    Unsloth replaces parts of TRL, transformers and PEFT and therefore comes first; its generated code goes to
    the run folder, never into the working directory.  With a local model the hub is not asked at all: each
    load would otherwise wait for it to time out.

    generates: this stage generates with vLLM, where the config asks for it.
    """
    if generates and cfg.model.vllm:
        for package in ("vllm", *(["vllm_bnb_plugin"] if cfg.model.quantization == "4bit" else [])):
            if importlib.util.find_spec(package) is None:
                raise ConfigError(
                    f"model.vllm: {package} is not installed; pip install -c constraints.txt -e '.[gpu]', "
                    "or model.vllm=false"
                )
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
        "sqlglot",
    ):  # they report optional parts that are missing on CPU, and what they cannot parse
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    # PEFT looks for the base model's config under the name that the config gives, at every save.
    warnings.filterwarnings("ignore", message="Could not find a config file in")
    if cfg.model.backend == "unsloth":
        os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(Path(cfg.folder, "unsloth").absolute()))
        os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
        if generates and cfg.model.vllm:
            os.environ.setdefault("UNSLOTH_VLLM_STANDBY", "1")  # vLLM sleeps while the trainer computes
        with redirect_stdout(sys.stderr):  # stdout is for data
            import unsloth  # noqa: F401 (before trl, transformers and peft)
