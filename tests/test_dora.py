"""model.lora.dora: the magnitudes of an adapter are exported, evaluated, and gone on from, as the rest of it is."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from configs.files import read_json, read_jsonl, write_jsonl
from configs.schema import Lora, Model
from models.__main__ import main
from models.export import wanted
from models.load import add_adapter, load_adapter, load_model
from models.proof import proof_questions, trained_answers
from rl.reference import keep_reference
from tests.exported import make_run
from tests.learned import TRACES
from tests.trial import write_config

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def dora(tiny) -> Model:
    """The tiny model, with an adapter that has magnitudes."""
    return tiny.model_copy(update={"lora": Lora(r=4, alpha=8, dora=True)})


@pytest.fixture(scope="module")
def run(dora, tmp_path_factory) -> Path:
    """A run with two such adapters."""
    return make_run(tmp_path_factory.mktemp("runs"), dora)


@pytest.mark.parametrize("form", [["merged", "--dtype", "float32"], ["gguf", "--quantization", "f32"], ["lora"]])
def test_each_form_of_an_export_answers_as_the_adapter(run, form):
    assert main(["export", str(run), "--to", *form, "--questions", "8"]) == 0
    folder = run / "export" / form[0]
    assert read_json(folder / "export.json")["proof"]["same"] == 8
    assert "| trained | DoRA: rank 4, alpha 8" in (folder / "README.md").read_text()


@pytest.mark.slow
def test_both_backends_load_the_magnitudes(run, tmp_path):
    made = wanted(str(run), "lora", "sft")
    tasks = proof_questions(made.cfg, 6)
    shutil.copytree(made.trained, tmp_path / "other")
    saved = load_file(made.trained / WEIGHTS)
    other = {name: weight.flip(0) if "magnitude" in name else weight for name, weight in saved.items()}
    save_file(other, tmp_path / "other" / WEIGHTS, metadata={"format": "pt"})
    unsloth = made.cfg.model_copy(update={"model": made.cfg.model.model_copy(update={"backend": "unsloth"})})
    ours = trained_answers(made.cfg, made.trained, tasks)
    assert trained_answers(unsloth, made.trained, tasks) == ours
    assert not set(ours) & set(trained_answers(made.cfg, tmp_path / "other", tasks))


def test_the_reference_has_the_magnitudes_too(run, dora):
    model, _ = load_model(dora, trains=True)
    model = add_adapter(model, dora, seed=5)
    load_adapter(model, run / "sft" / "adapter", dora)
    keep_reference(SimpleNamespace(model=model, beta=0.1))
    mine = {name: each for name, each in model.named_parameters() if ".default." in name}
    assert any("magnitude" in name for name in mine)
    for name, parameter in mine.items():
        copy = model.get_parameter(name.replace(".default.", ".ref."))
        assert torch.equal(copy, parameter) and parameter.requires_grad and not copy.requires_grad
    asked, said = torch.arange(5, 15)[None], {}
    for name in ("default", "ref"):
        model.set_adapter(name)
        said[name] = model(input_ids=asked).logits
    assert torch.equal(said["default"], said["ref"])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["transformers", "unsloth"])
def test_grpo_goes_on_from_an_adapter_on_4_bit(backend, run_stage, tmp_path):
    lora = {"r": 4, "alpha": 8, "dora": True}
    config = write_config(tmp_path, backend=backend, quantization="4bit", dtype="bfloat16", lora=lora)
    folder = tmp_path / "runs" / "smoke"
    write_jsonl(folder / "distill" / "traces.jsonl", [trace | {"task_id": "t"} for trace in TRACES])
    few = ("sft.trainer.max_steps=4", "sft.trainer.learning_rate=0.05", "rl.trainer.max_steps=2", "rl.ex_every=1")
    for stage in ("sft", "rl"):
        done = run_stage(stage, config, *few, "rl.ex_questions=2")
        assert done.returncode == 0, done.stderr
        assert "autograd kernel was not registered" not in done.stderr
    divergence = [row["kl"] for row in read_jsonl(folder / "rl" / "metrics.jsonl") if "kl" in row]
    assert len(divergence) == 2 and divergence[0] == pytest.approx(0, abs=1e-3)
    first, second = (load_file(folder / stage / "adapter" / WEIGHTS) for stage in ("sft", "rl"))
    assert first.keys() == second.keys() and any("magnitude" in name for name in first)
    assert not [name for name in first if torch.equal(first[name], second[name])]
