"""What several processes of one training have to agree on."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from configs.ranks import processes, rank

Made = TypeVar("Made")


def from_first(make: Callable[[], Made]) -> Made:
    """Return, in every process, what the first one makes; the others wait for it."""
    if processes() == 1:
        return make()
    from accelerate.utils import broadcast_object_list

    _meet()
    made = [make() if rank() == 0 else None]
    broadcast_object_list(made)
    return made[0]


def of_all(mine: list) -> list:
    """Return the items of every process's list, in every process."""
    if processes() == 1:
        return mine
    from accelerate.utils import gather_object

    return gather_object(mine)


@cache
def _meet() -> None:
    """Connect the processes."""
    import torch
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available())
    # A checkpoint is loaded to the process's device, which accelerate calls cpu:1 and torch.load does not know.
    torch.serialization.register_package(
        5, lambda storage: None, lambda storage, device: storage if device.startswith("cpu:") else None
    )
