"""Packing: several traces in one row, so that nothing is padded; and do they stay strangers to each other?

TRL 1.14 warns of every attention but FlashAttention.  transformers 5 tells the traces of a row apart by their
positions, which begin anew, and masks them off for the other kinds too; a model with layers of another sort, whose
state runs through the row, does not.  So it is measured, on the model at hand.
"""

import logging

import torch

from configs.errors import ConfigError
from configs.schema import Config
from configs.screen import say

KEYS = ("packing", "padding_free")
ENOUGH = 64
"""Tokens of a trace that the check looks at."""


def asked(cfg: Config) -> str | None:
    """Return the key of sft.trainer that puts several traces into one row, None where none does."""
    return next((key for key in KEYS if cfg.sft.trainer.get(key)), None)


def quiet(cfg: Config) -> None:
    """Keep TRL from warning of what `check_packing` finds out."""
    if asked(cfg):
        logging.getLogger("trl.trainer.sft_trainer").setLevel(logging.ERROR)


def check_packing(trainer, cfg: Config) -> None:
    """Say what a row holds; ConfigError where its traces see each other, which would teach to look at other answers."""
    if not (key := asked(cfg)):
        return
    if not getattr(trainer.args, key):
        say(f"  sft.trainer.{key}: Unsloth turned it off here, as it always does on a CPU; traces are padded instead")
        return
    if cfg.model.backend == "transformers" and _sees_another(trainer):
        raise ConfigError(
            f"sft.trainer.{key}: the traces of one row see each other in {cfg.model.name}; set it to false, and "
            "train_sampling_strategy: group_by_length, which pads little too"
        )
    if key == "packing":
        traces = sum(map(len, trainer.train_dataset["seq_lengths"]))
        say(f"  packed: {traces} traces in {len(trainer.train_dataset)} rows, none of which sees another")


def _sees_another(trainer) -> bool:
    """Tell whether the logits of a trace have a gradient by the tokens of one before it in its row."""
    model = trainer.model
    tokens, positions = [], []
    for row in (trainer.train_dataset[0], trainer.train_dataset[-1]):
        tokens += row["input_ids"][:ENOUGH]
        positions += range(len(tokens) - len(positions))
    first, was = positions.index(0, 1), model.training
    embedded = model.get_input_embeddings()(torch.tensor([tokens], device=model.device)).detach().requires_grad_()
    model.eval()
    places = torch.tensor([positions], device=model.device)
    logits = model(inputs_embeds=embedded, position_ids=places, use_cache=False).logits
    (gradient,) = torch.autograd.grad(logits[:, first:].float().logsumexp(-1).sum(), embedded)
    model.train(was)
    return bool(gradient[:, :first].any())
