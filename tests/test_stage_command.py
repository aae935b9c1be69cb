"""The command line around a stage: what it says at the end, on bad input, on a stop, and how --help teaches."""

import time
from pathlib import Path

import pytest

from configs import folder
from configs.stage import main
from tests.processes import run_code

pytestmark = pytest.mark.usefixtures("fresh_process")
STAGE_MODULE = """
from pathlib import Path
from configs.errors import ConfigError
from configs.stage import begin, finish, wrote

def train(cfg, fresh):
    begun = begin(cfg, "sft", {"seed": cfg.seed}, {}, fresh)
    if begun.status == "finished":
        return begun.folder
    if cfg.seed == 13:
        raise ConfigError("first problem\\nsecond problem")
    if cfg.seed == 14:
        raise KeyboardInterrupt
    (begun.folder / "adapter").mkdir(exist_ok=True)
    finish(begun)
    wrote(begun, "adapter of 3 steps")
    return begun.folder

def needs_more(cfg, fresh):
    import a_package_that_is_not_there
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs the small stage above as `python -m sft` would, and what it printed on stderr."""
    (tmp_path / "small_stage.py").write_text(STAGE_MODULE)
    (tmp_path / "lacking.py").write_text("import a_package_that_is_not_there\n")
    (tmp_path / "run.yaml").write_text("name: trial\nruns: out dir\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, function: str = "small_stage:train") -> tuple[int, str]:
        status = main("sft", "Reads traces, writes an adapter.", function, list(words))
        return status, capsys.readouterr().err

    return run


def test_a_stage_ends_with_what_it_wrote_and_the_next_command(run):
    status, said = run("run.yaml", "seed=2", "data.columns={a: b}")
    assert status == 0
    assert said.splitlines() == [
        "sft: adapter of 3 steps → out dir/trial/sft; next: python -m rl run.yaml seed=2 'data.columns={a: b}'"
    ]
    assert run("run.yaml", "seed=2", "--fresh")[0] == 0
    assert "sft is finished" in run("run.yaml", "seed=2")[1]
    assert run("run.yaml", "--fresh", "seed=3")[0] == 0  # the option may stand between overrides
    assert run("run.yaml", "seed=4") == (
        2,
        "sft: out dir/trial/sft was finished with other settings: seed: 3 → 4. "
        "--fresh runs sft again with the new ones, name=OTHER keeps both runs\n",
    )


def test_bad_input_is_one_line_each_and_leaves_no_trace(run):
    assert run("run.yaml", "seed=13") == (2, "sft: first problem\nsft: second problem\n")
    assert run("nowhere.yaml")[0] == 2
    status, said = run("run.yaml", "sed=1", "rl.generations=1", "sft.trainer.seed=1")
    assert (
        status == 2 and len(said.splitlines()) == 3 and "sft: run.yaml: sed: unknown key; did you mean 'seed'?" in said
    )
    assert not Path("out dir").exists() or not any(Path("out dir").iterdir())


def test_a_stopped_stage_says_how_to_go_on(run):
    status, said = run("run.yaml", "seed=14")
    assert status == 130 and "the same command goes on: python -m sft run.yaml seed=14" in said


def test_a_package_that_is_not_installed_is_one_line(run):
    status, said = run("run.yaml", function="lacking:train")
    assert status == 2 and said.startswith("sft: a_package_that_is_not_there is not installed in ")
    status, said = run("run.yaml", function="small_stage:needs_more")
    assert status == 2 and said.startswith("sft: a_package_that_is_not_there is not installed in ")


def test_a_missing_module_of_our_own_is_a_bug_and_shows_its_traceback(run):
    with pytest.raises(ModuleNotFoundError):
        run("run.yaml", function="sft.no_such_module:train")


@pytest.mark.parametrize("name", folder.CHAIN)
def test_help_teaches_and_needs_no_torch(name):
    code = (
        "import sys; from configs.stage import main\n"
        f"try: main({name!r}, 'Reads this, writes that.', '{name}.nothing:run', ['--help'])\n"
        "except SystemExit as end: sys.exit('torch' if 'torch' in sys.modules else end.code)"
    )
    start = time.monotonic()
    done = run_code(code)
    assert done.returncode == 0, done.stderr
    assert "Reads this, writes that." in done.stdout and f"python -m {name} configs/cpu.yaml" in done.stdout
    assert "distill → sft → rl → evaluation" in done.stdout and "--fresh" in done.stdout
    assert time.monotonic() - start < 10  # 2 s on a quiet machine
