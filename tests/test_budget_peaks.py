"""The peak of each stage, and how the arithmetic stands against published figures."""

import subprocess
import sys
from pathlib import Path

import pytest

from budget.agreement import published_table
from budget.generation import STANDBY_SHARES, kv_bytes_per_token, vllm_cache_bytes, vllm_share
from budget.memory import CUDA_CONTEXT_BYTES, GIB
from budget.peaks import PARTS, rl_moments, stage_peaks
from budget.published import rows
from budget.shapes import TABLE, find_shape
from configs.check import check_config
from configs.schema import Config, Lora, Model

CONFIGS = sorted(Path(__file__).parents[1].joinpath("configs").glob("*.yaml"))
OFF = {
    ("QLoRA 7B, least", "Qwen2.5-7B"),
    ("QLoRA 8B, least", "Qwen3-8B"),
    ("QLoRA 14B, least", "Qwen3-14B"),
    ("GRPO 20 K, Unsloth: loss", "Llama-3.1-8B"),
    ("GRPO 20 K, Unsloth: all", "Llama-3.1-8B"),
    ("GRPO 20 K, TRL: training", "Llama-3.1-8B"),
    ("GRPO, Qwen2.5-1.5B, least", "8"),
}
"""The published figures that we miss by more than a quarter; each says why."""


def config(**sections: dict) -> Config:
    base = {"name": "run", "model": {"name": "qwen3-4b-instruct-2507"}}
    return Config.model_validate(base | sections)


def peaks(gpu_gib: float | None = 24, **sections: dict):
    cfg = config(**sections)
    return stage_peaks(cfg, find_shape(cfg.model.name), gpu_gib and int(gpu_gib * GIB))


def test_exactly_these_published_figures_are_missed():
    missed = [row for row in rows() if not row.agrees]
    assert {(row.what, row.assumed.split(" ")[0].rstrip(",")) for row in missed} == OFF
    assert all(row.why and not row.chosen for row in missed)
    assert all(row.source.startswith("https://") for row in rows())


def test_the_table_says_how_many_agree():
    *_, last = published_table(rows())
    assert last.strip().startswith(f"{len(rows()) - len(OFF)} of {len(rows())} within 25%, ")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_gets_its_four_peaks(path):
    cfg = check_config(str(path), [])
    found = stage_peaks(cfg, find_shape(cfg.model.name), 24 * GIB)
    assert list(found) == ["distill", "sft", "rl", "evaluation"]
    for stage in ("sft", "rl", "evaluation"):
        shown = list(found[stage].parts)
        assert shown == [name for name in (*PARTS, "CUDA context", "margin") if name in shown]
        assert all(size > 0 for size in found[stage].parts.values())
        assert found[stage].total_bytes > CUDA_CONTEXT_BYTES
        assert any("not measured" in note for note in found[stage].notes)


def test_no_torch_is_loaded():
    code = (
        "import budget.peaks, budget.published, sys; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1]).returncode == 0


@pytest.mark.parametrize(
    ("section", "small", "large", "stage"),
    [
        ("sft", {"micro_batch": 2}, {"micro_batch": 8}, "sft"),
        ("sft", {}, {"trainer": {"gradient_checkpointing": False}}, "sft"),
        ("sft", {"trainer": {"optim": "adamw_8bit"}}, {}, "sft"),
        ("sft", {"micro_batch": 1}, {"micro_batch": 1, "ex_every": 10}, "sft"),
        ("rl", {"generations": 8}, {"generations": 16}, "rl"),
        ("rl", {"max_completion_length": 256}, {"max_completion_length": 1024}, "rl"),
        ("rl", {}, {"trainer": {"beta": 0.04}}, "rl"),
        ("evaluation", {"batch_size": 4}, {"batch_size": 64}, "evaluation"),
        ("evaluation", {"batch_size": 4}, {"batch_size": 4, "samples": 8, "temperature": 0.8}, "evaluation"),
    ],
)
def test_a_larger_setting_needs_more(section, small, large, stage):
    assert peaks(**{section: small})[stage].total_bytes < peaks(**{section: large})[stage].total_bytes


@pytest.mark.parametrize("backend", ["unsloth", "transformers"])
def test_less_quantisation_needs_more_and_training_all_weights_most(backend):
    model = {"name": "qwen3-4b-instruct-2507", "backend": backend}
    each = [{"quantization": "4bit"}, {"quantization": "8bit"}, {"quantization": "none"}]
    each.append({"quantization": "none", "lora": None})
    found = [peaks(model=model | change)["sft"].total_bytes for change in each]
    assert found == sorted(found) and found[-1] > 4 * found[-2]


def test_packing_has_no_padding_but_as_many_tokens():
    padded, packed = (
        peaks(model={"name": "qwen3-8b", "backend": "transformers"}, sft={"trainer": {"packing": packing}})["sft"]
        for packing in (False, True)
    )
    assert packed.parts["weights"] == padded.parts["weights"]
    assert 0.5 * padded.total_bytes < packed.total_bytes < padded.total_bytes


def test_the_peak_of_grpo_is_the_higher_of_its_moments():
    for sections in ({"rl": {"micro_batch": 32, "trainer": {"gradient_checkpointing": False}}}, {}):
        cfg = config(**sections)
        shape = find_shape(cfg.model.name)
        generation, training = rl_moments(cfg, shape, None)
        highest = stage_peaks(cfg, shape, None)["rl"]
        assert highest.total_bytes == max(generation.total_bytes, training.total_bytes)
    assert highest.moment == "generation of 32 completions with Unsloth"
    assert "gradients" not in generation.parts and "KV cache" not in training.parts


def test_the_cache_holds_every_completion_of_a_step():
    shape = TABLE["qwen3-4b-instruct-2507"]
    parts = peaks(rl={"max_prompt_length": 1024, "max_completion_length": 512, "micro_batch": 1})["rl"].parts
    needed = 32 * 1536 * 2 * 2 * shape.layers * shape.kv_heads * shape.head_dim
    assert needed < parts["KV cache"] < 1.05 * needed


def test_vllm_fills_its_share_and_queues_what_has_no_room():
    vllm = {"name": "qwen3-4b-instruct-2507", "vllm": True, "max_length": 8192}
    long = {"max_prompt_length": 4096, "max_completion_length": 4096, "generations": 16}
    small, large = (peaks(size, model=vllm, rl=long)["rl"] for size in (24, 141))
    assert any("queues" in note for note in small.notes)
    for size, peak in ((24, small), (141, large)):
        pool = sum(peak.parts.get(name, 0) for name in ("weights", "KV cache", "reserved by vLLM", "vLLM overhead"))
        assert pool < vllm_share(size * GIB, Model(), standby=True) * size * GIB < 1.1 * pool
        assert peak.total_bytes < size * GIB
    assert "reserved by vLLM" in large.parts and "reserved by vLLM" not in small.parts


def test_vllm_has_room_for_a_sequence_or_does_not_fit():
    shape = TABLE["qwen3-14b"]
    model = Model(quantization="none", lora=Lora())
    cache = vllm_cache_bytes(shape, model, 24 * GIB, 0.5, 4096)
    assert cache == 4096 * kv_bytes_per_token(shape)
    crowded = {"name": "qwen3-14b", "quantization": "none", "vllm": True}
    assert peaks(24, model=crowded)["rl"].total_bytes > 24 * GIB


def test_the_shares_of_standby_are_unsloths():
    spec = pytest.importorskip("importlib.util").find_spec("unsloth_zoo")
    if spec is None:
        pytest.skip("unsloth_zoo is not installed")
    source = Path(spec.submodule_search_locations[0], "vllm_utils.py").read_text()
    table = source[source.index("Lowered tiers") : source.index("standby_target_gpu_util *= 0.95")]
    for least, share in STANDBY_SHARES[:-1]:
        assert f"ten_percent >= {least / 10}: standby_target_gpu_util = {share}" in " ".join(table.split())


def test_the_teacher_that_needs_no_gpu_and_those_that_do():
    plan, server, local, unknown = (
        peaks(distill=given)["distill"]
        for given in (
            {},
            {"teacher": "openai", "model": "gpt-4o"},
            {"teacher": "vllm", "model": "Qwen/Qwen3-8B"},
            {"teacher": "transformers", "model": "./nothing here"},
        )
    )
    assert plan.total_bytes == server.total_bytes == 0
    assert "gold SQL" in plan.notes[0] and "server" in server.notes[0]
    assert local.parts["weights"] == 2 * TABLE["qwen3-8b"].parameters
    assert unknown.total_bytes == 0 and "not known" in unknown.notes[0]


def test_servers_alone_need_no_gpu():
    servers = {"teacher": {"base_url": "http://localhost:1/v1", "model": "m"}}
    assert peaks(evaluation={"models": ["teacher"], "servers": servers})["evaluation"].total_bytes == 0
