"""The profiles of GPUs: what they say of themselves, TRL's configs that they become, and Unsloth training with them."""

import json
import re

import pytest
import torch
from transformers import AddedToken, AutoTokenizer

from budget.gpus import GPUS
from budget.peaks import stage_peaks
from budget.shapes import find_shape
from configs.errors import ConfigError
from configs.files import read_json, read_jsonl, write_jsonl
from models.load import with_template
from models.sources import CHATML, model_source
from models.template import check_template, prompt_text
from models.training import trainer_config
from tasks.trace import render
from tests.processes import run_code
from tests.profiles import CARDS, HYBRID, PROFILES, SMALL, load_profile, template_like, write_like

MODELS = {
    "unsloth/Llama-3.2-3B-Instruct",
    "Qwen/Qwen2.5-Coder-7B-Instruct",
    "Qwen/Qwen3-4B-Instruct-2507",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-14B",
}
QUESTION = [{"role": "system", "content": "Plan."}, {"role": "user", "content": "How many?"}]
ANSWER = render("Open city.\nCount.", "SELECT count(*) FROM city")


def test_the_profiles_are_those_that_the_documentation_promises():
    assert {name.partition("-")[0] for name in PROFILES} == CARDS.keys()
    assert {load_profile(name).model.name for name in PROFILES} == MODELS
    assert len(PROFILES) == 8


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_says_what_it_needs_and_gives(name):
    text = PROFILES[name].read_text()
    head = text.partition("\nname: ")[0]
    assert re.search(rf"^#   python -m \S+( compare)? configs/{re.escape(name)}\.yaml", head, re.MULTILINE)
    for word in ("machine", "minutes", "score", "budget"):
        assert re.search(rf"^# {word} {{2,}}\S", head, re.MULTILINE), word
    assert load_profile(name).name == name
    if name.startswith("rtx4090-") and name != "rtx4090-article":
        assert "RTX 3090" in head


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_fits_the_gpus_that_it_is_for(name):
    cfg = load_profile(name)
    for gpu in CARDS[name.partition("-")[0]]:
        held = GPUS[gpu].memory_bytes
        peaks = stage_peaks(cfg, find_shape(cfg.model.name), held)
        assert {stage: peak.total_bytes for stage, peak in peaks.items() if peak.total_bytes > held} == {}


@pytest.mark.parametrize("name", PROFILES)
def test_trl_takes_a_profiles_settings(name, tmp_path):
    from trl import GRPOConfig, SFTConfig

    from rl import train as rl
    from sft.options import options

    cfg = load_profile(name)
    learned = trainer_config(SFTConfig, "sft", options(cfg, tmp_path / "sft", validates=True), cfg.model, cfg.seed)
    improved = trainer_config(GRPOConfig, "rl", rl._options(cfg, tmp_path / "rl"), cfg.model, cfg.seed)
    for args, asked in ((learned, cfg.sft.trainer), (improved, cfg.rl.trainer)):
        assert {key: getattr(args, key) for key in asked} == asked
        assert args.bf16 == torch.cuda.is_available() and not args.fp16
        assert args.gradient_checkpointing
    assert learned.completion_only_loss and learned.max_length == cfg.model.max_length
    assert learned.per_device_train_batch_size * learned.gradient_accumulation_steps in (16, 36)
    assert learned.load_best_model_at_end == (cfg.sft.early_stopping_patience is not None)
    completions = cfg.rl.prompts_per_step * cfg.rl.generations
    assert improved.generation_batch_size == completions and improved.num_generations == cfg.rl.generations
    assert improved.per_device_train_batch_size * improved.gradient_accumulation_steps == completions
    assert improved.beta == 0 and improved.loss_type == "dapo"
    assert improved.use_vllm == cfg.model.vllm == name.startswith("h200")


def test_unmeasured_vllm_is_off_where_it_might_not_fit():
    """On 24 GB it is the user's to try; the H200's completions would not fit without its queue."""
    for name in PROFILES:
        cfg = load_profile(name)
        off = cfg.model_copy(update={"model": cfg.model.model_copy(update={"vllm": False})})
        gpu = GPUS[CARDS[name.partition("-")[0]][0]]
        peak = stage_peaks(off, find_shape(cfg.model.name), gpu.memory_bytes)["rl"]
        assert cfg.model.vllm == (peak.total_bytes > gpu.memory_bytes)


@pytest.fixture(scope="module")
def tokenizer():
    """The tiny model's."""
    return AutoTokenizer.from_pretrained(model_source("tiny"))


def with_chat(tokenizer, template: str):
    """Return the tokenizer as `load_model` makes it from a model with this chat template."""
    tokenizer.chat_template = template
    return with_template(tokenizer)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_each_models_template_teaches_our_answer_as_it_stands(tokenizer, model):
    made = with_chat(tokenizer, template_like(model))
    check_template(made)
    prompt = prompt_text(made, QUESTION)
    assert prompt.endswith("<|im_start|>assistant\n")
    for answer in (ANSWER, render("", "SELECT 1"), "SELECT 1"):
        said = [*QUESTION, {"role": "assistant", "content": answer}]
        assert made.apply_chat_template(said, tokenize=False) == f"{prompt}{answer}<|im_end|>\n"


def test_a_hybrid_models_own_template_would_teach_another_answer(tokenizer):
    tokenizer.chat_template = HYBRID
    said = [*QUESTION, {"role": "assistant", "content": ANSWER}]
    assert ANSWER not in tokenizer.apply_chat_template(said, tokenize=False)
    said[-1] = {"role": "assistant", "content": render("", "SELECT 1")}
    assert "<think>\n\n</think>" in tokenizer.apply_chat_template(said, tokenize=False)


def test_sft_of_a_hybrid_model_learns_our_answer_and_its_end(tokenizer, tmp_path):
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    from sft.options import options

    cfg = load_profile("h200-qwen3-8b", "runs=" + str(tmp_path), "model.vllm=false")
    args = trainer_config(SFTConfig, "sft", options(cfg, cfg.folder / "sft", validates=False), cfg.model, cfg.seed)
    made = with_chat(tokenizer, HYBRID)
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(write_like("Qwen/Qwen3-8B", tmp_path / "model")),
        processing_class=made,
        train_dataset=Dataset.from_list(
            [{"prompt": QUESTION, "completion": [{"role": "assistant", "content": ANSWER}]}]
        ),
        args=args,
    )
    labels = next(iter(trainer.get_train_dataloader()))["labels"][0]
    assert made.decode(labels[labels != -100]) == f"{ANSWER}<|im_end|>\n"


@pytest.mark.parametrize("special", [False, True])
def test_qwen3s_own_tokens_for_thinking_may_not_be_special(special):
    """In Qwen3's tokenizer <think> and </think> are single tokens, and not special."""
    made = with_chat(AutoTokenizer.from_pretrained(model_source("tiny")), HYBRID)
    made.add_tokens([AddedToken("<think>"), AddedToken("</think>")], special_tokens=special)
    if not special:
        check_template(made)
        return
    with pytest.raises(ConfigError, match="leaves <think> out of what is said"):
        check_template(made)


def test_a_template_is_changed_once_and_only_where_it_takes_answers_apart(tokenizer):
    once = with_chat(tokenizer, HYBRID).chat_template
    assert once != HYBRID and with_chat(tokenizer, once).chat_template == once
    assert with_chat(tokenizer, CHATML).chat_template == CHATML


def test_a_hybrid_model_sees_earlier_answers_without_their_thoughts(tokenizer):
    """As it was made to, when a conversation goes on."""
    made = with_chat(tokenizer, HYBRID)
    later = [*QUESTION, {"role": "assistant", "content": ANSWER}, {"role": "user", "content": "And now?"}]
    prompt = prompt_text(made, later)
    assert "Open city." not in prompt and "SELECT count(*)" in prompt and prompt.count("<|im_start|>assistant") == 2


TRAIN = """
import json, os, sys
os.environ["TRANSFORMERS_VERBOSITY"] = "warning"  # with which Unsloth says what it loads
from configs.load import load_config
from rl.train import train as improve
from sft.train import train as learn
runs, models, *overrides = sys.argv[1:]
for path, model in json.loads(models).items():
    cfg = load_config(path, [f"runs={runs}", f"model.name={model}", *overrides])
    learn(cfg), improve(cfg)
"""
"""Both stages of each profile, in one process: Unsloth takes long to load."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory, run_stage):
    """The folder of runs in which every profile trained a small model like its own."""
    folder = tmp_path_factory.mktemp("profiles")
    models = {model: write_like(model, folder / model.replace("/", "_") / "model") for model in sorted(MODELS)}
    first = next(iter(PROFILES))
    few = ("distill.traces=12", "distill.validation_traces=4", "distill.levels={}", "distill.detail=short")
    small = [*SMALL, f"runs={folder}", f"model.name={models[load_profile(first).model.name]}"]
    distilled = run_stage("distill", PROFILES[first], *small, *few)
    assert distilled.returncode == 0, distilled.stderr
    traces = read_jsonl(folder / first / "distill" / "traces.jsonl")
    for name in PROFILES:
        write_jsonl(folder / name / "distill" / "traces.jsonl", traces)
    each = {str(path): str(models[load_profile(name).model.name]) for name, path in PROFILES.items()}
    done = run_code(TRAIN, folder, json.dumps(each), *SMALL, timeout_s=600)
    assert done.returncode == 0, done.stderr[-6000:]
    loaded = re.findall(r"Unsloth \(CPU\): (\w+)ForCausalLM .* 4-bit = (\w+)", done.stdout + done.stderr)
    wanted = [load_profile(name).model for name in PROFILES]
    kinds = [(find_shape(model.name).model_type, str(model.quantization == "4bit")) for model in wanted]
    assert [(kind.lower(), four_bit) for kind, four_bit in loaded] == [each for each in kinds for _ in ("sft", "rl")]
    assert "should be imported before" not in done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", PROFILES)
def test_unsloth_trains_with_a_profile_on_a_cpu(trained, name):
    from safetensors.torch import load_file

    cfg = load_profile(name)
    run = trained / name
    weights = []
    for stage in ("sft", "rl"):
        assert read_json(run / stage / "state.json")["status"] == "finished"
        made = read_json(run / stage / "adapter" / "adapter_config.json")
        assert (made["r"], made["lora_alpha"]) == (cfg.model.lora.r, cfg.model.lora.alpha)
        assert set(made["target_modules"]) == set(cfg.model.lora.targets)
        losses = [row["loss"] for row in read_jsonl(run / stage / "metrics.jsonl") if "loss" in row]
        assert all(abs(loss) < 100 for loss in losses) and (losses or stage == "sft")
        weights.append(load_file(run / stage / "adapter" / "adapter_model.safetensors"))
    learned = [tensor for key, tensor in weights[0].items() if "lora_B" in key]
    assert len(learned) == 2 * 7 and any(tensor.any() for tensor in learned)
    assert weights[0].keys() == weights[1].keys()
