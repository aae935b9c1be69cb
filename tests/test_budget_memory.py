"""The arithmetic of budget.memory against the real model code, traced on tensors without data."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from budget.memory import GIB, lora_parameters, sft_memory, weights_bytes
from budget.shapes import TABLE, Shape, find_shape
from budget.trace import adapted, trace_step
from configs.errors import ConfigError
from configs.schema import Lora, Model

SIXTEEN_BIT = Model(quantization="none")
PUBLISHED = {
    "qwen3-4b-instruct-2507": (4.0, 3.6),
    "qwen2.5-coder-7b-instruct": (7.61, 6.53),
    "qwen3-8b": (8.2, 6.95),
    "qwen3-14b": (14.8, 13.2),
}
"""Billions of parameters, with and without embedding and output layer, as the models' cards say."""


@pytest.mark.parametrize("name", TABLE)
def test_parameters_are_those_of_the_real_model(name):
    shape = TABLE[name]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**shape.config()))
    assert shape.parameters == sum(each.numel() for each in model.parameters())
    assert shape.embedding_parameters == model.get_input_embeddings().weight.numel()
    assert shape.parameters_per_layer == sum(each.numel() for each in model.model.layers[0].parameters())


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_models_card(name):
    shape, (whole, inner) = TABLE[name], PUBLISHED[name]
    without = shape.parameters - shape.embedding_parameters * (1 if shape.tied else 2)
    assert shape.parameters / 1e9 == pytest.approx(whole, abs=0.05)
    assert without / 1e9 == pytest.approx(inner, abs=0.05)


@pytest.mark.parametrize("lora", [Lora(), Lora(r=64, targets=["q_proj", "v_proj"])])
def test_the_adapter_is_as_large_as_pefts(lora):
    shape = TABLE["qwen2.5-coder-7b-instruct"]
    trained = [each.numel() for each in adapted(shape, lora).parameters() if each.requires_grad]
    assert lora_parameters(shape, lora) == sum(trained)


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("length", [512, 2048])
@pytest.mark.parametrize("checkpointing", [True, False], ids=["checkpointing", "kept"])
@pytest.mark.parametrize("chunked_loss", [True, False], ids=["chunks", "full"])
def test_the_formula_agrees_with_the_trace(name, length, checkpointing, chunked_loss):
    """With four of the layers, which are all alike: the loss and one layer's pass weigh more than in the whole."""
    agree(replace(TABLE[name], layers=4), Lora(), 2, length, checkpointing, chunked_loss, padded=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("checkpointing", [True, False], ids=["checkpointing", "kept"])
def test_the_formula_agrees_for_whole_models(name, checkpointing):
    agree(TABLE[name], Lora(), 1, 1024, checkpointing, chunked_loss=True, padded=False)


@pytest.mark.parametrize("lora", [Lora(r=64), Lora(r=8, targets=["q_proj", "v_proj"])])
@pytest.mark.parametrize("chunked_loss", [True, False], ids=["chunks", "full"])
def test_the_formula_agrees_for_other_adapters(lora, chunked_loss):
    agree(replace(TABLE["qwen3-8b"], layers=4), lora, 2, 1024, False, chunked_loss, padded=True)


def agree(shape: Shape, lora: Lora, micro_batch: int, length: int, checkpointing: bool, chunked_loss: bool, *, padded):
    """Assert that formula and trace differ by less than 10 %, also in what a step adds to what stays."""
    step = dict(micro_batch=micro_batch, length=length, checkpointing=checkpointing, chunked_loss=chunked_loss)
    traced = trace_step(shape, lora, **step, padded=padded)
    memory = sft_memory(shape, SIXTEEN_BIT.model_copy(update={"lora": lora}), **step, padded=padded)
    stays = memory.weights_bytes + memory.lora_bytes + memory.gradients_bytes + memory.optimizer_bytes
    assert memory.tensors_bytes == pytest.approx(traced, rel=0.10)
    assert memory.tensors_bytes - stays == pytest.approx(traced - stays, rel=0.10)


def test_quantised_weights_are_as_small_as_bitsandbytes_makes_them():
    """NF4 with double quantisation of a real layer: its numbers and scales, but for the tables of a few KiB."""
    bitsandbytes = pytest.importorskip("bitsandbytes")
    weight = torch.randn(1024, 2048)
    packed, state = bitsandbytes.functional.quantize_4bit(
        weight, quant_type="nf4", compress_statistics=True, blocksize=64
    )
    held = packed.nbytes + state.absmax.nbytes + state.state2.absmax.nbytes
    assert held == weight.numel() * (1 / 2 + 1 / 64 + 4 / (64 * 256))


def test_less_quantisation_weighs_more_and_4bit_is_a_quarter_of_the_matrices():
    shape = TABLE["qwen3-8b"]
    sizes = [weights_bytes(shape, Model(quantization=each)) for each in ("4bit", "8bit", "none")]
    assert sizes == sorted(sizes)
    assert sizes[2] == 2 * shape.parameters
    assert sizes[0] / GIB == pytest.approx(5.66, abs=0.01)  # 2.4 of them embedding and output layer, in 16 bit


def test_every_part_answers_to_its_setting():
    shape, model = TABLE["llama-3.2-3b-instruct"], Model()
    step = sft_memory(shape, model, micro_batch=4, length=2048)
    small = sft_memory(shape, model, micro_batch=4, length=2048, optimizer="adamw_8bit")
    kept = sft_memory(shape, model, micro_batch=4, length=2048, checkpointing=False)
    full = sft_memory(shape, model, micro_batch=4, length=2048, chunked_loss=False)
    assert small.optimizer_bytes * 4 == step.optimizer_bytes
    assert kept.activations_bytes > 5 * step.activations_bytes
    assert full.logits_bytes == 12 * 4 * 2048 * shape.vocab
    assert step.total_bytes > step.tensors_bytes + step.context_bytes


def test_names_and_folders_lead_to_shapes(tmp_path):
    shape = TABLE["llama-3.2-3b-instruct"]
    for name in ("unsloth/Llama-3.2-3B-Instruct", "meta-llama/Llama-3.2-3B-Instruct"):
        assert find_shape(name) == shape
    assert find_shape("unsloth/Llama-3.2-3B-Instruct-unsloth-bnb-4bit") == shape
    for name, known in TABLE.items():
        (tmp_path / "config.json").write_text(json.dumps(known.config()))
        assert find_shape(str(tmp_path)) == known, name
    with pytest.raises(ConfigError, match=r"not in budget's table .*config\.json"):
        find_shape("someone/unknown-3b")


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": "3072"},
        {"num_hidden_layers": 10**12},
        {"num_attention_heads": 0},
        {"vocab_size": True},
        {"model_type": "mamba"},
        {"model_type": ["llama"]},
        {"tie_word_embeddings": 1},
    ],
)
def test_a_wrong_config_is_an_error_of_one_line(tmp_path, change):
    (tmp_path / "config.json").write_text(json.dumps(TABLE["qwen3-8b"].config() | change))
    with pytest.raises(ConfigError) as error:
        find_shape(str(tmp_path))
    assert "config.json" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_what_is_no_config_is_an_error_of_one_line(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json"):
        find_shape(str(tmp_path))


def test_left_out_keys_mean_what_transformers_makes_of_them(tmp_path):
    config = TABLE["qwen2.5-coder-7b-instruct"].config()
    del config["head_dim"], config["tie_word_embeddings"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert find_shape(str(tmp_path)) == TABLE["qwen2.5-coder-7b-instruct"]
