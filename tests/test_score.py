"""evaluation: verdicts on answers, what they add up to, how sure that is, and the table."""

import pytest
from rich.console import Console

from configs.schema import Config, Evaluation
from evaluation.interval import bootstrap_interval
from evaluation.score import judge_answers, summarise
from evaluation.table import result_table
from sandbox import database_file
from tasks.task import Task
from tasks.trace import render

CFG = Config(name="trial")
SCRIPT = (
    "CREATE TABLE city (name TEXT, people INTEGER); INSERT INTO city VALUES ('Oslo', 7), ('Bern', 1), ('Lima', 100);"
)


@pytest.fixture(scope="module")
def database(cache) -> str:
    return str(database_file(SCRIPT))


def verdict(database: str, gold_sql: str, answer: str, cfg: Config = CFG) -> dict:
    """Return the verdict on one answer."""
    task = Task(task_id="q", question="?", evidence="", gold_sql=gold_sql, database=database, level="L1")
    return judge_answers([task], [answer], cfg)[0]


@pytest.mark.parametrize(
    ("answer", "status", "form", "correct"),
    [
        (render("Open city.", "SELECT name FROM city WHERE people > 5"), "ok", True, True),
        (render("Open city.", "SELECT name FROM city WHERE people > 5 ORDER BY 1"), "ok", True, True),
        ("```sql\nSELECT name FROM city WHERE people > 5\n```", "ok", False, True),  # EX does not measure form
        (render("Open city.", "SELECT name FROM city"), "ok", True, False),
        (render("Open city.", "SELECT name FROM city WHERE 0"), "empty", True, False),
        (render("Open city.", "SELECT nme FROM city"), "error", True, False),
        (render("Empty it.", "DELETE FROM city"), "denied", True, False),
        ("<think>SELECT name FROM city WHERE people > 5", "no_sql", False, False),
        ("", "no_sql", False, False),
    ],
)
def test_an_answer_gets_the_verdict_it_deserves(database, answer, status, form, correct):
    got = verdict(database, "SELECT name FROM city WHERE people > 5", answer)
    assert (got["status"], got["form"], got["correct"]) == (status, form, correct)
    assert bool(got["message"]) == (not correct and status != "no_sql")
    assert (got["sql"] is None) == (status == "no_sql")


def test_order_counts_where_gold_orders_and_duplicates_count_but_for_birds_judge(database):
    ordered = "SELECT name FROM city ORDER BY people"
    assert verdict(database, ordered, f"<sql>{ordered}</sql>")["correct"]
    assert not verdict(database, ordered, f"<sql>{ordered} DESC</sql>")["correct"]
    twice = "<sql>SELECT name FROM city UNION ALL SELECT name FROM city</sql>"
    bird = CFG.model_copy(update={"evaluation": Evaluation(judge="bird")})
    assert not verdict(database, "SELECT name FROM city", twice)["correct"]
    assert verdict(database, "SELECT name FROM city", twice, bird)["correct"]


def test_each_answer_gets_its_own_verdict_though_some_have_no_query(database):
    tasks = [
        Task(task_id=str(n), question="?", evidence="", gold_sql=f"SELECT {n}", database=database, level="L1")
        for n in range(4)
    ]
    texts = ["I don't know.", "<sql>SELECT 1</sql>", "", "<sql>SELECT 4</sql>"]
    got = judge_answers(tasks, texts, CFG)
    assert [row["status"] for row in got] == ["no_sql", "ok", "no_sql", "ok"]
    assert [row["correct"] for row in got] == [False, True, False, False]
    assert [row["sql"] for row in got] == [None, "SELECT 1", None, "SELECT 4"]


def prediction(correct: bool, level: str = "L1", database: str = "a", status: str = "ok", **more: object) -> dict:
    plain = {"form": True, "stopped": True, "tokens": 10, "seconds": 0.5}
    return {"correct": correct, "level": level, "database": database, "status": status} | plain | more


def test_predictions_add_up():
    got = summarise(
        [
            prediction(True),
            prediction(False, tokens=30, form=False),
            prediction(False, "L3", "b", "empty"),
            prediction(False, "L3", "b", "no_sql", stopped=False),
        ],
        resamples=200,
        seed=0,
    )
    assert (got["questions"], got["correct"], got["ex"]) == (4, 1, 0.25)
    assert got["levels"] == {"L1": {"questions": 2, "ex": 0.5}, "L3": {"questions": 2, "ex": 0.0}}
    assert (got["form"], got["runs"], got["stops"], got["tokens"], got["seconds"]) == (0.75, 0.75, 0.75, 15, 2.0)


def test_the_interval_holds_the_share_and_narrows_with_more_databases():
    def width(databases: int) -> float:
        hits = [question < database % 5 for database in range(databases) for question in range(4)]
        names = [str(database) for database in range(databases) for _ in range(4)]
        low, high = bootstrap_interval(hits, names, resamples=500)
        assert 0 <= low <= sum(hits) / len(hits) <= high <= 1
        return high - low

    assert width(80) < width(20) < width(5)


def test_questions_over_one_database_are_not_independent():
    hits = [True] * 50 + [False] * 50
    by_database = bootstrap_interval(hits, ["a"] * 50 + ["b"] * 50, resamples=500)
    each_its_own = bootstrap_interval(hits, [str(n) for n in range(100)], resamples=500)
    assert by_database == (0.0, 1.0)
    assert 0.35 < each_its_own[0] < 0.5 < each_its_own[1] < 0.65


def test_the_interval_depends_on_the_seed_alone():
    hits, names = [True, False, False, True, True, False], list("abcdef")
    first = bootstrap_interval(hits, names, resamples=300, seed=1)
    assert first == bootstrap_interval(hits, names, resamples=300, seed=1)
    shuffled = [3, 0, 5, 1, 4, 2]
    assert first == bootstrap_interval([hits[i] for i in shuffled], [names[i] for i in shuffled], resamples=300, seed=1)


def test_the_table_has_a_row_a_model_and_a_column_a_level(capsys):
    summary = {
        name: summarise([prediction(right), prediction(False, "L4", "b")], resamples=100, seed=0)
        for name, right in (("base", False), ("sft", True), ("rl", True))
    }
    Console(width=120).print(result_table(summary, "trial: 2 questions"))
    printed = capsys.readouterr().out
    assert "trial: 2 questions" in printed and "L1 (1)" in printed and "L4 (1)" in printed
    base, sft, rl = (next(line for line in printed.splitlines() if name in line) for name in ("base", "│ SFT ", "GRPO"))
    assert "0.0–0.0" in base
    assert "50.0" in sft and "100.0" in sft and "0.0–100.0" in sft
    assert rl.replace("SFT + GRPO", "SFT       ") == sft
