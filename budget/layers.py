"""What one decoder layer keeps of a token for its backward pass, and what that pass works on beside it.

In the formulas: h hidden, i intermediate, q and k the widths of all query and all key heads, r the adapter's rank,
s the sequence's length, b bytes of a number: 2 under 16-bit autocast, 4 in float32.
"""

from budget.shapes import Shape
from configs.schema import Lora, Model

NUMBER_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}


def uses_dora(lora: Lora | None) -> bool:
    """Tell whether the adapter learns its magnitudes apart (Liu et al., 2024, DoRA)."""
    return lora is not None and lora.dora


def fused(model: Model) -> bool:
    """Tell whether Unsloth's own kernels run: they know LoRA on 16 and 4 bit, not DoRA, nor full fine-tuning.

    `_needs_peft_forward` in unsloth/kernels/fast_lora.py; 8 bit and full fine-tuning take another loader in
    unsloth/models/loader.py, and are counted as transformers, which is an upper bound.
    """
    apart = model.lora is None or model.lora.dora or model.quantization == "8bit"
    return model.backend == "unsloth" and not apart


def kept_bytes_per_token(shape: Shape, model: Model, *, length: int, padded: bool) -> int:
    """Return what one layer keeps of a token until its backward pass."""
    if fused(model):
        return _fused_kept(shape, model)
    if model.lora is None:
        return _full_kept(shape, model, length=length, padded=padded)
    return _kept(shape, model, length=length, padded=padded)


def backward_bytes_per_token(shape: Shape, model: Model) -> int:
    """Return what a layer's backward pass holds of a token at once, beside what was kept; highest in the MLP.

    Transformers: the gradients of SwiGLU's product, of gate and of up, 3bi.  With an adapter on down_proj the product
    was kept and goes, which leaves 2bi in float32; under autocast the adapter's gradient comes in 16 bit, then in 32,
    2i + 4i, beside the frozen matrix' own, 2i.  And the gradients that come in, 4h.
    Unsloth writes the MLP's gradients over what it kept: only one more of i numbers (`LoRA_MLP.backward` in
    unsloth/kernels/fast_lora.py).
    """
    b = NUMBER_BYTES[model.dtype]
    if fused(model):
        return b * (shape.intermediate + 2 * shape.hidden)
    if model.lora is None:
        return 3 * b * shape.intermediate + 4 * shape.hidden
    gradients = 8 if "down_proj" in model.lora.targets else 3 * b
    return gradients * shape.intermediate + (4 * shape.hidden if b == 2 else 0)


def dora_bytes(shape: Shape, model: Model) -> int:
    """Return what PEFT works on in DoRA's forward pass for one matrix, 0 without DoRA.

    For the norm of each row it makes the adapter's whole matrix from an identity of inputs × inputs in float32, and
    its 16-bit copy under autocast; then that matrix, scaled, added to the frozen one, and its square.
    `DoraLinearLayer.get_lora_weight` in peft/tuners/lora/dora.py.
    """
    if not uses_dora(model.lora):
        return 0
    identity, matrix = (6, 10) if NUMBER_BYTES[model.dtype] == 2 else (4, 12)
    sizes = [shape.linears[name] for name in model.lora.targets if name in shape.linears]
    return max((identity * inputs * inputs + matrix * inputs * outputs for inputs, outputs in sizes), default=0)


def _kept(shape: Shape, model: Model, *, length: int, padded: bool) -> int:
    """Frozen weights, transformers and PEFT.

    Two norms keep their float32 input, 8h, Qwen3's norms of queries and keys 4(q + k); attention keeps query, key,
    value and output, b(2q + 2k), 4 a head, and with padding an additive mask, bs, and keys and values repeated to
    the heads, b(2q + 2q); SwiGLU keeps gate, its activation and up, 3bi.  Each adapter keeps its inner r numbers, br,
    and its input: under autocast a copy of its own, else one for all that read the same.
    Dropout makes a copy for each, and adds a byte of mask an input on CUDA; a CPU has another kernel for it, so that
    this alone is not traced.
    """
    b, lora = NUMBER_BYTES[model.dtype], model.lora
    queries, keys = _widths(shape)
    norms = 8 * shape.hidden + (4 * (queries + keys) if shape.qk_norm else 0)
    repeated = queries if padded else keys
    attention = b * (2 * queries + 2 * repeated) + 4 * shape.heads + (b * length if padded else 0)
    targets = [name for name in lora.targets if name in shape.linears]
    inputs = [shape.linears[name][0] for name in targets]
    if b == 2 or lora.dropout:
        copies = sum(inputs)
    else:
        own = {"q_proj": 0, "k_proj": 0, "v_proj": 0, "o_proj": 1, "gate_proj": 2, "up_proj": 2, "down_proj": 3}
        copies = sum({own[name]: shape.linears[name][0] for name in targets if name != "o_proj"}.values())
    adapters = b * (copies + lora.r * len(targets)) + (sum(inputs) if lora.dropout else 0)
    magnitudes = 2 * b * sum(shape.linears[name][1] for name in targets) if uses_dora(lora) else 0
    return norms + attention + 3 * b * shape.intermediate + adapters + magnitudes


def _full_kept(shape: Shape, model: Model, *, length: int, padded: bool) -> int:
    """All weights trained, in float32: each linear layer's input is kept for its weight's gradient.

    The stream between layers is float32; norms keep it and what they make of it, 16h; under autocast each of the five
    that read it keeps a 16-bit copy, 10h; in float32 they keep what the norms give them, 8h.
    """
    b = NUMBER_BYTES[model.dtype]
    queries, keys = _widths(shape)
    norms = 16 * shape.hidden + (8 * (queries + keys) if shape.qk_norm else 0)
    repeated = queries if padded else keys
    attention = b * (2 * queries + 2 * repeated) + 4 * shape.heads + (b * length if padded else 0)
    copies = (10 if b == 2 else 8) * shape.hidden
    return norms + attention + copies + 4 * b * shape.intermediate


def _fused_kept(shape: Shape, model: Model) -> int:
    """Unsloth's kernels: what they save for their backward passes, read from their source, not traced.

    Two norms keep their 16-bit input and the adapters' what they made of it, 4bh (`Fast_RMS_Layernorm` and `LoRA_QKV`);
    queries and keys are turned in place, so that attention keeps query, key, value and output, b(2q + 2k), and Qwen3
    queries and keys once more; the MLP keeps gate and up, 2bi (`LoRA_MLP`).  Dropout: a byte of mask an input.
    """
    b, lora = NUMBER_BYTES[model.dtype], model.lora
    queries, keys = _widths(shape)
    attention = b * (2 * queries + 2 * keys) + 4 * shape.heads + (b * (queries + keys) if shape.qk_norm else 0)
    inputs = sum(shape.linears[name][0] for name in lora.targets if name in shape.linears)
    return 4 * b * shape.hidden + attention + 2 * b * shape.intermediate + (inputs if lora.dropout else 0)


def _widths(shape: Shape) -> tuple[int, int]:
    return shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
