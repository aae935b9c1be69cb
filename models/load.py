"""The model in memory, its tokenizer, and what is trained of it: an adapter, or all its weights."""

import os
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from peft import load_peft_weights as read_adapter
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils.logging import disable_progress_bar

from configs.errors import ConfigError
from configs.schema import Lora, Model
from models.adapter import check_adapter
from models.on_cpu import keep_gradients, say_unquantised
from models.sources import model_source
from models.template import with_answers_as_given
from models.trained import check_trained


def load_model(cfg: Model, *, vllm: bool = False, trains: bool = False, checkpointing: bool = True):
    """Return the base model without an adapter, and its tokenizer (padding on the left, as generation wants).

    vllm: give it vLLM's engine, on the same weights.
    trains, checkpointing: for a training, with or without checkpointing.  Where all weights are trained, they are in
    float32, whatever `dtype` says, and the computation alone is in `dtype` (on a GPU): with gradients and AdamW's two
    moments 16 bytes a weight, 2.2 GB for SmolLM2-135M and 51 GB for Llama-3.2-3B, before any activation.
    """
    whole = trains and cfg.lora is None
    if whole:
        cfg = cfg.model_copy(update={"dtype": "float32"})
    disable_progress_bar()  # of the weights moving into memory; a download from the hub still shows its own
    source = model_source(cfg.name)
    try:
        AutoConfig.from_pretrained(source, trust_remote_code=False)  # Unsloth would hide why this fails
        if cfg.backend == "unsloth":
            say_unquantised(cfg)
            model, tokenizer = _with_unsloth(cfg, source, vllm, whole, checkpointing)
        else:
            model, tokenizer = _with_transformers(cfg, source)
    except OSError as error:  # transformers' word for a model that is not there, or is gated
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"model.name: cannot load {cfg.name!r}: {reason} (a gated model needs HF_TOKEN in the environment)"
        ) from error
    if whole and "quantization_config" in model.config.to_dict():  # as it is on the hub
        raise ConfigError(f"model.lora null: {cfg.name} is quantised; name a release that is not, or give lora a rank")
    if trains:
        keep_gradients(model)
    return model, with_template(tokenizer)


def with_template(tokenizer):
    """Return the tokenizer padding on the left, and with a chat template that says the same every day."""
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.chat_template and "strftime_now" in tokenizer.chat_template:
        # Llama 3 puts today's date into each prompt: two stages on two days would see different ones
        tokenizer.chat_template = "{%- set date_string = '26 Jul 2024' %}" + tokenizer.chat_template
    if tokenizer.chat_template:
        tokenizer.chat_template = with_answers_as_given(tokenizer.chat_template)
    return tokenizer


def trainable(model, cfg: Model, *, seed: int, checkpointing: bool = True):
    """Return the model with what is trained: a new adapter or, without `lora`, all its own weights."""
    return add_adapter(model, cfg, seed=seed, checkpointing=checkpointing) if cfg.lora else model


def add_adapter(model, cfg: Model, *, seed: int, checkpointing: bool = True):
    """Return the model with a new LoRA adapter, which alone is trained."""
    lora = cfg.lora
    torch.manual_seed(seed)
    if cfg.backend == "unsloth":
        from unsloth import FastLanguageModel

        return FastLanguageModel.get_peft_model(
            model,
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=lora.targets,
            use_rslora=lora.rslora,
            use_dora=lora.dora,
            use_gradient_checkpointing="unsloth" if checkpointing else False,
            random_state=seed,
        )
    return get_peft_model(model, lora_config(lora))


def lora_config(lora: Lora) -> LoraConfig:
    """Return the adapter in PEFT's words."""
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        task_type="CAUSAL_LM",
    )


def load_trained(model, folder: Path, cfg: Model, *, seed: int):
    """Return the model with what a stage trained; an adapter is added where the model has none yet."""
    if cfg.lora is None:
        load_weights(model, folder, cfg)
        return model
    if not isinstance(model, PeftModel):
        model = add_adapter(model, cfg, seed=seed, checkpointing=False)
    load_adapter(model, folder, cfg)
    return model


def load_weights(model, folder: Path, cfg: Model) -> None:
    """Put all weights of a saved model into this one, in its type; it then says that it comes from there.

    TRL takes the reference of β > 0 from where a model says it comes from.
    """
    check_trained(folder, cfg)
    saved, loaded = AutoModelForCausalLM.from_pretrained(
        folder, dtype=model.dtype, trust_remote_code=False, output_loading_info=True
    )
    other_size = {name for name, *_ in loaded["mismatched_keys"]}
    if wrong := sorted(loaded["missing_keys"] | loaded["unexpected_keys"] | other_size):
        raise ConfigError(f"{folder}: {len(wrong)} weights don't fit, as {wrong[0]}; run its stage again with --fresh")
    model.load_state_dict(saved.state_dict())
    model.config._name_or_path = str(folder)


def load_adapter(model, folder: Path, cfg: Model) -> None:
    """Put the weights of a saved adapter into the model's own, which goes on from there.

    The same LoRA in the same place: whatever trains next continues it, and needs no merge.  ConfigError where
    the folder holds an adapter of another base model or another shape (`check_adapter`).
    """
    check_adapter(folder, cfg)
    loaded = set_peft_model_state_dict(model, read_adapter(str(folder), device="cpu"))
    lost = [key for key in loaded.missing_keys if ".lora_" in key and ".default." in key]
    if lost:
        raise ConfigError(f"{folder}: {len(lost)} weights are missing, as {lost[0]}; run its stage again with --fresh")
    if loaded.unexpected_keys:
        raise ConfigError(f"{folder}: weights that {cfg.name} has no place for, as {loaded.unexpected_keys[0]}")


def ready_to_answer(model, cfg: Model) -> None:
    """Switch the model from training to generation; Unsloth has faster kernels for it."""
    if cfg.backend == "unsloth":
        from unsloth import FastLanguageModel

        FastLanguageModel.for_inference(model)
    model.eval()


def ready_to_train(model, cfg: Model) -> None:
    """Switch the model back from generation to training."""
    if cfg.backend == "unsloth":
        from unsloth import FastLanguageModel

        FastLanguageModel.for_training(model)
    model.train()


def name_base(model, cfg: Model) -> None:
    """Make every save of what is trained name its base as the config does, not by a folder of this machine."""
    settings = model.peft_config["default"] if cfg.lora else model.config
    settings.base_model_name_or_path = cfg.name


def _with_unsloth(cfg: Model, source: str, vllm: bool, whole: bool, checkpointing: bool):
    from unsloth import FastLanguageModel

    options = {}
    if whole:
        options = {"full_finetuning": True, "use_gradient_checkpointing": "unsloth" if checkpointing else False}
    if vllm:
        options = {"fast_inference": True, "gpu_memory_utilization": cfg.vllm_memory, "max_lora_rank": cfg.lora.r}
    return FastLanguageModel.from_pretrained(
        source,
        max_seq_length=cfg.max_length,
        load_in_4bit=cfg.quantization == "4bit",
        load_in_8bit=cfg.quantization == "8bit",
        dtype=getattr(torch, cfg.dtype),
        trust_remote_code=False,
        **options,
    )


def _with_transformers(cfg: Model, source: str):
    dtype = getattr(torch, cfg.dtype)
    quantization = {
        "none": None,
        "8bit": BitsAndBytesConfig(load_in_8bit=True),
        "4bit": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        ),
    }[cfg.quantization]
    model = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=dtype,
        device_map={"": int(os.environ.get("LOCAL_RANK", 0))} if torch.cuda.is_available() else None,
        trust_remote_code=False,
        **({"quantization_config": quantization} if quantization else {}),  # None would hide what the files say
    )
    return model, AutoTokenizer.from_pretrained(source, trust_remote_code=False)
