"""configs.trainer: which of TRL's options a config may set, read from TRL's source and told in one line where wrong."""

import ast
import dataclasses

import pytest

from configs import trainer
from configs.__main__ import main
from configs.explain import paths
from configs.trainer import names_for, options, trainer_problems, unchecked
from tests.processes import ROOT

needs_trl = pytest.mark.skipif(unchecked() is not None, reason="TRL is not installed")
SFT = {
    "learning_rate": 2e-4, "num_train_epochs": 1, "max_steps": -1, "lr_scheduler_type": "cosine",
    "warmup_steps": 0.05, "optim": "adamw_8bit", "weight_decay": 0.01,
    "logging_steps": 5, "eval_strategy": "steps",
    "eval_steps": 20, "save_strategy": "best", "save_total_limit": 2, "packing": False, "packing_strategy": "bfd",
    "report_to": "none",
    "gradient_checkpointing": True, "max_grad_norm": 1, "neftune_noise_alpha": None, "dataset_num_proc": 1,
    "lr_scheduler_kwargs": {"num_cycles": 1}, "dataloader_num_workers": 0,
}  # fmt: skip
RL = {
    "learning_rate": 1e-6, "beta": 0.04, "temperature": 1, "top_p": 0.95, "top_k": 0, "loss_type": "dr_grpo",
    "scale_rewards": False, "epsilon": 0.2, "epsilon_high": 0.28, "num_iterations": 1, "max_steps": 300,
    "mask_truncated_completions": True, "vllm_importance_sampling_correction": True, "save_steps": 50,
    "optim": "paged_adamw_8bit", "warmup_steps": 10, "log_completions": True,
    "generation_kwargs": {"min_p": 0.1},
}  # fmt: skip


@needs_trl
def test_usual_options_of_trl_pass():
    assert trainer_problems("sft", SFT) == []
    assert trainer_problems("rl", RL) == []


@needs_trl
@pytest.mark.parametrize(
    ("stage", "key", "value", "said"),
    [
        ("sft", "learning_rat", 1e-4, "sft.trainer.learning_rat: unknown to TRL's SFTConfig; did you mean"),
        ("rl", "temprature", 1.0, "unknown to TRL's GRPOConfig; did you mean 'temperature'"),
        ("sft", "beta", 0.1, "unknown to TRL's SFTConfig"),
        ("rl", "num_generation", 8, "use rl.generations"),
        ("rl", "max_prompt_length", 512, "set by planql; use rl.max_prompt_length"),
        ("sft", "evaluation_strategy", "steps", "eval_strategy"),
        ("sft", "xyzzy", 1, "python -m configs keys sft.trainer"),
        ("sft", "learning_rate", "abc", "got 'abc' (str); TRL takes float"),
        ("sft", "packing", "yes", "got 'yes' (str); TRL takes bool"),
        ("rl", "max_grad_norm", True, "got True (bool); TRL takes float"),
        ("rl", "max_steps", 10.5, "got 10.5 (float); TRL takes int"),
        ("rl", "beta", None, "got None"),
        ("sft", "lr_scheduler_type", "cosin", "did you mean 'cosine'? allowed: linear"),
        ("sft", "packing_strategy", "bfdd", "did you mean 'bfd'? allowed: bfd, "),
        ("rl", "vllm_mode", "colocate", "use model.vllm"),
    ],
)  # fmt: skip
def test_wrong_options_of_trl_are_told(stage, key, value, said):
    (line,) = trainer_problems(stage, {key: value})
    assert said in line


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_what_planql_sets_is_refused_with_the_right_key(stage):
    keys = ["output_dir", "seed", "bf16", "per_device_train_batch_size", "gradient_accumulation_steps"]
    lines = trainer_problems(stage, dict.fromkeys(keys, 1))
    assert len(lines) == len(keys) and all("set by planql; use " in line for line in lines)


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_what_a_stage_overrides_is_refused(stage):
    """Each option that is set over the user's own would be ignored without a word."""
    own = {
        "sft": [("sft/options.py", "options"), ("sft/options.py", "_keeps_best")],
        "rl": [("rl/train.py", "_options")],
    }
    names = set().union(*(_keys_set_in(*place) for place in [*own[stage], ("models/training.py", "trainer_config")]))
    names -= {"eval_strategy", "generation_kwargs"}  # the latter is set beneath the user's own
    names -= {"save_strategy", "save_steps"}  # the user's own must agree
    assert {"output_dir", "seed"} <= names
    assert len(trainer_problems(stage, dict.fromkeys(names))) == len(names)


def _keys_set_in(path: str, name: str) -> set[str]:
    """Return the keys of the dict displays in function `name` of a file."""
    tree = ast.parse((ROOT / path).read_text())
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    keys = [key for node in ast.walk(function) if isinstance(node, ast.Dict) for key in node.keys]
    return {key.value for key in keys if isinstance(key, ast.Constant)}


def test_the_hints_name_keys_that_exist():
    for stage, refused in trainer.OURS.items():
        for hint in refused.values():
            words = [word.strip(",:()") for word in hint.split()]
            named = [word for word in words if word.startswith(("model.", "sft.", "rl.", "data."))]
            assert set(named) <= set(paths()), (stage, hint)


def test_without_trl_nothing_is_refused_but_what_planql_sets(monkeypatch):
    monkeypatch.setattr(trainer, "_package", lambda name: None)
    trainer._classes.cache_clear()
    options.cache_clear()
    try:
        assert "not checked" in (unchecked() or "")
        assert trainer_problems("sft", {"no_such_key": 1}) == []
        assert len(trainer_problems("sft", {"seed": 1})) == 1
    finally:
        monkeypatch.undo()
        trainer._classes.cache_clear()
        options.cache_clear()


@needs_trl
@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_options_read_from_source_are_those_of_the_imported_class(stage):
    trl = pytest.importorskip("trl")
    imported = {"sft": trl.SFTConfig, "rl": trl.GRPOConfig}[stage]
    assert set(options(stage)) == {field.name for field in dataclasses.fields(imported) if field.init}


@needs_trl
def test_keys_lists_what_trl_takes(capsys):
    assert main(["keys", "rl.trainer"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == len(names_for("rl")) + 2
    assert any(line.startswith("rl.trainer.beta = 0.0") for line in listed)
