"""Rewards: completions and dataset columns → one score per completion.

A reward is a plain function with TRL's own signature,

    def my_reward(prompts, completions, gold_sql, *, bonus: float = 1.0, **_) -> list[float | None]: ...

where every list has length B = prompts × generations, keyword-only parameters are its settings and None means
"cannot judge this one".  Three of these are the run's to tell where a reward has them: `sandbox` (the config's section,
with the limits of queries), `answer` (`data.answer`) and `max_completion_length`.  A reward that is used often gets a
line in BUILTIN.
"""

from rewards.load import BUILTIN, load_reward

__all__ = ["BUILTIN", "load_reward"]
