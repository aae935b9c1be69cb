"""What quantised weights can't do on a CPU."""

import torch
from bitsandbytes.nn import Linear4bit

from configs.schema import Model
from configs.screen import say


def keep_gradients(model) -> None:
    """Have 4-bit layers keep the form of their weights through which gradients flow.

    On a CPU with AVX512-BF16, bitsandbytes 0.50 turns the weights at the first evaluation into a form that is faster
    to read, and from then on no gradient passes the layer: training goes on, with a warning, in a wrong direction.
    """
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def say_unquantised(cfg: Model) -> None:
    """Say where Unsloth takes another quantisation than the config asks for."""
    if cfg.quantization == "8bit" and not torch.cuda.is_available():
        say(f"  model.quantization 8bit: Unsloth has none on a CPU, so {cfg.dtype} it is; backend transformers has it")
