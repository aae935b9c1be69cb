"""model.lora null: all weights are trained, in float32, and what comes out is a model like any other."""

import shutil
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from configs.errors import ConfigError
from configs.files import file_fingerprint, read_json, read_jsonl, write_json, write_jsonl
from configs.load import load_config
from configs.schema import Config, Lora, Model
from evaluation.ask.responder import load
from evaluation.ask.source import find_source
from models.__main__ import main as models_main
from models.load import load_model, load_trained, name_base, trainable
from models.progress import save_trained
from models.sources import model_source
from models.trained import check_trained
from rl import train as rl
from sft import train as sft
from sft.options import options
from tests.learned import TRACES
from tests.processes import run_code
from tests.trial import write_config

FEW = ("sft.trainer.max_steps=4", "sft.trainer.save_steps=2", "sft.trainer.eval_steps=2")
FEW += ("rl.trainer.max_steps=4", "rl.trainer.learning_rate=0.005", "rl.ex_every=2", "rl.ex_questions=2")
LEARNED = [row | {"task_id": "t"} for row in TRACES]
CHAIN = """
import sys
from configs.stage import main
for stage, run in {"sft": "sft.train:train", "rl": "rl.train:train", "evaluation": "evaluation.run:evaluate"}.items():
    if status := main(stage, "", run, sys.argv[1:]):
        sys.exit(status)
"""
FILES = {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"}


@pytest.fixture(scope="module")
def whole(tiny) -> Model:
    """The tiny model, to be trained whole."""
    return tiny.model_copy(update={"lora": None})


@pytest.fixture(scope="module", params=["transformers", "unsloth"])
def run(request, tmp_path_factory) -> Path:
    """The folder of a run whose stages trained all weights, one after the other in one process."""
    folder = tmp_path_factory.mktemp(request.param)
    config = write_config(folder, lora=None, backend=request.param)
    write_jsonl(folder / "runs" / "smoke" / "distill" / "traces.jsonl", LEARNED)
    done = run_code(CHAIN, config, *FEW, "sft.trainer.max_steps=24", timeout_s=240)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr
    return folder / "runs" / "smoke"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights of a saved model."""
    return load_file(folder / "model.safetensors")


@pytest.mark.slow
def test_every_weight_is_trained_in_float32_by_both_stages(run):
    before = weights(Path(model_source("tiny")))
    assert "model.embed_tokens.weight" in before and "lm_head.weight" not in before
    for folder in (run / "sft" / "model", run / "rl" / "model"):
        assert {path.name for path in folder.iterdir()} >= FILES and not (folder.parent / "adapter").exists()
        after = weights(folder)
        assert after.keys() == before.keys() and {each.dtype for each in after.values()} == {torch.float32}
        assert [name for name in after if torch.equal(after[name], before[name])] == []
        before = after


@pytest.mark.slow
def test_rl_goes_on_from_the_sft_model_which_is_its_reference(run):
    divergence = [row["kl"] for row in read_jsonl(run / "rl" / "metrics.jsonl") if "kl" in row]
    assert divergence[0] == pytest.approx(0, abs=1e-6) and max(divergence) > 1e-6
    first, second = (read_json(run / stage / "state.json") for stage in ("sft", "rl"))
    assert (first["facts"]["steps"], second["facts"]["steps"]) == (24, 4)
    assert second["inputs"] == {"SFT model": file_fingerprint(run / "sft" / "model")}
    best = read_json(run / "rl" / "best" / "ex.json")["step"]
    checkpoint = run / "rl" / f"checkpoint-{best}"
    assert best in (2, 4) and checkpoint.is_dir()  # the earlier ones are gone
    kept, saved = weights(run / "rl" / "best"), weights(checkpoint)
    assert all(torch.equal(kept[name], saved[name]) for name in saved)


@pytest.mark.slow
def test_a_saved_model_is_one_that_transformers_loads_by_itself(run):
    for folder in (run / "sft" / "model", run / "rl" / "best"):
        model = AutoModelForCausalLM.from_pretrained(folder)
        assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
        assert read_json(folder / "config.json")["base_model_name_or_path"] == "tiny"
        assert str(run) not in (folder / "config.json").read_text()
        asked = AutoTokenizer.from_pretrained(folder).apply_chat_template(
            [{"role": "user", "content": "Who?"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        assert model.generate(**asked, max_new_tokens=3, do_sample=False).shape[1] > asked["input_ids"].shape[1]


@pytest.mark.slow
def test_evaluation_asks_each_model_in_its_turn(run, shop):
    rows = {name: read_json(run / "evaluation" / f"{name}.json") for name in ("base", "sft", "rl")}
    said = [[row["answer"] for row in each["predictions"]] for each in rows.values()]
    assert said[0] != said[1] != said[2] != said[0]
    assert rows["rl"]["adapter"] == file_fingerprint(run / "rl" / "best" / "model.safetensors")
    assert rows["sft"]["adapter"] == file_fingerprint(run / "sft" / "model" / "model.safetensors")


@pytest.mark.slow
def test_an_export_is_the_model_as_it_is(run, capsys):
    assert models_main(["export", str(run), "--to", "merged", "--dtype", "float32", "--questions", "6"]) == 0
    assert "6 of 6 greedy answers are the same as the model gives" in capsys.readouterr().err
    exported, trained = weights(run / "export" / "merged"), weights(run / "rl" / "best")
    assert exported.keys() == trained.keys()
    assert all(torch.equal(exported[name], trained[name]) for name in trained)
    card = (run / "export" / "merged" / "README.md").read_text()
    assert "| trained | all weights, in float32 |" in card and "adapter" not in card and "LoRA" not in card
    assert models_main(["export", str(run), "--to", "gguf", "--stage", "sft", "--questions", "6"]) == 0
    assert "6 of 6" in capsys.readouterr().err
    assert models_main(["export", str(run), "--to", "lora"]) == 2
    assert "trained all weights and has no adapter; give --to merged" in capsys.readouterr().err
    assert models_main(["serve", str(run), "--dtype", "float32", "--dry-run"]) == 0
    assert str(run / "export" / "merged") in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_training_that_goes_on_comes_to_the_same_end(stage, whole, tmp_path, fresh_process):
    overrides = [*FEW, f"runs={tmp_path}", "evaluation.max_new_tokens=8", f"{stage}.trainer.save_total_limit=9"]
    cfg = load_config(write_config(tmp_path, lora=None), overrides)
    if stage == "sft":
        write_jsonl(cfg.folder / "distill" / "traces.jsonl", LEARNED)
    else:
        changed_a_little(whole, cfg.folder / "sft" / "model")
        write_json(cfg.folder / "sft" / "state.json", {"status": "finished"})
    train, folder = {"sft": sft.train, "rl": rl.train}[stage], cfg.folder / stage
    first = weights(train(cfg))
    steps = [row["step"] for row in read_jsonl(folder / "metrics.jsonl")]
    shutil.rmtree(folder / "checkpoint-4")
    shutil.rmtree(folder / "model")
    write_json(folder / "state.json", read_json(folder / "state.json") | {"status": "running"})
    again = weights(train(cfg))
    assert [row["step"] for row in read_jsonl(folder / "metrics.jsonl")] == steps
    halfway = weights(folder / "checkpoint-2")
    assert all(torch.allclose(first[name], again[name], atol=1e-5) for name in first)
    assert not any(torch.equal(halfway[name], again[name]) for name in first)


def changed_a_little(whole: Model, folder: Path) -> dict[str, torch.Tensor]:
    """Save the model with other weights than the base's, and return them."""
    model, tokenizer = load_model(whole, trains=True)
    model = trainable(model, whole, seed=0)
    name_base(model, whole)
    torch.manual_seed(0)
    for parameter in model.parameters():
        assert parameter.requires_grad and parameter.dtype == torch.float32
        parameter.data += torch.randn_like(parameter) * 1e-4
    save_trained(model, tokenizer, folder)
    return weights(folder)


def test_all_weights_come_back_as_they_were_saved_also_for_a_training_in_bfloat16(whole, tmp_path):
    half = whole.model_copy(update={"dtype": "bfloat16"})
    saved = changed_a_little(half, tmp_path / "model")
    for trains, dtype in ((True, torch.float32), (False, torch.bfloat16)):
        model, _ = load_model(half, trains=trains)
        model = load_trained(model, tmp_path / "model", half, seed=0)
        loaded = dict(model.named_parameters())
        assert all(torch.equal(loaded[name], each.to(dtype)) for name, each in saved.items())
        assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_a_model_of_a_run_is_asked_through_the_run(whole, tmp_path, shop):
    cfg = Config(name="made", runs=str(tmp_path), model=whole, evaluation={"max_new_tokens": 8})
    write_json(cfg.folder / "config.json", {"config": cfg.model_dump(mode="json")})
    changed_a_little(whole, cfg.folder / "sft" / "model")
    source = find_source(str(cfg.folder))
    assert (source.name, source.trained) == ("made sft", cfg.folder / "sft" / "model")
    assert load(source).answer([{"role": "user", "content": "Who?"}]).tokens <= 8
    with pytest.raises(ConfigError, match=r"is the model of a run; give the run: .*made --stage sft"):
        find_source(str(cfg.folder / "sft" / "model"))
    with pytest.raises(ConfigError, match=r"--stage rl: .*rl/model is missing; run python -m rl first"):
        find_source(str(cfg.folder), "rl")


def test_what_is_no_such_model_is_refused(whole, tiny, tmp_path):
    folder = tmp_path / "model"
    with pytest.raises(ConfigError, match="no whole model there"):
        check_trained(folder, whole)
    changed_a_little(whole, folder)
    with pytest.raises(ConfigError, match="trained from tiny, the config says nano; use the same"):
        check_trained(folder, whole.model_copy(update={"name": "nano"}))
    with pytest.raises(ConfigError, match="no adapter there"):
        check_trained(folder, tiny)
    write_json(folder / "config.json", read_json(folder / "config.json") | {"num_hidden_layers": 3})
    model, _ = load_model(whole)
    with pytest.raises(ConfigError, match=r"9 weights don't fit, as model\.layers\.2\."):
        load_trained(model, folder, whole, seed=0)


@pytest.mark.parametrize(
    ("model", "cure"),
    [
        ({"quantization": "4bit"}, "lora null trains all weights, .* set quantization: none, or give lora a rank"),
        ({"quantization": "8bit"}, "set quantization: none"),
        ({"quantization": "none", "vllm": True}, "lora null with vllm: .* set vllm: false"),
    ],
)
def test_what_all_weights_can_not_be_trained_with_is_refused(model, cure):
    with pytest.raises(ValidationError, match=cure):
        Model(lora=None, **model)


def test_all_weights_learn_more_slowly_unless_the_config_says_otherwise(tmp_path):
    for name, rate, slower in (("sft", 2e-4, 2e-5), ("rl", 5e-6, 1e-6)):
        for lora, given, expected in ((Lora(), {}, rate), (None, {}, slower), (None, {"learning_rate": 3e-4}, 3e-4)):
            cfg = Config(name="trial", model={"lora": lora, "quantization": "none"}, **{name: {"trainer": given}})
            made = rl._options(cfg, tmp_path)
            if name == "sft":
                made = options(cfg, tmp_path, validates=True, in_domain=False)
            assert made["learning_rate"] == expected
