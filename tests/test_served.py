"""Stage 4 with models behind an OpenAI-compatible server: a small one that speaks the protocol, in this process."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from configs.files import read_json
from tasks.trace import render
from tests.processes import ROOT
from tests.teacher import KEY, right, serving, wait_until, write_run

QUESTIONS = 12
"""Of which three quarters are test questions."""


def evaluation(config: Path, url: str, *options: str, key: str = KEY) -> subprocess.Popen:
    environment = dict(os.environ) | {"PLANQL_CACHE": str(config.parent / "cache"), "OPENAI_API_KEY": key}
    section = "evaluation.servers.small"
    command = [sys.executable, "-m", "evaluation", str(config), "data.split=questions", "data.test_share=0.75"]
    command += [f"{section}.base_url={url}", f"{section}.model=tiny-one", "evaluation.models=[small]", *options]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(stage: subprocess.Popen, status: int = 0) -> str:
    out, said = stage.communicate(timeout=120)
    assert stage.returncode == status, said
    assert KEY not in out + said
    return out + said


def by_number(number: int) -> tuple[int, str, str] | bytes:
    wrong = render("Open city.", "SELECT name FROM city WHERE people < -1")
    answers = {
        0: (400, "the prompt is too long", ""),
        1: b"{}",
        2: (200, wrong, "stop"),
        3: (200, "<think>I", "length"),
    }
    return answers.get(number % 6, (200, right(number), "stop"))


@pytest.mark.slow
def test_a_served_model_is_measured_as_any_other(tmp_path):
    requests: list[dict] = []
    with serving(by_number, requests=requests) as (url, asked):
        config = write_run(tmp_path, url, questions=QUESTIONS, traces=1)
        prices = [f"evaluation.servers.small.{side}_price=1000000" for side in ("input", "output")]
        said = finished(evaluation(config, url, *prices, "evaluation.servers.small.options.top_k=1"))
    folder = tmp_path / "runs" / "asked" / "evaluation"
    measured, scores = read_json(folder / "small.json"), read_json(folder / "summary.json")["small"]
    assert (measured["model"], measured["adapter"]) == ("tiny-one", 'tiny-one {"top_k": 1}')
    rows = {int(row["question"].split()[-2]): row for row in measured["predictions"]}
    assert sorted(rows) == sorted(asked) and len(rows) == 9
    kinds = Counter(number % 6 for number in rows)
    assert all(row["correct"] == (number % 6 > 3) for number, row in rows.items())
    assert scores["correct"] == kinds[4] + kinds[5] and scores["silent"] == kinds[0] + kinds[1] > 0
    assert f"{scores['silent']} of 9 questions have no answer" in said and "counts as wrong" in said
    troubles = {number % 6: row["trouble"] for number, row in rows.items() if "trouble" in row}
    assert "malformed" in troubles.get(1, "malformed") and "too long" in troubles.get(0, "too long")
    assert all(row["stopped"] == (number % 6 > 1 and number % 6 != 3) for number, row in rows.items())
    heard = [row for number, row in rows.items() if number % 6 > 1]
    assert {(row["tokens"], row["prompt_tokens"]) for row in heard} == {(20, 50)}
    assert {(each["model"], each["temperature"], each["top_k"]) for each in requests} == {("tiny-one", 0, 1)}
    assert KEY not in "".join(path.read_text() for path in folder.parent.rglob("*.json"))
    assert read_json(folder / "official" / "small" / "predict_dev.json").keys() == {str(place) for place in range(9)}


@pytest.mark.slow
def test_what_is_answered_is_kept_when_the_server_goes(tmp_path):
    def answer(number: int) -> tuple[int, str, str]:
        return (200, right(number), "stop") if len(asked) < 5 else (429, "no more money", "")

    with serving(answer) as (url, asked):
        config = write_run(tmp_path, url, questions=QUESTIONS, traces=1)
        said = finished(evaluation(config, url, "evaluation.batch_size=1"), 2)
    assert "no more money" in said and "give the same command again" in said and "Traceback" not in said
    first = list(dict.fromkeys(asked))[:4]
    port = url.split(":")[2].split("/")[0]
    with serving(lambda number: (200, right(number), "stop"), port=int(port)) as (again, asked):
        said = finished(evaluation(config, again))
    assert not set(first) & set(asked) and len(asked) == 9 - len(first)
    assert "100.0" in said


@pytest.mark.slow
def test_a_server_that_refuses_all_is_no_model_that_is_always_wrong(tmp_path):
    requests: list[dict] = []
    with serving(lambda number: (400, "unknown key max_tokens", ""), requests=requests) as (url, asked):
        config = write_run(tmp_path, url, questions=QUESTIONS, traces=1)
        said = finished(evaluation(config, url), 2)
        assert "small: none of 9 questions was answered" in said and "unknown key max_tokens" in said
    section = "evaluation.servers.small.options"
    with serving(lambda number: (200, right(number), "stop"), requests=requests) as (url, asked):
        said = finished(evaluation(config, url, f"{section}.max_tokens=null", f"{section}.max_completion_tokens=99"))
    assert len(asked) == 9 and "100.0" in said
    assert "max_tokens" in requests[0] and "max_tokens" not in requests[-1]
    assert requests[-1]["max_completion_tokens"] == 99


@pytest.mark.slow
def test_it_stops_at_once_when_it_is_told_to(tmp_path):
    with serving(lambda number: (200, right(number), "stop"), delay_s=30) as (url, asked):
        config = write_run(tmp_path, url, questions=QUESTIONS, traces=1)
        stage = evaluation(config, url)
        wait_until(lambda: asked)
        stage.send_signal(signal.SIGINT)
        _, said = stage.communicate(timeout=15)
    assert stage.returncode == 130 and "stopped; the same command goes on" in said and "Traceback" not in said


@pytest.mark.slow
def test_each_sample_is_a_request_of_its_own(tmp_path):
    with serving(lambda number: (200, right(number), "stop")) as (url, asked):
        config = write_run(tmp_path, url, questions=QUESTIONS, traces=1)
        said = finished(evaluation(config, url, "evaluation.samples=3", "evaluation.temperature=0.5"))
    assert set(Counter(asked).values()) == {3} and "pass@3" in said
    summary = read_json(tmp_path / "runs" / "asked" / "evaluation" / "summary.json")
    assert summary["small"]["pass_at"] == {"1": 1.0, "2": 1.0, "3": 1.0} and summary["small"]["tokens"] == 60


@pytest.mark.parametrize(
    ("url", "key", "problem"),
    [
        ("localhost:8000", KEY, "evaluation.servers.small.base_url: 'localhost:8000' is not an address"),
        ("http://127.0.0.1:9/v1", KEY, "evaluation.servers.small.base_url: nothing answers at http://127.0.0.1:9/v1"),
        ("https://api.example.com/v1", "", "evaluation.servers.small.api_key_env: OPENAI_API_KEY is not set"),
    ],
)
def test_a_server_that_is_not_there_is_one_line(tmp_path, url, key, problem):
    config = write_run(tmp_path, url, questions=QUESTIONS, traces=1)
    said = finished(evaluation(config, url, key=key), 2)
    assert problem in said and "Traceback" not in said


def test_a_key_that_is_refused_is_one_line(tmp_path):
    with serving(by_number) as (url, asked):
        config = write_run(tmp_path, url, questions=QUESTIONS, traces=1)
        said = finished(evaluation(config, url, key="another"), 2)
    assert "does not take the key in OPENAI_API_KEY" in said and not asked
