"""The profiles of rented and consumer GPUs, and models of random weights that are built as theirs are."""

from dataclasses import replace
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from budget.shapes import Shape, find_shape
from configs.load import load_config
from configs.schema import Config
from models.sources import CHATML, model_source
from tests.processes import ROOT

CARDS = {"rtx4090": ("rtx4090", "rtx3090"), "l4": ("l4",), "h200": ("h200",)}
"""How a profile's name begins → the GPUs that it is for, as budget.gpus calls them."""
PROFILES = {
    path.stem: path for path in sorted((ROOT / "configs").glob("*.yaml")) if path.stem.partition("-")[0] in CARDS
}

SMALL = [
    "data.source=sample",
    "data.path=null",
    "data.test_path=null",
    "data.rows=null",
    "data.schema_style=ddl",
    "data.sample_values=0",
    "model.vllm=false",
    "model.max_length=700",
    "rl.max_prompt_length=600",
    "rl.max_completion_length=12",
    "sft.micro_batch=2",
    "sft.accumulation=1",
    "sft.in_domain_traces=2",
    "sft.trainer.max_steps=2",
    "sft.trainer.eval_steps=1",
    "sft.trainer.save_steps=1",
    "rl.prompts_per_step=2",
    "rl.generations=2",
    "rl.micro_batch=2",
    "rl.trainer.max_steps=1",
    "rl.ex_every=1",
    "rl.ex_questions=2",
    "evaluation.max_new_tokens=8",
]
"""What makes a profile's run small and offline; all the rest is the profile's own."""

DATED = (
    "{{ '<|im_start|>system\nToday Date: ' }}{% if date_string is not defined %}"
    "{% set date_string = strftime_now('%d %b %Y') %}{% endif %}{{ date_string + '<|im_end|>\n' }}"
) + CHATML
"""As Llama 3's: the day of the run in the prompt."""
HYBRID = """\
{%- set ns = namespace(asked=0) %}
{%- for message in messages %}{%- if message.role == 'user' %}{%- set ns.asked = loop.index0 %}{%- endif %}{%- endfor %}
{%- for message in messages %}
{%- set said = message.content %}
{%- if message.role == 'assistant' %}
{%- set thought = '' %}
{%- if '</think>' in said %}
{%- set thought = said.split('</think>')[0].split('<think>')[-1].strip('\n') %}
{%- set said = said.split('</think>')[-1].lstrip('\n') %}
{%- endif %}
{%- if loop.index0 > ns.asked %}{%- set said = '<think>\n' + thought + '\n</think>\n\n' + said %}{%- endif %}
{%- endif %}
{{- '<|im_start|>' + message.role + '\n' + said + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\n' }}
{%- if enable_thinking is defined and not enable_thinking %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
{%- endif %}
"""
"""As Qwen3's hybrid models': thoughts are taken out of earlier answers, and out of the last to be written anew."""


def load_profile(name: str, *overrides: str) -> Config:
    """Return a profile's config."""
    return load_config(PROFILES[name], overrides)


def template_like(model: str) -> str:
    """Return a chat template of the same structure as the model's own.

    >>> template_like("Qwen/Qwen3-14B") == HYBRID, template_like("Qwen/Qwen3-4B-Instruct-2507") == CHATML
    (True, True)
    """
    if "Llama-3" in model:
        return DATED
    return HYBRID if "Qwen3" in model and "Instruct" not in model else CHATML


def write_like(model: str, folder: Path) -> Path:
    """Write a model of the same architecture as `model`, of 0.2 M random weights, and return its folder."""
    shape = small(find_shape(model))
    tokenizer = AutoTokenizer.from_pretrained(model_source("tiny"))
    tokenizer.chat_template = template_like(model)
    torch.manual_seed(0)
    settings = AutoConfig.for_model(**shape.config(), max_position_embeddings=32_768)
    settings.eos_token_id = settings.pad_token_id = tokenizer.eos_token_id
    made = AutoModelForCausalLM.from_config(settings, dtype=torch.bfloat16)
    made.generation_config.eos_token_id = made.generation_config.pad_token_id = tokenizer.eos_token_id
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def small(shape: Shape) -> Shape:
    """Return a shape of the same kind, for the tiny tokenizer."""
    return replace(shape, layers=2, hidden=64, intermediate=128, heads=4, kv_heads=2, head_dim=16, vocab=2000)
