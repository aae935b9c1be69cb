"""Servers that fail, and runs that are stopped and killed: nothing is lost, nothing is paid twice."""

import asyncio
import random
import re
import signal
import subprocess
import time
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from distill.ledger import ANSWERS, NO_ANSWER, read_answers
from tasks.trace import render
from tests.teacher import KEY, lines, right, rows_of, serving, start_stage, wait_until, write_run

CHAT = [{"role": "system", "content": "<think>"}, {"role": "user", "content": "above 3", "key": "k-0"}]


def ask(url: str, folder: Path, **settings) -> dict:
    """What the LLM itself makes of one question."""
    from distill.server import ServerLLM  # imports distilabel, seconds

    settings = {"max_retries": 1, "timeout": 20} | settings
    llm = ServerLLM(model="small", base_url=url, api_key=KEY, folder=str(folder), **settings)
    llm.load()
    return asyncio.run(llm.agenerate(CHAT, max_new_tokens=50))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"[]",
        b"null",
        b"{}",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{"message": null, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": [1, 2]}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": "cut in the mid',
        b"\xff\xfe\x00",
    ],
)
def test_a_malformed_reply_is_no_answer_and_stands_in_no_file(body, tmp_path):
    with serving(lambda number: body) as (url, asked):
        said = ask(url, tmp_path)
    assert (said["generations"], said["trouble"]) == ([None], [NO_ANSWER])
    assert asked and not list(tmp_path.iterdir())


def test_a_reply_without_counts_or_text_is_an_answer_all_the_same(tmp_path):
    body = b'{"choices": [{"message": {"content": null}, "finish_reason": "length"}]}'
    with serving(lambda number: body) as (url, _):
        ask(url, tmp_path)
    (answer,) = read_answers(tmp_path).values()
    assert (answer.text, answer.trouble, answer.key) == (None, "cut", "k-0")
    assert answer.input_tokens is answer.output_tokens is None


def test_a_server_gets_the_chat_alone_and_the_options(tmp_path):
    requests = []
    with serving(lambda number: (200, right(number), "stop"), requests=requests) as (url, _):
        ask(url, tmp_path, options={"top_k": 5, "chat_template_kwargs": {"enable_thinking": False}})
    (request,) = requests
    assert request["messages"] == [CHAT[0], {"role": "user", "content": "above 3"}]  # not the ledger's key
    assert (request["max_tokens"], request["top_k"]) == (50, 5)
    assert request["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_server_that_is_too_slow_gives_no_answer(tmp_path):
    with serving(lambda number: (200, right(number), "stop"), delay_s=2) as (url, asked):
        said = ask(url, tmp_path, timeout=1)
        assert said["trouble"] == [NO_ANSWER] and not list(tmp_path.iterdir())
        assert len(asked) == 2  # tried again once


@pytest.mark.slow
def test_rate_limits_and_failures_of_the_server_are_waited_for(tmp_path):
    tried = Counter()

    def answer(number):
        tried[number] += 1
        status = {1: 429, 2: 503, 3: 500}.get(tried[number], 200)
        return status, right(number) if status == 200 else "too many requests", "stop"

    with serving(answer) as (url, _):
        stage = start_stage(write_run(tmp_path, url, questions=6, traces=6))
        _, said = stage.communicate(timeout=120)
    assert stage.returncode == 0, said
    assert set(tried.values()) == {4}
    assert len(rows_of(tmp_path / "runs" / "asked" / "distill" / "traces.jsonl")) == 6


@pytest.mark.slow
@pytest.mark.parametrize("broken", [(500, "out of memory", ""), b"{"])
def test_a_question_that_the_server_breaks_on_does_not_hold_up_the_others(broken, tmp_path):
    with serving(lambda number: broken if number == 2 else (200, right(number), "stop")) as (url, asked):
        stage = start_stage(write_run(tmp_path, url, questions=6, traces=6))
        _, said = stage.communicate(timeout=120)
    assert stage.returncode == 0, said
    folder = tmp_path / "runs" / "asked" / "distill"
    assert len(rows_of(folder / "traces.jsonl")) == 5
    assert "no answer to 1 questions, which are left out" in said
    assert Counter(asked)[0] == 1 and '"no_answer": 1' in (folder / "stats.json").read_text()


@pytest.mark.slow
def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    with serving(lambda number: (200, right(number), "stop"), delay_s=0.3) as (url, asked):
        config = write_run(tmp_path, url, questions=24, traces=24)
        folder = tmp_path / "runs" / "asked" / "distill"
        stage = start_stage(config)
        wait_until(lambda: lines(folder / ANSWERS) >= 2)
        stage.send_signal(signal.SIGINT)
        _, said = stage.communicate(timeout=60)
        assert stage.returncode == 130
        assert "stopped; the same command goes on" in said
        assert not any(KEY in path.read_text() for path in folder.parent.rglob("*") if path.is_file())
        _, said = (stage := start_stage(config)).communicate(timeout=120)
    assert stage.returncode == 0, said
    assert "going on" in said and not (folder / ".distilabel").exists()
    assert len(rows_of(folder / "traces.jsonl")) == 24 and len(asked) <= 24 + 8


@pytest.mark.slow
def test_killed_at_any_moment_no_answer_is_lost_and_none_is_asked_for_twice(tmp_path):
    serial, dice, batch, questions = count(), random.Random(), 4, 8

    def wrong(number):
        return 200, render(f"Open city, answer {next(serial)}.", "SELECT mayor FROM city"), "stop"

    def again(number, _):
        plan = f"Answer {next(serial)}: open city and keep city.people > {number}.\nDeliver city.name."
        return 200, render(plan, f"SELECT name FROM city WHERE people > {number}"), "stop"

    with serving(wrong, delay_s=0.2, again=again) as (url, asked):
        config = write_run(tmp_path, url, questions, traces=questions, generations=2, retries=1, batch_size=batch)
        folder, kills, noted = tmp_path / "runs" / "asked" / "distill", 0, []
        while not killed(start_stage(config), folder / ANSWERS, len(noted) + dice.randint(1, 8), dice.random() / 3):
            kills += 1
            wait_until(lambda: not processes_with(str(config)))  # distilabel's workers must not go on asking
            now = list(read_answers(folder).values())
            assert now[: len(noted)] == noted
            noted = now
    answers = read_answers(folder)
    assert list(answers.values())[: len(noted)] == noted
    assert Counter(key.partition("-")[2] for key in answers) == {"0": questions, "1": questions, "2": questions}
    serials = [re.search(r"nswer (\d+)", answer.text).group(1) for answer in answers.values()]
    assert len(set(serials)) == 3 * questions
    assert len(asked) - 3 * questions <= kills * batch  # what was on its way when the kill came
    assert len(rows_of(folder / "traces.jsonl")) == questions


def killed(stage: subprocess.Popen, path: Path, goal: int, wait_s: float) -> bool:
    """Kill a stage some time after `path` has `goal` lines; return whether it had come to its end before."""
    wait_until(lambda: lines(path) >= goal or stage.poll() is not None)
    time.sleep(wait_s)
    stage.kill()
    stage.communicate()
    return stage.returncode == 0


def processes_with(argument: str) -> list[str]:
    """The ids of the processes that have `argument` in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if argument.encode() in (folder / "cmdline").read_bytes():
                    found.append(folder.name)
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found
