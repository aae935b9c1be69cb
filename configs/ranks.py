"""One training in several processes: which of them this one is, as accelerate and torchrun tell in the environment."""

import os


def rank() -> int:
    """Return this process's number; 0 is the one that writes and speaks, also where there is no other."""
    return int(os.environ.get("RANK", 0))


def processes() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", 1))
