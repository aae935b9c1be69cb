"""What a changed config does to the plan: the direction that it must go, and figures computed by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from budget.__main__ import main
from budget.fit import fitted, with_changes
from budget.flops import forward_flops, training_flops
from budget.generation import kv_bytes_per_token
from budget.gpus import GPUS
from budget.memory import lora_parameters, weights_bytes
from budget.peaks import stage_peaks
from budget.plan import make_plan
from budget.prices import load_prices
from budget.printed import NO_RUNS, home, profiles
from budget.shapes import TABLE, find_shape
from configs.check import check_config
from configs.schema import Lora, Model

CONFIGS = {path.stem: check_config(path, [NO_RUNS]) for path in profiles()}
PRICES = load_prices()
CARD = "configs/rtx4090-llama3.2-3b.yaml"
QWEN3_4B = TABLE["qwen3-4b-instruct-2507"]
LARGER = [
    {"sft.micro_batch": 8},
    {"model.max_length": 16_384},
    {"model.lora": {"r": 64, "alpha": 64}},
    {"model.quantization": "none"},
    {"rl.generations": 64},
    {"rl.prompts_per_step": 16},
    {"rl.max_completion_length": 4096, "model.max_length": 16_384},
    {"rl.trainer.beta": 0.04, "model.vllm": False},
    {"sft.trainer.gradient_checkpointing": False, "rl.trainer.gradient_checkpointing": False},
    {"sft.trainer.optim": "adamw_torch", "rl.trainer.optim": "adamw_torch"},
    {"evaluation.batch_size": 128},
    {"evaluation.samples": 64, "evaluation.temperature": 0.8},
]
LONGER = [
    {"sft.trainer.num_train_epochs": 9},
    {"sft.trainer.max_steps": 5000},
    {"rl.trainer.max_steps": 1000},
    {"rl.generations": 32},
    {"rl.max_completion_length": 2048, "model.max_length": 16_384},
    {"rl.pass_rate_samples": 8},
    {"rl.ex_every": 1},
    {"rl.trainer.beta": 0.04, "model.vllm": False},
    {"rl.trainer.num_iterations": 1, "sft.trainer.eval_steps": 1, "sft.early_stopping_patience": None},
    {"sft.ex_every": 1},
    {"evaluation.questions": 2000},
    {"evaluation.samples": 4, "evaluation.temperature": 0.8},
    {"distill.traces": 20_000},
]


def _pairs(changes, name):
    """Return a profile and the same with the changes; before them all is small that a change may make larger."""
    small = {"rl.ex_every": 0} | ({"model.vllm": False} if "model.vllm" in changes else {})
    before = with_changes(CONFIGS[name], small)
    after = with_changes(before, changes)
    assert after is not None, "the schema refuses the change"
    return before, after


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("changes", LARGER, ids=lambda changes: next(iter(changes)))
def test_what_is_larger_never_needs_less_memory(changes, name):
    before, after = _pairs(changes, name)
    shape, size = find_shape(before.model.name), GPUS["h200"].memory_bytes
    peaks, more = (stage_peaks(cfg, shape, size) for cfg in (before, after))
    assert all(more[stage].total_bytes >= peaks[stage].total_bytes for stage in peaks)


@pytest.mark.parametrize("name", CONFIGS)
def test_more_words_and_more_layers_never_need_less_memory(name):
    cfg, shape = CONFIGS[name], find_shape(CONFIGS[name].model.name)
    plain = with_changes(cfg, {"model.backend": "transformers", "model.vllm": False})  # Unsloth's chunks go by powers
    for larger in (replace(shape, vocab=2 * shape.vocab), replace(shape, layers=shape.layers + 1)):
        before, after = (stage_peaks(plain, each, None) for each in (shape, larger))
        assert all(after[stage].total_bytes > before[stage].total_bytes for stage in ("sft", "rl", "evaluation"))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("changes", LONGER, ids=lambda changes: next(iter(changes)))
def test_more_work_never_takes_less_time_nor_fewer_dollars(changes, name):
    before, after = _pairs(changes, name)
    shape, gpu = find_shape(before.model.name), GPUS[name.partition("-")[0]]
    plan, more = (make_plan(cfg, shape, gpu, PRICES) for cfg in (before, after))
    for stage, each in plan.stages.items():
        later = more.stages[stage]
        assert later.seconds.low >= each.seconds.low * 0.999 and later.seconds.high >= each.seconds.high * 0.999
        assert later.dollars is None or later.dollars.high >= each.dollars.high * 0.999
        assert later.work.flops >= each.work.flops


@pytest.mark.parametrize("gpu", GPUS.values(), ids=lambda gpu: gpu.name)
@pytest.mark.parametrize("name", CONFIGS)
def test_a_plan_adds_up(name, gpu):
    cfg = CONFIGS[name]
    plan = make_plan(cfg, find_shape(cfg.model.name), gpu, PRICES)
    stages, price = plan.stages.values(), PRICES.of(gpu.name)
    for end, rate in (("low", price.low), ("high", price.high)):
        paid = sum(getattr(each.dollars, end) for each in stages) + getattr(plan.teacher, end)
        assert getattr(plan.dollars, end) == pytest.approx(paid)
        assert getattr(plan.seconds, end) == pytest.approx(sum(getattr(each.seconds, end) for each in stages))
        each = plan.stages["rl"]
        assert getattr(each.dollars, end) == pytest.approx(getattr(each.seconds, end) / 3600 * rate)
    assert all(0 <= each.seconds.low <= each.seconds.high and each.dollars.low <= each.dollars.high for each in stages)
    assert plan.fits is all(each.peak.total_bytes <= gpu.memory_bytes for each in stages)


def test_figures_of_qwen3_4b_computed_by_hand():
    layer = 2 * 2560 * 4096 + 2 * 2560 * 1024 + 3 * 2560 * 9728  # q and o, k and v, MLP
    rest = 151_936 * 2560 + 36 * (2 * 2560 + 2 * 128) + 2560  # embedding, norms
    assert QWEN3_4B.parameters == 36 * layer + rest == 4_022_468_096  # 4.0B on its card
    nf4 = 36 * layer * (0.5 + 1 / 64 + 4 / (64 * 256)) + 2 * rest
    assert weights_bytes(QWEN3_4B, Model(quantization="4bit")) == pytest.approx(nf4, abs=1)
    assert kv_bytes_per_token(QWEN3_4B) == 36 * 2 * 8 * 128 * 2 == 147_456
    lora = 36 * 32 * (2 * (2560 + 4096) + 2 * (2560 + 1024) + 3 * (2560 + 9728))
    assert lora_parameters(QWEN3_4B, Lora(r=32)) == lora == 66_060_288
    forward = 2 * (36 * layer + 151_936 * 2560)
    assert forward_flops(QWEN3_4B, 0) == forward
    assert training_flops(QWEN3_4B, 0, adapter=None, checkpointing=False) == 3 * forward
    trained = training_flops(QWEN3_4B, 0, adapter=lora, checkpointing=False)
    assert trained == 2 * forward + 6 * lora


@pytest.mark.parametrize(
    ("name", "gpu", "changes"),
    [
        ("h200-qwen3-14b", "a100-80", {"model.vllm": False, "rl.micro_batch": 1}),
        ("h200-qwen3-4b", "rtx4090", {"model.vllm": False, "model.quantization": "none", "model.lora": {"r": 256}}),
        ("h200-qwen3-8b", "rtx4090", {"model.vllm": False, "sft.micro_batch": 3}),
    ],
)
def test_weights_kept_smaller_for_a_later_stage_still_fit_the_earlier(name, gpu, changes):
    """8 bit is smaller, yet its training needs more than Unsloth's in 16 bit."""
    cfg, size = with_changes(CONFIGS[name], changes), GPUS[gpu].memory_bytes
    shape = find_shape(cfg.model.name)
    found, hopeless = fitted(cfg, shape, size)
    assert not hopeless and found["model.quantization"] != cfg.model.quantization
    peaks = stage_peaks(with_changes(cfg, found), shape, size)
    assert all(peak.total_bytes <= size for peak in peaks.values())


def test_vllm_is_never_told_to_take_8_bit():
    cfg = CONFIGS["h200-qwen3-14b"]
    changes, _ = fitted(cfg, find_shape(cfg.model.name), GPUS["rtx3090"].memory_bytes)
    assert cfg.model.vllm and changes["model.quantization"] == "4bit"


def test_each_profile_is_cheaper_at_cheaper_prices():
    rates = {gpu: [row.model_copy(update={"dollars_per_hour": row.dollars_per_hour / 2}) for row in rows]
             for gpu, rows in PRICES.gpus.items()}  # fmt: skip
    half = PRICES.model_copy(update={"gpus": rates})
    for path in profiles():
        cfg, gpu = CONFIGS[path.stem], GPUS[home(path)]
        shape = find_shape(cfg.model.name)
        dear, cheap = (make_plan(cfg, shape, gpu, prices).gpu_dollars for prices in (PRICES, half))
        assert (cheap.low, cheap.high) == pytest.approx((dear.low / 2, dear.high / 2))


def _refused(words, capsys):
    assert main([CARD, *words]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    return error


RATE = "{dollars_per_hour: 1, kind: spot, provider: me, as_of: 2026-11-01, source: bill}"
BOMB = "a: &a [x, x]\n" + "".join(
    f"b{n}: &b{n} [*{f'b{n - 1}' if n else 'a'}, *{f'b{n - 1}' if n else 'a'}]\n" for n in range(60)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpus: {}", "gpus: Dictionary should have at least 1 item"),
        (f"gpus: {{rtx9090: [{RATE}]}}", "gpus.rtx9090: not known; there are rtx4090"),
        (f"gpus: {{rtx4090: [{RATE.replace('hour: 1', 'hour: .nan')}]}}", "finite"),
        (f"{BOMB}gpus: {{rtx4090: *b59}}", "gpus.rtx4090[0]: Input should be a valid dictionary"),
        ("gpus: !!python/object/apply:os.getcwd []", "not YAML"),
        ("#" * 1_000_001, "longer than any price table"),
    ],
    ids=["none", "unknown", "nan", "bomb", "python", "long"],
)
def test_a_bad_price_table_is_one_line(text, said, tmp_path, capsys):
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    assert said in _refused(["--prices", str(file)], capsys)


@pytest.mark.parametrize(
    "changed",
    [
        {"training": {"slow": 1e-320, "fast": 1e-320}},
        {"making": {"slow": 1e308, "fast": 1e308}},
        {"start_s": {"slow": 1, "fast": 100}},
        {"layer_step_s": {"slow": 1e300, "fast": 1e300}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_speed_that_no_machine_has_is_one_line(changed, tmp_path, capsys):
    rate = {"slow": 1e12, "fast": 2e12}
    file = tmp_path / "speed.json"
    file.write_text(json.dumps({"name": "x", "training": rate, "reading": rate, "making": rate} | changed))
    assert "is no machine's, or" in _refused(["--speed", str(file)], capsys)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sft.trainer.num_train_epochs=.nan"], "sft.trainer.num_train_epochs: got nan; wanted a finite number"),
        (["rl.trainer.max_steps=-1", "rl.trainer.num_train_epochs=1e300"], "rl.trainer.num_train_epochs: got 1e+300"),
        (["sft.micro_batch=1000000000000"], "sft.micro_batch"),
        (["--gpu", ""], "--gpu : not known"),
        (["--gpu", "l4", "--fit", "/proc/none/new.yaml"], "can't be written"),
    ],
)
def test_numbers_and_places_that_cannot_be(words, said, capsys):
    assert said in _refused(words, capsys)


def test_heads_that_do_not_divide_are_refused(tmp_path, capsys):
    shape = TABLE["llama-3.2-3b-instruct"].config() | {"num_key_value_heads": 7}
    (tmp_path / "config.json").write_text(json.dumps(shape))
    assert "num_key_value_heads 7 must divide 24 heads" in _refused([f"model.name={tmp_path}"], capsys)


def test_what_is_printed_of_a_run_has_its_whole_and_whose_each_note_is(capsys):
    assert main([CARD, NO_RUNS, "--gpu", "rtx4090"]) == 0
    said = capsys.readouterr().out
    plan = make_plan(CONFIGS["rtx4090-llama3.2-3b"], TABLE["llama-3.2-3b-instruct"], GPUS["rtx4090"], PRICES)
    assert f"${plan.dollars.low:.2f} – {plan.dollars.high:.2f}" in said.partition("all stages: ")[2].splitlines()[0]
    assert "  sft, rl, evaluation: CUDA context and margin are not measured" in said
    assert "model.max_length 41,280," in said  # far below the largest that is tried: no "or more"


def test_a_file_named_like_markup_is_a_name(tmp_path, capsys):
    file = tmp_path / "[red]x.yaml"
    file.write_bytes(Path(CARD).read_bytes())
    assert main(["compare", str(file), str(file), "--gpu", "l4"]) == 0
    assert "[red]x.yaml" in "".join(capsys.readouterr().out.split())


def test_a_speed_file_nested_without_end_is_one_line(tmp_path, capsys):
    file = tmp_path / "deep.json"
    file.write_text("[" * 100_000)
    assert "not JSON" in _refused(["--speed", str(file)], capsys)
