"""How much memory a stage has held at most, for its state.json."""

import resource

import torch

GIB = 2**30


def peak_memory() -> dict[str, float]:
    """Return the most that this process has held so far, in GiB: on the GPU what torch reserved and what it used of it,
    else what the process had in memory (RSS).

    Reserved is what `nvidia-smi` shows, but for the CUDA context and what is allocated past torch.
    """
    if torch.cuda.is_available():
        held = {
            "peak_reserved_gib": torch.cuda.max_memory_reserved(),
            "peak_allocated_gib": torch.cuda.max_memory_allocated(),
        }
    else:
        held = {"peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}  # Linux counts in KiB
    return {name: round(number / GIB, 3) for name, number in held.items()}
