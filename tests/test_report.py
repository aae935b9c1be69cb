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

from configs.files import read_json, read_jsonl, write_json
from evaluation.report.command import report
from evaluation.report.figures import FIGURES
from evaluation.score import summarise
from evaluation.table import percent
from sandbox import execute
from tasks.prompt import schema_text
from tasks.schema import read_schema
from tests.processes import run_light
from tests.reported import BAD_SQL, HOSTILE, MODELS, Page, make_run, many, refused, written
from tests.shop import GOLDS


@pytest.fixture(scope="module")
def run(reported) -> Path:
    return reported


@pytest.fixture(scope="module")
def page(run) -> Page:
    return written(run)


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
    assert drawn["held-out"]["data"][0]["y"] == [0, 0.25, 0.75] and drawn["sft-held-out"]["data"][0]["y"] == [0, 0.5]
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


def test_a_place_that_cannot_be_written_is_one_line(run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert report([str(run), "--rows", "0", "--out", str(tmp_path / "file" / "x.html")]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_the_command_starts_light_and_says_what_it_does():
    done = run_light("evaluation", "report", "--help")
    assert done.returncode == 0 and "--compare RUN2" in done.stdout, done.stderr
    done = run_light("evaluation", "report", "no-such-run")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
