"""Rewards that run the SQL: execution, similar results, cost, and the verdicts that they share."""

import threading
import time
from math import sqrt
from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.schema import Sandbox
from rewards import judged as verdicts
from rewards.copies import rights
from rewards.execution import sql_execution
from rewards.judged import DEFAULT, judged
from rewards.origin import reads_gold
from rewards.result import query_cost, result_similarity
from sandbox import Limits, judge_many
from sandbox.execution import count_steps
from tasks.trace import render
from tests.cities import DATABASE, GOLD, columns
from tests.singers import FOR_EVER, made

GOLDEN = Path(__file__).parent / "golden" / "execution.sql"
EMPTY_GOLD = "SELECT name FROM city WHERE country = 'Peru'"


def golden_cases() -> list:
    """The cases of execution.sql: a head `-- SCORE TITLE`, then the predicted and the gold query."""
    cases = []
    for block in GOLDEN.read_text().split("\n\n"):
        head, _, queries = block.strip().partition("\n")
        score, _, title = head.removeprefix("-- ").partition(" ")
        sql, _, gold_sql = queries.removesuffix(";").rpartition(";\n")
        cases.append(pytest.param(None if score == "none" else float(score), sql, gold_sql, id=title))
    return cases


def paid(*answers: str, gold_sql: str = GOLD, by=sql_execution, **settings) -> list[float | None]:
    """What a reward pays for answers to one question."""
    return by([""] * len(answers), list(answers), **columns(len(answers), gold_sql), **settings)


def paid_for(*sqls: str, **settings) -> list[float | None]:
    return paid(*[render("A plan.", sql) for sql in sqls], **settings)


@pytest.fixture
def runs(monkeypatch) -> list[int]:
    """The sizes of the batches that the sandbox is asked to judge, with nothing remembered."""
    calls = []

    def counted(items, *settings):
        calls.append(len(items))
        return judge_many(items, *settings)

    monkeypatch.setattr(verdicts, "judge_many", counted)
    verdicts._kept.clear()
    return calls


@pytest.mark.parametrize(("score", "sql", "gold_sql"), golden_cases())
def test_execution_golden(score, sql, gold_sql):
    assert paid_for(sql, gold_sql=gold_sql) == [score]


def test_execution_golden_file_is_read_whole():
    assert len(golden_cases()) == GOLDEN.read_text().count("\n--") + 1 >= 20


def test_right_wrong_failing_and_silent_answers_stand_in_this_order():
    right, wrong, failing, silent = paid(
        render("plan", GOLD), render("plan", "SELECT 1"), render("plan", "SELEC"), "I don't know."
    )
    assert right > wrong > failing > silent


def test_settings_of_execution_are_paid_out():
    settings = {"right": 3.0, "runs": 0.5, "empty": 0.25, "fails": -1.0, "nothing": -2.0}
    nobody = render("plan", "SELECT name FROM city WHERE 0")
    answers = (render("plan", GOLD), render("plan", "SELECT 1"), nobody, render("plan", "SELEC"), "No.")
    assert paid(*answers, **settings) == [3.0, 0.5, 0.25, -1.0, -2.0]


def test_query_without_tags_counts_unless_strict_but_gold_inside_think_does_not():
    answers = (f"<think>{GOLD}</think> Done.", f"<think>Perhaps {GOLD}", f"Here:\n```sql\n{GOLD}\n```")
    assert paid(*answers) == [-0.1, -0.1, 1.0]
    assert paid(*answers, render("plan", GOLD), strict=True) == [-0.1, -0.1, -0.1, 1.0]
    assert paid(render("", GOLD), strict=True, answer="sql_only") == [1.0]


def test_bird_judge_ignores_repetition():
    answer = render("plan", "SELECT DISTINCT country FROM city")
    assert paid(answer, gold_sql="SELECT country FROM city", judge="bird") == [1.0]
    assert paid(answer, gold_sql="SELECT country FROM city", judge="multiset") == [0.1]


def test_slow_query_does_not_run():
    assert paid_for(FOR_EVER, sandbox=Sandbox(timeout_s=0.3)) == [0.0]


def test_where_gold_gives_no_row_what_runs_cannot_be_judged():
    answers = ("SELECT name FROM city WHERE 0", "SELECT name FROM city", "SELEC")
    assert paid_for(*answers, gold_sql=EMPTY_GOLD) == [None, None, 0.0]
    assert paid_for(*answers, gold_sql=EMPTY_GOLD, trust_empty=True) == [1.0, 0.1, 0.0]
    assert paid_for(*answers, gold_sql=EMPTY_GOLD, by=result_similarity) == [None, None, 0.0]
    assert paid_for(*answers, gold_sql=EMPTY_GOLD, by=query_cost) == [None, None, 0.0]


def test_changed_copies_tell_luck_from_right_also_where_gold_gives_no_row():
    lucky = "SELECT name FROM city WHERE population < 3000"
    assert paid_for(lucky, GOLD) == [1.0, 1.0]
    assert paid_for(lucky, GOLD, "SELECT 1", "SELEC", variants=3) == [0.1, 1.0, 0.1, 0.0]
    answers = ("SELECT name FROM city WHERE 0", EMPTY_GOLD, "SELECT name FROM city")
    assert paid_for(*answers, gold_sql=EMPTY_GOLD, variants=3) == [0.1, 1.0, 0.1]


def test_lucky_rows_are_compared_where_they_differ():
    lucky, memorised = "SELECT name FROM city WHERE population < 3000", "SELECT 'Turin' FROM city UNION SELECT 'Rome'"
    near, none, right = paid_for(lucky, memorised, GOLD, by=result_similarity, variants=3)
    assert none == 0.0 <= near < right == 1.0


def test_constants_are_worth_nothing_where_gold_tables_are_asked_for():
    answers = ("SELECT 1", "SELECT 'Turin' UNION SELECT 'Rome'", "VALUES ('Turin'), ('Rome')", GOLD)
    assert paid_for(*answers) == [0.1, 1.0, 1.0, 1.0]
    assert paid_for(*answers, "SELECT name FROM city", gold_tables=True) == [0.0, 0.0, 0.0, 1.0, 0.1]


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT c.name FROM country AS k JOIN city AS c ON c.country = k.name", True),
        ("SELECT (SELECT max(population) FROM city)", True),
        ("WITH k(z) AS (SELECT name FROM city) SELECT z FROM k", True),
        ("WITH RECURSIVE n(i) AS (SELECT name FROM city UNION SELECT i FROM n) SELECT i FROM n", True),
        ("SELECT rank() OVER (ORDER BY name) FROM city", True),
        ("SELECT rowid FROM city", True),
        ("SELECT EXISTS (SELECT 1 FROM city WHERE population > 3)", True),
        ("SELECT sum(CASE WHEN population > 3 THEN 1 ELSE 0 END) FROM city", True),
        ("SELECT coalesce(name, 'Rome') FROM city", True),
        ("SELECT name FROM (city)", True),
        ("SELECT name FROM country", False),
        ("SELECT CASE WHEN population > 3 THEN 'Rome' ELSE 'Turin' END FROM city", False),
        ("SELECT max(iif(population > 3, 'Rome', 'Turin')) FROM city", False),
        ("SELECT coalesce('Rome', name) FROM city", False),
        ("SELECT (SELECT 'Rome' FROM city WHERE name > '')", False),
        ("SELECT 'Rome' FROM city WHERE rowid > 0", False),
        ("SELECT 'Rome' FROM (city) WHERE name > ''", False),
        ("SELECT 'Rome' FROM city", False),
        ('SELECT "Rome" FROM city', False),
        ("SELECT max('Rome') FROM city", False),
        ("SELECT x.* FROM (SELECT 'Rome') AS x, city", False),
        ("WITH k(z) AS (SELECT 'Rome') SELECT z FROM k, city", False),
        ("SELECT name FROM (SELECT 'Rome' AS name), city", False),
        ("SELECT 'Rome' UNION SELECT name FROM city WHERE 0", False),
        ("SELECT * FROM (VALUES ('Rome')) WHERE EXISTS (SELECT 1 FROM city)", False),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n, city", False),
        ("EXPLAIN QUERY PLAN SELECT name FROM city", False),
    ],
)
def test_rows_that_come_from_a_table_are_told_from_constants(sql, reads):
    assert reads_gold(sql, GOLD, DATABASE) is reads


def test_where_gold_gives_constants_they_are_no_hack():
    gold = "SELECT CASE WHEN population > 1000 THEN 'large' ELSE 'small' END FROM city"
    assert reads_gold(gold, gold, DATABASE) and reads_gold(
        "SELECT iif(population > 1e3, 1, 0) FROM city", gold, DATABASE
    )
    assert paid_for(gold, gold_sql=gold, gold_tables=True) == [1.0]


def test_near_results_are_paid_by_their_nearness_and_below_right_ones():
    right, half, wide, dump, none, constant, failing = paid_for(
        GOLD,
        "SELECT name FROM city WHERE name = 'Rome'",
        "SELECT name, population FROM city WHERE country = 'Italy'",
        "SELECT * FROM city",
        "SELECT country FROM city",
        "SELECT 'Rome', * FROM (SELECT 'Turin')",
        "SELECT nam FROM city",
        by=result_similarity,
    )
    assert right == 1.0 and (dump, none, constant, failing) == (0.0, 0.0, 0.0, 0.0)
    assert half == pytest.approx(0.5 * (2 * 1 * 0.5 / 1.5) * 0.5)  # precision 1, recall ½, cardinality ½
    assert wide == pytest.approx(0.5 * (2 * 0.5 * 1 / 1.5))  # precision ½, recall 1, cardinality 1


@pytest.mark.parametrize("measure", ["cells", "qatch", "soft_f1"])
def test_the_same_cells_in_another_order_stay_below_right(measure):
    gold_sql = "SELECT name FROM city ORDER BY population"
    wrong, right = paid_for(
        "SELECT name FROM city ORDER BY name", gold_sql, gold_sql=gold_sql, by=result_similarity, measure=measure
    )
    assert right == 1.0 and wrong <= 0.5


def test_shares_of_similarity_below_the_least_are_not_paid():
    sql = "SELECT name FROM city WHERE name = 'Rome'"
    (share,) = paid_for(sql, by=result_similarity)
    assert paid_for(sql, by=result_similarity, least=2 * share + 0.01) == [0.0]
    assert paid_for(sql, by=result_similarity, near=0.25) == [pytest.approx(share / 2)]


def test_results_too_large_are_no_results():
    assert paid_for("SELECT a.name FROM city AS a, city", by=result_similarity, sandbox=Sandbox(max_rows=5)) == [0.0]


def test_a_right_query_is_paid_by_its_steps(tmp_path):
    rows = [(number,) for number in range(400)]
    database = str(made(tmp_path / "t.sqlite", "CREATE TABLE t (a INTEGER PRIMARY KEY)", *rows))
    gold_sql, slow = "SELECT a FROM t WHERE a = 7", "SELECT a FROM t WHERE a + 0 = 7"
    batch = {"gold_sql": [gold_sql] * 4, "database": [database] * 4}
    answers = [render("plan", sql) for sql in (gold_sql, slow, "SELECT 7", "SELECT a FROM t WHERE a = 8")]
    same, slower, constant, wrong = query_cost([""] * 4, answers, **batch)
    gold_steps, steps = count_steps([(database, gold_sql), (database, slow)])
    assert (same, constant, wrong) == (1.0, 0.0, 0.0)
    assert slower == pytest.approx(sqrt(gold_steps / steps)) and 0 < slower < 0.5
    assert paid_for("SELECT name FROM city, country WHERE 0", "SELEC", by=query_cost) == [0.0, 0.0]


def test_steps_are_the_same_each_time_and_grow_with_the_work(tmp_path):
    database = made(tmp_path / "t.sqlite", "CREATE TABLE t (a)", *[(number,) for number in range(300)])
    pairs = [(database, "SELECT a FROM t"), (database, "SELECT count(*) FROM t AS x, t AS y"), (database, "SELEC")]
    one, square, broken = count_steps(pairs)
    assert broken is None and 300 <= one <= 1500 < 90_000 <= square
    assert count_steps(pairs[:2]) == [one, square]
    assert count_steps([(database, FOR_EVER)], Limits(timeout_s=0.2)) == [None]
    assert count_steps([(database, FOR_EVER)], Limits(max_steps=10_000)) == [None]


def test_rewards_of_one_step_run_each_query_once(runs):
    answers = [render("plan", GOLD), render("plan", "SELECT 1"), "no"]
    for reward in (sql_execution, result_similarity, query_cost, sql_execution):
        reward([""] * 3, answers, **columns(3))
    assert runs == [3]
    sql_execution([""] * 3, answers, **columns(3), judge="bird")
    assert runs == [3, 3]


def test_rewards_that_run_side_by_side_wait_for_one_verdict(runs, monkeypatch):
    counted = verdicts.judge_many

    def slow(*settings):
        time.sleep(0.2)
        return counted(*settings)

    monkeypatch.setattr(verdicts, "judge_many", slow)
    scores = {}

    def work(number: int) -> None:
        scores[number] = paid(render("plan", GOLD), "no")

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == [2] and set(map(tuple, scores.values())) == {(1.0, -0.1)} and len(scores) == 4


def test_a_failure_is_raised_each_time_and_few_batches_are_remembered(runs, tmp_path):
    batch = {"gold_sql": [GOLD], "database": [str(tmp_path / "gone.sqlite")]}
    for _ in range(2):
        with pytest.raises(ConfigError, match="no such file"):
            sql_execution([""], ["SELECT 1"], **batch)
    for number in range(2 * verdicts.KEPT):
        paid(render("plan", f"SELECT {number}"))
    assert len(verdicts._kept) == verdicts.KEPT


def test_a_database_that_changed_is_judged_anew(tmp_path):
    path = made(tmp_path / "a" / "t.sqlite", "CREATE TABLE t (a)", (1,))
    judge = [["SELECT 1"], ["SELECT a FROM t"], [str(path)], "ordered", DEFAULT]
    assert judged(*judge)[0][1].correct is True
    made(tmp_path / "b" / "t.sqlite", "CREATE TABLE t (a)", (2,)).replace(path)
    assert judged(*judge)[0][1].correct is False


def test_a_copy_that_shows_an_answer_wrong_is_named():
    found = judged(
        ["SELECT name FROM city WHERE population < 3000", GOLD], [GOLD] * 2, [DATABASE] * 2, "ordered", DEFAULT
    )
    lucky, right = rights(found, [GOLD] * 2, [DATABASE] * 2, 3, False, "ordered", DEFAULT)
    assert right == (True, DATABASE) and lucky.right is False and Path(lucky.shown_on).suffix == ".sqlite"
