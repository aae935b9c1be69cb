"""A model whose adapter does something, though nothing was trained."""

import torch

from configs.schema import Model
from models.load import add_adapter, load_model


def with_random_adapter(cfg: Model, spread: float):
    """Return the model with an adapter of random weights, and its tokenizer; a new adapter would change nothing."""
    model, tokenizer = load_model(cfg)
    model = add_adapter(model, cfg, seed=0)
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=spread)
    return model, tokenizer
