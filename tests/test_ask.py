"""`python -m evaluation ask`: whom it asks, what it says to the model, what it shows, and the conversation."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from configs.evaluation_schema import Server
from configs.files import read_json, write_json, write_whole
from configs.schema import Config
from evaluation.ask.command import ask
from evaluation.ask.responder import load
from evaluation.ask.session import Session
from evaluation.ask.source import Source, find_source
from evaluation.run import evaluate
from models.progress import save_trained
from models.sources import model_source
from tasks.load import load_tasks
from tasks.prompt import messages
from tasks.task import Task
from tasks.trace import render
from tests.processes import ROOT, run_light
from tests.singers import made
from tests.teacher import KEY, SCRIPT, right, serving
from tests.untrained import with_random_adapter

pytestmark = pytest.mark.usefixtures("server_key")


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory) -> Path:
    """A run of a model of random weights, its SFT adapter of other random weights, evaluated on a few questions."""
    settings = {"questions": 6, "batch_size": 3, "max_new_tokens": 12, "models": ["base", "sft"], "bootstrap": 100}
    folder = tmp_path_factory.mktemp("runs")
    cfg = Config(name="trial", runs=str(folder), model=tiny, evaluation=settings, data={"sample_values": 1})
    write_json(cfg.folder / "config.json", {"config": cfg.model_dump(mode="json")})
    model, tokenizer = with_random_adapter(tiny, 3.0)
    model.peft_config["default"].base_model_name_or_path = tiny.name
    save_trained(model, tokenizer, cfg.folder / "sft" / "adapter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("configs.folder._locks", {})
        patch.setattr("configs.folder._begun", {})
        patch.setattr("configs.folder.asked", "run.yaml")
        evaluate(cfg)
    return cfg.folder


def asked(run: Path, stage: str | None = None, *changes: str) -> Session:
    """Return a session with a run's model, about no database yet."""
    source = find_source(str(run), stage, changes)
    return Session(load(source), source.cfg, "", "", print)


@pytest.mark.parametrize(("stage", "measured"), [("base", "base"), (None, "sft")])
def test_a_test_question_gets_the_answer_that_evaluation_got(run, stage, measured):
    cfg = find_source(str(run), stage).cfg
    tasks = {task.task_id: task for task in load_tasks(cfg.data, cfg.seed).test}
    predictions = read_json(run / "evaluation" / f"{measured}.json")["predictions"]
    assert len(predictions) == 6
    session = asked(run, stage)
    for prediction in predictions:
        session.database, session.evidence = tasks[prediction["task_id"]].database, ""
        session.turns.clear()
        reply = session.ask(prediction["question"])
        assert reply.answer.text == prediction["answer"]
        assert (reply.answer.tokens, reply.answer.stopped) == (prediction["tokens"], prediction["stopped"])
        assert (reply.sql, reply.form, reply.status) == (prediction["sql"], prediction["form"], prediction["status"])


def test_base_and_adapter_answer_differently(run):
    answers = [
        [row["answer"] for row in read_json(run / "evaluation" / f"{name}.json")["predictions"]]
        for name in ("base", "sft")
    ]
    assert any(one != other for one, other in zip(*answers, strict=True))


def told(capsys, *words: object) -> tuple[int, str, list[str]]:
    """Return status, stdout and the lines on stderr of `ask` with these words."""
    status = ask([*map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err.splitlines()


@pytest.mark.parametrize(
    ("text", "status", "outcome"),
    [
        (right(5), 0, "ok"),
        (render("Open city.", "SELECT name FROM city WHERE 0"), 0, "empty"),
        (render("Open city.", "SELECT mayor FROM city"), 1, "error"),
        ("I don't know.", 1, "no_sql"),
    ],
)
def test_a_server_is_asked_and_the_status_tells_whether_the_query_ran(text, status, outcome, cities, capsys):
    question, requests = "Which cities have above 5 people?", []
    with serving(lambda number: (200, text, "stop"), requests=requests) as (url, _):
        words = ("small", cities, question, "--base-url", url, "--set", "data.sample_values=1", "--evidence", "x is 5")
        assert told(capsys, *words, "--json")[0] == status
        again, out, err = told(capsys, *words, "--json")
    assert again == status and err == []
    answer = json.loads(out)
    assert (answer["model"], answer["question"], answer["status"]) == ("small", question, outcome)
    assert (answer["tokens"], answer["rows"]) == (20, [["Oslo"], ["Rome"]] if outcome == "ok" else [])
    task = Task("", question, "x is 5", gold_sql="", database=str(cities), level="L1")
    assert requests[0]["messages"] == messages(task, "ddl", 1, "plan")
    assert (requests[0]["temperature"], requests[0]["model"], requests[0]["max_tokens"]) == (0, "small", 512)


def test_a_server_that_fails_is_one_line_without_the_key(cities, capsys, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(lambda number: (500, "\x1b[2J out of order", "")) as (url, _):
        words = ("small", cities, "above 5?", "--base-url", url, "--api-key-env", "MY_KEY")
        status, out, err = told(capsys, *words)
    assert (status, out, len(err)) == (2, "", 1)
    assert "out of order" in err[0] and KEY not in err[0] and "\x1b" not in err[0]
    status, out, err = told(capsys, *words)  # nobody is there any more
    assert (status, out, len(err)) == (2, "", 1) and url in err[0]


def test_the_question_comes_from_stdin_and_the_database_from_a_script(tmp_path, run_stage):
    write_whole(tmp_path / "cities.sql", f"-- three cities\n{SCRIPT}")
    command = [sys.executable, "-m", "evaluation", "ask", "small", str(tmp_path / "cities.sql"), "--rows", "1"]
    with serving(lambda number: (200, right(number), "stop")) as (url, numbers):
        done = subprocess.run(
            [*command, "--base-url", url], cwd=ROOT, input="Which cities have above 20 people?\n", capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
    assert (done.returncode, numbers, done.stderr) == (0, [20], "")
    assert "SELECT c.name FROM city c WHERE c.people > 20" in done.stdout and "│ Rome │" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_run_answers_on_the_command_line(run, cities, run_stage):
    done = run_stage("evaluation", "ask", run, cities, "--json", "Which", "cities?")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["model"], answer["question"]) == (1, "trial sft", "Which cities?"), done.stderr
    session = asked(run)
    session.database = str(cities)
    expected = session.ask("Which cities?")
    assert (answer["plan"], answer["tokens"]) == (expected.plan, expected.answer.tokens)


def test_bad_input_is_said_before_anything_heavy_loads(run, cities):
    done = run_light("evaluation", "ask", run, "/nowhere.sqlite", "Who?")
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "/nowhere.sqlite" in done.stderr
    done = run_light("evaluation", "ask", "--help")
    assert done.returncode == 0 and "Exit status: 0 the query ran" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody", "DB", "Who?"], "MODEL 'nobody': no such run, folder or model"),
        (["runs/nobody", "DB", "Who?"], "MODEL 'runs/nobody': no such run"),
        (["RUN", "DB", " "], "the question is empty"),
        (["RUN", "DB"], "what is the question"),
        (["RUN", "RUN", "Who?"], "is a folder"),
        (["RUN", "RUN/config.json", "Who?"], "is not a SQLite database"),
        (["RUN", "EMPTY", "Who?"], "has no tables"),
        (["RUN", "DB", "Who?", "--stage", "rl"], "rl/adapter is missing; run python -m rl first"),
        (["RUN/sft/adapter", "DB", "Who?"], "is the adapter of a run; give the run: "),
        (["RUN/sft", "DB", "Who?", "--stage", "rl"], "a run alone has stages"),
        (["RUN/evaluation", "DB", "Who?"], "neither a run nor a model there"),
        (["tiny", "DB", "Who?", "--stage", "sft"], "a run alone has stages"),
        (["RUN", "DB", "Who?", "--set", "evaluation.temperature=1"], "write KEY=VALUE with a key of or in data.schema"),
        (["RUN", "DB", "Who?", "--set", "model.style=1"], "--set model.style: unknown key"),
        (["RUN", "DB", "Who?", "--set", "model.lora.r=8"], "trained with model.lora.r = 4"),
        (["small", "DB", "Who?", "--base-url", "localhost:80"], "is not an address"),
    ],
)
def test_bad_input_is_one_line_and_status_2(words, said, run, cities, tmp_path, capsys, monkeypatch):
    empty = made(tmp_path / "empty.sqlite", "CREATE TABLE t (a); DROP TABLE t")
    names = {"DB": str(cities), "EMPTY": str(empty)}
    monkeypatch.setattr("sys.stdin", None)
    status, out, err = told(capsys, *(names.get(word, word.replace("RUN", str(run))) for word in words))
    assert (status, out, len(err)) == (2, "", 1), err
    assert err[0].startswith("ask: ") and said in err[0]


def served_as(folder: Path) -> Source:
    """Return a model that a server calls by a folder that is here, too."""
    return find_source(str(folder), server=Server(base_url="http://localhost:1/v1", model=str(folder)))


def test_a_model_folder_and_an_export_that_tells_how_it_is_asked(run, cities, tmp_path):
    folder = model_source("tiny")
    plain = find_source(folder)
    assert (plain.trained, plain.cfg.model.quantization, plain.cfg.data.sample_values) == (None, "none", 3)
    assert load(plain).room == 4096 - 512  # the model's own length
    assert load(find_source(folder, changes=["model.max_length=600"])).room == 88
    export = tmp_path / "lora"
    shutil.copytree(run / "sft" / "adapter", export)
    config = {"data": {"sample_values": 1}, "model": {"max_length": 900}, "evaluation": {"max_new_tokens": 12}}
    write_json(export / "export.json", {"config": config})
    source = find_source(str(export))
    responder = load(source)
    assert responder.room == 888
    session = asked(run)
    session.database = str(cities)
    told = Session(responder, source.cfg, str(cities), "", print).ask("Which cities?")
    assert told.answer.text == session.ask("Which cities?").answer.text
    served = served_as(export).cfg
    assert (served.data.sample_values, served.model.max_length) == (1, 900)
    assert served_as(run).cfg.data.sample_values == 1
