"""Several answers to a question: the vote, pass@k, and a run that samples."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from configs.files import read_json
from configs.schema import Config, Evaluation
from evaluation.measure import measure
from evaluation.samples import pass_at, vote
from evaluation.score import summarise
from models.said import Answer
from sandbox import Limits, database_file
from tasks.task import Task
from tasks.trace import render

SCRIPT = "CREATE TABLE city (name TEXT, people INT); INSERT INTO city VALUES ('Oslo', 7), ('Bern', 1), ('Lima', 100);"
ALL, BY_PEOPLE, BIG = (
    "SELECT name FROM city",
    "SELECT name FROM city ORDER BY people",
    "SELECT name FROM city WHERE people > 5",
)


@pytest.fixture(scope="module")
def database(cache) -> str:
    return str(database_file(SCRIPT))


@given(some.integers(1, 7).flatmap(lambda n: some.tuples(some.just(n), some.integers(0, n), some.integers(1, n))))
def test_pass_at_k_is_the_share_of_all_choices_of_k_that_hold_a_right_one(drawn):
    samples, right, k = drawn
    choices = list(combinations([True] * right + [False] * (samples - right), k))
    assert pass_at(k, samples, right) == pytest.approx(sum(map(any, choices)) / len(choices))


@pytest.mark.parametrize(
    ("queries", "chosen"),
    [
        ([BIG, ALL, BY_PEOPLE], 1),  # the same rows in another order vote for each other
        ([BIG, ALL], 0),  # of equal groups the earlier
        (["SELECT nme FROM city", "SELECT nme FROM city", BIG], 2),  # what does not run has no vote
        ([None, None, ALL], 2),
        ([None, "SELECT", "nothing"], 0),
        (["SELECT name FROM city WHERE 0", "SELECT 1 WHERE 0", BIG], 0),
        ([BIG, "SELECT name FROM city WHERE people > 6", ALL, ALL, ALL], 2),
    ],
)
def test_the_vote_goes_to_the_rows_that_most_answers_have(database, queries, chosen):
    assert vote([database], [queries], Limits(), 1) == [chosen]
    assert vote([database] * 2, [[ALL], queries], Limits(), 1) == [0, chosen]


def test_the_answer_that_most_agree_with_is_judged_and_all_are_kept(database, tmp_path):
    cfg = Config(name="trial", evaluation=Evaluation(samples=4, temperature=1))
    tasks = [Task(name, "?", "", BIG, database, "L1") for name in ("q0", "q1")]
    said = {
        0: [render("", ALL), render("", BIG), "no idea", render("", f"{BIG} AND 1")],
        1: [render("", ALL), render("", BIG), render("", ALL), ""],
    }

    def ask(chats):
        assert len(chats) == 2
        yield [(place, Answer(text, 5, 0.5, True)) for place in (1, 0) for text in said[place]]

    measure(cfg, tmp_path, "rl", "print", tasks, ask)
    first, second = rows = read_json(tmp_path / "rl.json")["predictions"]
    assert (first["sql"], first["correct"], first["tokens"], first["seconds"]) == (BIG, True, 20, 2.0)
    assert [each["correct"] for each in first["samples"]] == [False, True, False, True]
    assert (second["sql"], second["correct"]) == (ALL, False)
    summary = summarise(rows, resamples=100, seed=0)
    assert summary["ex"] == 0.5  # of the answers that the vote chose
    assert summary["pass_at"] == {"1": (2 / 4 + 1 / 4) / 2, "2": (5 / 6 + 1 / 2) / 2, "4": 1.0}
    assert not (tmp_path / ".rl.jsonl").exists()


def test_an_interrupted_measurement_goes_on_and_forgets_another_models_answers(database, tmp_path):
    cfg = Config(name="trial")
    tasks = [Task(f"q{number}", f"number {number}", "", BIG, database, "L1") for number in range(3)]
    asked = []

    def ask_until(stop):
        def ask(chats):
            for place, chat in enumerate(chats):
                asked.append(chat[-1]["content"].rpartition(" ")[2])
                if len(asked) == stop:
                    raise KeyboardInterrupt
                yield [(place, Answer(render("", BIG), 5, 0.5, True))]

        return ask

    with pytest.raises(KeyboardInterrupt):
        measure(cfg, tmp_path, "sft", "old", tasks, ask_until(3))
    measure(cfg, tmp_path, "sft", "old", tasks, ask_until(None))
    assert asked == ["0", "1", "2", "2"]
    assert [row["correct"] for row in read_json(tmp_path / "sft.json")["predictions"]] == [True] * 3
    asked.clear()
    with pytest.raises(KeyboardInterrupt):
        measure(cfg, tmp_path, "sft", "old", tasks, ask_until(3))
    asked.clear()
    measure(cfg, tmp_path, "sft", "new", tasks, ask_until(None))
    assert asked == ["0", "1", "2"]
