"""Which rewards a word on the command line stands for: a config, a preset, or one reward."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from configs.check import check_config
from configs.errors import ConfigError
from configs.schema import Config, Reward
from rewards.load import BUILTIN
from rewards.score import Scorer

PRESETS = Path(__file__).parents[1] / "configs" / "rewards"


@dataclass(frozen=True)
class Chosen:
    """Rewards that were asked for.

    title: for the head of a table.  config: of the run; one of defaults where only rewards were named.
    is_sum: whether they are all that a model is trained with, so that the right answer must come first.
    folder: of the config, where files of rewards are looked for.
    """

    title: str
    rewards: tuple[Reward, ...]
    config: Config
    is_sum: bool
    folder: Path | None = None

    def with_rewards(self, names: Sequence[str]) -> "Chosen":
        """Return these rewards in place of the config's, each with weight 1; the same where no name is given."""
        if not names:
            return self
        rewards = tuple(Reward(name=name) for name in names)
        return replace(self, title=f"{self.title.partition(':')[0]}: {_summed(rewards)}", rewards=rewards)

    def scorer(self, **settings: Any) -> Scorer:
        """Return them loaded, with the run's settings as training passes them, but for those given here."""
        return Scorer.of_run(self.config, self.rewards, self.folder, **settings)


def chosen(word: str, overrides: Sequence[str] = ()) -> Chosen:
    """Return the rewards of a config (FILE.yaml), of a preset by its name, or one reward by its name or place."""
    if word.endswith((".yaml", ".yml")):
        cfg = check_config(word, overrides)
        return Chosen(f"{word}: {_summed(cfg.rl.rewards)}", tuple(cfg.rl.rewards), cfg, True, Path(word).parent)
    if overrides:
        raise ConfigError(f"{overrides[0]!r}: overrides are for a config, and {word!r} is none")
    if ":" in word or word in BUILTIN:
        rewards = (Reward(name=word),)
        return Chosen(f"reward {word}", rewards, Config(name="reward"), is_sum=False)
    cfg = preset(word)
    return Chosen(f"preset {word}: {_summed(cfg.rl.rewards)}", tuple(cfg.rl.rewards), cfg, is_sum=True)


def preset(name: str) -> Config:
    """Return a config of defaults with the rewards of a preset."""
    presets = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    if name not in presets:
        raise ConfigError(
            f"{name!r} is no preset ({', '.join(presets)}), no built-in reward ({', '.join(BUILTIN)}), "
            "no config (FILE.yaml) and no reward of your own (my_reward.py:function)"
        )
    return Config.model_validate({"name": name, "rl": {"rewards": name}})


def _summed(rewards: Sequence[Reward]) -> str:
    return " + ".join(f"{reward.weight:g} {reward.name}" for reward in rewards)
