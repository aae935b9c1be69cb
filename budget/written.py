"""A config with sizes that fit, as a new file beside the one that it comes from."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from omegaconf import OmegaConf

from budget.gpus import Gpu
from configs.errors import ConfigError
from configs.files import write_whole
from configs.load import read_config

HEAD = """\
# {config}{overrides}, with sizes that fit one {gpu}.
# Made by: python -m budget {config} --gpu {name} --fit {file}
# Estimated, not measured.  Changed: {changes}

"""


def write_fitted(file: Path, config: str, overrides: Sequence[str], changes: dict[str, object], gpu: Gpu) -> None:
    """Write what `config` and its overrides say, with the changes, to a new file; ConfigError where one is there."""
    if file.exists():
        raise ConfigError(f"--fit {file}: is there already; name a new file")
    data = read_config(config, overrides)
    for key, value in changes.items():
        *sections, last = key.split(".")
        reduce(lambda at, name: at.setdefault(name, {}), sections, data)[last] = value
    head = HEAD.format(
        config=config,
        overrides="".join(f" {override}" for override in overrides),
        gpu=gpu.title,
        name=gpu.name,
        file=file,
        changes=", ".join(f"{key}: {value}" for key, value in changes.items()) or "nothing",
    )
    try:
        write_whole(file, head + OmegaConf.to_yaml(OmegaConf.create(data)))
    except OSError as error:
        raise ConfigError(f"--fit {file}: can't be written ({error.strerror}); give another place") from None
