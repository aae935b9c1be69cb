"""configs.stage and configs.folder: new, resumed, finished, changed and fresh stages."""

import subprocess
import sys
from pathlib import Path

import pytest

from configs import folder
from configs.errors import ConfigError
from configs.files import read_json, write_jsonl, write_whole
from configs.schema import Config
from configs.stage import begin, finish, wrote
from tests.processes import ROOT

pytestmark = pytest.mark.usefixtures("fresh_process")
SETTINGS = {"sft": {"micro_batch": 4, "trainer": {"lr": 0.1}}, "seed": 0, "shape": (1, 2)}


@pytest.fixture
def cfg(tmp_path) -> Config:
    return Config(name="trial", runs=str(tmp_path / "runs"))


def finished(cfg: Config, settings: dict = SETTINGS, inputs: dict[str, Path] | None = None, fresh: bool = False):
    """Run a whole small stage and return its folder."""
    begun = begin(cfg, "sft", settings, inputs or {}, fresh)
    write_whole(begun.folder / "result.txt", "done")
    finish(begun, steps=3)
    return begun.folder


def test_a_new_stage_gets_a_folder_a_state_and_the_runs_config(cfg):
    begun = begin(cfg, "sft", SETTINGS, {})
    assert (begun.status, begun.folder) == ("new", cfg.folder / "sft")
    state = read_json(begun.folder / "state.json")
    assert state["status"] == "running" and state["settings"]["sft"]["trainer"] == {"lr": 0.1}
    run = read_json(cfg.folder / "config.json")
    assert run["config"]["name"] == "trial" and run["config"]["rl"]["generations"] == 8
    assert run["versions"]["python"].startswith("3.") and run["versions"]["sqlglot"]
    assert run["commit"] is None or len(run["commit"].removesuffix("-dirty")) == 40


def test_a_finished_stage_says_so_and_keeps_its_facts(cfg, capsys):
    finished(cfg)
    again = begin(cfg, "sft", SETTINGS, {})
    assert again.status == "finished" and again.facts == {"steps": 3}
    assert "sft is finished" in (said := capsys.readouterr().err) and "next: python -m rl run.yaml" in said
    state = read_json(again.folder / "state.json")
    assert state["finished"] >= state["started"]


def test_a_half_done_stage_goes_on_and_loses_partial_files(cfg, capsys):
    begun = begin(cfg, "sft", SETTINGS, {})
    write_whole(begun.folder / "checkpoint-1" / "model", "x")
    write_whole(begun.folder / "checkpoint-1" / ".model.partial-99", "half")
    assert begin(cfg, "sft", SETTINGS, {}).status == "resume"
    assert "going on where it stopped" in capsys.readouterr().err
    assert [path.name for path in (begun.folder / "checkpoint-1").iterdir()] == ["model"]


def test_a_stage_that_wrote_nothing_yet_may_begin_with_other_settings(cfg):
    begin(cfg, "sft", SETTINGS, {})
    assert begin(cfg, "sft", SETTINGS | {"seed": 1}, {}).status == "new"
    assert read_json(cfg.folder / "sft" / "state.json")["settings"]["seed"] == 1


def test_changed_settings_are_named_with_old_and_new(cfg):
    finished(cfg)
    with pytest.raises(
        ConfigError,
        match=r"was finished with other settings: sft\.micro_batch: 4 → 8\. --fresh runs sft again",
    ):
        begin(cfg, "sft", SETTINGS | {"sft": {"micro_batch": 8, "trainer": {"lr": 0.1}}}, {})
    with pytest.raises(ConfigError, match=r"sft\.trainer\.beta: not set → 2"):
        begin(cfg, "sft", SETTINGS | {"sft": {"micro_batch": 4, "trainer": {"lr": 0.1, "beta": 2}}}, {})
    with pytest.raises(ConfigError, match=r"a: .*b: .*c: .*and 5 more"):
        begin(cfg, "sft", dict.fromkeys("abcd", 1), {})
    assert (cfg.folder / "sft" / "result.txt").read_text() == "done"


def test_a_half_done_stage_refuses_changed_settings_too(cfg):
    write_whole(begin(cfg, "sft", SETTINGS, {}).folder / "metrics.jsonl", "{}\n")
    with pytest.raises(ConfigError, match="was begun with other settings: seed: 0 → 1"):
        begin(cfg, "sft", SETTINGS | {"seed": 1}, {})


def test_a_changed_input_is_named(cfg):
    traces = cfg.folder / "distill" / "traces.jsonl"
    write_jsonl(traces, [{"a": 1}])
    finished(cfg, inputs={"traces": traces})
    assert begin(cfg, "sft", SETTINGS, {"traces": traces}).status == "finished"
    write_jsonl(traces, [{"a": 2}])
    with pytest.raises(ConfigError, match="traces: its content changed"):
        begin(cfg, "sft", SETTINGS, {"traces": traces})


def test_a_missing_input_names_the_stage_to_run_first_and_leaves_nothing(cfg):
    with pytest.raises(ConfigError, match=r"traces\.jsonl is missing; run first: python -m distill run\.yaml"):
        begin(cfg, "sft", SETTINGS, {"traces": cfg.folder / "distill" / "traces.jsonl"})
    with pytest.raises(ConfigError, match="is missing; check the path"):
        begin(cfg, "sft", SETTINGS, {"data": cfg.folder / "elsewhere.jsonl"})
    assert not cfg.folder.exists()


def test_a_finished_stage_with_more_to_do_goes_on(cfg, capsys):
    made = finished(cfg)
    again = begin(cfg, "sft", SETTINGS, {}, more="going on with two more")
    assert again.status == "resume" and again.folder == made
    said = capsys.readouterr().err
    assert "sft: going on with two more" in said and "is finished" not in said


def test_the_input_of_a_stage_that_has_not_finished_is_refused(cfg):
    begun = begin(cfg, "distill", {}, {})
    write_jsonl(begun.folder / "traces.jsonl", [{"a": 1}])
    inputs = {"traces": begun.folder / "traces.jsonl"}
    with pytest.raises(ConfigError, match=r"distill has not finished .*run first: python -m distill"):
        begin(cfg, "sft", SETTINGS, inputs)
    finish(begun)
    assert begin(cfg, "sft", SETTINGS, inputs).status == "new"


def test_fresh_keeps_the_last_finished_result_beside_the_new_one(cfg):
    made = finished(cfg)
    assert begin(cfg, "sft", SETTINGS | {"seed": 1}, {}, fresh=True).status == "new"
    assert (made.with_name("sft.old") / "result.txt").read_text() == "done"
    write_whole(made / "half.txt", "")
    begin(cfg, "sft", SETTINGS | {"seed": 2}, {}, fresh=True)
    assert (made.with_name("sft.old") / "result.txt").exists() and not (made / "half.txt").exists()
    finished(cfg, SETTINGS | {"seed": 2})
    begin(cfg, "sft", SETTINGS, {}, fresh=True)
    assert read_json(made.with_name("sft.old") / "state.json")["settings"]["seed"] == 2


def test_fresh_with_a_missing_input_moves_nothing(cfg):
    made = finished(cfg)
    with pytest.raises(ConfigError, match="is missing"):
        begin(cfg, "sft", SETTINGS, {"data": Path("nowhere")}, fresh=True)
    assert (made / "result.txt").exists()


def test_a_run_that_failed_at_once_leaves_no_trace(cfg):
    begin(cfg, "sft", SETTINGS, {})
    folder.forget_untouched()
    assert not cfg.folder.exists()


def test_a_fresh_run_that_failed_at_once_puts_the_finished_one_back(cfg):
    made = finished(cfg)
    begin(cfg, "sft", SETTINGS, {}, fresh=True)
    folder.forget_untouched()
    assert (made / "result.txt").read_text() == "done" and not made.with_name("sft.old").exists()
    assert begin(cfg, "sft", SETTINGS, {}).status == "finished"


def test_forgetting_touches_no_stage_that_has_written_something(cfg):
    begun = begin(cfg, "sft", SETTINGS, {})
    write_whole(begun.folder / "checkpoint-1" / "model", "x")
    folder.forget_untouched()
    assert (begun.folder / "checkpoint-1" / "model").exists()


HOLD = """
import os, sys, time
from configs.schema import Config
from configs.stage import begin
begin(Config(name="trial", runs=sys.argv[1]), "sft", {}, {})
if os.fork() == 0:
    time.sleep(60)  # a worker that outlives its parent
    os._exit(0)
print("held", flush=True)
time.sleep(60)
"""


def test_two_processes_cannot_run_one_stage_and_kill_9_frees_it(cfg):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, cfg.runs],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=rf"another process \({holder.pid}\) is running this stage"):
            begin(cfg, "sft", {}, {})
        assert begin(cfg, "distill", {}, {}).status == "new"
        holder.kill()
        holder.wait()
        assert begin(cfg, "sft", {}, {}).status == "new"
    finally:
        folder_group = holder.pid  # its own session: the forked worker goes with it
        subprocess.run(["kill", "-9", "--", f"-{folder_group}"], check=False)
        holder.stdout.close()


def test_the_last_stage_names_no_next_one(cfg, capsys):
    begun = begin(cfg, "evaluation", {}, {})
    wrote(begun, "3 models scored")
    assert capsys.readouterr().err == f"evaluation: 3 models scored → {begun.folder}\n"
