"""The arithmetic of budget.memory against the real model code, traced on tensors without data."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from budget.agreement import CASES, TRACED
from budget.layers import fused, kept_bytes_per_token
from budget.losses import fused_rows
from budget.memory import GIB, Step, lora_parameters, training_memory, weights_bytes
from budget.shapes import TABLE, Shape, find_shape, read_shape
from budget.trace import built, trace_step
from configs.errors import ConfigError
from configs.schema import Lora, Model
from models import nano
from models.sources import MADE_HERE

PUBLISHED = {
    "llama-3.2-1b-instruct": (1.23, None),
    "llama-3.2-3b-instruct": (3.21, None),
    "llama-3.1-8b-instruct": (8.03, None),
    "qwen2.5-coder-0.5b-instruct": (0.49, 0.36),
    "qwen2.5-coder-1.5b-instruct": (1.54, 1.31),
    "qwen2.5-coder-3b-instruct": (3.09, 2.77),
    "qwen2.5-coder-14b-instruct": (14.8, None),  # as the hub counts; its card says 14.7 and 13.1
    "qwen3-0.6b": (0.6, 0.44),
    "qwen3-1.7b": (1.7, 1.4),
    "qwen3-4b-instruct-2507": (4.0, 3.6),
    "qwen2.5-coder-7b-instruct": (7.61, 6.53),
    "qwen3-8b": (8.2, 6.95),
    "qwen3-14b": (14.8, 13.2),
}
"""Billions of parameters, and without embedding and output layer, as the models' cards say."""


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
    if inner:
        assert without / 1e9 == pytest.approx(inner, abs=0.05)


@pytest.mark.parametrize("lora", [Lora(), Lora(r=64, targets=["q_proj", "v_proj"]), Lora(r=8, dora=True)])
def test_the_adapter_is_as_large_as_pefts(lora):
    shape = TABLE["qwen2.5-coder-7b-instruct"]
    trained = [each.numel() for each in built(shape, with_lora(lora)).parameters() if each.requires_grad]
    assert lora_parameters(shape, lora) == sum(trained)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        *(("llama-3.2-3b-instruct", case) for case in CASES),
        *((name, case) for name in ("qwen3-8b", "qwen2.5-coder-7b-instruct") for case in ("LoRA", "all weights")),
    ],
)
def test_the_formula_agrees_with_the_trace(name, case):
    """With three of the layers, which are all alike: the loss and one layer's pass weigh more than in the whole."""
    agree(replace(TABLE[name], layers=3), *CASES[case])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TRACED if not name.startswith("llama")])  # it is traced above
@pytest.mark.parametrize("case", CASES)
def test_the_formula_agrees_for_the_profiles_models(name, case):
    agree(replace(TABLE[name], layers=4), *CASES[case])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("llama-3.2-3b-instruct", "LoRA, nothing checkpointed"),
        ("llama-3.2-3b-instruct", "all weights"),
        ("smollm2-135m", "GRPO, LoRA"),
        ("smollm2-135m", "GRPO, LoRA, tiles"),
    ],
)
def test_the_formula_agrees_for_whole_models(name, case):
    agree(TABLE[name], *CASES[case])


@pytest.mark.parametrize("lora", [Lora(r=64), Lora(r=8, targets=["q_proj", "v_proj"])], ids=["wide", "two"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_formula_agrees_for_other_adapters(lora, dtype):
    model = with_lora(lora).model_copy(update={"dtype": dtype})
    agree(replace(TABLE["qwen3-8b"], layers=3), model, Step(2, 1024, checkpointing=False))


@pytest.mark.parametrize(
    "step",
    [
        Step(2, 512, checkpointing=False),
        Step(1, 2048, padded=False),
        Step(1, 4096, 512, checkpointing=False, loss="grpo"),
        Step(4, 512, 128, loss="chunked_grpo"),
    ],
    ids=["short", "alone", "long prompts", "short completions"],
)
@pytest.mark.parametrize("lora", [Lora(), None], ids=["LoRA", "all weights"])
def test_the_formula_agrees_for_other_steps(step, lora):
    agree(replace(TABLE["qwen3-4b-instruct-2507"], layers=3), with_lora(lora), step)


def with_lora(lora: Lora | None) -> Model:
    return Model(quantization="none", backend="transformers", lora=lora)


def agree(shape: Shape, model: Model, step: Step) -> None:
    """Assert that formula and trace differ by less than 10 %; GRPO's loss in tiles is counted some 30 MB too high."""
    traced, ours = trace_step(shape, model, step), training_memory(shape, model, step)
    assert ours.tensors_bytes == pytest.approx(traced, rel=0.10)
    if model.lora and not model.lora.dora:  # also in what a step adds to what stays
        stays = ours.stays_bytes
        assert ours.tensors_bytes - stays == pytest.approx(
            traced - stays, rel=0.10, abs=40e6 * (step.loss == "chunked_grpo")
        )


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
    shape, model, step = TABLE["llama-3.2-3b-instruct"], Model(backend="transformers"), Step(4, 2048)
    plain = training_memory(shape, model, step)
    small = training_memory(shape, model, replace(step, optimizer="paged_adamw_8bit"))
    kept = training_memory(shape, model, replace(step, checkpointing=False))
    full = training_memory(shape, model, replace(step, loss="nll"))
    whole = training_memory(shape, with_lora(None), step)
    assert small.optimizer_bytes * 4 == plain.optimizer_bytes
    assert kept.activations_bytes > 5 * plain.activations_bytes
    assert full.logits_bytes == 12 * 4 * 2048 * shape.vocab
    assert plain.total_bytes > plain.tensors_bytes + plain.context_bytes
    assert whole.stays_bytes == 16 * shape.parameters  # weights, gradients and two moments, all float32


def test_unsloth_keeps_less_than_transformers_but_not_with_dora():
    shape, step = TABLE["qwen3-8b"], Step(4, 4096, padded=False)
    ours = training_memory(shape, Model(), replace(step, loss="fused"))
    plain = training_memory(shape, Model(backend="transformers"), step)
    assert ours.weights_bytes == plain.weights_bytes
    assert ours.tensors_bytes - ours.stays_bytes < 0.6 * (plain.tensors_bytes - plain.stays_bytes)
    assert fused(Model()) and not fused(Model(lora=Lora(dora=True))) and not fused(Model(quantization="8bit"))
    assert kept_bytes_per_token(shape, Model(lora=Lora(dora=True)), length=4096, padded=False) > kept_bytes_per_token(
        shape, Model(backend="transformers"), length=4096, padded=False
    )


@pytest.mark.parametrize("tokens", [1, 300, 2048, 12_288, 163_840])
@pytest.mark.parametrize("name", ["smollm2-135m", "llama-3.1-8b-instruct", "qwen3-14b"])
def test_unsloths_chunks_are_as_unsloth_makes_them(tokens, name):
    code = """
import json, sys, types
source = open(sys.argv[1]).read()
start = source.index("def _pow2"), source.index("def _bytes_per_logit")
space = {"math": __import__("math"), "_MIN_ROWS": 0, "_MIN_LOGITS": 512 * 151936, "_MAX_ROWS": 4096}
space["_budget_bytes"] = lambda device: 2 * 2**30
exec(source[start[0] : start[1]], space)
print(space["fused_linear_rows"](*json.loads(sys.argv[2])))
"""
    spec = find_spec("unsloth_zoo")
    if spec is None:
        pytest.skip("unsloth_zoo is not installed")
    file = Path(spec.submodule_search_locations[0], "fused_losses", "fused_linear.py")
    shape = TABLE[name]
    asked = json.dumps([tokens, shape.hidden, shape.vocab])
    done = subprocess.run([sys.executable, "-c", code, file, asked], capture_output=True, text=True, check=True)
    assert fused_rows(shape, tokens) == int(done.stdout)


def test_the_shape_of_tiny_is_that_which_is_made(cache, tmp_path):
    MADE_HERE["tiny"](tmp_path)
    assert read_shape(tmp_path / "config.json") == find_shape("tiny")


def test_the_shape_of_nano_is_that_which_is_made(monkeypatch, tmp_path):
    """Without its questions and its training, which take a minute and change no shape."""
    for name in ("other_questions", "conversations", "pretrain"):
        monkeypatch.setattr(f"models.nano.{name}", lambda *_: [])
    monkeypatch.setattr("models.nano.make_tokenizer", lambda *_: range(nano.VOCABULARY))
    model, _ = nano.make_nano("")
    model.config.save_pretrained(tmp_path)
    assert read_shape(tmp_path / "config.json") == find_shape("nano")


def test_names_and_folders_lead_to_shapes(tmp_path):
    shape = TABLE["llama-3.2-3b-instruct"]
    for name in ("unsloth/Llama-3.2-3B-Instruct", "meta-llama/Llama-3.2-3B-Instruct"):
        assert find_shape(name) == shape
    assert find_shape("unsloth/Llama-3.2-3B-Instruct-unsloth-bnb-4bit") == shape
    for name, known in TABLE.items():
        (tmp_path / "config.json").write_text(json.dumps(known.config()))
        assert find_shape(str(tmp_path)) == known, name
    assert find_shape("Qwen/Qwen2.5-7B-Instruct") == TABLE["qwen2.5-coder-7b-instruct"]


def test_a_name_that_nobody_knows_says_what_to_do(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"not in budget's table .*cache has no config\.json.*give a folder"):
        find_shape("someone/unknown-3b")
    with pytest.raises(ConfigError, match="the hub has no such name"):
        find_shape("someone//unknown 3b")


def test_the_hubs_cache_and_then_the_hub_tell_the_shape(tmp_path, monkeypatch):
    """The hub's own client is asked for one file; what it gives is read as carefully as any other."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    asked = []
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *words: asked.append(words) or str(tmp_path / "c"))
    (tmp_path / "c").write_text(json.dumps(TABLE["qwen3-8b"].config() | {"num_hidden_layers": 7}))
    assert find_shape("someone/unknown-3b").layers == 7
    assert asked == [("someone/unknown-3b", "config.json")]
    with pytest.raises(ConfigError, match="cache has no"):
        find_shape("someone/unknown-3b", hub=False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: str(tmp_path / "c"))
    assert find_shape("someone/unknown-3b", hub=False).layers == 7


def test_a_hub_that_does_not_answer_is_an_error_of_one_line(monkeypatch):
    def fails(*_):
        raise OSError("no\nnetwork")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fails)
    with pytest.raises(ConfigError, match=r"the hub gave no config\.json \(OSError\)") as error:
        find_shape("someone/unknown-3b")
    assert "\n" not in str(error.value)


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
