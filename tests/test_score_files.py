"""`python -m evaluation score`: others' predictions by all measures, and what is odd about them by name."""

import json
from pathlib import Path

import pytest

from configs.schema import Config
from evaluation.__main__ import main
from evaluation.score import judge_queries
from tasks.task import Task
from tests.processes import run_light
from tests.singers import DEAF, SCRIPT, made

CITY = "CREATE TABLE city (name TEXT, people INTEGER); INSERT INTO city VALUES ('Ulm', 1), ('Bonn', 2), ('Ulm', 2);"
GOLD = [
    ("SELECT name FROM singer ORDER BY name", "music", "simple"),
    ("SELECT name FROM city", "towns", "simple"),
    ("SELECT name FROM city WHERE people = (SELECT max(people) FROM city)", "towns", "moderate"),
    ("SELECT count(*) FROM song JOIN singer", "music", "challenging"),
]
ANSWERS = ["SELECT name FROM singer ORDER BY name DESC", "SELECT DISTINCT name FROM city", None, "SELECT nme FROM song"]


@pytest.fixture
def score(tmp_path, capsys, monkeypatch):
    """Return a function that scores answers, or a file of them, and returns the exit status, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "120")
    made(tmp_path / "databases" / "music" / "music.sqlite", SCRIPT)
    made(tmp_path / "databases" / "towns.sqlite", CITY)
    questions = [
        {"question_id": place, "db_id": name, "question": f"{place}?", "evidence": "", "SQL": sql, "difficulty": said}
        for place, (sql, name, said) in enumerate(GOLD)
    ]
    (tmp_path / "dev.json").write_text(json.dumps(questions))

    def run(predictions: list[str | None] | Path, *more: object, gold: str = "dev.json") -> tuple[int, str, str]:
        if isinstance(predictions, list):
            predictions = written(tmp_path / "p.json", predictions)
        files = ["--predictions", predictions, "--gold", tmp_path / gold, "--databases", tmp_path / "databases"]
        status = main(["score", *map(str, [*files, *more])])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def written(file: Path, answers: list[str | None]) -> Path:
    file.write_text(json.dumps({str(place): sql for place, sql in enumerate(answers)}))
    return file


def test_predictions_are_scored_beside_gold(score, tmp_path):
    status, out, err = score(ANSWERS, "--how", "bird", "--out", tmp_path / "out.json")
    assert status == 0
    assert "dev.json: 4 questions over 2 databases, EX by the rule bird" in out
    rows = {line.split()[0]: line for line in reversed(out.splitlines()) if line.strip()}
    assert " 50.0 " in rows["p.json"] and " 100.0 " in rows["gold"]
    assert "moderate (1)" in " ".join(out.split()) and "L3 (1)" in " ".join(out.split())
    assert "p.json: 2 (50.0 %) right; 1 (25.0 %) no query in the answer; 1 (25.0 %) no such column" in out
    assert "p.json: 1 of 4 queries were not given; they count as wrong" in err
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["rule"] == "bird" and told["summary"]["p.json"]["ex"] == 0.5
    assert (told["summary"]["gold"]["ex"], told["summary"]["gold"]["soft_f1"]) == (1.0, 1.0)
    assert [row["level"] for row in told["predictions"]["p.json"]] == ["L1", "L1", "L2", "L3"]
    assert [row["difficulty"] for row in told["predictions"]["gold"]] == [said for *_, said in GOLD]


def test_verdicts_are_those_of_the_evaluation(score, tmp_path):
    score(ANSWERS, "--out", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["predictions"]["p.json"]
    places = {"music": tmp_path / "databases/music/music.sqlite", "towns": tmp_path / "databases/towns.sqlite"}
    tasks = [Task("", "", "", sql, str(places[name]), "L1") for sql, name, _ in GOLD]
    verdicts = judge_queries(tasks, ANSWERS, Config(name="x"))
    assert [{key: row[key] for key in verdict} for row, verdict in zip(rows, verdicts, strict=True)] == verdicts
    assert [row["correct"] for row in rows] == [False] * 4


def test_two_files_are_compared(score, tmp_path):
    other = written(tmp_path / "other.json", [sql for sql, *_ in GOLD[:3]] + ["SELECT 1"])
    status, out, _ = score(ANSWERS, "--how", "bird", "--compare", other, "--out", tmp_path / "out.json")
    assert status == 0
    assert "p.json − other.json: −25.0 points, 95 % from " in out and "(won 0, lost 1, McNemar p 1.00)" in out
    compared = json.loads((tmp_path / "out.json").read_text())["summary"]["compared"]["p.json-other.json"]
    assert (compared["won"], compared["lost"], compared["only_before"], compared["only_after"]) == (0, 1, 0, 0)
    (tmp_path / "b").mkdir()
    namesake = written(tmp_path / "b" / "p.json", [None] * 4)
    status, out, _ = score(ANSWERS, "--how", "bird", "--compare", namesake)
    assert f"{tmp_path.name}/p.json − b/p.json: +50.0 points" in out


def test_a_gold_query_that_does_not_run_is_named_and_no_answer_there_is_right(score, tmp_path):
    lines = [f"{sql}\t{name}" for sql, name, _ in GOLD] + ["SELECT nme FROM city\ttowns", "SELECT FROM\tmusic"]
    (tmp_path / "gold.sql").write_text("\n".join(lines))
    answers = [sql for sql, *_ in GOLD] + ["SELECT name FROM city", "SELECT FROM"]
    status, out, err = score(answers, gold="gold.sql")
    assert status == 0
    assert "2 of 6 gold queries did not run (line 5 on towns: error: no such column: nme; line 6 on music: " in err
    assert "p.json: 4 (66.7 %) right; 2 (33.3 %) not known, as the gold query itself did not run" in out
    assert "unknown (1)" in " ".join(out.split())


def test_another_order_is_told(score):
    turned = ["SELECT name FROM city", "SELECT name FROM song", "SELECT title FROM song", "SELECT name FROM city"]
    status, _, err = score(turned)
    assert status == 0
    assert "warning: p.json: 4 of 4 predictions that fail ask for tables that their own database lacks" in err


def test_limits_are_the_sandboxs(score):
    status, out, _ = score([GOLD[0][0], DEAF, None, None], "--timeout-s", 0.3, "--workers", 1)
    assert status == 0 and "1 (25.0 %) over the limit of time or steps" in out


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--timeout-s", 0], "limit timeout_s=0.0: give 0.001 to 86,400"),
        (["--workers", 0], "--workers 0: give 1 or more"),
        (["--variants", 33], "--variants 33: give 0 to 32"),
        (["--out", "."], "--out . is a folder; give the file to write"),
        (["--compare", "{p}"], "these are the predictions themselves; name other ones"),
        (["--compare", "{p}.none"], "cannot be read: No such file or directory"),
    ],
)
def test_bad_arguments_are_one_line(score, tmp_path, more, says):
    status, out, err = score(ANSWERS, *(str(word).format(p=tmp_path / "p.json") for word in more))
    assert (status, out) == (2, "") and err.startswith("score: ") and err.count("\n") == 1
    assert says in err


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (["SELECT 1"], "it has no answer to 3 of 4 questions ('1', '2', '3'); give one answer to each"),
        (["SELECT 1"] * 6, "it has 2 answers to no question ('4', '5')"),
    ],
)
def test_missing_and_surplus_predictions_are_counted_and_named(score, answers, says):
    status, _, err = score(answers)
    assert status == 2 and says in err and err.count("\n") == 1


def test_names_are_no_markup(score, tmp_path):
    file = written(tmp_path / "[red]p[bold].json", ANSWERS)
    status, out, _ = score(file)
    assert status == 0 and out.count("[red]p[bold].json") == 4  # three tables and the errors


def test_help_needs_nothing_heavy():
    assert run_light("evaluation", "score", "--help").returncode == 0
