"""What several processes of one training have to agree on."""

from collections.abc import Callable
from typing import TypeVar

from configs.ranks import processes, rank

Made = TypeVar("Made")


def from_first(make: Callable[[], Made]) -> Made:
    """Return, in every process, what the first one makes; the others wait for it."""
    if processes() == 1:
        return make()
    import torch
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState(cpu=not torch.cuda.is_available())
    made = [make() if rank() == 0 else None]
    broadcast_object_list(made)
    return made[0]


def of_all(mine: list) -> list:
    """Return the items of every process's list, in every process."""
    if processes() == 1:
        return mine
    from accelerate.utils import gather_object

    return gather_object(mine)
