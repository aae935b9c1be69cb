"""rl.signal: which questions GRPO sees, and when."""

from collections import Counter

import pytest

from configs.files import read_jsonl, write_jsonl
from configs.schema import Config, Rl
from rl.signal import NAME, RETURNS, pass_rates, training_order
from sandbox import database_file
from tasks.task import Task


def task(number: int, level: str = "L1") -> Task:
    return Task(f"t{number:02}", f"Question {number}?", "", "SELECT 1", "some.sqlite", level)


TASKS = [task(number, f"L{1 + number % 4}") for number in range(20)]


def test_the_order_depends_on_the_seed_alone_and_every_round_has_every_question():
    order = training_order(TASKS, {}, 50, easy_first=False, seed=1)
    assert order == training_order(TASKS, {}, 50, easy_first=False, seed=1)
    assert order != training_order(TASKS, {}, 50, easy_first=False, seed=2)
    assert set(order[:20]) == set(order[20:40]) == set(TASKS) and order[:20] != order[20:40]
    assert len(order) == 50


def test_questions_that_teach_nothing_come_back_in_turn():
    rates = {one.task_id: 0.0 if number < 8 else 1.0 if number < 12 else 0.5 for number, one in enumerate(TASKS)}
    per_round = 8 + 12 // RETURNS
    order = training_order(TASKS, rates, per_round * RETURNS, easy_first=False, seed=0)
    seen = Counter(one.task_id for one in order)
    assert all(seen[one.task_id] == (1 if rates[one.task_id] in (0, 1) else RETURNS) for one in TASKS)
    first = {one.task_id for one in order[:per_round]}
    assert sum(rates[name] in (0, 1) for name in first) == 3


def test_easy_ones_come_first_in_the_first_round_only():
    rates = {one.task_id: number / 21 + 0.01 for number, one in enumerate(TASKS)}
    order = training_order(TASKS, rates, 40, easy_first=True, seed=0)
    hard = [(one.level, -rates[one.task_id]) for one in order]
    assert hard[:20] == sorted(hard[:20]) and hard[20:] != sorted(hard[20:])


def test_where_no_question_is_in_between_none_is_set_aside():
    order = training_order(TASKS, {one.task_id: 0.0 for one in TASKS}, 20, easy_first=False, seed=0)
    assert set(order) == set(TASKS)
    assert training_order([], {}, 0, easy_first=False, seed=0) == []


@pytest.mark.slow
def test_pass_rates_are_noted_and_not_measured_twice(tiny, cache, tmp_path):
    from models.load import load_model

    database = str(database_file("CREATE TABLE city (name TEXT); INSERT INTO city VALUES ('Oslo');"))
    tasks = [Task(f"t{number}", "How many?", "", "SELECT 1", database, "L1") for number in range(3)]
    rl = Rl(pass_rate_samples=4, prompts_per_step=1, generations=4, max_completion_length=8)
    cfg = Config(name="trial", model=tiny, rl=rl)
    write_jsonl(tmp_path / NAME, [{"task_id": "t1", "right": 3, "samples": 4}])
    model, tokenizer = load_model(tiny)
    rates = pass_rates(model, tokenizer, tasks, cfg, tmp_path)
    assert rates == {"t0": 0.0, "t1": 0.75, "t2": 0.0}  # random text has no SQL
    assert [row["task_id"] for row in read_jsonl(tmp_path / NAME)] == ["t1", "t0", "t2"]
    assert pass_rates(None, None, tasks, cfg, tmp_path) == rates  # asks no model


@pytest.mark.slow
def test_answers_are_sampled_at_a_temperature_and_greedy_without(tiny):
    from models.answer import answers
    from models.load import load_model

    model, tokenizer = load_model(tiny)
    prompts = [[{"role": "user", "content": "How many?"}]] * 6
    said = [
        {answer.text for _, answer in next(answers(model, tokenizer, prompts, max_new_tokens=6, batch_size=6, **how))}
        for how in ({}, {"temperature": 20.0})
    ]
    assert len(said[0]) == 1 and len(said[1]) == 6
