"""What to change where GRPO runs out of memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from configs.errors import ConfigError
from configs.ranks import processes
from configs.schema import Config
from models.room import heavy_weights, out_of_memory, shortage, smaller


@contextmanager
def more_room(cfg: Config) -> Iterator[None]:
    """Turn a failed allocation within into advice."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise ConfigError(advice(cfg, error)) from error


def advice(cfg: Config, error: BaseException) -> str:
    """Return what to change; a smaller micro batch leaves the step as it is, so the same command goes on with it."""
    rl, what = cfg.rl, shortage(error)
    less = smaller(rl.micro_batch, rl.prompts_per_step * rl.generations // processes())
    if "loading the model" in what:
        cure = heavy_weights(cfg.model)
    elif "the answers" in what:
        cure = (
            f"lower rl.max_completion_length ({rl.max_completion_length}), rl.prompts_per_step ({rl.prompts_per_step}) "
            f"or rl.generations ({rl.generations}), and give --fresh"
        )
    elif less is None:
        cure = (
            f"rl.micro_batch is 1: lower rl.max_completion_length ({rl.max_completion_length}) or "
            f"rl.max_prompt_length ({rl.max_prompt_length}), or set model.quantization: 4bit, and give --fresh"
        )
    else:
        cure = (
            f"halve rl.micro_batch to {less}: the step stays the same. The same command with rl.micro_batch={less} "
            "goes on from the last checkpoint"
        )
    return f"{what}; {cure}"
