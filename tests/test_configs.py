"""Configs: what is accepted, and that each mistake is told in one line, all at once, before torch loads."""

import ast
import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from configs import trainer
from configs.__main__ import main
from configs.check import check_config, problems
from configs.errors import ConfigError
from configs.explain import paths
from configs.load import load_config
from configs.trainer import names_for, options, trainer_problems, unchecked

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "configs").rglob("*.yaml"))
needs_trl = pytest.mark.skipif(unchecked() is not None, reason="TRL is not installed")


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "run.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def refusal(path: Path, *overrides: str) -> str:
    """Return the text of the ConfigError that a config raises, without the file's path."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return "\n".join(line.removeprefix(f"{path}: ") for line in lines)


def test_the_profiles_were_found():
    assert len(FILES) >= 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_profile_is_right(path):
    assert problems(path) == []
    assert check_config(path).name


def test_defaults_fill_what_a_yaml_leaves_out(write):
    cfg = load_config(write("name: a\nrl: {generations: 4}"))
    assert cfg.rl.generations == 4 and cfg.rl.prompts_per_step == 4 and cfg.folder == Path("runs/a")


def test_overrides_reach_sections_lists_and_free_options(write):
    path = write("name: a\nrl: {rewards: [{name: x}, {name: y}], trainer: {beta: 0.1}}")
    given = [
        "rl.rewards[1].weight=3",
        "sft.trainer.learning_rate=1e-4",
        "rl.trainer.max_steps=5",
        "data.columns={question: q}",
    ]
    cfg = load_config(path, [*given, "runs=out=put", "distill.levels.L1=1", "data.path=null"])
    assert [reward.weight for reward in cfg.rl.rewards] == [1.0, 3.0]
    assert cfg.sft.trainer == {"learning_rate": 1e-4}
    assert cfg.rl.trainer == {"beta": 0.1, "max_steps": 5}
    assert cfg.data.columns == {"question": "q"}
    assert cfg.runs == "out=put" and cfg.distill.levels == {"L1": 1.0} and cfg.data.path is None


def test_scientific_notation_is_a_number(write):
    cfg = load_config(write("name: a\nsft: {trainer: {learning_rate: 1e-4, weight_decay: 5.e-2}}"))
    assert cfg.sft.trainer == {"learning_rate": 1e-4, "weight_decay": 0.05}


def test_keys_of_the_same_config_may_be_referred_to(write):
    assert load_config(write("name: a\nseed: 3\nruns: out/${name}/${seed}")).runs == "out/a/3"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: a\nrl: {generatoins: 3}", "rl.generatoins: unknown key; did you mean 'generations'?"),
        ("name: a\nmodle: {}", "modle: unknown key; did you mean 'model'? allowed: name, runs"),
        ("name: a\nsft: {learning_rate: 1}", "it is an option of TRL's: write sft.trainer.learning_rate"),
        ("name: a\nmodel: {r: 8}", "model.r: unknown key; there is model.lora.r. allowed: name"),
        ("seed: 1", "name: is missing; Name of the run"),
        ("name: a/b", "name: got 'a/b'; allowed: letters, digits"),
        ("name: 7", "name: got 7; must be text; put it in quotes"),
        ("name: a\ndata: {rows: 9}", "data: rows is for gretel, not for source 'sample'; remove it"),
        ("name: a\ndata: {source: spidr}", "data.source: got 'spidr'; did you mean 'spider'?"),
        ("name: a\ndistill: {levels: {L5: 1}}", "distill.levels.L5: got 'L5'; allowed: L1, L2, L3, L4"),
        ("name: a\ndata: {test_share: 1.5}", "data.test_share: got 1.5; must be less than 1"),
        ("name: a\nrl: {generations: yes}", "rl.generations: got True; must be a whole number"),
        ("name: a\nrl: {generations: '8'}", "rl.generations: got '8'; must be a whole number"),
        ("name: a\nrl: {rewards: [{nam: x}]}", "rl.rewards[0].nam: unknown key; did you mean 'name'?"),
        ("name: a\nrl: {micro_batch: 3}", "rl: micro_batch 3 does not divide prompts_per_step × gen"),
        ("name: a\nsandbox: null", "sandbox: got None; must be a mapping of keys"),
        ("name: a\nname: b", "not YAML: line 2, column 1: found duplicate key name"),
        ("name: a\n- b", "not YAML: line 2"),
        ("- a", "must be a mapping of keys"),
        ("", "name: is missing"),
        ("name: ???", "name: Missing mandatory value"),
        ("name: ${nosuch}", "name: Interpolation key 'nosuch' not found; ${…} reaches the keys"),
        ("name: a\ndistill: {base_url: '${oc.env:HOME}'}", "distill.base_url: '${oc.env:HOME}' would copy"),
        ("name: a\nx: oc\nruns: '${${x}.env:HOME}'", "runs: '${${x}.env:HOME}' would copy"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(write, text, line):
    assert line in refusal(write(text))


def test_all_mistakes_are_told_at_once(write):
    found = problems(write("seed: -1\nrl: {generations: 1, trainer: {learning_rat: 1}}\nsft: {trainer: {seed: 3}}"))
    assert len(found) == (5 if options("rl") else 4)


@pytest.mark.parametrize("override", ["foo", "=3", "", "rl.rewards[9].weight=1", "sft.trainer={a: [}", "name.x=1"])
def test_bad_overrides_are_told_in_one_line(write, override):
    text = refusal(write("name: a\nrl: {rewards: [{name: x}]}"), override)
    assert len(text.splitlines()) == 1 and ("override" in text or "name: got" in text)


def test_an_environment_variable_does_not_get_in_through_an_override(write, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    text = refusal(write("name: a"), "distill.model=${oc.env:SECRET_KEY}")
    assert "distill.model" in text and "hunter2" not in text


def test_a_missing_file_names_those_that_are_near(write, tmp_path):
    write("name: a", "small.yaml")
    assert "did you mean" in refusal(tmp_path / "smal.yaml") and "small.yaml" in refusal(tmp_path / "smal.yaml")
    assert "is a folder" in refusal(tmp_path)


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"\x7fELF\xff\xfe\x00")
    assert "UTF-8" in refusal(tmp_path / "x.yaml") or "not YAML" in refusal(tmp_path / "x.yaml")


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
    names = _keys_set_in(f"{stage}/train.py", "_options") | _keys_set_in("models/training.py", "trainer_config")
    names -= {"eval_strategy"}
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


def test_check_prints_ok_or_every_problem(write, capsys):
    good = write("name: a", "good.yaml")
    bad = write("name: a\nseed: x\nrl: {rewards: [{name: sql_exection}]}", "bad.yaml")
    assert main(["check", str(good)]) == 0
    assert capsys.readouterr().out.startswith(f"{good}: ok: smollm2-135m 4bit (unsloth), sample questions")
    assert main(["check", str(good), str(bad), "seed=2"]) == 2
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2 and "rl.rewards[0]: " in out[1] and "sql_execution" in out[1]
    assert main(["check", str(bad), str(good)]) == 2
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_show_prints_the_resolved_config(write, capsys):
    assert main(["show", str(write("name: a")), "rl.generations=4"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["rl"]["generations"] == 4 and shown["model"]["lora"]["r"] == 16
    assert main(["show", "nowhere.yaml"]) == 2
    assert "nowhere.yaml: is missing" in capsys.readouterr().err


def test_keys_explains_every_key(capsys):
    assert main(["keys"]) == 0
    out = capsys.readouterr().out
    assert all(f"{path} " in out or f"{path}:" in out for path in paths())
    assert "rl.generations = 8   (whole number ≥ 2)\n    Completions per question" in out
    assert "rl.rewards[0].name (required)" in out and "None" not in out
    assert main(["keys", "model.lora"]) == 0
    assert "rl." not in capsys.readouterr().out
    assert main(["keys", "modle"]) == 2
    assert "did you mean 'model'?" in capsys.readouterr().err


@needs_trl
def test_keys_lists_what_trl_takes(capsys):
    assert main(["keys", "rl.trainer"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == len(names_for("rl")) + 2
    assert any(line.startswith("rl.trainer.beta = 0.0") for line in listed)


@pytest.mark.parametrize("words", [["--help"], ["check", "PATH"], ["keys", "sft.trainer"]])
def test_answers_within_two_seconds_and_without_torch(write, words):
    words = [str(write("name: a")) if word == "PATH" else word for word in words]
    code = (
        "import sys; from configs.__main__ import main\n"
        f"try: status = main({words!r})\n"
        "except SystemExit as end: status = end.code\n"
        "heavy = {'torch', 'trl', 'transformers', 'datasets', 'unsloth'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 10  # 2 s on a quiet machine; the tests may run beside a training
