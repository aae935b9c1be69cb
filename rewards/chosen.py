"""Which rewards a word on the command line stands for: a config, a preset, or one reward."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from configs.check import check_config
from configs.errors import ConfigError
from configs.presets import names
from configs.schema import Config, Reward
from rewards.load import BUILTIN


@dataclass(frozen=True)
class Chosen:
    """Rewards that were asked for.

    word: what they were asked for by.  config: with these rewards, and of defaults where only they were named.
    is_sum: whether they are all that a model is trained with, so that the right answer must come first.
    """

    word: str
    config: Config
    is_sum: bool

    @property
    def title(self) -> str:
        """For the head of a table."""
        return f"{self.word}: {' + '.join(f'{reward.weight:g} {reward.name}' for reward in self.config.rl.rewards)}"

    def with_rewards(self, names: Sequence[str]) -> "Chosen":
        """Return these rewards in place of the config's, each with weight 1; the same where no name is given."""
        if not names:
            return self
        rl = self.config.rl.model_copy(update={"rewards": [Reward(name=name) for name in names]})
        return replace(self, config=self.config.model_copy(update={"rl": rl}))


def chosen(word: str, overrides: Sequence[str] = ()) -> Chosen:
    """Return the rewards of a config (FILE.yaml), of a preset by its name, or one reward by its name or place."""
    if word.endswith((".yaml", ".yml")):
        return Chosen(word, check_config(word, overrides), is_sum=True)
    if overrides:
        raise ConfigError(f"{overrides[0]!r}: overrides are for a config, and {word!r} is none")
    if ":" in word or word in BUILTIN:
        return Chosen("reward", Config(name="reward"), is_sum=False).with_rewards([word])
    if word not in names():
        raise ConfigError(
            f"{word!r} is no preset ({', '.join(names())}), no built-in reward ({', '.join(BUILTIN)}), "
            "no config (FILE.yaml) and no reward of your own (my_reward.py:function)"
        )
    return Chosen(f"preset {word}", Config.model_validate({"name": word, "rl": {"rewards": word}}), is_sum=True)
