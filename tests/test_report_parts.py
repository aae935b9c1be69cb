"""`python -m evaluation report` of a run with something missing, older, cut, or spoilt."""

import shutil

import pytest

from configs.files import read_json, read_jsonl, write_json, write_jsonl
from evaluation.report.traces import SAMPLES
from evaluation.table import percent
from sandbox import execute
from tests.reported import refused, written
from tests.shop import GOLDS


@pytest.mark.parametrize(
    ("names", "there", "missing"),
    [
        (("distill/stats.json",), {"costs"}, {"scores", "figures", "health", "traces"}),
        (("sft",), {"costs", "figures"}, {"scores", "health", "traces"}),
        (("config.json", "evaluation"), {"scores", "figures", "costs", "traces"}, {"health"}),
        (("rl",), {"figures", "costs", "health", "traces"}, {"scores"}),
    ],
)
def test_what_a_run_has_not_is_left_out(part_of, names, there, missing):
    found = written(part_of(*names))
    sections = {has.get("id") for tag, has, _ in found.elements if tag == "section"}
    assert there <= sections and not missing & sections
    links = {has["href"][1:] for tag, has, _ in found.elements if tag == "a"}
    assert links <= sections


def test_without_its_databases_a_run_is_shown_without_rows_and_the_page_says_so(part_of):
    folder = part_of("config.json", "evaluation")
    config = read_json(folder / "config.json")
    config["config"]["data"]["path"] = str(folder / "gone.jsonl")
    write_json(folder / "config.json", config)
    traces = written(folder).traces()
    assert traces["results"] == [] and traces["schemas"] == []
    (note,) = traces["notes"]
    assert note.startswith("trial: no schema and no rows for 11 of 11 questions (") and "gone.jsonl" in note


def test_another_gold_query_under_the_same_id_is_another_question(part_of):
    folder = part_of("config.json", "evaluation")
    for model in ("base", "sft", "rl"):
        found = read_json(folder / "evaluation" / f"{model}.json")
        found["predictions"][3]["gold_sql"] = "SELECT 1"
        write_json(folder / "evaluation" / f"{model}.json", found)
    traces = written(folder).traces()
    assert sum(item["schema"] is None for item in traces["sources"][0]["items"]) == 1
    assert "for 1 of 11 questions" in traces["notes"][0]


def test_no_query_runs_where_none_is_asked_for(part_of):
    traces = written(part_of("config.json", "evaluation"), "--rows", "0").traces()
    assert traces["results"] == traces["schemas"] == traces["notes"] == []


def test_long_results_are_cut_and_counted(part_of, shop):
    traces = written(part_of("config.json", "evaluation"), "--rows", "1").traces()
    item = next(item for item in traces["sources"][0]["items"] if item["id"] == "shop-4")
    shown = traces["results"][item["gold_rows"]]
    assert len(shown["rows"]) == 1 and shown["count"] == len(execute(shop, GOLDS[4]).rows) == 2


def test_predictions_of_an_older_version_are_shown_too(part_of):
    folder = part_of("config.json", "evaluation")
    summary = read_json(folder / "evaluation" / "summary.json")
    for model in summary:
        found = read_json(folder / "evaluation" / f"{model}.json")
        for row in found["predictions"]:
            for key in ("bird", "soft_f1", "ves", "error"):
                row.pop(key, None)
        write_json(folder / "evaluation" / f"{model}.json", found)
        for key in ("ex_bird", "soft_f1", "r_ves", "errors", "databases"):
            summary[model].pop(key, None)
    write_json(folder / "evaluation" / "summary.json", summary)
    found = written(folder)
    assert "soft F1" not in found.cells("scores") and percent(summary["rl"]["ex"]) in found.cells("scores")
    first = found.traces()["sources"][0]["items"][0]["answers"]
    assert [answer["verdict"] for answer in first] == ["no_sql", "no_such_column", "right"]


def test_samples_are_thinned_by_whole_steps(part_of):
    folder = part_of("rl")
    (sample, *_) = read_jsonl(folder / "rl" / "completions.jsonl")
    rows = [sample | {"step": step, "prompt": f"{step} {n // 4}"} for step in range(1, 501) for n in range(8)]
    write_jsonl(folder / "rl" / "completions.jsonl", rows)
    (source,) = written(folder).traces()["sources"]
    assert all(len(item["answers"]) == 4 for item in source["items"])
    steps = [item["step"] for item in source["items"]]
    assert steps[0] == 1 and steps[-1] == 500 and len(set(steps)) * 8 <= SAMPLES
    assert source["note"].startswith("2,000 of 4,000")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: shutil.rmtree(folder), "no run"),
        (lambda folder: [shutil.rmtree(path) for path in folder.iterdir() if path.is_dir()], "no stage has finished"),
        (lambda folder: (folder / "evaluation" / "summary.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "evaluation" / "summary.json").write_text('{"sft": {}}'), "has not the scores"),
        (lambda folder: (folder / "evaluation" / "sft.json").write_text('{"predictions": [{}]}'), "prediction 0 lacks"),
        (lambda folder: (folder / "report.html").mkdir(), "is a folder"),
    ],
)
def test_bad_input_is_one_line(part_of, capsys, spoil, said):
    folder = part_of("config.json", "evaluation", "sft")
    spoil(folder)
    assert said in refused(capsys, folder)
