"""Stage 1: selection, verification, the ledger, and the whole stage with the plan teacher."""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError
from configs.files import write_jsonl
from distill.curate import allot, delivered, next_questions, round_robin, set_goal, shortfalls, standing
from distill.ledger import (
    ANSWERS,
    KEPT,
    Answer,
    Verdict,
    enter,
    note,
    read_answers,
    read_verdicts,
    success_rate,
)
from distill.plan_sql import plain_sql
from distill.verify import verify
from sandbox import Limits
from tasks.schema import read_schema
from tasks.task import Task
from tasks.trace import parse, render

ROOT = Path(__file__).parents[1]


def task(number: int, level: str = "L1", database: str = "shop") -> Task:
    return Task(f"t{number:03}", f"Question {number}?", "", f"SELECT {number}", database, level)


def all_kept(asked: Task) -> str | None:
    return KEPT


@given(
    total=st.integers(0, 60),
    shares=st.lists(st.floats(0.01, 1), min_size=1, max_size=4),
    limits=st.lists(st.integers(0, 40), min_size=4, max_size=4),
)
def test_allot_keeps_to_limits_and_reaches_what_can_be_reached(total, shares, limits):
    parts = dict(zip(("L1", "L2", "L3", "L4"), shares, strict=False))
    caps = dict(zip(parts, limits, strict=False))
    given_out = allot(total, parts, caps)
    assert all(0 <= given_out[part] <= caps[part] for part in parts)
    assert sum(given_out.values()) == min(total, sum(caps.values()))


@given(total=st.integers(1, 500), weights=st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_allot_is_within_one_of_the_exact_share(total, weights):
    shares = {str(part): weight for part, weight in enumerate(weights)}
    given_out = allot(total, shares, dict.fromkeys(shares, total))
    assert all(abs(given_out[part] - total * weight / sum(weights)) < 1 for part, weight in shares.items())


def test_round_robin_takes_every_database_before_it_takes_one_again():
    tasks = [task(number, database=name) for number, name in enumerate("aaaaabbbc")]
    order = round_robin(tasks, seed=1)
    assert {entry.database for entry in order[:3]} == {"a", "b", "c"}
    assert [entry.database for entry in order[-2:]] == ["a", "a"]
    assert order == round_robin(reversed(tasks), seed=1) != round_robin(tasks, seed=2)
    assert set(order) == set(tasks)


def test_goal_without_a_mix_takes_all_levels_and_with_one_only_its_own():
    tasks = [task(0, "L1"), task(1, "L2"), task(2, "L4")]
    assert {level: len(part) for level, part in set_goal("train", tasks, 3, {}, 0).queues.items()} == {"any": 3}
    mixed = set_goal("train", tasks, 3, {"L1": 0.5, "L2": 0.5, "L3": 0.0}, 0)
    assert {level: len(part) for level, part in mixed.queues.items()} == {"L1": 1, "L2": 1}


def test_rejects_are_replaced_by_the_next_questions_of_their_stratum():
    tasks = [task(number, "L1" if number % 2 else "L3") for number in range(40)]
    goal = set_goal("train", tasks, 10, {"L1": 0.5, "L3": 0.5}, seed=0)
    first = next_questions(standing(goal, {}.get), success_rate=1.0, spare=0)
    assert Counter(asked.level for asked in first) == {"L1": 5, "L3": 5}
    verdicts = {asked: KEPT for asked in first} | {first[0]: "wrong rows"}
    now = standing(goal, verdicts.get)
    second = next_questions(now, success_rate=1.0, spare=0)
    assert now.missing == 1
    assert len(second) == 1
    assert second[0].level == first[0].level
    assert second[0] not in first
    assert len(next_questions(now, success_rate=0.25, spare=0)) == 4


def test_dry_stratum_is_made_up_for_by_the_others_and_told():
    tasks = [task(number, "L1" if number < 30 else "L4") for number in range(33)]
    goal = set_goal("train", tasks, 20, {"L1": 0.5, "L4": 0.5}, seed=0)
    now = standing(goal, all_kept)
    assert Counter(kept.level for kept in delivered(now)) == {"L1": 17, "L4": 3}
    assert shortfalls(now) == ["train: only 3 of 10 traces of L4: its 3 questions are used up"]
    beyond = standing(replace(goal, total=50), all_kept)
    assert len(delivered(beyond)) == 33
    assert shortfalls(beyond)[-1] == "train: 33 of 50 traces: all 33 questions are used up"
    assert beyond.missing == 0


def test_delivered_are_the_first_in_order_of_asking_whichever_was_verified_first():
    goal = set_goal("train", [task(number) for number in range(9)], 2, {}, seed=0)
    queue = goal.queues["any"]
    assert delivered(standing(goal, {queue[4]: KEPT, queue[1]: KEPT, queue[7]: KEPT}.get)) == [queue[1], queue[4]]


def test_ledger_gives_back_what_was_entered_and_drops_a_cut_line(tmp_path):
    assert read_answers(tmp_path) == read_verdicts(tmp_path, "x") == {}
    answers = [Answer("an answer\u2028in two lines", "", key, 3, None) for key in "abc"]
    for answer in answers:
        note(tmp_path, answer)
    assert list(read_answers(tmp_path).values()) == answers
    whole = (tmp_path / ANSWERS).read_bytes()
    (tmp_path / ANSWERS).write_bytes(whole[:-20])
    assert list(read_answers(tmp_path)) == ["a", "b"]
    note(tmp_path, Answer(None, "refused: too long", "d"))
    assert list(read_answers(tmp_path)) == ["a", "b", "d"]


def test_verdicts_count_only_under_the_limits_they_were_given_by(tmp_path):
    enter(tmp_path, "a", "old limits", Verdict(KEPT))
    enter(tmp_path, "b", "new limits", Verdict("form", "no <sql>"))
    assert read_verdicts(tmp_path, "old limits") == {"a": Verdict(KEPT)}
    assert read_verdicts(tmp_path, "new limits") == {"b": Verdict("form", "no <sql>")}


def test_ledger_damaged_in_the_middle_is_refused(tmp_path):
    note(tmp_path, Answer("a", key="a"))
    (tmp_path / ANSWERS).write_bytes(b'{"key": "x\n' + (tmp_path / ANSWERS).read_bytes())
    with pytest.raises(ConfigError, match=r"answers\.jsonl:1"):
        read_answers(tmp_path)


def test_success_rate_starts_at_one_and_never_reaches_zero():
    assert success_rate([]) == 1
    assert success_rate([KEPT, "form", "form"]) == 0.5
    assert success_rate(["form"] * 99) == 0.01


def build_database(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE city (name TEXT PRIMARY KEY, country TEXT, population INTEGER);"
            "CREATE TABLE river (name TEXT PRIMARY KEY, city TEXT REFERENCES city(name));"
            "INSERT INTO city VALUES ('Turin', 'Italy', 860), ('Rome', 'Italy', 2870), ('Cairo', 'Egypt', 10100);"
            "INSERT INTO river VALUES ('Po', 'Turin'), ('Tiber', 'Rome'), ('Nile', 'Cairo');"
        )
    connection.close()
    return str(path)


GOLD = "SELECT name FROM city WHERE country = 'Italy'"
RIGHT = "Open city, keep city.country = 'Italy'. Deliver city.name."


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(render(RIGHT, "SELECT c.name FROM city c WHERE c.country = 'Italy'")), KEPT),
        (Answer(render("Open city.name.", GOLD)), "another story"),
        (Answer(render("Open city.", "SELECT name FROM city")), "wrong rows"),
        (Answer(render("Open city.", "SELECT title FROM city")), "does not run"),
        (Answer(render("Keep city.continent.", GOLD)), "unknown name"),
        (Answer(render("Keep planet.name.", GOLD)), "unknown name"),
        (Answer(f"<sql>{GOLD}</sql>"), "form"),
        (Answer("<think>Open ci", "cut"), "cut"),
        (Answer(None, "cannot plan: a VALUES clause"), "cannot plan"),
        (Answer(None, "no answer"), "no answer"),
    ],
)
def test_verdicts(tmp_path, answer, verdict):
    asked = Task("t", "Which cities?", "", GOLD, build_database(tmp_path / "a.sqlite"), "L1")
    assert [given.verdict for given in verify([asked], [answer], Limits(), workers=1)] == [verdict]


def test_an_answer_that_is_right_by_luck_is_found_out_where_asked(tmp_path):
    gold = "SELECT name FROM city WHERE population > 2000"
    asked = Task("t", "Which cities have over 2000?", "", gold, build_database(tmp_path / "a.sqlite"), "L1")
    lucky, right = (
        "SELECT name FROM city WHERE population > 900",
        "SELECT c.name FROM city AS c WHERE c.population > 2000",
    )
    answers = [Answer(render("", sql)) for sql in (lucky, right)]
    twice = [asked, asked]
    assert [one.verdict for one in verify(twice, answers, Limits(), 2, "sql_only")] == [KEPT, KEPT]
    assert [one.verdict for one in verify(twice, answers, Limits(), 2, "sql_only", 4)] == ["right by luck", KEPT]


def test_verdicts_of_a_batch_stay_in_order_and_gold_that_fails_is_told(tmp_path):
    good = Task("t", "Which cities?", "", GOLD, build_database(tmp_path / "a.sqlite"), "L1")
    bad = replace(good, gold_sql="SELECT nam FROM city")
    right = Answer(render(RIGHT, GOLD))
    first, second, third = verify([good, bad, good], [right, right, Answer("?")], Limits(), workers=2)
    assert (first, second.verdict, third.verdict) == (Verdict(KEPT), "gold fails", "form")
    assert "nam" in second.detail


QUERIES = (
    "SELECT name FROM city WHERE population > {n}",
    "SELECT COUNT(*) FROM city WHERE population > {n}",
    "SELECT r.name FROM river AS r JOIN city AS c ON c.name = r.city WHERE c.population > {n}",
    "SELECT name FROM river WHERE city IN (SELECT name FROM city WHERE population > {n})",
)


def write_corpus(folder: Path, per_database: int = 12) -> Path:
    """Write four databases with questions on each, and the config of a run over them."""
    rows = []
    for database in ("alps", "nile", "coast", "plain"):
        build_database(folder / "databases" / f"{database}.sqlite")
        for number in range(per_database):
            sql = QUERIES[number % len(QUERIES)].format(n=number)
            question = f"Which are there above {number} in {database}?"
            rows.append({"question": question, "gold_sql": sql, "database": database})
    write_jsonl(folder / "questions.jsonl", rows)
    config = folder / "run.yaml"
    config.write_text(
        json.dumps(
            {
                "name": "tiny",
                "runs": str(folder / "runs"),
                "data": {
                    "source": "jsonl",
                    "path": str(folder / "questions.jsonl"),
                    "databases": str(folder / "databases"),
                    "validation_share": 0.25,
                    "test_share": 0,
                },
                "distill": {"traces": 8, "validation_traces": 2, "batch_size": 4},
            }
        )
    )
    return config


def run_stage(config: Path, *overrides: str, **environment: str) -> subprocess.CompletedProcess:
    """Run the stage as people do, with a cache of its own."""
    return subprocess.run(
        [sys.executable, "-m", "distill", str(config), *overrides],
        cwd=ROOT,
        env=stage_environment(config) | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def stage_environment(config: Path) -> dict[str, str]:
    import os

    return dict(os.environ) | {"PLANQL_CACHE": str(config.parent / "cache")}


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_plan_teacher_from_questions_to_traces(tmp_path):
    config = write_corpus(tmp_path)
    run = run_stage(config, "distill.levels={L1: 0.5, L3: 0.25, L2: 0.25}")
    assert run.returncode == 0, run.stderr
    assert "8 traces and 2 for validation" in run.stderr
    folder = tmp_path / "runs" / "tiny" / "distill"
    traces = rows_of(folder / "traces.jsonl")
    train = [row for row in traces if row["split"] == "train"]
    assert Counter(row["level"] for row in train) == {"L1": 4, "L3": 2, "L2": 2}
    assert len(traces) == 10
    assert not {row["database"] for row in train} & {row["database"] for row in traces if row not in train}
    for row in traces:
        system, user, answer = row["messages"]
        assert (system["role"], user["role"], answer["role"]) == ("system", "user", "assistant")
        assert row["question"] in user["content"]
        schema = read_schema(row["database"])
        assert parse(answer["content"]).sql == plain_sql(row["gold_sql"], schema)
        assert row["teacher"] == "plan"
    stats = json.loads((folder / "stats.json").read_text())
    assert stats["train"]["delivered"] == 8
    assert stats["train"]["levels"]["L1"]["delivered"] == 4
    assert stats["dollars"] == 0
    assert not (folder / ".distilabel").exists()

    again = run_stage(config, "distill.levels={L1: 0.5, L3: 0.25, L2: 0.25}")
    assert again.returncode == 0
    assert "finished" in again.stderr
    assert rows_of(folder / "traces.jsonl") == traces
