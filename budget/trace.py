"""The peak memory of one training step, by running the real model code on tensors without data.

Model and adapter are built on the meta device; inside FakeTensorMode their parameters are replaced by fake ones,
and a dispatch mode counts the storages that live.  A fake tensor knows its size and computes nothing, so that a model
of 4 billion parameters is traced in seconds on a CPU.  What it cannot show: bitsandbytes' kernels, Unsloth's kernels,
the CUDA context, and what the allocator loses between blocks.
"""

import weakref
from contextlib import nullcontext
from unittest.mock import patch

import torch
from peft import get_peft_model
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig, AutoModelForCausalLM

from budget.shapes import Shape
from configs.schema import Lora
from models.load import lora_config


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all storages that operations made and that something still holds."""

    def __init__(self) -> None:
        super().__init__()
        self.now_bytes = 0
        self.peak_bytes = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run the operation, then count what it made."""
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self.count(leaf)
        return made

    def count(self, tensor: torch.Tensor) -> None:
        """Count the tensor's storage, once, until it dies."""
        storage = tensor.untyped_storage()
        key, size_bytes = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now_bytes += size_bytes
        self.peak_bytes = max(self.peak_bytes, self.now_bytes)
        weakref.finalize(storage, self._forget, key, size_bytes)

    def _forget(self, key: int, size_bytes: int) -> None:
        self._known.discard(key)
        self.now_bytes -= size_bytes


def trace_step(
    shape: Shape, lora: Lora, *, micro_batch: int, length: int, checkpointing: bool, chunked_loss: bool, padded: bool
) -> int:
    """Return the bytes at the peak of a forward and backward pass, as SFT does them on a GPU.

    Before the pass there are bfloat16 weights, and the adapter in float32 with gradients (those of the micro-batches
    before) and AdamW's two moments.  The pass runs under bfloat16 autocast.  The full loss lets the logits go before
    the backward pass, as transformers' Trainer does; the chunked one is TRL's.  padded: with a mask of padding, for
    which transformers makes an additive mask in each layer and repeats keys and values to the number of heads.
    """
    model = adapted(shape, lora)
    model.train()
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    makes_mask = f"transformers.models.{shape.model_type}.modeling_{shape.model_type}.create_causal_mask"
    unmasked = patch(makes_mask, return_value=None)  # as without padding; whether there is some, no fake tensor can say
    with nullcontext() if padded else unmasked, FakeTensorMode() as mode, LiveBytes() as live:
        mode.allow_non_fake_inputs = True
        _make_fake(model)
        trained = [each for each in model.parameters() if each.requires_grad]
        for each in trained:
            each.grad = torch.zeros_like(each)
        optimizer = torch.optim.AdamW(trained, fused=True)
        optimizer.step()
        tokens = torch.zeros(micro_batch, length, dtype=torch.long)
        with torch.autocast("cpu", torch.bfloat16):
            if chunked_loss:
                loss = _chunked_loss(model.get_base_model(), tokens)
            else:
                loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
        loss.backward()
        return live.peak_bytes


def _chunked_loss(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Return the loss as TRL 1.14.2 computes it by default: the logits of so many tokens at a time, made twice.

    TRL's own loop over the chunks asks for the number of answer tokens, which a fake tensor has not.
    """
    from trl.trainer.sft_trainer import _CHUNKED_LM_HEAD_CHUNK_SIZE, _chunk

    hidden = model.model(input_ids=tokens, use_cache=False)[0].flatten(0, 1)
    losses = [
        checkpoint(_chunk, rows, model.lm_head.weight, None, labels, 1.0, None, use_reentrant=False)[0]
        for rows, labels in zip(
            hidden[torch.arange(tokens.numel())].split(_CHUNKED_LM_HEAD_CHUNK_SIZE),
            tokens.flatten().split(_CHUNKED_LM_HEAD_CHUNK_SIZE),
            strict=True,
        )
    ]
    return torch.stack(losses).sum()


def adapted(shape: Shape, lora: Lora):
    """Return transformers' model of this shape, in bfloat16, with PEFT's adapter in float32, on the meta device."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**shape.config()), dtype=torch.bfloat16)
        model = get_peft_model(model, lora_config(lora))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


def _make_fake(model: torch.nn.Module) -> None:
    """Replace every parameter and buffer by a fake one on the CPU; what is tied stays tied."""
    fakes: dict[int, torch.nn.Parameter] = {}
    for module in model.modules():
        for name, old in module._parameters.items():
            if old is not None:
                if id(old) not in fakes:
                    data = torch.empty(old.shape, dtype=old.dtype, device="cpu")
                    fakes[id(old)] = torch.nn.Parameter(data, old.requires_grad)
                module._parameters[name] = fakes[id(old)]
        for name, old in module._buffers.items():
            if old is not None:
                module._buffers[name] = torch.empty(old.shape, dtype=old.dtype, device="cpu")
