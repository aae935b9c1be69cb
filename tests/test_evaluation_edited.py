"""Stage 4's files as people and older versions left them, and a whole stage in which all goes wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.evaluation_schema import Server
from configs.files import read_json, write_json
from configs.folder import Begun, finish
from configs.schema import Config, Evaluation
from evaluation.measure import measure
from evaluation.report.command import report
from evaluation.summary import summarise_run
from models.said import Answer
from sandbox import database_file
from tasks.task import Task
from tasks.trace import render
from tests.processes import ROOT
from tests.reported import Page, make_run
from tests.teacher import KEY, right, serving, wait_until, write_run

HOSTILE = "[/red]\x1b[31m</script><b>\u2028\ud800"
SCRIPT = "CREATE TABLE city (name TEXT); INSERT INTO city VALUES ('Oslo'), ('Bern');"
SQL = "SELECT name FROM city"
CFG = Config(name="trial", evaluation=Evaluation(bootstrap=100))


@pytest.fixture
def tasks(cache) -> list[Task]:
    return [Task(f"q{n}", f"{n}?", "", SQL, str(database_file(SCRIPT)), "L1") for n in range(3)]


@pytest.fixture
def measured(tmp_path, tasks) -> Path:
    """The folder of a measurement of `base`, in which all is right."""
    measure(CFG, tmp_path, "base", None, tasks, saying(SQL))
    summarise_run(CFG, tmp_path, tasks, ["base"])
    return tmp_path


def saying(sql: str, asked: list | None = None) -> Callable:
    def ask(chats):
        for place, chat in enumerate(chats):
            if asked is not None:
                asked.append(chat[-1]["content"].rpartition(" ")[2])
            yield [(place, Answer(render("", sql), 3, 0.1, True))]

    return ask


def edit(file: Path, change: Callable[[dict], object]) -> None:
    data = read_json(file)
    change(data)
    write_json(file, data)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: data.pop("predictions"), "its predictions are not as evaluation writes them"),
        (lambda data: data.update(predictions={"q0": SQL}), "its predictions are not as evaluation writes them"),
        (lambda data: data["predictions"].append("x"), "its predictions are not as evaluation writes them"),
        (lambda data: data["predictions"][0].update(task_id=["q0"]), "its predictions are not as evaluation writes"),
        (lambda data: data["predictions"].pop(), "0 predictions for the question q2, where 1 is needed"),
        (lambda data: data.update(predictions=[]), "0 predictions for the question q0, where 1 is needed"),
        (lambda data: data["predictions"].append(data["predictions"][1]), "2 predictions for the question q1"),
        (lambda data: data["predictions"][1].update(task_id="q7"), "q7 is no test question of data any more"),
        (lambda data: data["predictions"][1].update(question="Who?"), "q1 is another question in data now"),
        (lambda data: data["predictions"][1].update(gold_sql="SELECT 1"), "q1 is another question in data now"),
        (lambda data: data["predictions"][1].pop("tokens"), "the prediction for q1 lacks tokens"),
    ],
)
def test_predictions_that_are_not_those_of_the_questions_are_never_scored(measured, tasks, change, problem):
    edit(measured / "base.json", change)
    with pytest.raises(ConfigError, match=rf"base.json: {problem}.*measure again"):
        summarise_run(CFG, measured, tasks, ["base"])


@pytest.mark.parametrize("key", ["status", "message", "correct", "bird", "soft_f1", "ves", "error"])
def test_a_verdict_of_which_a_part_is_missing_is_given_again(measured, tasks, key):
    edit(measured / "base.json", lambda data: data["predictions"][1].pop(key))
    found = summarise_run(CFG, measured, tasks, ["base"])
    assert found["base"]["ex"] == found["base"]["soft_f1"] == 1
    assert key in read_json(measured / "base.json")["predictions"][1]


@pytest.mark.parametrize("golds", [None, [], "x", [{"task_id": "q0", "sql": "SELECT 1"}], [3]])
def test_gold_is_made_again_where_it_is_not_of_these_questions(measured, tasks, golds):
    write_json(measured / "gold.json", {"model": "gold", "predictions": golds})
    assert summarise_run(CFG, measured, tasks, ["base"])["gold"]["correct"] == 3


def test_a_ledger_of_another_version_and_half_a_line_is_gone_on_from(tmp_path, tasks):
    def until_q2(chats):
        yield from list(saying(SQL)(chats))[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(CFG, tmp_path, "base", None, tasks, until_q2)
    ledger = tmp_path / ".base.jsonl"
    first, second = map(json.loads, ledger.read_text().splitlines())
    del first["judged_by"], first["bird"]  # as an older version left it
    whole = "".join(json.dumps(line) + "\n" for line in ({"note": "mine"}, {"adapter": None}, first, second))
    ledger.write_bytes(f'{whole}{{"task_id": "q2", "sql": "é'.encode()[:-1])
    asked: list[str] = []
    measure(CFG, tmp_path, "base", None, tasks, saying(SQL, asked))
    assert asked == ["2?"]
    assert summarise_run(CFG, tmp_path, tasks, ["base"])["base"]["ex_bird"] == 1


def test_a_server_may_have_any_name(tmp_path):
    names = ["a.b-c", "begun", "self", "folder", "DEV"]
    servers = {name: Server(base_url="http://localhost:1/v1", model="m") for name in names}
    assert Evaluation(servers=servers, models=names).models == names
    write_json(tmp_path / "state.json", {})
    finish(Begun("evaluation", tmp_path, "new"), **dict.fromkeys(names, 0.5))
    assert read_json(tmp_path / "state.json")["facts"] == dict.fromkeys(names, 0.5)


@pytest.fixture(scope="module")
def run(tmp_path_factory, shop) -> Path:
    return make_run(tmp_path_factory.mktemp("runs"), shop)


@pytest.fixture
def edited(run) -> Callable[[str, Callable[[dict], object]], int]:
    """Change a file of the run for one test, and return the report's exit status."""
    before: dict[Path, bytes] = {}

    def reported(name: str, change: Callable[[dict], object]) -> int:
        before.setdefault(run / name, (run / name).read_bytes())
        edit(run / name, change)
        return report([str(run), "--rows", "0"])

    yield reported
    for file, content in before.items():
        file.write_bytes(content)


def old(summary: dict) -> None:
    """Leave what the first version had; another has one key more, and its comparisons do not name their sides."""
    for row in summary.values():
        for key in row.keys() - {"questions", "ex", "ex_interval", "levels", "correct", "form", "tokens"}:
            del row[key]
    summary["rl"]["test_suite"] = 0.5
    told = {"questions": 3, "difference": 0.25, "interval": [0, 1], "won": 1, "lost": 0, "mcnemar_p": 1.0}
    summary["compared"] = {"sft-base": told, "rl-sft": {}, "x": 3}


def test_a_summary_of_an_older_version_is_reported(run, edited):
    assert edited("evaluation/summary.json", old) == 0
    (difference, *_) = (line for line in Page(run / "report.html").texts("li") if line.startswith("SFT − base"))
    assert difference.startswith("SFT − base: +25.0 points")


def test_hostile_names_and_texts_in_files_are_text_on_the_page(run, edited):
    part = {HOSTILE: {"questions": 1, "ex": 1.0}}
    assert edited("evaluation/summary.json", lambda data: data["rl"].update(levels=part, difficulties=part)) == 0
    texts = dict.fromkeys(("task_id", "question", "database", "level", "difficulty", "message", "status"), HOSTILE)
    more = {"error": None, "correct": False, "answer": "<sql>SELECT 1</sql>" * 250_000}
    assert edited("evaluation/rl.json", lambda data: data["predictions"][0].update(texts | more)) == 0
    page = Page(run / "report.html")
    assert "<b>\u2028" not in page.html and len(page.html) < 15e6
    assert any("[/red]" in item["question"] for source in page.traces()["sources"] for item in source["items"])


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("summary.json", lambda data: data["rl"].update(ex=None), "'rl' has not the scores of a model (ex: "),
        ("summary.json", lambda data: data["rl"].update(ex_interval=[1]), "scores of a model (ex_interval: "),
        ("summary.json", lambda data: data["rl"].update(levels={"L1": {}}), "scores of a model (levels.L1."),
        ("summary.json", lambda data: data["rl"].update(pass_at={"x": 1}), "scores of a model (pass_at.x"),
        ("rl.json", lambda data: data.update(predictions=None), "its predictions are no list"),
        (
            "rl.json",
            lambda data: data["predictions"][2].update(sql=[SQL]),
            "prediction 2 lacks what a report needs (sql: ",
        ),
        ("rl.json", lambda data: data["predictions"][2].update(correct="yes"), "lacks what a report needs (correct: "),
        ("rl.json", lambda data: data["predictions"][2].update(samples=[{}]), "a report needs (samples.0.correct: "),
        ("../config.json", lambda data: data.update(config="x"), "its config is none ("),
        ("../config.json", lambda data: data["config"].update(evaluation=None), "its config is none (evaluation: "),
        ("../config.json", lambda data: data["config"]["evaluation"].update(bootstrap=0), "(evaluation.bootstrap: "),
    ],
)
def test_what_a_report_cannot_read_is_one_line(edited, capsys, name, change, problem):
    assert edited(f"evaluation/{name}", change) == 2
    said = capsys.readouterr().err
    assert problem in said and said.endswith("run evaluation again\n") and said.count("\n") == 1


def evaluation(config: Path) -> subprocess.Popen:
    environment = dict(os.environ) | {"PLANQL_CACHE": str(config.parent / "cache"), "OPENAI_API_KEY": KEY}
    command = [sys.executable, "-m", "evaluation", str(config)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=pipe, stdout=pipe, text=True)


def mixed(number: int) -> tuple[int, str, str] | bytes:
    """Return three kinds of trouble, three hostile queries, and right answers."""
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    answers = {
        0: (400, f"no {HOSTILE}", ""),
        1: b"[" * 100_000,
        2: (200, render("", endless), "stop"),
        3: (200, render(HOSTILE, f"SELECT '{HOSTILE}'"), "stop"),
        4: (200, render("", "ATTACH '/tmp/x' AS y"), "length"),
    }
    return answers.get(number % 7, (200, right(number), "stop"))


@pytest.mark.slow
def test_a_stage_in_which_all_goes_wrong_ends_with_a_table_and_a_report(tmp_path):
    with serving(mixed, delay_s=0.05) as (url, asked):
        config = write_run(tmp_path, url, questions=12, traces=1)
        settings = json.loads(config.read_text())
        settings["data"] |= {"split": "questions", "test_share": 0.75}
        servers = {name: {"base_url": url, "model": "m"} for name in ("a.b-c", "begun")}
        sampling = {"samples": 3, "temperature": 1, "models": ["begun", "a.b-c"]}
        more = {"evaluation": {"servers": servers} | sampling, "sandbox": {"timeout_s": 1}}
        config.write_text(json.dumps(settings | more))
        first = evaluation(config)
        wait_until(lambda: asked or first.poll() is not None)
        out, said = evaluation(config).communicate(timeout=60)
        assert "is running this stage" in said and "Traceback" not in said
        out, said = first.communicate(timeout=200)
    assert first.returncode == 0, said
    assert "pass@3" in out and KEY not in out + said and "\x1b" not in out + said and "Traceback" not in said
    folder = tmp_path / "runs" / "asked"
    summary = read_json(folder / "evaluation" / "summary.json")
    assert list(summary) == ["begun", "a.b-c", "gold", "compared"] and list(summary["compared"]) == ["a.b-c-begun"]
    predictions = read_json(folder / "evaluation" / "begun.json")["predictions"]
    rows = {int(row["question"].split()[-2]): row for row in predictions}
    assert all(row["correct"] == (number % 7 > 4) for number, row in rows.items()) and len(rows) == 9
    assert report([str(folder)]) == 0
