"""The peak memory of one SFT step with LoRA, by arithmetic; `budget.trace` runs the real model code to check it.

Counted is what plain transformers, PEFT and TRL keep.  Unsloth's kernels keep less: for it this is an upper bound.
Activations are those of 16-bit training on a GPU: in float32, as the CPU profiles train, they are about twice as many.
In the formulas: t tokens of a micro-batch, s their length, h hidden, i intermediate, q and k the widths of all
query and all key heads, v vocabulary, n numbers of the adapter, r its rank, L layers.
"""

from dataclasses import dataclass, fields

from budget.shapes import Shape
from configs.schema import Lora, Model

GIB = 2**30
CUDA_CONTEXT_BYTES = GIB // 2
"""Of the driver and the kernels of one process.  Not measured: it differs with GPU, driver and torch."""
MARGIN_SHARE = 0.1
"""Of all the rest, for what the allocator loses between blocks.  Not measured."""
CHUNK_TOKENS = 256
"""Tokens whose logits TRL 1.14.2's chunked loss makes at a time (`trl.trainer.sft_trainer`)."""
FULL_LOSS_BYTES = 12
"""Per token and word: float32 log-probabilities, and in the backward pass two gradients of the same size."""
CHUNK_LOSS_BYTES = 16
"""Per token of a chunk and word: float32 logits, their log-probabilities, probabilities, and the product of both."""
NUMBER_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}


@dataclass(frozen=True)
class Memory:
    """Bytes by what they hold, at the moment of a step when most are needed."""

    weights_bytes: int
    lora_bytes: int
    """Float32, and the 16-bit copies that autocast makes for the length of a pass."""
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    """Kept for the backward pass, or worked on in it."""
    logits_bytes: int
    """Of logits, loss and their gradients at that moment; 0 where a layer's backward pass needs more."""
    context_bytes: int = CUDA_CONTEXT_BYTES
    """Not measured."""

    @property
    def tensors_bytes(self) -> int:
        """Bytes of all tensors: without the CUDA context and the margin."""
        return sum(getattr(self, each.name) for each in fields(self) if each.name != "context_bytes")

    @property
    def margin_bytes(self) -> int:
        """Bytes set aside for what the allocator loses.  Not measured."""
        return round(MARGIN_SHARE * self.tensors_bytes)

    @property
    def total_bytes(self) -> int:
        """Bytes that the GPU must have."""
        return self.tensors_bytes + self.context_bytes + self.margin_bytes


def sft_memory(
    shape: Shape,
    model: Model,
    *,
    micro_batch: int,
    length: int,
    checkpointing: bool = True,
    chunked_loss: bool = True,
    padded: bool = True,
    optimizer: str = "adamw_torch_fused",
) -> Memory:
    """Return the peak of a step on `micro_batch` sequences of `length` tokens, each as long as the longest.

    The peak is in the loss or in a layer's backward pass, whichever needs more beside what is kept:
    kept + max(loss, layer).  Kept are the layers' activations, or with checkpointing their inputs, 2·t·h·L.
    padded: with a padding mask, as a micro-batch of more than one sequence has.
    """
    tokens, lora = micro_batch * length, model.lora
    numbers = lora_parameters(shape, lora)
    layer = tokens * layer_bytes_per_token(shape, lora, length=length, padded=padded)
    at_work = tokens * backward_bytes_per_token(shape, lora) + dequantised_bytes(shape, model)
    if checkpointing:
        kept, at_work = tokens * 2 * shape.hidden * shape.layers, layer + at_work
    else:
        kept = layer * shape.layers
    ends = tokens * (2 + 4 + 2) * shape.hidden  # embedding, last norm (float32) and what it hands to the output layer
    masks = tokens * length if padded else 0  # one bool mask for all layers
    loss = logits_bytes(shape, tokens, chunked=chunked_loss)
    return Memory(
        weights_bytes=weights_bytes(shape, model),
        lora_bytes=(4 + 2) * numbers,
        gradients_bytes=4 * numbers,
        optimizer_bytes=(2 if "8bit" in optimizer else 8) * numbers,
        activations_bytes=kept + ends + masks + (at_work if at_work > loss else 0),
        logits_bytes=loss if loss >= at_work else 0,
    )


def weights_bytes(shape: Shape, model: Model) -> int:
    """Return the bytes of the frozen weights: L · matrices · bytes by quantisation + the rest · 2 (4 in float32).

    4bit: NF4 with double quantisation, 1/2 + 1/64 + 4/(64 · 256) bytes a number: 4 bits, an 8-bit scale for each 64,
    and a 32-bit scale for each 256 of these (Dettmers et al., 2023, QLoRA, section 3).  8bit: a byte a number and a
    32-bit scale for each output (Dettmers et al., 2022, LLM.int8()).  Embedding, output layer, norms and biases
    are not quantised.
    """
    number_bytes = NUMBER_BYTES[model.dtype]
    matrices = shape.layers * shape.linear_parameters_per_layer
    scales = shape.layers * sum(outputs for _, outputs in shape.linears.values())
    quantised = {
        "none": number_bytes * matrices,
        "8bit": matrices + 4 * scales,
        "4bit": round(matrices * (1 / 2 + 1 / 64 + 4 / (64 * 256))),
    }[model.quantization]
    return quantised + number_bytes * (shape.parameters - matrices)


def dequantised_bytes(shape: Shape, model: Model) -> int:
    """Return the bytes of the largest matrix made 16 bit again for its product (bitsandbytes' MatMul4Bit), else 0."""
    if model.quantization == "none":
        return 0
    return NUMBER_BYTES[model.dtype] * max(inputs * outputs for inputs, outputs in shape.linears.values())


def lora_parameters(shape: Shape, lora: Lora) -> int:
    """Return the numbers of the adapter: L · r · (inputs + outputs) of each layer that has one (Hu et al., 2021)."""
    return shape.layers * lora.r * sum(sum(shape.linears[name]) for name in lora.targets if name in shape.linears)


def layer_bytes_per_token(shape: Shape, lora: Lora, *, length: int, padded: bool) -> int:
    """Return what one decoder layer keeps of a token for its backward pass: bfloat16 autocast, frozen weights.

    Two norms keep their float32 input, 8h, Qwen3's norms of queries and keys 4(q + k); attention keeps query, key,
    value and output, 2(2q + 2k), 4 a head, and with padding an additive mask, 2s, and keys and values repeated to
    the heads, 2(2q + 2q); SwiGLU keeps gate, its activation and up, 6i; each adapter a copy of its input and its
    inner r numbers, 2(inputs + r).  Dropout adds a byte of mask an input on CUDA; a CPU has
    another kernel for it, so that this alone is not traced.
    """
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    norms = 8 * shape.hidden + (4 * (queries + keys) if shape.qk_norm else 0)
    attention = 2 * (2 * queries + 2 * (queries if padded else keys)) + 4 * shape.heads + (2 * length if padded else 0)
    adapters = sum(
        2 * (shape.linears[name][0] + lora.r) + (shape.linears[name][0] if lora.dropout else 0)
        for name in lora.targets
        if name in shape.linears
    )
    return norms + attention + 6 * shape.intermediate + adapters


def backward_bytes_per_token(shape: Shape, lora: Lora) -> int:
    """Return what a layer's backward pass holds of a token at once, beside what was kept.

    Highest at the MLP's down_proj: the gradients of its input from the frozen matrix, 2i, and from the adapter, first
    in bfloat16, then in float32, 2i + 4i; and the gradient that comes in, 2h.
    """
    adapter = 6 if "down_proj" in lora.targets else 0
    return (2 + adapter) * shape.intermediate + 2 * shape.hidden


def logits_bytes(shape: Shape, tokens: int, *, chunked: bool) -> int:
    """Return the bytes of the loss at its peak: 12·t·v in full; in chunks 16·256·v and 4·t·h.

    4·t·h: the hidden states in the order of the chunks, and their gradient.

    >>> round(logits_bytes(Shape("llama", 1, 3072, 1, 1, 1, 1, 128_256, True), 2048, chunked=False) / GIB, 2)
    2.94
    """
    if not chunked:
        return FULL_LOSS_BYTES * tokens * shape.vocab
    return CHUNK_LOSS_BYTES * min(tokens, CHUNK_TOKENS) * shape.vocab + 4 * tokens * shape.hidden
