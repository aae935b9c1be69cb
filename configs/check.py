"""Everything that is wrong with a config, found before anything heavy is loaded."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from configs.errors import ConfigError
from configs.load import load_config, read_config, schema_problems
from configs.loggers import logger_problems
from configs.presets import names, read_preset
from configs.schema import Config
from configs.trainer import trainer_problems

LoadReward = Callable[[str, dict[str, object], Config | None], object]


def check_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Return the checked config of a run; a ConfigError has a line for every problem, TRL's options too."""
    if found := problems(path, overrides):
        raise ConfigError("\n".join(found))
    return load_config(path, overrides)


def problems(path: str | Path, overrides: Sequence[str] = (), load_reward: LoadReward | None = None) -> list[str]:
    """Return a line for every problem of a config, each headed by its file; empty when all is well.

    load_reward: `rewards.load_reward`, from callers that may import it, tries each reward.
    """
    try:
        data = read_config(path, overrides)
    except ConfigError as error:
        return str(error).splitlines()
    found: list[str] = []
    cfg = None
    try:
        cfg = Config.model_validate(data)
    except ValidationError as error:
        found += schema_problems(error)
    for stage in ("sft", "rl"):
        found += trainer_problems(stage, _at(data, stage, "trainer"))
        found += logger_problems(stage, _at(data, stage, "trainer", "report_to"))
    if load_reward:
        found += _reward_problems(_at(data, "rl", "rewards"), load_reward, cfg)
    return [f"{path}: {line}" for line in found]


def summary(cfg: Config) -> str:
    """Return a run in one line: model, data, and how much each stage does."""
    model, rl = cfg.model, cfg.rl
    quantised = "" if model.quantization == "none" else f" {model.quantization}"
    return (
        f"{model.name}{quantised} ({model.backend}), {cfg.data.source} questions, "
        f"{cfg.distill.traces} traces by {cfg.distill.model or cfg.distill.teacher}, "
        f"sft {_length(cfg.sft.trainer)}{cfg.sft.micro_batch * cfg.sft.accumulation} traces a step, "
        f"rl {_length(rl.trainer)}{rl.prompts_per_step} × {rl.generations} completions a step, "
        f"rewards {' + '.join(f'{reward.weight:g} {reward.name}' for reward in rl.rewards)}, "
        f"{cfg.evaluation.questions} test questions → {cfg.folder}"
    )


def _length(trainer: dict) -> str:
    """Return how long a trainer goes on, where its options say so.

    >>> _length({"max_steps": 300}), _length({"num_train_epochs": 1}), _length({})
    ('300 steps, ', '1 epoch, ', '')
    """
    if trainer.get("max_steps", -1) > 0:
        return f"{trainer['max_steps']} steps, "
    epochs = trainer.get("num_train_epochs")
    return f"{epochs:g} epoch{'' if epochs == 1 else 's'}, " if epochs else ""


def _at(data: object, *keys: str) -> object:
    """Return what stands under `keys`, or None where the way there is not a mapping."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _reward_problems(rewards: object, load_reward: LoadReward, cfg: Config | None) -> list[str]:
    if rewards is None:
        rewards = [reward.model_dump() for reward in Config(name="defaults").rl.rewards]
    if isinstance(rewards, str) and rewards in names():
        rewards = read_preset(rewards)
    found: list[str] = []
    for number, reward in enumerate(rewards if isinstance(rewards, list) else []):
        name, params = _at(reward, "name"), _at(reward, "params") or {}
        if not isinstance(name, str) or not isinstance(params, dict):
            continue  # the schema reports it
        try:
            load_reward(name, params, cfg)
        except ConfigError as error:
            found.append(f"rl.rewards[{number}]: {error}")
    return found
