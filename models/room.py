"""Out of memory, in words: where it was, how much there was, and the smaller batch that leaves the step as it is."""

import traceback

import torch
from accelerate.utils.memory import release_memory

from configs.ranks import processes, rank
from configs.schema import Model
from configs.screen import console
from models.peak import GIB, peak_memory

PLACES = {
    "from_pretrained": "loading the model",
    "generate": "the answers",
    "evaluation_loop": "an evaluation",
    "backward": "the backward pass",
}
"""Function → the part of the training that it is."""
WORDS = ("out of memory", "can't allocate memory", "STATUS_ALLOC_FAILED")
"""What a RuntimeError says of a failed allocation: CUDA's runtime, its allocator and Triton; the CPU's; cuBLAS's."""


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an allocation failed, on a GPU or a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)


def shortage(error: BaseException) -> str:
    """Return what happened: where, and the most that was held before it.

    It is said by the process that it happened to, which need not be the first of several.
    """
    console.quiet = False
    where = f" of process {rank()}" if processes() > 1 else ""
    return f"out of memory in {place(error)}{where}; the peak before it was {_peak()}"


def heavy_weights(cfg: Model) -> str:
    """Return what to change where the weights alone are too large, and a smaller batch is no help.

    >>> heavy_weights(Model(quantization="8bit")), heavy_weights(Model(lora=None, quantization="none"))
    ('set model.quantization: 4bit', 'give model.lora a rank and set model.quantization: 4bit')
    """
    if cfg.quantization == "4bit":
        return f"take a smaller model than {cfg.name}, or end what else holds memory there"
    return ("" if cfg.lora else "give model.lora a rank and ") + "set model.quantization: 4bit"


def place(error: BaseException) -> str:
    """Return the part of a step in which an error came up, by the functions that it went through."""
    frames = [(frame.f_code.co_filename, frame.f_code.co_name) for frame, _ in traceback.walk_tb(error.__traceback__)]
    names = {name for _, name in frames}
    if any("/optim/" in file for file, _ in frames):
        return "the optimizer"
    for name, words in PLACES.items():
        if name in names:
            return words
    if any(_computes_loss(file, name) for file, name in frames):
        return "the loss"
    return "the forward pass" if "forward" in names else "the training"


def smaller(micro_batch: int, total: int) -> int | None:
    """Return the largest divisor of `total` that is at most half of `micro_batch`, None where there is none.

    total: what a step takes, micro_batch × accumulation, which stays as it is.

    >>> smaller(4, 8), smaller(3, 6), smaller(6, 36), smaller(1, 8)
    (2, 1, 3, None)
    """
    return max((size for size in range(1, micro_batch // 2 + 1) if total % size == 0), default=None)


def free() -> None:
    """Give back what failed had held; only once its error is forgotten, which holds on to all of it."""
    release_memory()


def _computes_loss(file: str, name: str) -> bool:
    """Tell whether a function is one of the loss's own; the trainers' compute_loss holds the whole forward.

    >>> _computes_loss("sft_trainer.py", "_chunked_cross_entropy_loss"), _computes_loss("a.py", "compute_loss")
    (True, False)
    """
    return "cross_entropy" in name or name == "selective_log_softmax" or file.endswith("loss_utils.py")


def _peak() -> str:
    """Return the most memory that this process has held, of how much where that is known."""
    held = peak_memory()
    if torch.cuda.is_available():
        total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
        return f"{held['peak_allocated_gib']:.1f} of {total / GIB:.1f} GiB"
    return f"{held['peak_rss_gib']:.1f} GiB"
