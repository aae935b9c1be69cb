"""What budget says of work, time and price: against sums by hand, published times, and files that are none."""

from datetime import date

import pytest

from budget.flops import forward_flops, training_flops
from budget.gpus import GPUS, gpu_called
from budget.hours import Interval, stage_hours
from budget.lengths import find_lengths, padding_of
from budget.memory import lora_parameters
from budget.prices import OURS, load_prices
from budget.published_times import rows, table
from budget.shapes import TABLE, find_shape
from budget.speed import read_speed, speed_of
from budget.work import stage_work
from configs.errors import ConfigError
from configs.files import write_json, write_jsonl
from configs.load import load_config
from configs.schema import Config, Model
from tests.processes import ROOT, run_code

LLAMA = TABLE["llama-3.2-3b-instruct"]
OUTSIDE = {
    "Qwen-7B Q-LoRA, a step of 8 × 256 tokens",
    "Qwen-14B Q-LoRA, a step of 8 × 256 tokens",
    "Llama-3.1-8B 4bit, a token for 1",
    "Qwen2.5-14B 4bit, a token for 1",
}
"""What docs/budget.md says that the intervals do not hold; "a token for 1" on the RTX 4090."""


def config(**sections) -> Config:
    return Config.model_validate({"name": "run", "runs": "/nonexistent", **sections})


def profile(name: str, *overrides: str) -> Config:
    return load_config(ROOT / "configs" / name, ["runs=/nonexistent", *overrides])


def hours_of(cfg: Config, gpu: str) -> dict[str, Interval]:
    shape = find_shape(cfg.model.name)
    return stage_hours(cfg, shape, GPUS[gpu], stage_work(cfg, shape))


def test_the_operations_are_those_of_the_matrices():
    numbers = LLAMA.parameters - LLAMA.hidden * (1 + 2 * LLAMA.layers)  # all but the norms; tied, so counted once
    assert forward_flops(LLAMA, 0) == 2 * numbers
    assert training_flops(LLAMA, 0, adapter=None, checkpointing=False) == 6 * numbers
    assert training_flops(LLAMA, 0, adapter=0, checkpointing=False) == 4 * numbers
    head = 2 * LLAMA.embedding_parameters
    assert training_flops(LLAMA, 0, adapter=0, checkpointing=True) == 6 * numbers - head  # the head is kept
    assert training_flops(LLAMA, 0, adapter=1000, checkpointing=False) == 4 * numbers + 6000
    assert forward_flops(LLAMA, 100) - forward_flops(LLAMA, 0) == 4 * 28 * 3072 * 100


@pytest.mark.parametrize("timed", rows(), ids=lambda timed: f"{timed.what}, {timed.gpu}")
def test_published_times_are_in_the_intervals(timed):
    unusual = timed.what in OUTSIDE and (timed.gpu != "h100")
    assert timed.inside is not unusual, (timed.published_s, timed.ours)
    if unusual:
        assert timed.note and not timed.independent


def test_an_interval_is_narrow_enough_to_say_something():
    independent = [timed for timed in rows() if timed.independent]
    assert len(independent) >= 5
    assert all(timed.ours.high < 8 * timed.ours.low for timed in rows())


def test_steps_tokens_and_passes_of_sft():
    cfg = profile("rtx4090-llama3.2-3b.yaml", "distill.traces=1000", "sft.trainer.num_train_epochs=2")
    work = stage_work(cfg, LLAMA)["sft"]
    assert work.steps == 2 * 63  # 62 steps of 16 traces and one of 8
    assert work.passes == 4 * work.steps
    lengths = find_lengths(cfg)
    assert work.tokens == round(2 * 1000 * lengths.trace)
    adapter = lora_parameters(LLAMA, cfg.model.lora)
    each = training_flops(LLAMA, lengths.trace / 2, adapter=adapter, checkpointing=True)
    assert work.training_flops == pytest.approx(2000 * lengths.trace * lengths.padding * each)
    assert any("gretel" in line for line in work.assumed)


def test_packing_leaves_out_the_padding_and_makes_fewer_steps():
    plain, packed = (
        stage_work(profile("rtx4090-llama3.2-3b.yaml", f"sft.trainer.packing={on}"), LLAMA)["sft"]
        for on in ("false", "true")
    )
    assert packed.training_flops < 0.75 * plain.training_flops
    assert packed.steps < plain.steps / 4
    assert packed.tokens == pytest.approx(plain.tokens, rel=0.05)


def test_early_stopping_lowers_the_low_end_only():
    words = ("sft.trainer.num_train_epochs=2.24", "sft.early_stopping_patience=")
    early, late = (hours_of(profile("h200-qwen3-4b.yaml", words[0], words[1] + patience), "h200")["sft"]
                   for patience in ("8", "null"))  # fmt: skip
    assert early.low < late.low and early.high == pytest.approx(late.high)


@pytest.mark.parametrize(
    ("override", "grows"),
    [
        ("rl.trainer.beta=0.04", "reading_flops"),
        ("rl.trainer.num_iterations=2", "reading_flops"),
        ("rl.generations=8", "generated_tokens"),
        ("rl.pass_rate_samples=2", "generated_tokens"),
        ("rl.ex_every=5", "generated_tokens"),
        ("rl.trainer.max_steps=400", "training_flops"),
    ],
)
def test_what_makes_grpo_longer(override, grows):
    before, after = (
        stage_work(profile("rtx4090-llama3.2-3b.yaml", *words), LLAMA)["rl"] for words in ((), (override,))
    )
    assert getattr(after, grows) > getattr(before, grows)


def test_transformers_reads_a_prompt_once_a_group():
    shared, alone = (
        stage_work(profile("cpu.yaml", f"model.backend={name}"), TABLE["smollm2-135m"])["rl"]
        for name in ("transformers", "unsloth")
    )
    assert shared.tokens == alone.tokens
    assert shared.training_flops < 0.6 * alone.training_flops
    assert shared.reading_flops < alone.reading_flops


def test_all_weights_take_more_than_an_adapter():
    whole = profile("cpu.yaml", "model.lora=null")
    shape = TABLE["smollm2-135m"]
    assert stage_work(whole, shape)["sft"].flops > 1.2 * stage_work(profile("cpu.yaml"), shape)["sft"].flops


def test_models_behind_servers_take_no_time_here():
    server = {"base_url": "http://localhost:1/v1", "model": "x"}
    cfg = config(evaluation={"models": ["big"], "servers": {"big": server}})
    work = stage_work(cfg, LLAMA)["evaluation"]
    assert (work.tokens, work.generated_tokens, work.flops) == (0, 0, 0)
    assert any("big answers at its server" in line for line in work.assumed)


def test_a_faster_gpu_is_faster_and_vllm_too():
    cfg = profile("rtx4090-llama3.2-3b.yaml")
    slow, fast = hours_of(cfg, "l4"), hours_of(cfg, "h100")
    assert fast["sft"].high < slow["sft"].high and fast["sft"].low < slow["sft"].low
    with_vllm, without = (hours_of(profile("rtx4090-llama3.2-3b.yaml", f"model.vllm={on}"), "rtx4090")["rl"]
                          for on in ("true", "false"))  # fmt: skip
    assert with_vllm.high < without.high and with_vllm.low < without.low


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("gpu", GPUS)
def test_every_profile_has_a_time_on_every_gpu(path, gpu):
    cfg = load_config(path, ["runs=/nonexistent"])
    for stage, time in hours_of(cfg, gpu).items():
        assert 0 < time.low < time.high < 60 * 24 * 3600, stage


def test_lengths_are_counted_where_there_are_traces(tmp_path):
    cfg = config(sft={"micro_batch": 2}).model_copy(update={"runs": str(tmp_path)})
    said = [{"role": "system", "content": "a" * 33}, {"role": "user", "content": "b" * 33}]
    answer = {"role": "assistant", "content": "c" * 66}
    rows_ = [{"split": split, "messages": [*said, answer]} for split in ("train", "train", "validation")]
    write_jsonl(tmp_path / "run" / "distill" / "traces.jsonl", rows_)
    lengths = find_lengths(cfg.model_copy(update={"model": Model(name="of/ours")}))
    assert (lengths.prompt, lengths.answer) == (12 + 20, 20)  # 67 and 66 characters, 3.3 a token
    assert (lengths.traces, lengths.validation, lengths.padding) == (2, 1, 1.0)
    assert "3 traces" in lengths.said and "characters a token" in lengths.said
    write_jsonl(tmp_path / "run" / "distill" / "traces.jsonl", [{"split": "train", "messages": 3}])
    with pytest.raises(ConfigError, match=r"traces.jsonl:1: no messages; run distill again with --fresh"):
        find_lengths(cfg)


def test_padding_of_a_mixed_batch():
    assert padding_of([10, 30], 2) == 60 / 40
    assert 1 < padding_of(list(range(1, 201)), 4) < 2


def test_the_table_of_gpus():
    assert list(GPUS) == ["rtx4090", "rtx3090", "l4", "a100-40", "a100-80", "h100", "h200"]
    assert all(gpu.source and gpu.name == name for name, gpu in GPUS.items())
    assert GPUS["rtx4090"].memory_bytes / 2**30 == pytest.approx(23.64, abs=0.02)  # as CUDA shows it
    assert gpu_called("NVIDIA H100 80GB HBM3", 81559).name == "h100"
    assert gpu_called("NVIDIA GeForce RTX 4090", 24564).name == "rtx4090"
    assert gpu_called("NVIDIA A100-PCIE-40GB", 40960).name == "a100-40"
    assert gpu_called("NVIDIA GeForce RTX 4090", 49140) is None  # one with other memory
    assert gpu_called("NVIDIA GeForce RTX 3080", 24576) is None


def test_our_prices_have_dates_and_sources():
    prices = load_prices()
    assert set(prices.gpus) == set(GPUS)
    for name in GPUS:
        price = prices.of(name)
        assert 0 < price.low <= price.high < 20 and price.as_of >= date(2026, 1, 1)
    assert all(row.source.startswith("https://") for rows_ in prices.gpus.values() for row in rows_)
    assert prices.teachers["llama-3.1-70b-instruct"][0].dollars_per_answer == pytest.approx(14.52 / 5000)
    assert prices.of("tpu") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file"),
        ("[1, 2]", "the file"),
        ("gpus: {rtx4090: []}", "gpus.rtx4090"),
        ("gpus: {rtx4090: [{dollars_per_hour: -1, kind: spot, provider: x, as_of: 2026-01-01, source: y}]}", "greater"),
        ("gpus: {rtx4090: [{dollars_per_hour: .nan, kind: spot, provider: x, as_of: 2026-01-01, source: y}]}", "gpus"),
        ("gpus: {rtx4090: [{dollars_per_hour: 1, kind: free, provider: x, as_of: 2026-01-01, source: y}]}", "kind"),
        ("gpus: {rtx4090: [{dollars_per_hour: 1, kind: spot, provider: x, as_of: soon, source: y}]}", "as_of"),
        ("gpus: {l4: [{dollars_per_hour: 1, kind: spot, provider: x, as_of: 2026-01-01, source: y}]}\nmore: 1", "more"),
        ("gpus: !!python/object/apply:os.system [echo hit]", "not YAML"),
        ("gpus: [", "not YAML"),
        ("a: &a [x]\nb: *nothing", "not YAML"),
    ],
)
def test_a_price_table_that_is_none(tmp_path, text, said):
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_prices(path)
    assert said in str(error.value) and str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_prices_that_cannot_be_read(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "binary.yaml"):
        with pytest.raises(ConfigError, match=r"can't be read|not YAML"):
            load_prices(path)


def test_our_prices_can_be_copied(tmp_path):
    (tmp_path / "mine.yaml").write_text(OURS.read_text().replace("0.34", "0.30"))
    assert load_prices(tmp_path / "mine.yaml").of("rtx4090").low == 0.30


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"speed": {"name": "x"}},
        {"name": "x", "training": {"slow": 0, "fast": 1}, "reading": {"slow": 1, "fast": 1},
         "making": {"slow": 1, "fast": 1}},
        {"name": "x", "training": {"slow": 2, "fast": 1}, "reading": {"slow": 1, "fast": 1},
         "making": {"slow": 1, "fast": 1}},
        {"name": "x", "training": {"slow": "fast", "fast": 1}, "reading": {"slow": 1, "fast": 1},
         "making": {"slow": 1, "fast": 1}},
    ],
)  # fmt: skip
def test_a_speed_that_is_none(tmp_path, data):
    write_json(tmp_path / "speed.json", data)
    with pytest.raises(ConfigError, match=r"--speed .*budget calibrate"):
        read_speed(tmp_path / "speed.json")


def test_a_speed_is_read_as_it_was_written(tmp_path):
    speed = speed_of(GPUS["l4"], Model())
    write_json(tmp_path / "speed.json", {"speed": speed.model_dump(mode="json")})
    assert read_speed(tmp_path / "speed.json") == speed == read_speed(tmp_path)
    with pytest.raises(ConfigError, match="is missing"):
        read_speed(tmp_path / "other.json")


def test_nothing_heavy_is_loaded():
    heavy = "{'torch', 'transformers', 'trl', 'peft', 'datasets', 'unsloth'}"
    done = run_code(
        "import sys, budget.calibrate, budget.published_times\n"
        f"sys.exit(', '.join(sorted({heavy} & set(sys.modules))) or 0)"
    )
    assert done.returncode == 0, done.stderr


def test_the_table_in_the_docs_is_the_one_that_is_computed():
    page = ROOT / "docs" / "budget.md"
    if not page.is_file():
        pytest.skip("docs/budget.md is not there")
    assert table() in page.read_text()
