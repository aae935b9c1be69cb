"""sft: early stopping keeps the best, losses in and out of domain, EX, NEFTune, DoRA, and each quantisation resumed."""

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from safetensors.torch import load_file

from configs.errors import ConfigError
from configs.files import read_json, read_jsonl
from configs.schema import Config, Model
from models.adapter import check_adapter
from models.load import load_model
from sft.options import options
from sft.traces import set_aside
from sft.train import train
from tests.learned import QUESTIONS, TRACES, again, config, seen, trace

TINY = {"name": "tiny", "backend": "transformers", "quantization": "none", "dtype": "float32", "max_length": 300}
QUICK = {"logging_steps": 1, "warmup_steps": 0, "learning_rate": 0.01}
OTHERS = [trace(question, "<sql>\nSELECT 0\n</sql>", "validation") for question in ("How many songs?", "Who sings?")]
MANY = [trace(f"{question} {n}", answer) for n in range(4) for question, answer in QUESTIONS.items()]


def weights(folder) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def losses(cfg: Config, key: str) -> dict[int, float]:
    """Return a metric by its step."""
    rows = read_jsonl(cfg.folder / "sft" / "metrics.jsonl")
    return {row["step"]: row[key] for row in rows if key in row}


def test_a_best_model_that_no_checkpoint_holds_is_refused(tmp_path):
    cfg = config(tmp_path, sft={"early_stopping_patience": 1, "trainer": {"eval_steps": 2, "save_steps": 3}})
    with pytest.raises(
        ConfigError, match=r"sft\.trainer\.save_steps 3: with early stopping each evaluation is a check"
    ):
        options(cfg, tmp_path, validates=True)


@pytest.mark.slow
def test_training_stops_where_validation_gets_no_better_and_keeps_the_best(tmp_path, fresh_process):
    sft = {"micro_batch": 3, "accumulation": 1, "early_stopping_patience": 2, "in_domain_traces": 2}
    sft |= {"ex_every": 100, "ex_questions": 1}
    trainer = QUICK | {"eval_steps": 2, "max_steps": 60, "learning_rate": 0.05}
    cfg = config(tmp_path, traces=[*MANY, *OTHERS], model=TINY | {"max_length": 1024}, sft=sft | {"trainer": trainer})
    train(cfg)
    facts = read_json(cfg.folder / "sft" / "state.json")["facts"]
    outside, inside = losses(cfg, "eval_out_of_domain_loss"), losses(cfg, "eval_in_domain_loss")
    best = min(outside, key=outside.get)
    assert facts["best_step"] == best and facts["steps"] == best + 2 * 2 < 60
    assert [row["step"] for row in read_jsonl(cfg.folder / "sft" / "ex.jsonl")] == [0, best]  # of what is kept
    assert facts["traces"] == len(MANY) - 2 and outside.keys() == inside.keys() and outside != inside
    kept = weights(cfg.folder / "sft" / "adapter")
    assert all(
        torch.equal(weight, kept[name]) for name, weight in weights(cfg.folder / "sft" / f"checkpoint-{best}").items()
    )
    again(cfg)  # its patience was at its end, and still is
    train(cfg)
    assert read_json(cfg.folder / "sft" / "state.json")["facts"]["steps"] <= facts["steps"] + 2
    assert all(torch.equal(weight, kept[name]) for name, weight in weights(cfg.folder / "sft" / "adapter").items())


def test_in_domain_traces_are_the_same_for_the_same_seed_and_none_is_trained_on():
    rows = [*MANY, MANY[0], *OTHERS]
    parts = [set_aside(rows, 3, seed) for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]
    aside, trained = (
        [str(row["messages"][:-1]) for row in parts[0] if row["split"] == s] for s in ("in_domain", "train")
    )
    assert 3 <= len(aside) <= 4 and not set(aside) & set(trained)
    assert [row for row in parts[0] if row["split"] == "validation"] == OTHERS
    with pytest.raises(ConfigError, match=r"sft\.in_domain_traces 99 leaves no trace to train on"):
        set_aside(rows, 99, 0)
    with pytest.raises(ValueError, match=r"sft\.in_domain_traces is for data\.split 'databases'"):
        Config(name="t", data={"split": "questions"}, sft={"in_domain_traces": 2})


@pytest.mark.slow
def test_ex_is_measured_every_few_steps_and_not_twice_after_a_resume(tmp_path, fresh_process, capsys):
    sft = {"micro_batch": 3, "accumulation": 1, "ex_every": 2, "ex_questions": 3}
    trainer = QUICK | {"max_steps": 5, "save_strategy": "no"}
    cfg = config(tmp_path, model=TINY | {"max_length": 1024}, sft=sft | {"trainer": trainer})
    train(cfg)
    rows = read_jsonl(cfg.folder / "sft" / "ex.jsonl")
    assert [(row["step"], row["ex"], row["right"], row["questions"]) for row in rows] == [
        (step, 0.0, 0, 3) for step in (0, 2, 4, 5)
    ]
    assert "step 4: EX 0.0 % on 3 validation questions" in capsys.readouterr().err
    first = weights(cfg.folder / "sft" / "adapter")
    again(cfg)
    train(cfg)
    after = read_jsonl(cfg.folder / "sft" / "ex.jsonl")
    assert after[:3] == rows[:3] and [row["step"] for row in after] == [0, 2, 4, 5]
    assert all(
        torch.allclose(first[name], end, atol=1e-5) for name, end in weights(cfg.folder / "sft" / "adapter").items()
    )


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["transformers", "unsloth"])
def test_neftune_and_dora_come_through_the_yaml_and_no_hook_stays(backend, tmp_path):
    lora = {"r": 4, "alpha": 8, "rslora": True, "dora": True, "targets": ["q_proj", "down_proj"]}
    cfg = {}
    for name, more in (("plain", {}), ("noisy", {"neftune_noise_alpha": 50.0})):
        sft = {"micro_batch": 3, "accumulation": 1, "trainer": QUICK | {"max_steps": 2, "save_strategy": "no"} | more}
        cfg[name] = config(tmp_path / name, model=TINY | {"backend": backend, "lora": lora}, sft=sft)
    trained, _ = seen(*cfg.values())
    assert not any("neftune" in hook for each in trained for hook in each["hooks"])
    assert losses(cfg["plain"], "loss")[1] != losses(cfg["noisy"], "loss")[1]
    folder = cfg["plain"].folder / "sft" / "adapter"
    saved = read_json(folder / "adapter_config.json")
    assert saved["use_dora"] and saved["use_rslora"] and set(saved["target_modules"]) == {"q_proj", "down_proj"}
    assert {name.split(".")[-2] for name in weights(folder)} >= {"lora_A", "lora_B"}
    assert any("lora_magnitude_vector" in name for name in weights(folder))
    check_adapter(folder, cfg["plain"].model)
    with pytest.raises(ConfigError, match=r"trained with model\.lora\.dora = True, the config says False"):
        check_adapter(folder, Model.model_validate(TINY | {"lora": lora | {"dora": False}}))


def test_vllm_serves_no_dora():
    with pytest.raises(ValueError, match=r"vllm with lora\.dora: vLLM has no DoRA"):
        Model(vllm=True, lora={"dora": True})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "quantizations"), [("transformers", ["4bit", "8bit", "none"]), ("unsloth", ["4bit", "8bit"])]
)
def test_every_quantisation_trains_and_goes_on(backend, quantizations, tmp_path):
    sft = {"micro_batch": 3, "accumulation": 1, "trainer": QUICK | {"max_steps": 4, "save_steps": 2, "eval_steps": 1}}
    model = TINY | {"backend": backend, "dtype": "bfloat16"}
    cfgs = [
        config(tmp_path / each, traces=[*TRACES, *OTHERS], model=model | {"quantization": each}, sft=sft)
        for each in quantizations
    ]
    _, said = seen(*cfgs, "again")
    assert "autograd kernel was not registered" not in said
    assert said.count("from the checkpoint of step 2") == len(cfgs)
    assert ("Unsloth has none on a CPU" in said) == (backend == "unsloth")  # 8 bit, so that 16 bit is tried with it
    for cfg in cfgs:
        learned = losses(cfg, "loss")
        assert list(learned) == [1, 2, 3, 4] and learned[4] < learned[1]
        whole, resumed = weights(cfg.folder / "first"), weights(cfg.folder / "sft" / "adapter")
        difference = sum(float((resumed[name] - weight).norm() ** 2) for name, weight in whole.items()) ** 0.5
        assert difference < 0.05 * sum(float(weight.norm() ** 2) for weight in whole.values()) ** 0.5


def test_no_4_bit_layer_of_a_training_changes_its_form(tiny, monkeypatch):
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    for trains in (True, False):
        model, _ = load_model(tiny.model_copy(update={"quantization": "4bit"}), trains=trains)
        changes = [each.support_avx512bf16_for_cpu for each in model.modules() if isinstance(each, Linear4bit)]
        assert len(changes) == 14 and set(changes) == {not trains}


def test_the_validation_loss_does_not_depend_on_the_micro_batch(tmp_path):
    short, long = (trace(f"Who? {n}", "<sql>\nSELECT 0\n</sql>" * n, "validation") for n in (1, 5))
    found = []
    for size in (1, 2):
        sft = {"micro_batch": size, "accumulation": 2 // size, "trainer": QUICK | {"max_steps": 1, "eval_steps": 1}}
        cfg = config(tmp_path / str(size), traces=[*TRACES, short, long], model=TINY, sft=sft)
        train(cfg)
        found.append(losses(cfg, "eval_loss")[1])
    assert found[0] == pytest.approx(found[1], rel=1e-4)


@pytest.mark.slow
def test_gradients_of_4_bit_are_the_same_after_an_evaluation(tiny):
    model, _ = load_model(tiny.model_copy(update={"quantization": "4bit"}), trains=True)
    embedded = torch.randn(1, 9, model.config.hidden_size)

    def gradient() -> torch.Tensor:
        inputs = embedded.clone().requires_grad_()
        model.train()(inputs_embeds=inputs).logits.logsumexp(-1).sum().backward()
        return inputs.grad

    before = gradient()
    with torch.no_grad():
        model.eval()(input_ids=torch.ones(1, 9, dtype=torch.long))
    assert torch.equal(gradient(), before)
