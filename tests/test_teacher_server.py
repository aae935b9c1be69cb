"""Stage 1 with a teacher behind an OpenAI-compatible server: a small one that speaks the protocol, in this process."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from configs.distill_schema import Distill
from configs.errors import ConfigError
from configs.schema import Config
from tasks.task import Task
from tasks.trace import render
from tests.teacher import KEY, right, rows_of, serving, start_stage, write_run


def by_number(number: int) -> tuple[int, str, str]:
    """What the server says to question `number`: HTTP status, text, finish reason."""
    answers = {
        0: (200, right(number), "stop"),
        1: (200, render("Open city.", "SELECT name FROM city WHERE people < -1"), "stop"),
        2: (200, "```sql\nSELECT name FROM city\n```", "stop"),
        3: (200, "<think>Step 1: Open ci", "length"),
        4: (200, render("Keep city.mayor.", f"SELECT name FROM city WHERE people > {number}"), "stop"),
        5: (200, render("Open city.", "SELECT mayor FROM city"), "stop"),
        6: (400, "the prompt is too long", ""),
    }
    return answers[number % 7]


@pytest.mark.slow
def test_answers_are_verified_and_every_reject_keeps_its_reason(tmp_path):
    with serving(by_number) as (url, asked):
        config = write_run(tmp_path, url, questions=21, traces=5)
        stage = start_stage(config)
        _, said = stage.communicate(timeout=120)
    assert stage.returncode == 0, said
    folder = tmp_path / "runs" / "asked" / "distill"
    traces, rejected = rows_of(folder / "traces.jsonl"), rows_of(folder / "rejected.jsonl")
    assert sorted(asked) == list(range(21))  # rejects were replaced until there were no more questions
    assert len(traces) == 3
    assert {row["messages"][-1]["content"] for row in traces} == {right(number) for number in (0, 7, 14)}
    assert {row["teacher"] for row in traces} == {"small"}
    assert Counter(row["reason"] for row in rejected) == {
        "wrong rows": 3, "form": 3, "cut": 3, "unknown name": 3, "does not run": 3, "refused": 3
    }  # fmt: skip
    details = {row["reason"]: row["detail"] for row in rejected}
    assert details["unknown name"] == "city.mayor"
    assert "too long" in details["refused"]
    stats = json.loads((folder / "stats.json").read_text())
    assert (stats["input_tokens"], stats["output_tokens"]) == (18 * 50, 18 * 20)
    assert stats["dollars"] is None
    assert stats["train"]["shortfalls"] == ["train: 3 of 5 traces: all 21 questions are used up"]
    assert not files_with(KEY, tmp_path)
    assert KEY not in said


def files_with(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.mark.slow
def test_server_that_fails_is_told_in_one_line_and_what_it_answered_is_kept(tmp_path):
    def answer(number: int) -> tuple[int, str, str]:
        return (404, "no such model", "") if number >= 4 else (200, right(number), "stop")

    with serving(answer) as (url, _):
        config = write_run(tmp_path, url, questions=8, traces=8)
        stage = start_stage(config)
        _, said = stage.communicate(timeout=120)
    assert stage.returncode == 2, said
    last = said.strip().splitlines()[-1]
    assert "no such model" in last
    assert KEY not in said
    assert len(rows_of(tmp_path / "runs" / "asked" / "distill" / "answers.jsonl")) == 4


@pytest.mark.slow
def test_server_that_cannot_be_asked_is_told_before_anything_is_written(tmp_path):
    with serving(by_number) as (url, asked):
        config = write_run(tmp_path, url, questions=3, traces=3)
        stage = start_stage(config, key="wrong")
        _, said = stage.communicate(timeout=120)
    assert (stage.returncode, asked) == (2, [])
    assert "does not take the key in OPENAI_API_KEY" in said.splitlines()[-1]
    assert not (tmp_path / "runs" / "asked").exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9/v1", "nothing answers at http://127.0.0.1:9/v1"),
        ("localhost:8000/v1", "is not an address; write it as http://host:port/v1"),
        ("https://models.example.com/v1", "NO_SUCH_KEY is not set in the environment"),
    ],
)
def test_address_that_cannot_work_is_told(url, said):
    from distill.teachers import teacher_for  # imports distilabel, seconds

    chosen = Distill(teacher="openai", model="small", base_url=url, api_key_env="NO_SUCH_KEY")
    with pytest.raises(ConfigError, match=re.escape(said)):
        teacher_for(Config(name="x", distill=chosen)).check()


def test_hugging_face_is_asked_with_its_own_key(monkeypatch):
    from distill.teachers import teacher_for

    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "not for them")
    chosen = Distill(teacher="inference_endpoints", model="small")
    with pytest.raises(ConfigError, match=r"HF_TOKEN is not set in the environment; https://router"):
        teacher_for(Config(name="x", distill=chosen)).check()
    monkeypatch.setenv("HF_TOKEN", KEY)
    with serving(by_number) as (url, _):
        chosen = Distill(teacher="inference_endpoints", model="small", base_url=url)
        teacher_for(Config(name="x", distill=chosen)).check()


@pytest.mark.slow
def test_teacher_that_never_succeeds_is_dropped_after_a_trial(tmp_path):
    with serving(lambda number: (200, "I don't know.", "stop")) as (url, asked):
        config = write_run(tmp_path, url, questions=70, traces=70, batch_size=25)
        stage = start_stage(config)
        _, said = stage.communicate(timeout=120)
    assert stage.returncode == 2, said
    assert len(asked) == 50
    assert "none of 50 answers of small passed (50 × form)" in said.splitlines()[-1]


def test_bug_in_a_step_is_not_taken_for_a_silent_server():
    from distill.pipeline import raise_bugs, why_silent

    raise_bugs("WARNING  no answer: 429")
    assert why_silent("WARNING  no answer: 500\nWARNING  no answer: 429") == "429"
    with pytest.raises(RuntimeError, match="KeyError"):
        raise_bugs("Traceback (most recent call last):\nKeyError: 'x'")


def test_plan_teacher_says_what_it_cannot_plan(monkeypatch):
    from distill import teachers
    from distill.plan import CannotPlan

    def refuse(*_) -> str:
        raise CannotPlan("a VALUES clause")

    monkeypatch.setattr(teachers, "write_plan", refuse)
    monkeypatch.setattr(teachers, "read_schema", lambda database: None)
    teacher = teachers.teacher_for(Config(name="x"))
    chat = teacher.ask(Task("t", "Which?", "", "VALUES (1)", "shop.sqlite", "L1"))
    assert teacher.llm(Path()).generate([chat])[0]["trouble"] == ["cannot plan: a VALUES clause"]
