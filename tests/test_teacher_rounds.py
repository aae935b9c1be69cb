"""Several answers to a question, asking again with the reason, prices and limits."""

import json
import re
from collections import Counter
from types import SimpleNamespace

import pytest

from configs.distill_schema import Distill
from configs.schema import Config
from distill.cost import affordable, dollars, spent
from distill.ledger import KEPT, Answer, Entry
from distill.work import best
from tasks.trace import render
from tests.teacher import right, rows_of, serving, start_stage, write_run


def finished(config) -> str:
    """Run the stage to its end; return what it said."""
    stage = start_stage(config)
    _, said = stage.communicate(timeout=120)
    assert stage.returncode == 0, said
    return said


@pytest.mark.slow
def test_a_rejected_answer_is_told_why_and_asked_for_again(tmp_path):
    chats = []

    def again(number, messages):
        chats.append(messages)
        return 200, right(number), "stop"

    wrong = (200, render("Open city.", "SELECT mayor FROM city"), "stop")
    with serving(lambda number: wrong, again=again) as (url, asked):
        config = write_run(tmp_path, url, questions=2, traces=2, retries=1)
        finished(config)
    assert Counter(asked) == {0: 2, 1: 2}
    for chat in chats:
        assert [message["role"] for message in chat] == ["system", "user", "assistant", "user"]
        assert "SELECT mayor" in chat[2]["content"] and "no such column: mayor" in chat[3]["content"]
    folder = tmp_path / "runs" / "asked" / "distill"
    assert len(rows_of(folder / "traces.jsonl")) == 2
    assert [row["reason"] for row in rows_of(folder / "rejected.jsonl")] == ["does not run"] * 2
    stats = json.loads((folder / "stats.json").read_text())
    assert (stats["answers"], stats["train"]["asked"], stats["train"]["kept"]) == (4, 2, 2)
    assert stats["rejected_by_level"] == {"L1": {"does not run": 2}}


@pytest.mark.slow
def test_of_several_answers_the_shortest_that_is_right_is_kept_and_none_is_paid_twice(tmp_path):
    given = Counter()

    def answer(number):
        given[number] += 1
        plan = f"Step 1: Keep city.people > {number} and deliver city.name"
        think = {1: f"{plan}, at length.", 2: f"{plan}."}.get(given[number])
        sql = f"SELECT name FROM city WHERE people > {number}"
        return (200, render(think, sql), "stop") if think else (200, "no idea", "stop")

    with serving(answer) as (url, asked):
        config = write_run(tmp_path, url, questions=2, traces=1, generations=3, input_price=1.0, output_price=10.0)
        said = finished(config)
        folder = tmp_path / "runs" / "asked" / "distill"
        (trace,) = rows_of(folder / "traces.jsonl")
        assert "at length" not in trace["messages"][-1]["content"] and len(asked) == 3
        stats = json.loads((folder / "stats.json").read_text())
        assert stats["dollars"] == pytest.approx(3 * (50 * 1.0 + 20 * 10.0) / 1e6)
        assert re.search(r"1 of 1 in .* tokens/s, \$0\.000[78]", said)
        # One trace more: the first question is paid already.
        config.write_text(config.read_text().replace('"traces": 1', '"traces": 2'))
        said = finished(config)
    assert "distill.traces: 1 → 2" in said
    assert sorted(Counter(asked).values()) == [3, 3]
    assert len(rows_of(folder / "traces.jsonl")) == 2


@pytest.mark.slow
def test_a_limit_in_dollars_is_kept_and_told(tmp_path):
    with serving(lambda number: (200, right(number), "stop")) as (url, asked):
        config = write_run(
            tmp_path,
            url,
            questions=9,
            traces=9,
            max_new_tokens=100,
            input_price=0.0,
            output_price=1.0,
            max_dollars=0.00025,
        )
        said = finished(config)
    folder = tmp_path / "runs" / "asked" / "distill"
    stats = json.loads((folder / "stats.json").read_text())
    assert stats["dollars"] == pytest.approx(len(asked) * 20 / 1e6)
    assert stats["dollars"] + 100 / 1e6 > 0.00025 >= stats["dollars"]
    assert 0 < len(asked) < 9 and "max_dollars" in said
    assert len(rows_of(folder / "traces.jsonl")) == len(asked)


@pytest.mark.slow
def test_a_dry_run_asks_nothing_and_leaves_nothing(tmp_path):
    with serving(lambda number: (200, right(number), "stop")) as (url, asked):
        config = write_run(tmp_path, url, questions=9, traces=9, input_price=1.0, output_price=10.0)
        stage = start_stage(config, options=("--dry-run",))
        _, said = stage.communicate(timeout=120)
    assert stage.returncode == 0 and not asked
    assert "would ask small for 9 answers" in said and "$0.0" in said and "at most $" in said
    assert not (tmp_path / "runs" / "asked" / "distill").exists()


def test_the_shortest_kept_answer_is_the_best():
    said = [("long one", KEPT), ("x", "form"), ("short", KEPT)]
    entries = [Entry(attempt, Answer(text), verdict) for attempt, (text, verdict) in enumerate(said)]
    assert best(entries) == "short"


def test_costs():
    chosen = Distill(teacher="openai", model="m", input_price=2.0, output_price=10.0)
    assert dollars(chosen, 1_000_000, 500_000) == 7.0
    assert dollars(Distill(), 5, 5) is None
    assert spent(chosen, [Answer("a", "", "k", 10, 20), Answer(None, "cut", "l", 10, 20)]) == pytest.approx(440e-6)


def test_no_row_is_taken_that_could_go_past_the_limit():
    rows = [{"messages": [{"role": "user", "content": "x" * 2000}]}] * 5
    chosen = Distill(
        teacher="openai", model="m", input_price=1.0, output_price=1.0, max_new_tokens=1000, max_dollars=0.005
    )
    assert len(affordable(chosen, rows, already=0.0)) == 2  # 2,000 tokens each at worst
    assert len(affordable(chosen, rows, already=0.002)) == 1
    assert affordable(chosen, rows, already=0.004) == []
    assert len(affordable(Distill(), rows, already=9.0)) == 5


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"teacher": "transformers"}, "needs distill.model"),
        ({"generations": 2}, "always gives the same answer"),
        ({"retries": 1}, "always gives the same answer"),
        ({"options": {"x": 1}}, "takes no distill.options"),
        ({"teacher": "vllm", "model": "m", "options": {"trust_remote_code": True}}, "may not have 'trust_remote_code'"),
        ({"teacher": "inference_endpoints", "model": "m", "options": {"api_key": "hf_x"}}, "may not have 'api_key'"),
        ({"teacher": "openai", "model": "m", "max_dollars": 1.0}, "needs input_price and output_price"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        Config(name="asked", distill=wrong)


@pytest.mark.parametrize("teacher", ["vllm", "transformers", "llamacpp"])
def test_a_teacher_in_this_process_is_distilabels_own(teacher, tmp_path, monkeypatch):
    from distill import teachers

    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF")
    cfg = Config(
        name="asked", distill={"teacher": teacher, "model": str(model), "temperature": 0.5, "max_new_tokens": 99}
    )
    made = teachers.teacher_for(cfg)
    llm = made.llm(tmp_path)
    assert type(llm).__name__ == teachers.IN_PROCESS[teacher][0]
    assert str(getattr(llm, teachers.IN_PROCESS[teacher][1])) == str(model)
    assert llm.generation_kwargs["max_new_tokens"] == 99
    monkeypatch.setattr(teachers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs the package"):
        made.check()
    monkeypatch.setattr(teachers.importlib.util, "find_spec", lambda name: SimpleNamespace())
    wrong = Config(name="asked", distill={"teacher": teacher, "model": "m", "options": {"nmae": 1}})
    with pytest.raises(ValueError, match="has no 'nmae'"):
        teachers.teacher_for(wrong).check()


def test_a_model_file_that_is_missing_is_told():
    from distill import teachers

    cfg = Config(name="asked", distill={"teacher": "llamacpp", "model": "/no/such.gguf"})
    with pytest.raises(ValueError, match=r"distill.teacher: llamacpp needs the package|distill.model: .*such.gguf"):
        teachers.teacher_for(cfg).check()


@pytest.mark.slow
def test_answers_are_judged_anew_by_other_limits_and_not_paid_again(tmp_path):
    lucky = render("Open city, keep city.people > 5 and deliver city.name.", "SELECT name FROM city WHERE people > 5")

    with serving(lambda number: (200, lucky if number == 1 else right(number), "stop")) as (url, asked):
        config = write_run(tmp_path, url, questions=2, traces=2)
        finished(config)
        folder = tmp_path / "runs" / "asked" / "distill"
        assert len(rows_of(folder / "traces.jsonl")) == 2  # as many cities have more than 5 as have more than 1
        config.write_text(config.read_text().replace('"traces": 2', '"traces": 2, "variants": 4'))
        said = finished(config)
    assert "verification.variants: 0 → 4" in said and "judging answers that are there already: 2" in said
    assert Counter(asked) == {0: 1, 1: 1}
    assert [row["reason"] for row in rows_of(folder / "rejected.jsonl")] == ["right by luck"]
    assert len(rows_of(folder / "traces.jsonl")) == 1


@pytest.mark.slow
def test_a_model_in_this_process_answers_and_what_it_says_is_judged(tmp_path, tiny):
    from models.sources import model_source

    config = write_run(
        tmp_path, "", questions=3, traces=3, teacher="transformers", model=str(model_source(tiny.name)),
        base_url=None, max_new_tokens=16,
    )  # fmt: skip
    stage = start_stage(config)
    _, said = stage.communicate(timeout=120)
    answers = rows_of(tmp_path / "runs" / "asked" / "distill" / "answers.jsonl")
    assert stage.returncode == 2 and len(answers) == 3, said
    assert "none of 3 answers" in said.splitlines()[-1] and "× cut" in said
    assert all(row["output_tokens"] == 16 and row["input_tokens"] > 100 for row in answers)
    assert "Traceback" not in said and "Warning" not in said
