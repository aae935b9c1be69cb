"""The peak memory of one training step, by arithmetic; `budget.trace` runs the real model code to check it.

What plain transformers, PEFT and TRL keep is traced; what Unsloth's kernels keep is read from their source.
In the formulas: t tokens of a micro-batch, h hidden, n numbers that are trained, L layers, b bytes of a number.
"""

from dataclasses import dataclass, fields

from budget.layers import NUMBER_BYTES, backward_bytes_per_token, dora_bytes, fused, kept_bytes_per_token, uses_dora
from budget.losses import CHUNK_TOKENS, Loss, loss_bytes
from budget.shapes import Shape
from configs.schema import Lora, Model

GIB = 2**30
CUDA_CONTEXT_BYTES = GIB // 2
"""Of the driver and the kernels of one process.  Not measured: it differs with GPU, driver and torch."""
MARGIN_SHARE = 0.1
"""Of all the rest, for what the allocator loses between blocks.  Not measured."""
OPTIMIZER_BYTES = {"8bit": 2, "adafactor": 0, "sgd": 0, "lion": 4, "rmsprop": 4, "adagrad": 4}
"""Of a trained number, by what the optimizer's name contains, the first that fits; all others keep AdamW's two float32
moments.  Adafactor's rows and columns are left out, and Lion in 8 bit counts as much as AdamW in 8 bit."""


@dataclass(frozen=True)
class Step:
    """A forward and backward pass, as a trainer does it."""

    micro_batch: int
    length: int
    """Tokens of each sequence, padding included."""
    scored: int | None = None
    """Tokens of each sequence that have a loss, and so logits; none: all."""
    checkpointing: bool = True
    padded: bool = True
    """With a padding mask, as a micro-batch of more than one sequence has."""
    loss: Loss = "chunked_nll"
    optimizer: str = "adamw_torch_fused"

    @property
    def scored_tokens(self) -> int:
        """Tokens of the micro-batch that have a loss."""
        return self.micro_batch * (self.scored or self.length)


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
    copies_bytes: int = 0
    """16-bit copies of the weights that autocast makes where all are trained."""
    context_bytes: int = CUDA_CONTEXT_BYTES
    """Not measured."""

    @property
    def tensors_bytes(self) -> int:
        """Bytes of all tensors: without the CUDA context and the margin."""
        return sum(getattr(self, each.name) for each in fields(self) if each.name != "context_bytes")

    @property
    def stays_bytes(self) -> int:
        """Bytes of what is there before a step and after it."""
        return self.weights_bytes + self.lora_bytes + self.gradients_bytes + self.optimizer_bytes

    @property
    def margin_bytes(self) -> int:
        """Bytes set aside for what the allocator loses.  Not measured."""
        return round(MARGIN_SHARE * self.tensors_bytes)

    @property
    def total_bytes(self) -> int:
        """Bytes that the GPU must have."""
        return self.tensors_bytes + self.context_bytes + self.margin_bytes


def training_memory(shape: Shape, model: Model, step: Step) -> Memory:
    """Return the peak of a step: kept + max(loss, layer), for the highest moment is one of the two.

    Kept are the layers' activations, or with checkpointing their inputs, b·t·h·L; Unsloth moves those to the CPU's
    memory and keeps three on the GPU (`UnslothCheckpointFunction` in unsloth_zoo/gradient_checkpointing.py).
    """
    if model.lora is None:
        return full_memory(shape, model, step)
    b, tokens = NUMBER_BYTES[model.dtype], step.micro_batch * step.length
    layer = tokens * kept_bytes_per_token(shape, model, length=step.length, padded=step.padded)
    at_work = max(tokens * backward_bytes_per_token(shape, model), dora_bytes(shape, model))
    at_work += dequantised_bytes(shape, model)
    if step.checkpointing:
        inputs = min(3, shape.layers) if fused(model) else shape.layers
        kept, at_work = tokens * b * shape.hidden * inputs, layer + at_work
    else:
        kept = layer * shape.layers
    masks = tokens * step.length if step.padded and not fused(model) else 0  # one bool mask for all layers
    ends = (8 if b == 2 else 4) * tokens * shape.hidden  # embedding, last norm and what it hands to the output layer
    loss = ends + loss_bytes(shape, step.loss, tokens, step.scored_tokens, b)
    trained = lora_parameters(shape, model.lora)
    return Memory(
        weights_bytes=weights_bytes(shape, model),
        lora_bytes=(4 + (2 if b == 2 else 0)) * trained,
        gradients_bytes=4 * trained,
        optimizer_bytes=optimizer_bytes_per_number(step.optimizer) * trained,
        activations_bytes=kept + masks + (at_work if at_work > loss else ends),
        logits_bytes=loss - ends if loss >= at_work else 0,
    )


def full_memory(shape: Shape, model: Model, step: Step) -> Memory:
    """Return the peak of a step that trains all weights, in float32 with gradients and moments."""
    activations, logits, copies = max(_full_moments(shape, model, step), key=sum)
    return Memory(
        weights_bytes=weights_bytes(shape, model),
        lora_bytes=0,
        gradients_bytes=4 * shape.parameters,
        optimizer_bytes=optimizer_bytes_per_number(step.optimizer) * shape.parameters,
        activations_bytes=activations,
        logits_bytes=logits,
        copies_bytes=copies,
    )


def _full_moments(shape: Shape, model: Model, step: Step) -> list[tuple[int, int, int]]:
    """Return the bytes of activations, of logits and loss, and of 16-bit copies at each of five moments.

    Autocast makes 16-bit copies of all matrices, which last for the forward pass; a copy that a layer without
    checkpointing has used, and the output layer's, last until their backward pass.  The moments:
    the forward pass's end: kept + all copies + logits, 10·t·v or less;
    the loss's backward pass: kept + copies + the loss, in chunks with three float32 gradients of the output layer;
    the output layer's own: kept + its gradient, in 16 bit and in float32;
    a layer's: kept + the layer + its gradients, and where embedding and output layer are one, the latter's gradient;
    the end: the embedding's gradient, and where they are one, the other's and their sum.
    """
    b, tokens, scored = NUMBER_BYTES[model.dtype], step.micro_batch * step.length, step.scored_tokens
    head, sixteen, chunked = shape.embedding_parameters, 2 if b == 2 else 0, "chunked" in step.loss
    copies = sixteen * shape.layers * shape.linear_parameters_per_layer
    layer = tokens * kept_bytes_per_token(shape, model, length=step.length, padded=step.padded)
    work = tokens * backward_bytes_per_token(shape, model) + (4 + sixteen) * _largest(shape)
    if step.checkpointing:
        kept, later = tokens * 4 * shape.hidden * shape.layers, 0
        work += layer + sixteen * shape.linear_parameters_per_layer
    else:
        kept, later = layer * shape.layers, copies
    kept += (tokens * step.length if step.padded else 0) + 8 * tokens * shape.hidden
    first = {"nll": 10 * tokens, "chunked_nll": 16 * min(tokens, CHUNK_TOKENS), "grpo": (b + 4) * scored}
    loss = loss_bytes(shape, step.loss, tokens, scored, b)
    loss = {"chunked_nll": max(loss, 12 * head), "chunked_grpo": loss + 4 * head}.get(step.loss, loss)
    own = 0 if chunked else (4 + sixteen) * head + (b * scored * shape.vocab if b == 4 else 0)
    return [
        (kept, first.get(step.loss, 0) * shape.vocab, copies + sixteen * head),
        (kept, loss, later + (0 if chunked else sixteen * head)),
        (kept, own, later),
        (kept + work, 4 * head if shape.tied else 0, later),
        (0, 12 * head if shape.tied else 4 * head, 0),
    ]


def _largest(shape: Shape) -> int:
    return max(inputs * outputs for inputs, outputs in shape.linears.values())


def optimizer_bytes_per_number(name: str) -> int:
    """Return the bytes that an optimizer of `transformers` keeps for each trained number.

    >>> [optimizer_bytes_per_number(name) for name in ("adamw_torch_fused", "paged_adamw_8bit", "adafactor")]
    [8, 2, 0]
    """
    return next((size for part, size in OPTIMIZER_BYTES.items() if part in name), 8)


def weights_bytes(shape: Shape, model: Model) -> int:
    """Return the bytes of the weights: L · matrices · bytes by quantisation + the rest · 2 (4 in float32).

    4bit: NF4 with double quantisation, 1/2 + 1/64 + 4/(64 · 256) bytes a number: 4 bits, an 8-bit scale for each 64,
    and a 32-bit scale for each 256 of these (Dettmers et al., 2023, QLoRA, section 3).  8bit: a byte a number and a
    32-bit scale for each output (Dettmers et al., 2022, LLM.int8()).  Embedding, output layer, norms and biases
    are not quantised.  Without an adapter all weights are trained, and so float32.
    """
    number_bytes = NUMBER_BYTES[model.dtype]
    if model.lora is None:
        return 4 * shape.parameters
    matrices = shape.layers * shape.linear_parameters_per_layer
    scales = shape.layers * sum(outputs for _, outputs in shape.linears.values())
    quantised = {
        "none": number_bytes * matrices,
        "8bit": matrices + 4 * scales,
        "4bit": round(matrices * (1 / 2 + 1 / 64 + 4 / (64 * 256))),
    }[model.quantization]
    return quantised + number_bytes * (shape.parameters - matrices)


def dequantised_bytes(shape: Shape, model: Model) -> int:
    """Return the bytes of the largest matrix made 16 bit again for its product, else 0.

    bitsandbytes' MatMul4Bit makes it anew for each product, Unsloth into one buffer (`fast_dequantize`).
    """
    if model.quantization == "none":
        return 0
    return NUMBER_BYTES[model.dtype] * _largest(shape)


def trained_parameters(shape: Shape, model: Model) -> int:
    """Return the numbers that are trained: the adapter's, or without one all."""
    return shape.parameters if model.lora is None else lora_parameters(shape, model.lora)


def lora_parameters(shape: Shape, lora: Lora) -> int:
    """Return the numbers of the adapter: L · r · (inputs + outputs) of each layer that has one (Hu et al., 2021).

    DoRA has a magnitude for each output besides.
    """
    sizes = [shape.linears[name] for name in lora.targets if name in shape.linears]
    magnitudes = sum(outputs for _, outputs in sizes) if uses_dora(lora) else 0
    return shape.layers * (lora.r * sum(map(sum, sizes)) + magnitudes)
