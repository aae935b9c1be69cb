"""Configs: what is accepted, and that each mistake is told in one line, all at once, before torch loads."""

import json
import time
from pathlib import Path

import pytest

from configs.__main__ import main
from configs.check import check_config, problems
from configs.errors import ConfigError
from configs.explain import paths
from configs.load import load_config
from configs.trainer import options
from tests.processes import ROOT, run_light

FILES = sorted((ROOT / "configs").glob("*.yaml"))


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
    assert "rl.generations = 8   (whole number ≥ 2 and ≤ 4096)\n    Completions per question" in out
    assert "rl.rewards[0].name (required)" in out and "None" not in out
    assert main(["keys", "model.lora"]) == 0
    assert "rl." not in capsys.readouterr().out
    assert main(["keys", "modle"]) == 2
    assert "did you mean 'model'?" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["check", "PATH"], ["keys", "sft.trainer"]])
def test_answers_within_two_seconds_and_without_torch(write, words):
    words = [str(write("name: a")) if word == "PATH" else word for word in words]
    start = time.monotonic()
    done = run_light("configs", *words)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 10  # 2 s on a quiet machine; the tests may run beside a training


def test_a_reward_in_a_file_beside_the_config_is_found_from_anywhere(tmp_path):
    (tmp_path / "mine.py").write_text("def f(completions, **_):\n    return [0.0 for _ in completions]\n")
    config = tmp_path / "run.yaml"
    config.write_text(
        "name: x\nrl: {rewards: [{name: 'mine.py:f'}, {name: 'elsewhere.py:f'}, {name: format_strict}]}\n"
    )
    assert [reward.name for reward in load_config(config).rl.rewards] == [
        f"{tmp_path / 'mine.py'}:f", "elsewhere.py:f", "format_strict"
    ]  # fmt: skip
