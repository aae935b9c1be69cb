"""What loss and logits need at their peak, by who computes them.

In the formulas: t tokens of a micro-batch, c those of its completions, v vocabulary, h hidden, b bytes of a number.
"""

from typing import Literal

from budget.shapes import Shape

Loss = Literal["chunked_nll", "nll", "grpo", "chunked_grpo", "fused"]
"""SFT's in chunks (TRL's default) and in full, GRPO's in full (TRL's default) and in tiles (`use_liger_kernel`), and
Unsloth's, which is the same for both."""

GIB = 2**30
CHUNK_TOKENS = 256
"""Tokens whose logits TRL 1.14.2's chunked loss makes at a time (`trl.trainer.sft_trainer`)."""
TILE_TOKENS, TILE_WORDS = 2048, 8192
"""Of the logits that TRL 1.14.2 makes at a time with `use_liger_kernel` (`trl.trainer.utils`)."""
FUSED_ROWS = (512, 4096)
"""Fewest and most tokens whose logits Unsloth makes at a time (`fused_linear_rows`, 2026.10.9)."""
FUSED_BYTES = 2 * GIB
"""Of logits that Unsloth makes at a time, at most."""


def loss_bytes(shape: Shape, loss: Loss, tokens: int, scored: int, number_bytes: int) -> int:
    """Return the bytes of logits, loss and their gradients at the highest moment.

    tokens: of the micro-batch; scored: those of them that have a loss.
    """
    if loss == "fused":
        return fused_bytes(shape, tokens, scored, number_bytes)
    if loss == "chunked_nll":
        return 16 * min(tokens, CHUNK_TOKENS) * shape.vocab + 2 * number_bytes * tokens * shape.hidden
    if loss == "nll":
        return 12 * tokens * shape.vocab
    if loss == "chunked_grpo":
        tile = min(scored, TILE_TOKENS) * TILE_WORDS
        return 22 * tile + 4 * TILE_WORDS * shape.hidden + (4 + 2 * number_bytes) * scored * shape.hidden
    return 16 * scored * shape.vocab


def fused_rows(shape: Shape, tokens: int) -> int:
    """Return how many tokens' logits Unsloth makes at a time: `fused_linear_rows` in unsloth_zoo's fused_linear.py.

    A power of two near t·h/v, at least as many as make 512 rows of 151,936 words, at most 4,096 and 2 GiB of float32.

    >>> fused_rows(Shape("llama", 28, 3072, 8192, 24, 8, 128, 128_256, True), 8192)
    512
    """
    least = min(max(_power_of_two(512 * 151_936 / shape.vocab), FUSED_ROWS[0]), FUSED_ROWS[1])
    rows = min(max(_power_of_two(tokens * shape.hidden / shape.vocab), least), FUSED_ROWS[1])
    return max(1, min(rows, FUSED_BYTES // (4 * shape.vocab), tokens))


def fused_bytes(shape: Shape, tokens: int, scored: int, number_bytes: int) -> int:
    """Return the bytes of Unsloth's loss: one buffer of float32 logits, whose gradient is written into it, 4·rows·v;
    the hidden states and their gradient, 2b·t·h, and the gradient in float32 while it is summed, 4·c·h."""
    return 4 * fused_rows(shape, scored) * shape.vocab + (2 * number_bytes * tokens + 4 * scored) * shape.hidden


def _power_of_two(number: float) -> int:
    """Return the largest power of two that is not above the number, at least 1."""
    return 1 << max(0, int(number).bit_length() - 1)
