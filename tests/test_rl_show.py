"""`python -m rl show`, and what completions.jsonl says of each answer's query."""

import re
import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len

from configs.errors import ConfigError
from configs.files import write_jsonl
from configs.schema import Sandbox
from rl.outcomes import COLUMNS, ROWS_CHARS, noting, outcomes, rows_text
from rl.show import show
from sandbox import Result
from tasks.trace import render
from tests.processes import run_light

GOLD = "SELECT name FROM customer WHERE age > 30"
HOSTILE = "[red]x[/red] [/] \x1b[2J\x1b]0;title\x07 \u202egnp.exe"
LIMITS = Sandbox(timeout_s=2)


def line(step: int, task: int, sql: str = GOLD, total: float = 1.0, **changed: object) -> dict:
    return {
        "step": step,
        "task_id": f"q-{task}",
        "question": f"Question {task}: who is over 30?",
        "gold_sql": GOLD,
        "prompt": f"<|im_start|>user {task}",
        "completion": render(f'open customer\nfilter "over 30": customer.age > {task}', sql),
        "sql": sql,
        "status": "ok",
        "correct": sql == GOLD,
        "message": "" if sql == GOLD else "3 rows, gold 2",
        "rows": "2 rows: Ada | Bo",
        "rewards": {"format_strict": 1.0, "sql_execution": None},
        "total": total,
        "advantage": total - 0.5,
    } | changed


@pytest.fixture
def run(tmp_path) -> Path:
    """Two steps of two questions with three answers each: one twice, and a worse one."""
    rows = [
        line(step, task, *answer)
        for step in (1, 2)
        for task in (step, 7)
        for answer in ((GOLD, 1.0), (GOLD, 1.0), ("SELECT name FROM customer", 0.25 * task))
    ]
    write_jsonl(tmp_path / "runs" / "shop" / "rl" / "completions.jsonl", rows)
    return tmp_path / "runs" / "shop"


def printed(capsys, *words: object) -> str:
    assert show([*map(str, words)]) == 0
    return capsys.readouterr().out


def refused(capsys, *words: object) -> str:
    assert show([*map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("show: ")
    return err


def heads(text: str) -> list[str]:
    return re.findall(r"^step (\d+ · q-\d+)", text, re.MULTILINE)


def steers(text: str) -> set[str]:
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char != "\n"}


def test_a_group_stands_together_with_what_each_answer_was_paid(run, capsys):
    text = printed(capsys, run)
    lines = text.splitlines()
    assert lines[0].startswith("step 2 · q-2 · 3 answers, 2 right · mean 0.83 ──")
    assert heads(text) == ["2 · q-2", "2 · q-7"]
    assert "  Question 2: who is over 30?" in lines and f"      {GOLD}" in lines
    assert "  2 × 1.00  advantage +0.50  format_strict 1 · sql_execution –" in lines
    assert "      0.50  advantage +0.00  format_strict 1 · sql_execution –" in lines
    assert text.count("✓ the gold rows") == 2 and text.count("✗ other rows than gold: 3 rows, gold 2") == 2
    assert "      2 rows: Ada | Bo" in lines and "filter" not in text
    assert lines[-1].startswith("2 of 2 questions of step 2 in ") and lines[-1].endswith("which has steps 1, 2")
    assert not steers(text) and max(map(cell_len, lines[:-1])) <= 140


def test_what_is_asked_for_is_shown(run, capsys):
    assert heads(printed(capsys, run, "--step", 1, "-n", 1)) == ["1 · q-1"]
    assert heads(printed(capsys, run, "--task", "q-1")) == ["1 · q-1"]  # in the last step that has it
    assert heads(printed(capsys, run, "--task", "q-7", "--step", 1)) == ["1 · q-7"]
    assert '"over 30": customer.age > 7' in printed(capsys, run, "--task", "q-7", "--plan")


def test_the_best_and_the_worst_are_single_answers(run, capsys):
    worst = printed(capsys, run, "--worst", "-n", 2)
    assert heads(worst) == ["2 · q-2", "2 · q-2"]
    assert re.findall(r"^ +(\d\.\d\d)  advantage", worst, re.MULTILINE) == ["0.50", "1.00"]
    best = printed(capsys, run, "--best", "-n", 9)
    assert re.findall(r"^ +(\d\.\d\d)  advantage", best, re.MULTILINE) == ["1.75", "1.00", "1.00", "0.50"]
    assert "customer.age > 7" in best and "4 of 4 answers of step 2" in best


def test_answers_of_any_form_are_shown(run, capsys):
    rows = [
        line(3, 1) | {"completion": "I don't know.", "sql": None, "status": "no_sql", "correct": False, "rows": ""},
        line(3, 1, "SELECT nam") | {"completion": "<sql>SELECT nam", "status": "error", "message": "no such column"},
        line(3, 1) | {"completion": "x <sql>SELECT 1</sql>", "correct": None, "message": "the gold query is slow"},
    ]
    write_jsonl(run / "rl" / "completions.jsonl", rows)
    text = printed(capsys, run)
    assert "I don't know." in text and "✗ no SQL" in text and text.count("✗ not in the form of a trace") == 3
    assert "✗ error: no such column" in text and "not judged: the gold query is slow" in text


def test_a_file_of_an_earlier_version_is_shown(run, capsys):
    rows = [
        {"step": 4, "prompt": "Who?", "completion": render("open a", "SELECT 1"), "rewards": {"a": 2.0}, "advantage": 0}
    ]
    write_jsonl(run / "rl" / "completions.jsonl", rows)
    text = printed(capsys, run)
    assert "  Who?" in text and "      SELECT 1" in text and "2.00  advantage +0.00  a 2" in text


def test_hostile_text_is_text(run, capsys):
    evil = dict.fromkeys(("task_id", "question", "gold_sql", "completion", "sql", "message", "rows"), HOSTILE)
    write_jsonl(run / "rl" / "completions.jsonl", [line(1, 1) | evil | {"rewards": {HOSTILE: 1.0}}])
    for words in ((), ("--best",)):
        text = printed(capsys, run, *words)
        assert not steers(text) and text.count("[red]x[/red]") >= 6


def test_what_is_not_there_is_told_in_one_line(run, capsys):
    assert "no run 'nowhere'" in refused(capsys, "nowhere")
    assert "has no step 9; it has steps 1, 2" in refused(capsys, run, "--step", 9)
    assert "step 1 has no task 'q-2'; it has q-1, q-7" in refused(capsys, run, "--step", 1, "--task", "q-2")
    assert "has no task 'q-9'; it has 'q-7' and others" in refused(capsys, run, "--task", "q-9")
    assert "completions.jsonl is missing: this run has sampled nothing yet" in refused(capsys, run.parent)
    path = run / "rl" / "completions.jsonl"
    path.write_text('{"step": 1, "rewards": {}}\n')
    assert "completions.jsonl:1: no completion with step, rewards and advantage" in refused(capsys, run)
    path.write_text("")
    assert "is empty" in refused(capsys, run)
    for words in (["--best", "--worst"], ["-n", "0"], ["--step", "x"]):
        with pytest.raises(SystemExit) as end:
            show([str(run), *words])
        assert end.value.code == 2


def test_the_command_is_light(run):
    done = run_light("rl", "show", run)
    assert (done.returncode, done.stderr) == (0, "") and "Question 2" in done.stdout


def test_what_came_of_each_query(shop):
    said = [
        render("open customer", GOLD),
        "SELECT name FROM customer",
        render("x", "SELECT nam FROM customer"),
        render("x", "SELECT name FROM customer WHERE 0"),
        "I don't know.",
    ]
    found = outcomes(said, [GOLD] * 5, [str(shop)] * 5, LIMITS, "ordered")
    assert [each["status"] for each in found] == ["ok", "ok", "error", "empty", "no_sql"]
    assert [each["correct"] for each in found] == [True, False, False, False, False]
    assert [each["sql"] for each in found][:2] == [GOLD, "SELECT name FROM customer"] and found[4]["sql"] is None
    assert re.match(r"\d rows: \w+ \| ", found[1]["rows"]) and found[2]["rows"] == ""
    assert "no such column" in found[2]["message"]
    (broken,) = outcomes(said[:1], ["SELECT nothing"], [str(shop)], LIMITS, "ordered")
    assert broken["correct"] is None


def test_rows_are_told_in_a_few_words():
    wide = Result("ok", ("a",), (("x" * 10_000,), (b"\x00" * 9,)) * 500)
    assert len(rows_text(wide)) == ROWS_CHARS and rows_text(wide).startswith("1,000 rows: xxx")
    assert rows_text(Result("ok", ("a", "b"), ((None, b"\x00" * 9),))) == "1 row: NULL, 9 bytes"
    assert rows_text(Result("ok", ("a",), (("two\nlines",),))) == "1 row: two lines"


def noted(rewards, database: object, gold_sql: object = GOLD) -> tuple[list, dict[str, list]]:
    """Return what the first reward says of one answer, and what is logged of it."""
    extra: dict[str, list] = {}
    columns = {"task_id": ["q-1"], "gold_sql": [gold_sql], "database": [database], "log_extra": extra.__setitem__}
    reward = noting(rewards, LIMITS, "ordered")[0]
    return reward(prompts=["?"], completions=[render("x", GOLD)], **columns), extra


def test_outcomes_are_logged_beside_the_scores(shop):
    def paid(completions, task_id, database, **_):
        assert task_id == ["q-1"] and database == [str(shop)]
        return [0.5] * len(completions)

    scores, extra = noted([paid, None], str(shop))
    assert scores == [0.5] and tuple(extra) == COLUMNS
    assert (extra["task_id"], extra["status"], extra["correct"]) == (["q-1"], ["ok"], [True])
    assert noting([paid], LIMITS, "ordered")[0].__name__ == "paid"


def test_a_failure_to_tell_the_outcome_stops_nothing(capsys):
    scores, extra = noted([lambda **_: [0.5]], None, gold_sql=None)
    assert scores == [0.5] and extra["task_id"] == ["q-1"] and extra["rows"] == [None]
    assert "completions.jsonl does without SQL, status and rows" in capsys.readouterr().err


def test_a_reward_may_log_more_but_not_under_our_names(shop):
    def logs(log_extra, **_):
        log_extra("near", [3])
        return [1.0]

    assert noted([logs], str(shop))[1]["near"] == [3]
    with pytest.raises(ConfigError, match="a reward logs 'sql'"):
        noted([lambda log_extra, **_: log_extra("sql", ["x"])], str(shop))
