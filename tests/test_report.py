"""`python -m evaluation report` without a browser: what the page says, what it leaves out, and what it refuses."""

import base64
import hashlib
import json
import re
import shutil
import time
from html import escape
from pathlib import Path

import pytest

from configs.files import read_json, read_jsonl, write_json, write_jsonl
from evaluation.report.command import report
from evaluation.report.figures import FIGURES
from evaluation.report.traces import SAMPLES
from evaluation.score import summarise
from evaluation.table import percent
from sandbox import execute
from tasks.prompt import schema_text
from tasks.schema import read_schema
from tests.processes import run_light
from tests.reported import BAD_SQL, HOSTILE, MODELS, Page, make_run, many, written
from tests.shop import GOLDS


@pytest.fixture(scope="module")
def run(tmp_path_factory, shop) -> Path:
    return make_run(tmp_path_factory.mktemp("reported"), shop)


@pytest.fixture(scope="module")
def page(run) -> Page:
    return written(run)


@pytest.fixture
def part_of(run, tmp_path):
    """Return a function that makes a run with only the named files and folders of the whole one."""

    def copied(*names: str) -> Path:
        for name in names:
            copy = shutil.copytree if (run / name).is_dir() else shutil.copy
            (tmp_path / "part" / name).parent.mkdir(parents=True, exist_ok=True)
            copy(run / name, tmp_path / "part" / name)
        return tmp_path / "part"

    return copied


def refused(capsys, *words: object) -> str:
    assert report([*map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("report: ")
    return err


def test_the_table_says_what_the_summary_says(page, run):
    cells = page.cells("scores")
    summary = read_json(run / "evaluation" / "summary.json")
    assert summary["rl"]["ex"] > summary["sft"]["ex"] > summary["base"]["ex"] == 0
    for model, name in (("base", "base"), ("sft", "SFT"), ("rl", "SFT + GRPO")):
        row, place = summary[model], cells.index(name)
        low, high = map(percent, row["ex_interval"])
        assert cells[place + 1 : place + 4] == [str(row["questions"]), percent(row["ex"]), f"{low}–{high}"]
        shares = [
            percent(row[key])
            for key in ("ex_bird", "ex_suite", "soft_f1", "r_ves", "form", "runs", "stops")
            if key in row
        ]
        assert cells[place + 5 : place + 6 + len(shares)] == [*shares, f"{row['tokens']:.0f}"]


def test_neighbours_are_compared_on_the_same_questions(page, run):
    first, second = page.texts("li")[:2]
    summary = read_json(run / "evaluation" / "summary.json")
    gain = 100 * (summary["rl"]["ex"] - summary["sft"]["ex"])
    assert first.startswith("SFT − base: +") and second.startswith(f"SFT + GRPO − SFT: +{gain:.1f} points, 95 % from ")


def test_a_comparison_that_the_summary_has_is_taken_from_there(part_of):
    folder = part_of("evaluation", "config.json")
    summary = read_json(folder / "evaluation" / "summary.json")
    found = {"difference": 0.123, "interval": [0.1, 0.2], "won": 77, "lost": 0, "mcnemar_p": 0.5}
    write_json(folder / "evaluation" / "summary.json", summary | {"compared": {"rl-sft": found}})
    assert "SFT + GRPO − SFT: +12.3 points, 95 % from +10.0 to +20.0 (won 77" in written(folder).html


def test_gold_has_a_line_in_the_table_and_is_no_model_elsewhere(part_of):
    folder = part_of("evaluation", "config.json")
    summary = read_json(folder / "evaluation" / "summary.json")
    shutil.copy(folder / "evaluation" / "rl.json", folder / "evaluation" / "gold.json")
    gold = {key: value for key, value in summary["rl"].items() if key not in ("form", "stops", "tokens", "seconds")}
    write_json(folder / "evaluation" / "summary.json", summary | {"gold": gold})
    found = written(folder)
    assert "gold" in found.cells("scores") and found.traces()["sources"][0]["who"] == ["base", "SFT", "SFT + GRPO"]
    assert '"name":"gold"' not in found.html and "gold −" not in found.html and "− gold" not in found.html


def test_every_figure_that_has_data_is_there_with_that_data(page, run):
    drawn = json.loads(page.texts("script", id="figure-data")[0])
    assert set(drawn) == {figure.name for figure in FIGURES} - {"difficulties", "databases", "tries"}
    (loss, validation) = drawn["loss"]["data"]
    assert loss["y"] == [row["loss"] for row in read_jsonl(run / "sft" / "metrics.jsonl") if "loss" in row]
    assert (validation["x"], validation["y"]) == ([30], [0.2])
    assert drawn["held-out"]["data"][0]["y"] == [0, 0.25, 0.75]
    rewards = {trace["name"]: trace["y"] for trace in drawn["rewards"]["data"] if trace.get("showlegend", True)}
    assert len(rewards) == 3 and {"sum, weighted", "sql_execution"} <= rewards.keys()
    levels = read_json(run / "evaluation" / "summary.json")["rl"]["levels"]
    assert drawn["levels"]["data"][2]["y"] == [row["ex"] for row in levels.values()]
    base = drawn["errors"]["data"][0]
    assert dict(zip(base["y"], base["x"], strict=True))["no SQL"] == 1.0


def test_difficulties_databases_and_samples_are_shown_where_a_run_has_them(part_of):
    folder = part_of("evaluation", "config.json")
    summary = read_json(folder / "evaluation" / "summary.json")
    for model in MODELS:
        measured = read_json(folder / "evaluation" / f"{model}.json")
        for place, row in enumerate(measured["predictions"]):
            row |= {"difficulty": "simple" if place % 3 else "challenging", "database": "shop" if place else "store"}
            row["samples"] = [{"correct": row["correct"]}, {"correct": False}]
        write_json(folder / "evaluation" / f"{model}.json", measured)
        summary[model] = summarise(measured["predictions"], resamples=100, seed=0)
    write_json(folder / "evaluation" / "summary.json", summary)
    found = written(folder)
    drawn = json.loads(found.texts("script", id="figure-data")[0])
    assert drawn["databases"]["data"][2]["y"] == ["shop", "store"] and drawn["databases"]["data"][2]["x"][1] == 1
    easy = summary["rl"]["difficulties"]["simple"]["ex"]
    assert dict(zip(*(drawn["difficulties"]["data"][2][axis] for axis in "xy"), strict=True))["simple"] == easy
    assert drawn["tries"]["data"][2]["y"] == [summary["rl"]["ex"] / 2, summary["rl"]["ex"]]
    cells = found.cells("scores")
    assert percent(summary["rl"]["ex"] / 2) in cells and cells.index("pass@1") + 1 == cells.index("pass@2")
    (item, *_) = found.traces()["sources"][0]["items"]
    assert item["difficulty"] == "challenging"
    assert item["answers"][2]["scores"]["samples right"] == "1 of 2"


def test_the_traces_hold_all_answers_to_a_question_with_rows_and_schema(page, shop):
    traces = page.traces()
    held_out, samples = traces["sources"]
    assert held_out["who"] == ["base", "SFT", "SFT + GRPO"] and len(held_out["items"]) == len(GOLDS)
    item = next(item for item in held_out["items"] if item["id"] == "shop-4")
    assert item["gold"] == GOLDS[4] and [answer["who"] for answer in item["answers"]] == [0, 1, 2]
    assert [answer["verdict"] for answer in item["answers"]][0::2] == ["no_sql", "right"]
    wanted = [list(map(str, row)) for row in execute(shop, GOLDS[4]).rows]
    shown = traces["results"][item["gold_rows"]]
    assert shown["rows"] == wanted == traces["results"][item["answers"][2]["rows"]]["rows"]
    assert shown["columns"] == ["title"] and shown["count"] == 2
    assert traces["schemas"][item["schema"]] == schema_text(read_schema(str(shop), 3), "ddl", 3)
    assert traces["notes"] == []
    group = samples["items"][-1]
    assert group["step"] == 30 and [answer["score"] for answer in group["answers"]] == [2.0, 0.1, 0.2, 0.3]
    assert group["answers"][0]["scores"] == {
        "sql_execution": 1.0,
        "format_strict": None,
        "total": 2.0,
        "advantage": 0.5,
    }


def test_a_page_without_traces_holds_no_question_and_no_answer(run, tmp_path):
    assert report([str(run), "--no-traces", "--out", str(tmp_path / "bare.html")]) == 0
    bare = Page(tmp_path / "bare.html")
    assert bare.cells("scores") == written(run).cells("scores") and len(bare.texts("figure")) > 5
    everything = bare.html + bare.packed("trace-data") + bare.texts("script", id="figure-data")[0]
    assert "on the shop?" not in everything and GOLDS[0] not in everything and 'id="traces"' not in everything
    assert "on the shop?" in written(run).packed("trace-data")


def test_nothing_that_a_model_said_is_html(page):
    tags = [tag for tag, _, _ in page.elements]
    assert not {"img", "iframe", "object", "link"} & set(tags)
    assert tags.count("script") == 4 and tags.count("i") == 0
    assert page.html.count("</script") == 4 and "<img" not in page.html and "<b>&" not in page.html
    said = json.dumps(page.traces(), ensure_ascii=False)
    assert json.dumps(BAD_SQL, ensure_ascii=False)[1:-1] in said
    assert f"entropy {escape(HOSTILE)}" in page.html.replace("&#34;", "&quot;")  # what health.jsonl says, as text
    assert "\u2028" not in page.texts("script", id="figure-data")[0]


def test_the_policy_lets_our_scripts_run_and_nothing_load(page):
    (policy,) = [has["content"] for _, has, _ in page.elements if has.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    own = re.findall(r"<script>(.*?)</script>", page.html, re.S)
    assert len(own) == 1 and "innerHTML" not in own[0] and "insertAdjacentHTML" not in own[0]
    digests = [hashlib.sha256(text.encode()).digest() for text in (page.packed("plotly"), own[0])]
    assert rules["script-src"].split() == [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    asked = [has.get("src") or has.get("href") for _, has, _ in page.elements]
    assert all(address.startswith("#") for address in asked if address)


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


def test_two_runs_stand_side_by_side(run, tmp_path, shop, capsys):
    other = make_run(tmp_path, shop, "second")
    assert report([str(run), "--compare", str(other)]) == 0
    found = Page(run / "report-second.html")
    assert {"trial base", "second base", "trial SFT + GRPO"} <= set(found.cells("scores"))
    assert any(text.startswith("second SFT − trial SFT: 0.0 points") for text in found.texts("li"))
    held_out, *samples = found.traces()["sources"]
    assert len(held_out["items"]) == len(GOLDS) and all(len(item["answers"]) == 6 for item in held_out["items"])
    assert [source["title"] for source in samples] == ["RL samples of trial", "RL samples of second"]
    capsys.readouterr()
    assert "this is the run itself" in refused(capsys, run, "--compare", f"{run}/")


def test_costs_are_what_the_files_say(page):
    cells = page.cells("costs")
    assert cells[cells.index("distill") : cells.index("distill") + 6] == [
        "distill",
        "40 traces",
        "0:12",
        "–",
        "–",
        "1.25",
    ]
    assert cells[cells.index("SFT") + 1 : cells.index("SFT") + 5] == ["30 steps", "1:01", "3,000", "49"]


def test_ten_thousand_predictions_fit(tmp_path, capsys):
    folder = many(tmp_path / "many", 10_000)
    begun = time.monotonic()
    found = written(folder)
    assert time.monotonic() - begun < 60
    assert len(found.html.encode()) < 15_000_000
    assert len(found.traces()["sources"][0]["items"]) == 5000


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


def test_a_place_that_cannot_be_written_is_one_line(run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert report([str(run), "--rows", "0", "--out", str(tmp_path / "file" / "x.html")]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_the_command_starts_light_and_says_what_it_does():
    done = run_light("evaluation", "report", "--help")
    assert done.returncode == 0 and "--compare RUN2" in done.stdout, done.stderr
    done = run_light("evaluation", "report", "no-such-run")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
