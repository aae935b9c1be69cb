"""evaluation: verdicts on answers, what they add up to and how sure that is, the table, and a run's summary."""

import pytest
from rich.console import Console

from configs.errors import ConfigError
from configs.files import read_json, write_json
from configs.schema import Config, Evaluation, Sandbox
from evaluation.interval import bootstrap_interval
from evaluation.score import judge_answers, judged_by, summarise
from evaluation.summary import sentences, summarise_run
from evaluation.table import result_tables
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
    ("answer", "status", "form", "correct", "error"),
    [
        (render("Open city.", "SELECT name FROM city WHERE people > 5"), "ok", True, True, "right"),
        (render("Open city.", "SELECT name FROM city WHERE people > 5 ORDER BY people"), "ok", True, True, "right"),
        ("```sql\nSELECT name FROM city WHERE people > 5\n```", "ok", False, True, "right"),  # EX does not measure form
        (render("Open city.", "SELECT name FROM city"), "ok", True, False, "other_rows"),
        (render("Open city.", "SELECT name FROM city WHERE 0"), "empty", True, False, "no_rows"),
        (render("Open city.", "SELECT nme FROM city"), "error", True, False, "no_such_column"),
        (render("Empty it.", "DELETE FROM city"), "denied", True, False, "denied"),
        ("<think>SELECT name FROM city WHERE people > 5", "no_sql", False, False, "no_sql"),
        ("", "no_sql", False, False, "no_sql"),
    ],
)
def test_an_answer_gets_the_verdict_it_deserves(database, answer, status, form, correct, error):
    got = verdict(database, "SELECT name FROM city WHERE people > 5", answer)
    assert (got["status"], got["form"], got["correct"], got["error"]) == (status, form, correct, error)
    assert got["bird"] == correct and (got["ves"] > 0) == correct and (got["soft_f1"] == 1) == correct
    assert bool(got["message"]) == (not correct and status != "no_sql")
    assert (got["sql"] is None) == (status == "no_sql")


def test_order_counts_where_gold_orders_and_duplicates_count_but_for_birds_judge(database):
    ordered = "SELECT name FROM city ORDER BY people"
    assert verdict(database, ordered, f"<sql>{ordered}</sql>")["correct"]
    assert not verdict(database, ordered, f"<sql>{ordered} DESC</sql>")["correct"]
    twice = "<sql>SELECT name FROM city UNION ALL SELECT name FROM city</sql>"
    bird = CFG.model_copy(update={"evaluation": Evaluation(judge="bird")})
    strict = verdict(database, "SELECT name FROM city", twice)
    assert (strict["correct"], strict["bird"], strict["soft_f1"], strict["error"]) == (False, True, 1.0, "duplicates")
    assert verdict(database, "SELECT name FROM city", twice, bird)["correct"]


def test_a_gold_query_that_does_not_run_leaves_nothing_right(database):
    for answer in ("<sql>SELECT name FROM city</sql>", "I don't know."):
        got = verdict(database, "SELECT nme FROM city", answer)
        assert got["status"] == got["error"] == "gold_failed" and got["correct"] is got["bird"] is False
        assert got["message"] == "error: no such column: nme"


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
    scores = {"correct": correct, "bird": correct, "soft_f1": float(correct), "ves": float(correct)}
    plain = {"form": True, "stopped": True, "tokens": 10, "seconds": 0.5, "error": "right" if correct else "other_rows"}
    return {"level": level, "database": database, "status": status} | scores | plain | more


def test_predictions_add_up():
    got = summarise(
        [
            prediction(True),
            prediction(False, tokens=30, form=False, bird=True, soft_f1=0.5, ves=0.25),
            prediction(False, "L3", "b", "empty", error="no_rows"),
            prediction(False, "L3", "b", "no_sql", stopped=False, error="no_sql"),
        ],
        resamples=200,
        seed=0,
    )
    assert (got["questions"], got["correct"], got["ex"]) == (4, 1, 0.25)
    assert (got["ex_bird"], got["soft_f1"], got["r_ves"]) == (0.5, 0.375, 0.375)
    assert got["errors"] == {"right": 1, "other_rows": 1, "no_rows": 1, "no_sql": 1}
    half = {"questions": 2, "ex": 0.5, "ex_bird": 1.0, "soft_f1": 0.75}
    none = {"questions": 2, "ex": 0.0, "ex_bird": 0.0, "soft_f1": 0.0}
    assert got["levels"] == {"L1": half, "L3": none} and got["databases"] == {"a": half, "b": none}
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


def shown(summary: dict, capsys) -> list[str]:
    """Return the tables as they are printed in a log."""
    printed = []
    for table in result_tables(summary, "trial"):
        Console(width=120).print(table)
        printed.append(capsys.readouterr().out)
    return printed


def test_the_table_has_a_row_a_model_and_a_column_a_level(capsys):
    summary = {
        name: summarise([prediction(right), prediction(False, "L4", "b")], resamples=100, seed=0)
        for name, right in (("base", False), ("sft", True), ("rl", True))
    }
    scores, levels = shown(summary, capsys)
    assert "trial" in scores and "EX % by level" in levels and "L1 (1)" in levels and "L4 (1)" in levels
    base, sft, rl = (next(line for line in scores.splitlines() if name in line) for name in ("base", " SFT  ", "GRPO"))
    assert "0.0–0.0" in base
    assert "50.0" in sft and "100.0" in sft and "0.0–100.0" in sft
    assert rl.replace("SFT + GRPO", "SFT       ") == sft


GOLDS = (
    "SELECT name FROM city",
    "SELECT max(people) FROM city",
    "SELECT count(*) FROM city AS a, city AS b",
)

ENDED = {"stopped": True, "tokens": 9, "seconds": 1.0}


@pytest.fixture
def run(tmp_path, database):
    """Return a function that writes the predictions of models, as answers, and returns the run's summary."""
    tasks = [Task(f"q{place}", "?", "", gold_sql, database, "L1") for place, gold_sql in enumerate(GOLDS)]

    def summary(cfg: Config = CFG, **answers: list[str]) -> dict[str, dict]:
        for name, texts in answers.items():
            judged = judge_answers(tasks, texts, cfg)
            rows = [
                {"task_id": task.task_id, "level": "L1", "database": "city"} | ENDED | row
                for task, row in zip(tasks, judged, strict=True)
            ]
            whole = {"model": "m", "adapter": None, "judged_by": judged_by(cfg), "predictions": rows}
            write_json(tmp_path / f"{name}.json", whole)
        names = [name for name in ("rl", "teacher", "sft", "base") if (tmp_path / f"{name}.json").exists()]
        return summarise_run(cfg, tmp_path, tasks, names)

    return summary


def test_a_run_is_summed_up_with_gold_and_with_what_changed(run):
    found = run(base=["", "", ""], sft=[GOLDS[0], "SELECT 100", ""], rl=[*GOLDS[:2], GOLDS[2]])
    assert list(found) == ["base", "sft", "rl", "gold", "compared"]
    assert [found[name]["correct"] for name in ("base", "sft", "rl", "gold")] == [0, 2, 3, 3]
    assert (found["gold"]["ex"], found["gold"]["ex_bird"], found["gold"]["soft_f1"], found["gold"]["r_ves"]) == (1,) * 4
    assert list(found["compared"]) == ["sft-base", "rl-sft"]
    assert (found["compared"]["rl-sft"]["won"], found["compared"]["rl-sft"]["lost"]) == (1, 0)
    first, second = sentences(found)
    assert first.startswith("SFT − base: +66.7 points, 95 % from ")
    assert second.startswith("RL − SFT: +33.3 points") and second.endswith("(won 1, lost 0, McNemar p 1.00)")


def test_a_model_is_compared_with_the_one_measured_before_it(run):
    assert run(rl=list(GOLDS))["compared"] == {}
    assert sentences(run(base=["", "", ""]))[0].startswith("RL − base: +100.0 points")


def test_predictions_of_an_earlier_version_are_judged_once_more(run, tmp_path, capsys):
    file = tmp_path / "base.json"
    new = run(base=[GOLDS[0], "SELECT nme FROM city", ""])
    measured = read_json(file)
    for row in measured["predictions"]:
        for key in ("bird", "soft_f1", "ves", "error", "suite"):
            del row[key]
    del measured["judged_by"]
    write_json(file, measured)
    assert run() == new and "base.json: 3 predictions are judged again" in capsys.readouterr().err
    assert [row["error"] for row in read_json(file)["predictions"]] == ["right", "no_such_column", "no_sql"]
    assert run() == new and "judged again" not in capsys.readouterr().err


def test_a_gold_query_over_a_limit_is_named_and_a_higher_limit_mends_it(run, capsys):
    strict = CFG.model_copy(update={"sandbox": Sandbox(max_rows=1)})
    found = run(strict, sft=[*GOLDS[:2], "SELECT 1"])
    assert (found["gold"]["correct"], found["gold"]["errors"]) == (2, {"right": 2, "gold_failed": 1})
    assert found["sft"]["errors"] == {"right": 1, "other_rows": 1, "gold_failed": 1}
    said = capsys.readouterr().err
    assert "1 of 3 gold queries did not run" in said and "(q0: too_large: more than 1 rows); raise sandbox" in said
    found = run()
    assert found["gold"]["ex"] == 1 and found["sft"]["errors"] == {"right": 2, "other_rows": 1}
    assert "did not run" not in capsys.readouterr().err


def test_predictions_of_other_questions_are_not_judged_again(run, tmp_path):
    run(base=list(GOLDS))
    measured = read_json(tmp_path / "base.json")
    measured["predictions"][1] = {"task_id": "of-old", "sql": "SELECT 1"}
    write_json(tmp_path / "base.json", measured)
    with pytest.raises(ConfigError, match=r"base.json: of-old is no test question .* --fresh"):
        run()


def test_the_table_shows_gold_without_what_only_answers_have(run, capsys):
    found = run(base=["", "", GOLDS[2]])
    del found["compared"]
    scores, levels = shown(found, capsys)
    base, gold = (line.split() for line in scores.splitlines() if line.split()[:1] in (["base"], ["gold"]))
    assert base[:2] == ["base", "33.3"] and base[-5:] == ["0.0", "33.3", "100.0", "9", "1.00"]
    assert gold[:2] == ["gold", "100.0"] and gold[-5:] == ["–", "100.0", "–", "–", "–"]
    assert [line.split() for line in levels.splitlines() if "base" in line] == [["base", "33.3"]]


def test_every_column_has_room_in_a_log(run, capsys):
    found = run(rl=list(GOLDS))
    del found["compared"]
    found["rl"] |= {"pass_at": {"1": 0.5, "2": 0.625, "8": 1.0}, "tokens": 1234, "seconds": 3600}
    found["rl"]["difficulties"] = {"simple": found["rl"]["levels"]["L1"]}
    scores, _, difficulties = shown(found, capsys)
    heads = [line for line in scores.splitlines() if "model" in line]
    assert heads[0].split("pass@1")[1].split()[0] == "pass@8" and "EX %" in heads[0] and "soft F1" in heads[0]
    row = next(line.split() for line in scores.splitlines() if "GRPO" in line)
    assert row[3:5] == ["100.0", "100.0–100.0"] and row[9:11] == ["50.0", "100.0"] and row[-2:] == ["1234", "1200.00"]
    assert "simple (3)" in difficulties


def test_another_rule_judges_the_same_answers_again(run, capsys):
    repeated = "SELECT name FROM city UNION ALL SELECT name FROM city"
    assert run(sft=[repeated, GOLDS[1], GOLDS[2]])["sft"]["correct"] == 2
    by_bird = CFG.model_copy(update={"evaluation": CFG.evaluation.model_copy(update={"judge": "bird"})})
    assert run(by_bird)["sft"]["correct"] == 3 and "sft.json: 3 predictions are judged again" in capsys.readouterr().err
    assert run(by_bird)["sft"]["correct"] == 3 and "judged again" not in capsys.readouterr().err
    without = CFG.model_copy(update={"evaluation": CFG.evaluation.model_copy(update={"variants": 0})})
    assert "ex_suite" in run()["sft"] and "ex_suite" not in run(without)["sft"]


def test_what_is_right_by_luck_fails_the_test_suite(run):
    lucky = "SELECT 100"  # the most people of a city here
    found = run(base=[f"<sql>{sql}</sql>" for sql in (GOLDS[0], lucky, GOLDS[2])])
    assert (found["base"]["ex"], found["base"]["ex_suite"]) == (1, 2 / 3)
    assert found["gold"]["ex_suite"] == 1


def test_servers_are_compared_with_the_last_stage(run):
    found = run(sft=list(GOLDS), teacher=["", "", ""])
    assert {key: found["compared"][key]["difference"] for key in found["compared"]} == {"sft-teacher": 1.0}
    assert sentences(found)[0].startswith("SFT − teacher: +100.0 points")
