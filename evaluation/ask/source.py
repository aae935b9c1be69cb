"""Who is asked: what MODEL names, found from files alone, before anything heavy is loaded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

from configs.errors import ConfigError
from configs.evaluation_schema import Server, Stage
from configs.files import read_json
from configs.load import schema_problems
from configs.schema import Config
from models.server import host_of
from models.sources import MADE_HERE
from models.trained import (
    ACCOUNT,
    check_trained,
    kind,
    last_folder,
    newest_trained,
    run_config,
    trained_folder,
)
from tasks.show import stage_folder

SERVED_LENGTH = 32_768
"""Longest prompt and answer that a server is taken to allow, tokens, where nothing else is said."""
OPEN = frozenset({"model.dtype", "model.max_length"})
PLAIN = {
    "name": "ask",
    "model": {"backend": "transformers", "quantization": "none"},
    "rl": {"max_prompt_length": 16, "max_completion_length": 8},  # the least, as model.max_length must hold both
}
SETTABLE = ("data.schema_style", "data.sample_values", "data.answer", "model", "evaluation.max_new_tokens", "sandbox")
"""Keys and sections of a config that matter to one who asks."""


@dataclass(frozen=True)
class Source:
    """A model and how it is asked.

    name: for people.
    cfg: how prompts are made and how long they and the answers may be; of a run, its own.
    trained: the folder of what a stage trained; none for the base model, a merged one, or a server's.
    server: where the model is, unless it is here.
    open: which of OPEN are for the machine and the model's own settings to say, not for cfg.
    """

    name: str
    cfg: Config
    trained: Path | None = None
    server: Server | None = None
    open: frozenset[str] = frozenset()


def find_source(
    model: str, stage: Stage | None = None, changes: Sequence[str] = (), server: Server | None = None
) -> Source:
    """Return what `model` names: a run, a model's folder, a model of the hub, or one that `server` has.

    stage: of a run, none for the newest.
    changes: of the config, as section.key=value.
    """
    run = _run_folder(model)
    if run and not server:
        return _of_run(run, stage, changes)
    if stage:
        raise ConfigError(f"--stage {stage}: a run alone has stages, and {model!r} is none here; leave --stage out")
    if server:
        return _served(run, server, changes)
    settings, adapter = {"model": {"name": model}}, None
    if Path(model).is_dir():
        settings, adapter = _of_folder(Path(model))
    elif model not in MADE_HERE and not _hub_name(model):
        raise ConfigError(
            f"MODEL {model!r}: no such run, folder or model; give a run (its folder, or its name in runs/), "
            f"a model's folder, a hub name (owner/name), or one of {', '.join(sorted(MADE_HERE))}"
        )
    cfg = _plain(settings)
    said = {change.partition("=")[0] for change in changes} | {f"model.{key}" for key in settings["model"]}
    return Source(model, changed(cfg, changes), adapter, open=OPEN - said)


def _served(run: Path | None, server: Server, changes: Sequence[str]) -> Source:
    """Return a model behind a server; one that is a run or an export here is asked as that was trained."""
    if not host_of(server.base_url):
        raise ConfigError(f"--base-url: {server.base_url!r} is not an address; write it as http://host:port/v1")
    settings = {"model": {"name": server.model, "max_length": SERVED_LENGTH}}
    if (Path(server.model) / ACCOUNT).is_file():
        settings = OmegaConf.merge(settings, _account(Path(server.model)))
    return Source(server.model, changed(run_config(run) if run else _plain(settings), changes), server=server)


def _plain(settings: dict) -> Config:
    """Return the config of a model that no run says more of than `settings`."""
    return _checked(OmegaConf.to_container(OmegaConf.merge(PLAIN, settings)), ACCOUNT)


def _checked(data: dict, where: str) -> Config:
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{where} {line}" for line in schema_problems(error))) from None


def changed(cfg: Config, changes: Sequence[str]) -> Config:
    """Return the config with each section.key=value of `changes` put in."""
    for change in changes:
        key, equals, _ = change.partition("=")
        if not equals or not any(key == each or key.startswith(f"{each}.") for each in SETTABLE):
            raise ConfigError(f"--set {change!r}: write KEY=VALUE with a key of or in {', '.join(SETTABLE)}")
    try:
        merged = OmegaConf.merge(OmegaConf.create(cfg.model_dump(mode="json")), OmegaConf.from_dotlist([*changes]))
        return _checked(OmegaConf.to_container(merged, resolve=False), "--set")
    except ConfigError:
        raise
    except (OmegaConfBaseException, YAMLError, ValueError, TypeError) as error:
        raise ConfigError(f"--set {' '.join(changes)}: {' '.join(str(error).split())}") from None


def _run_folder(model: str) -> Path | None:
    """Return the folder of the run that is named, by itself, in runs/ or in a config; None where it is no run."""
    try:
        folder = stage_folder(model, "rl").parent
    except ConfigError:
        if Path(model).suffix in (".yaml", ".yml"):
            raise
        return None
    file = folder / "config.json"
    return folder if file.is_file() and "config" in read_json(file) else None


def _of_run(run: Path, stage: Stage | None, changes: Sequence[str]) -> Source:
    cfg = run_config(run).model_copy(update={"runs": str(run.resolve().parent), "name": run.resolve().name})
    cfg = changed(cfg, changes)
    if stage is None:
        stage, trained = newest_trained(run, cfg.model)
    else:
        trained = trained_folder(run, stage, cfg.model)
        if trained and not (last := last_folder(run, stage, cfg.model)).is_dir():
            raise ConfigError(f"--stage {stage}: {last} is missing; run python -m {stage} first")
        if trained:
            check_trained(trained, cfg.model)
    return Source(f"{cfg.name} {stage}", cfg, trained)


def _of_folder(folder: Path) -> tuple[dict, Path | None]:
    """Return how the model in a folder is asked, a part of a config, and the folder again if it is an adapter's."""
    settings = _account(folder)
    stage = folder.resolve().parent
    if stage.name in get_args(Stage) and (stage.parent / "config.json").is_file():
        trained = kind(run_config(stage.parent).model)
        raise ConfigError(
            f"MODEL {folder} is the {trained} of a run; give the run: {stage.parent} --stage {stage.name}"
        )
    if (folder / "config.json").is_file():
        return settings | {"model": settings["model"] | {"name": str(folder)}}, None
    if not (folder / "adapter_config.json").is_file():
        gguf = "; a GGUF file is for a server, as llama.cpp's: --base-url" if [*folder.glob("*.gguf")] else ""
        raise ConfigError(f"MODEL {folder}: neither a run nor a model there (config.json is missing){gguf}")
    saved = read_json(folder / "adapter_config.json")
    try:
        lora = {"r": saved["r"], "alpha": saved["lora_alpha"], "rslora": saved["use_rslora"]}
        lora |= {"targets": saved["target_modules"], "dora": saved.get("use_dora", False)}
        name = saved["base_model_name_or_path"]
    except KeyError as error:
        raise ConfigError(f"MODEL {folder}: its adapter_config.json has no {error}; planql can't load it") from None
    return settings | {"model": settings["model"] | {"name": name, "lora": lora}}, folder


def _account(folder: Path) -> dict:
    """Return what an export says of how it was asked, a part of a config; there is always `model` in it."""
    told = read_json(folder / ACCOUNT).get("config", {}) if (folder / ACCOUNT).is_file() else {}
    if not isinstance(told, dict) or not isinstance(told.setdefault("model", {}), dict):
        raise ConfigError(f"{folder / ACCOUNT}: its config is not one; export again")
    return told


def _hub_name(model: str) -> bool:
    """Tell whether `model` can be a hub name, owner/name, rather than a path that is wrong.

    >>> _hub_name("Qwen/Qwen3-4B"), _hub_name("runs/demo"), _hub_name("demo")
    (True, False, False)
    """
    owner = Path(model).parent
    is_path = owner.is_dir() or str(owner) == Config.model_fields["runs"].default
    return re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model) is not None and not is_path
