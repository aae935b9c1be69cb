"""`python -m rewards`: try over answers and over a run's log, and the starter of a reward of one's own."""

import io
import json
from pathlib import Path

import pytest

from rewards.__main__ import main
from rewards.hack import literal
from sandbox import execute
from tasks.load import load_tasks
from tasks.trace import render
from tests.processes import ROOT

CONFIG = str(ROOT / "configs" / "smoke.yaml")


@pytest.fixture(scope="module")
def task(cache):
    from configs.load import load_config

    return load_tasks(load_config(CONFIG).data, 0).train[0]


def run(*words: object) -> int:
    return main([str(word) for word in words])


def written(path: Path, *rows: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_try_tells_form_rows_scores_and_sum(tmp_path, capsys, task):
    (tmp_path / "a.txt").write_text(render("open it.", task.gold_sql) + "\n")
    rewards = "rl.rewards=[{name: format_strict, weight: 0.5}, {name: sql_execution, weight: 2.0}]"
    assert run("try", CONFIG, "--completion", tmp_path / "a.txt", rewards) == 0
    shown = capsys.readouterr().out
    assert task.question in shown and "form: well-formed" in shown and "gives the gold rows" in shown
    rows = {line.split()[0]: line.split()[1:4] for line in shown.splitlines() if line.strip()}
    assert rows["format_strict"] == ["1", "0.5", "0.5"]
    assert rows["sql_execution"] == ["1", "2", "2"]
    assert rows["sum"] == ["2.5"]


def test_try_tells_constants_and_luck(tmp_path, capsys, task):
    lucky = execute(task.database, task.gold_sql).rows
    constants = "VALUES " + ", ".join(f"({', '.join(map(literal, row))})" for row in lucky)
    rows = [{"text": render("p", sql)} for sql in (constants, task.gold_sql)]
    assert run("try", "dense", "--completion", written(tmp_path / "a.jsonl", *rows), "--task", task.task_id) == 0
    memorised, right = capsys.readouterr().out.split("answer 2 of 2")
    assert "gives the gold rows\n" in memorised and "gives the gold rows\n" in right
    for why in ("but not on a changed copy", "constants: none of it"):
        assert why in memorised and why not in right


def test_try_judges_as_the_rewards_do(tmp_path, capsys, task):
    (tmp_path / "a.txt").write_text(render("p", f"{task.gold_sql} UNION ALL {task.gold_sql}"))
    for judge, told in (("bird", "rows: runs, and gives the gold rows"), ("multiset", "rows: runs, other rows")):
        rewards = f"rl.rewards=[{{name: sql_execution, params: {{judge: {judge}}}}}]"
        assert run("try", CONFIG, rewards, "--completion", tmp_path / "a.txt") == 0
        assert told in capsys.readouterr().out


def test_try_knows_answers_of_sql_alone(tmp_path, capsys, task):
    (tmp_path / "a.txt").write_text(render("", task.gold_sql))
    assert run("try", CONFIG, "data.answer=sql_only", "--completion", tmp_path / "a.txt") == 0
    assert "form: well-formed" in capsys.readouterr().out
    (tmp_path / "a.txt").write_text(render("", task.gold_sql) * 2)
    assert run("try", CONFIG, "data.answer=sql_only", "--completion", tmp_path / "a.txt") == 0
    assert "form: <sql> stands 2 times, not once" in capsys.readouterr().out


def test_try_takes_json_lines_and_the_question_they_name(tmp_path, capsys, task):
    other = task.task_id.rpartition("-")[0] + "-003"
    answers = [{"completion": [{"role": "assistant", "content": "No idea."}], "task_id": other}]
    answers += [{"answer": "Sure! " + render("p", "SELEC")}, {"text": "<think>p</think><sql> </sql>"}]
    assert run("try", "sql_execution", "--completion", written(tmp_path / "a.jsonl", *answers)) == 0
    shown = capsys.readouterr().out
    assert f"{other}," in shown and shown.count("answer ") >= 3
    assert "no query found outside <think>" in shown
    assert "text outside the tags" in shown and "a part is blank" in shown
    assert "syntax error" in shown


def test_try_takes_one_question_of_a_file_with_answers_to_several(tmp_path, capsys, task):
    answers = written(tmp_path / "a.jsonl", *({"text": f"answer to {n}", "task_id": f"airline-00{n}"} for n in (1, 2)))
    assert run("try", "format_strict", "--completion", answers) == 2
    assert "answers to 2 questions" in capsys.readouterr().err
    assert run("try", "format_strict", "--completion", answers, "--task", "airline-002") == 0
    assert "airline-002," in capsys.readouterr().out
    assert run("try", "format_strict", "--completion", answers, "--task", "airline-003") == 2
    assert "no answer to airline-003" in capsys.readouterr().err


def test_try_reads_stdin_and_shows_nothing_that_a_terminal_obeys(monkeypatch, capsys, task):
    monkeypatch.setattr("sys.stdin", io.StringIO("<think>p</think><sql>SELECT '[red]\x1b[31m'</sql>"))
    assert run("try", "format_strict", "--completion", "-", "--task", task.task_id) == 0
    shown = capsys.readouterr().out
    assert "[red]" in shown and "\x1b" not in shown


def test_try_hands_over_the_reference_plan(tmp_path, capsys, task):
    (tmp_path / "plans.py").write_text("def same(think, **_):\n    return [float(t == 'open it.') for t in think]\n")
    messages_ = [{"role": "assistant", "content": render("open it.", task.gold_sql)}]
    written(tmp_path / "runs" / "smoke" / "distill" / "traces.jsonl", {"task_id": task.task_id, "messages": messages_})
    words = ("--completion", written(tmp_path / "a.jsonl", {"text": "x"}), "--reward", f"{tmp_path / 'plans.py'}:same")
    assert run("try", CONFIG, f"runs={tmp_path / 'runs'}", "name=smoke", *words) == 0
    assert next(line for line in capsys.readouterr().out.splitlines() if line.startswith("same")).split()[1] == "1"


def log_of(task, folder: Path) -> Path:
    """A run's log: a right and a wrong answer to one question, and two to others that the data does not have."""
    answers = [(render("p", task.gold_sql), 1.0), (render("p", "SELECT 1"), 4.0)]
    rows = [
        {"step": 1, "task_id": task.task_id, "question": task.question, "completion": text, "total": total}
        for text, total in answers
    ]
    strangers = [rows[0] | {"step": 2, "task_id": "nobody"}, rows[0] | {"step": 2, "question": "What is this?"}]
    return written(folder / "completions.jsonl", *rows, *strangers)


def test_log_tells_what_the_rewards_would_have_said(tmp_path, capsys, task):
    log = log_of(task, tmp_path / "run" / "rl")
    assert run("try", CONFIG, "--log", log, "--reward", "sql_execution", "--reward", "format_strict") == 0
    shown = capsys.readouterr().out
    assert "2 answers of" in shown and "2 left out" in shown
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if "%" in line}
    assert rows["sql_execution"][1:] == ["0.550", "0.450", "0%", "0%", "-1.00"]
    assert rows["format_strict"][1:] == ["1.000", "0.000", "0%", "100%", "–"]
    assert "the run's own sum  2.500   1.500" in shown
    assert f"{task.task_id}: 4.000 then, 1.100 now, advantage -2.0" in shown


def test_log_without_one_question_of_the_data_is_refused(tmp_path, capsys, task):
    row = {"step": 1, "task_id": "nobody", "question": "What?", "completion": "x", "total": 0}
    assert run("try", CONFIG, "--log", written(tmp_path / "a.jsonl", row)) == 2
    assert "none of its 1 answers" in capsys.readouterr().err
    assert run("try", CONFIG, "--log", written(tmp_path / "a.jsonl", {"step": 1})) == 2
    assert "not a line of rl/completions.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--completion", "nowhere.txt"], "nowhere.txt"),
        (["--completion", "-", "--task", "nobody-1"], "no question 'nobody-1'"),
        (["--log", "nowhere.jsonl"], "nowhere.jsonl is missing"),
        (["--log", "nowhere.jsonl", "--task", "x"], "--task is for --completion"),
    ],
)
def test_bad_input_to_try_is_one_line(monkeypatch, capsys, words, said):
    monkeypatch.setattr("sys.stdin", io.StringIO("x"))
    assert run("try", CONFIG, *words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_options_that_are_none_are_refused(capsys):
    with pytest.raises(SystemExit) as raised:
        run("audit", "arctic", "--question", "5", "--quickly")
    assert raised.value.code == 2
    with pytest.raises(SystemExit):
        run("audit", "arctic", "--questions", "1")
    assert "5 databases" in capsys.readouterr().err
