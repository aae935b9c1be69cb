"""The peak memory of one training step, by running the real model code on tensors without data.

Model and adapter are built on the meta device; inside FakeTensorMode their parameters are replaced by fake ones,
and a dispatch mode counts the storages that live.  A fake tensor knows its size and computes nothing, so that a model
of 4 billion parameters is traced in seconds on a CPU.  What it cannot show: bitsandbytes' kernels, Unsloth's kernels,
the CUDA context, and what the allocator loses between blocks.
"""

import weakref
from contextlib import nullcontext
from inspect import unwrap
from types import SimpleNamespace
from unittest.mock import patch

import torch
from peft import PeftModel, get_peft_model
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig, AutoModelForCausalLM

from budget.memory import Step
from budget.shapes import Shape
from configs.schema import Model
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


def trace_step(shape: Shape, model: Model, step: Step) -> int:
    """Return the bytes at the peak of a forward and backward pass, as SFT or GRPO do them on a GPU.

    Before the pass there are the weights, frozen in model.dtype or all trained in float32, and of what is trained
    gradients (those of the micro-batches before) and AdamW's two moments.  In 16 bit the pass runs under autocast.
    Padding: with a mask, for which transformers makes an additive mask in each layer and repeats keys and values to
    the number of heads; whether there is some, no fake tensor can say.
    """
    net = built(shape, model)
    net.train()
    if step.checkpointing:
        net.gradient_checkpointing_enable({"use_reentrant": False})
    makes_mask = f"transformers.models.{shape.model_type}.modeling_{shape.model_type}.create_causal_mask"
    unmasked = nullcontext() if step.padded else patch(makes_mask, return_value=None)
    sixteen_bit = torch.autocast("cpu", getattr(torch, model.dtype), enabled=model.dtype != "float32")
    with unmasked, FakeTensorMode() as mode, LiveBytes() as live:
        mode.allow_non_fake_inputs = True
        _make_fake(net)
        trained = [each for each in net.parameters() if each.requires_grad]
        for each in trained:
            each.grad = torch.zeros_like(each)
        optimizer = torch.optim.AdamW(trained, fused=True)
        optimizer.step()
        tokens = torch.zeros(step.micro_batch, step.length, dtype=torch.long)
        LOSSES[step.loss](net, tokens, step, sixteen_bit).backward()
        return live.peak_bytes


def _nll(net: torch.nn.Module, tokens: torch.Tensor, step: Step, sixteen_bit) -> torch.Tensor:
    """Return the loss of transformers' own forward; the logits go before the backward pass, as in its Trainer."""
    with sixteen_bit:
        return net(input_ids=tokens, labels=tokens, use_cache=False).loss


def _chunked_nll(net: torch.nn.Module, tokens: torch.Tensor, step: Step, sixteen_bit) -> torch.Tensor:
    """Return the loss as TRL 1.14.2 computes it by default: the logits of so many tokens at a time, made twice.

    TRL's own loop over the chunks asks for the number of answer tokens, which a fake tensor has not.
    """
    from trl.trainer.sft_trainer import _CHUNKED_LM_HEAD_CHUNK_SIZE, _chunk

    inner = net.get_base_model() if isinstance(net, PeftModel) else net
    with sixteen_bit:
        hidden = inner.model(input_ids=tokens, use_cache=False)[0].flatten(0, 1)
        losses = [
            checkpoint(_chunk, rows, inner.lm_head.weight, None, labels, 1.0, None, use_reentrant=False)[0]
            for rows, labels in zip(
                hidden[torch.arange(tokens.numel())].split(_CHUNKED_LM_HEAD_CHUNK_SIZE),
                tokens.flatten().split(_CHUNKED_LM_HEAD_CHUNK_SIZE),
                strict=True,
            )
        ]
        return torch.stack(losses).sum()


def _grpo(net: torch.nn.Module, tokens: torch.Tensor, step: Step, sixteen_bit) -> torch.Tensor:
    """Return a policy loss over the log-probabilities and entropies that TRL's own GRPOTrainer method makes.

    Its model's outputs become float32, as accelerate makes those of a model that it prepared.
    """
    from accelerate.utils import convert_outputs_to_fp32
    from trl import GRPOTrainer

    def forward(**inputs):
        with sixteen_bit:
            return net(**inputs)

    logps, *_ = unwrap(GRPOTrainer._full_logits_logps)(
        SimpleNamespace(model_kwarg_keys={"logits_to_keep"}, temperature=0.7, _entropy_bonus_enabled=False),
        convert_outputs_to_fp32(forward),
        tokens,
        torch.ones_like(tokens),
        step.scored or step.length,
        compute_entropy=True,
    )
    return torch.exp(logps - logps.detach()).mean()


def _chunked_grpo(net: torch.nn.Module, tokens: torch.Tensor, step: Step, sixteen_bit) -> torch.Tensor:
    """Return the same loss as TRL 1.14.2 computes it with `use_liger_kernel`: the logits in tiles, made twice.

    TRL's own method leaves out the padding, of which a fake tensor has no count.
    """
    from trl.trainer.grpo_trainer import _CHUNKED_LOGPROB_CHUNK_SIZE
    from trl.trainer.utils import _ChunkedLogProbFunction

    inner = net.get_base_model() if isinstance(net, PeftModel) else net
    kept = step.scored or step.length
    with sixteen_bit:
        hidden = inner.model(input_ids=tokens, use_cache=False)[0][:, :-1][:, -kept:]
        rows, labels = hidden.flatten(0, 1), tokens[:, 1:][:, -kept:].flatten()
        rows = rows[torch.arange(len(rows))]  # a copy, as the selection by mask makes
        logps, _ = _ChunkedLogProbFunction.apply(
            rows, inner.lm_head.weight, None, labels, 0.7, _CHUNKED_LOGPROB_CHUNK_SIZE, None, 1.0
        )
    return torch.exp(logps - logps.detach()).mean()


LOSSES = {"nll": _nll, "chunked_nll": _chunked_nll, "grpo": _grpo, "chunked_grpo": _chunked_grpo}


def built(shape: Shape, model: Model):
    """Return transformers' model of this shape on the meta device: what is trained, adapter or all, is float32."""
    dtype = torch.float32 if model.lora is None else getattr(torch, model.dtype)
    with torch.device("meta"):
        net = AutoModelForCausalLM.from_config(AutoConfig.for_model(**shape.config()), dtype=dtype)
        if model.lora is None:
            return net
        net = get_peft_model(net, lora_config(model.lora))
    for parameter in net.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return net


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
