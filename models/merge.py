"""One model, of base and adapter or trained whole, in 16 bit and with nothing of the training in it.

Servers and converters read it.
"""

from pathlib import Path

import torch
from transformers import AutoTokenizer, GenerationConfig

from configs.errors import ConfigError
from configs.schema import Model
from models.answer import end_tokens
from models.load import load_model, load_trained
from models.proof import unquantised

MAX_SHARD = "4GB"


def write_merged(cfg: Model, trained: Path, dtype: str, folder: Path) -> None:
    """Write the base model with the adapter's update added to its weights, or the whole one, as transformers loads it.

    The base is loaded as it was released, by plain transformers, whatever the adapter was trained with: where it was
    trained on quantised weights, the merged model differs from it by the error of that quantisation.  The update is
    computed in 32 bit and rounded to `dtype`, and so is the sum.
    """
    model, _ = load_model(unquantised(cfg, dtype))
    tokenizer = AutoTokenizer.from_pretrained(trained)  # the one of the training, with its template
    quantised = "quantization_config" in model.config.to_dict()  # as it is on the hub
    if quantised:
        model = model.dequantize().to(getattr(torch, dtype))
    model = load_trained(model, trained, cfg.model_copy(update={"backend": "transformers"}), seed=0)
    merged = model.merge_and_unload() if cfg.lora else model
    broken = [name for name, weight in merged.named_parameters() if not torch.isfinite(weight).all()]
    if broken:
        raise ConfigError(f"{broken[0]} has values that {dtype} can't hold; give --dtype bfloat16")
    merged.generation_config = _greedy(merged, tokenizer)
    # transformers would turn the weights back into the form that it read, and can't for a quantised one
    merged.save_pretrained(folder, max_shard_size=MAX_SHARD, save_original_format=not quantised)
    tokenizer.save_pretrained(folder)


def _greedy(model, tokenizer) -> GenerationConfig:
    """Return settings with which transformers answers greedily and stops where evaluation does.

    The base model's own may sample, or punish repetition, which would change a greedy answer too.
    """
    return GenerationConfig(
        do_sample=False,
        bos_token_id=model.generation_config.bos_token_id,
        eos_token_id=end_tokens(model, tokenizer),
        pad_token_id=tokenizer.pad_token_id,
    )
