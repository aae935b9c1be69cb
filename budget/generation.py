"""What generation needs: weights, keys and values, and what vLLM reserves.

In the formulas: B answers at a time, s tokens of a prompt and its answer, L layers, k width of all key heads,
v vocabulary, b bytes of a number.
"""

from dataclasses import dataclass

from budget.layers import NUMBER_BYTES
from budget.memory import lora_parameters, weights_bytes
from budget.shapes import Shape
from configs.schema import Model

GIB = 2**30
STANDBY_SHARES = ((40, 0.925), (25, 0.9), (20, 0.825), (14, 0.8), (10, 0.775), (0, 0.75))
"""GiB of a GPU, at least → share of it that Unsloth gives vLLM in Standby, before 5 % less: `load_vllm` in
unsloth_zoo/vllm_utils.py.  model.vllm_memory says nothing there."""
STANDBY_LESS = 0.95
ENGINE_SHARE = 0.9
"""Of the GPU, for vLLM alone: `models.engine.MEMORY`, which is too heavy to ask."""
GRAPH_BYTES = (round(0.15 * GIB), GIB)
"""Fewest and most of vLLM's CUDA graphs; between them 172 graphs of 4·h·L each: `approximate_vllm_memory_usage`."""
KV_USED = 0.95
"""Share of what is left that Unsloth takes for keys and values, there too."""


@dataclass(frozen=True)
class Generation:
    """Bytes that generation needs beside weights."""

    cache_bytes: int
    logits_bytes: int
    activations_bytes: int


def kv_bytes_per_token(shape: Shape, number_bytes: int = 2) -> int:
    """Return the bytes of a token's keys and values in all layers, 2·b·k·L.

    >>> kv_bytes_per_token(Shape("llama", 32, 4096, 14336, 32, 8, 128, 128_256, False)) * 20 * 1024 / GIB
    2.5
    """
    return 2 * number_bytes * shape.layers * shape.kv_heads * shape.head_dim


def plain_generation(shape: Shape, model: Model, answers: int, prompt: int, new: int) -> Generation:
    """Return what `generate` of transformers needs, or Unsloth's own, for B answers at once.

    Cache: 2·b·k·L·s·B, and one layer's keys or values once more, while a token is put behind them.  Logits: of the
    last token only, B·v, in b bytes, as float32, and as the log-probabilities that are sampled from.
    Activations: the prompt's pass, in its widest layer: the stream three times, and gate, up and their product.
    """
    b = NUMBER_BYTES[model.dtype] if model.lora else 4  # what is trained whole is float32
    each = kv_bytes_per_token(shape, b) * (prompt + new) * answers
    return Generation(
        cache_bytes=each + each // shape.layers,
        logits_bytes=answers * shape.vocab * (b + 4 + 4),
        activations_bytes=answers * prompt * b * (3 * shape.hidden + 3 * shape.intermediate),
    )


def vllm_share(gpu_bytes: int, model: Model, standby: bool) -> float:
    """Return the share of the GPU that vLLM may fill, weights and all.

    >>> round(vllm_share(24 * GIB, Model(), standby=True), 3)
    0.784
    """
    if not standby:
        return model.vllm_memory
    return STANDBY_LESS * next(share for least, share in STANDBY_SHARES if gpu_bytes >= least * GIB)


def graph_bytes(shape: Shape) -> int:
    """Return the bytes of vLLM's CUDA graphs."""
    least, most = GRAPH_BYTES
    return min(max(172 * 4 * shape.hidden * shape.layers, least), most)


def vllm_cache_bytes(shape: Shape, model: Model, gpu_bytes: int, share: float, longest: int) -> int:
    """Return the bytes that vLLM keeps for keys and values: what its share leaves, at least one sequence.

    longest: tokens of the longest sequence.
    """
    adapter = 2 * lora_parameters(shape, model.lora) if model.lora else 0
    left = share * gpu_bytes - weights_bytes(shape, model) - adapter - graph_bytes(shape)
    return max(int(KV_USED * left), kv_bytes_per_token(shape) * longest)
