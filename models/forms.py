"""The forms of an export: written, and loaded again from their files as a user would, to be asked."""

import io
import shutil
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from configs.errors import ConfigError
from configs.files import read_json
from configs.schema import Config, Model
from models.gguf_file import check_architecture, write_gguf
from models.gguf_tokens import name_of, read_tokenizer
from models.load import load_model
from models.merge import write_merged
from models.proof import greedy_answers, prompts, unquantised
from models.sources import model_source
from models.template import prompt_text
from tasks.task import Task

__all__ = ["ask_gguf", "ask_lora", "ask_merged", "check_convertible", "write_gguf", "write_lora", "write_merged"]

TITLE = "the export's answers"
_PLACE = {"": 0} if torch.cuda.is_available() else None


def check_convertible(cfg: Model, trained: Path) -> None:
    """Raise ConfigError for a base model or a tokenizer that has no place in a GGUF file, before anything is merged."""
    check_architecture(AutoConfig.from_pretrained(model_source(cfg.name), trust_remote_code=False))
    name_of(read_json(trained / "tokenizer.json"))


def ask_merged(cfg: Config, folder: Path, tasks: Sequence[Task]) -> list[str]:
    """Return the answers of a merged model."""
    if not tasks:
        return []
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", device_map=_PLACE, trust_remote_code=False)
    return greedy_answers(model, AutoTokenizer.from_pretrained(folder), cfg, tasks, TITLE)


def write_lora(adapter: Path, folder: Path) -> None:
    """Write the adapter as PEFT and vLLM load it, with the tokenizer and template that it was trained with."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copyfile(adapter / name, folder / name)
    AutoTokenizer.from_pretrained(adapter).save_pretrained(folder)


def ask_lora(cfg: Config, folder: Path, tasks: Sequence[Task]) -> list[str]:
    """Return the answers of an adapter that PEFT puts on its base, as that was released."""
    if not tasks:
        return []
    base, _ = load_model(unquantised(cfg.model, cfg.model.dtype))
    model = PeftModel.from_pretrained(base, str(folder))
    return greedy_answers(model, AutoTokenizer.from_pretrained(folder), cfg, tasks, TITLE)


def ask_gguf(cfg: Config, file: Path, merged: Path, tasks: Sequence[Task]) -> list[str]:
    """Return the answers of a GGUF file's weights; ConfigError where its tokenizer cuts a prompt otherwise.

    transformers reads its weights, but neither its rotary factors nor how its tokenizer cuts a text.  So settings and
    tokenizer are those of the merged model, and the file's own tokenizer is compared with it on every prompt.
    """
    if not tasks:
        return []
    tokenizer, own = AutoTokenizer.from_pretrained(merged), read_tokenizer(file)
    texts = [prompt_text(tokenizer, prompt) for prompt in prompts(cfg, tasks)]
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    other = sum(own.encode(text).ids != its for text, its in zip(texts, ids, strict=True))
    if other:
        raise ConfigError(f"--to gguf: its tokenizer cuts {other} of {len(texts)} prompts otherwise; give --to merged")
    settings = AutoConfig.from_pretrained(merged)
    with redirect_stderr(io.StringIO()):  # it has a bar without a switch
        model = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, config=settings, dtype=torch.float32, device_map=_PLACE
        )
    return greedy_answers(model, tokenizer, cfg, tasks, TITLE)
