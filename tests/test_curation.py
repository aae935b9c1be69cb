"""Each question is asked once, and none that stands near an evaluation set; both are told."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from configs.distill_schema import Distill, EvaluationSet
from configs.errors import ConfigError
from configs.files import read_json, read_jsonl, write_json, write_jsonl
from configs.schema import Config
from distill.clean import CONTAMINATED, clean
from distill.curate import delivered, set_goal, shortfalls, standing
from distill.decontaminate import TEST, Schemas, decontaminate, evaluation_questions
from distill.deduplicate import deduplicate
from distill.ledger import KEPT
from distill.sameness import names_of, skeleton, words
from tasks.load import Splits, load_tasks
from tasks.task import Task
from tests.singers import made

CHOIR = "CREATE TABLE singer (id INT, name TEXT, age INT, country TEXT); CREATE TABLE song (id INT, by INT);"
GARAGE = "CREATE TABLE car (plate TEXT, price REAL); CREATE TABLE owner (car TEXT, city TEXT);"
FRENCH = "SELECT name FROM singer WHERE country = 'France'"


@pytest.fixture
def choir(tmp_path) -> str:
    return str(made(tmp_path / "choir.sqlite", CHOIR))


@pytest.fixture
def garage(tmp_path) -> str:
    return str(made(tmp_path / "garage.sqlite", GARAGE))


def task(number: int, question: str, sql: str, database: str, evidence: str = "") -> Task:
    return Task(f"t{number:02}", question, evidence, sql, database, "L1")


@pytest.mark.parametrize(
    ("sql", "same"),
    [
        ("SELECT T1.name FROM singer AS T1 WHERE T1.country = 'Spain'", True),
        ('select NAME from SINGER where COUNTRY = "France";', True),
        ("SELECT `name` AS who FROM singer WHERE singer.country = 'x' -- all of them", True),
        ("SELECT name FROM singer WHERE country <> 'France'", False),
        ('SELECT name FROM singer WHERE country = "name"', False),
        ("SELECT name FROM song WHERE country = 'France'", False),
        ("SELECT DISTINCT name FROM singer WHERE country = 'France'", False),
    ],
)
def test_skeletons_differ_where_the_query_does(sql, same, choir):
    names = names_of([choir], workers=1)[choir]
    assert (skeleton(sql, names) == skeleton(FRENCH, names)) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT count(*) FROM a x JOIN b AS y ON x.i = y.j", "SELECT COUNT(*) FROM a INNER JOIN b ON a.i = b.j"),
        (
            "SELECT k, max(v) AS top FROM a GROUP BY k ORDER BY top",
            "SELECT k, max(v) FROM a GROUP BY k ORDER BY max(v) ASC",
        ),
        ("SELECT k FROM a WHERE v IN (1, 2)", "SELECT k FROM a WHERE v IN (3, 4, 5)"),
        ("SELECT k FROM a WHERE v > -1", "SELECT k FROM a WHERE v > 1"),
        ("WITH m AS (SELECT k FROM a) SELECT m.k FROM m", "WITH n AS (SELECT x.k FROM a x) SELECT k FROM n"),
        ("SELECT t.k FROM (SELECT k FROM a) t", "SELECT k FROM (SELECT k FROM a) AS u"),
        (
            "SELECT k FROM a x WHERE EXISTS (SELECT 1 FROM b y WHERE y.k = x.k)",
            "SELECT a.k FROM a WHERE EXISTS (SELECT 1 FROM b WHERE k = a.k)",
        ),
        ("not SQL  at ALL ((", "NOT sql at all (("),
    ],
)
def test_wording_is_no_part_of_a_skeleton(one, other):
    assert skeleton(one) == skeleton(other)


def test_two_openings_of_one_table_stay_apart():
    one = "SELECT x.name FROM person x JOIN person y ON y.id = x.boss"
    assert skeleton(one) != skeleton(one.replace("x.name", "y.name"))


def test_constants_are_kept_when_asked():
    assert skeleton(FRENCH, constants=True) != skeleton(FRENCH.replace("France", "Spain"), constants=True)


def test_duplicates_are_the_same_words_and_the_same_query(choir, garage):
    tasks = [
        task(3, "Which singers are French?", FRENCH, choir),
        task(1, "which singers are french", FRENCH.replace("name", "singer.name"), choir),
        task(4, "Name the French singers.", FRENCH, choir),  # a paraphrase
        task(5, "Which singers are French?", "SELECT id FROM singer WHERE country = 'France'", choir),
        task(6, "Which singers are French?", FRENCH, garage),
        task(7, "Which singers are French?", FRENCH, choir, evidence="French means country = 'FR'"),
    ]
    kept, counts = deduplicate(tasks, None, workers=1)
    assert [entry.task_id for entry in kept] == ["t01", "t04", "t05", "t06", "t07"]
    assert counts == {"duplicate": 1}


def test_databases_of_the_same_columns_are_the_same_to_duplicates(tmp_path, choir):
    copy = str(made(tmp_path / "copy.sqlite", CHOIR + "INSERT INTO song VALUES (1, 2);"))
    kept, counts = deduplicate([task(1, "French?", FRENCH, choir), task(2, "french", FRENCH, copy)], None, workers=1)
    assert ([entry.database for entry in kept], counts) == ([choir], {"duplicate": 1})


def test_as_many_questions_of_one_query_as_allowed(choir):
    spain = FRENCH.replace("France", "Spain")
    tasks = [task(n, f"Way {n} to ask?", FRENCH, choir) for n in range(4)] + [task(9, "Spanish?", spain, choir)]
    kept, counts = deduplicate(tasks, 2, workers=1)
    assert [entry.task_id for entry in kept] == ["t00", "t01", "t09"]
    assert counts == {"more than 2 questions of one query": 2}
    assert deduplicate(tasks, None, workers=1) == (tuple(tasks), {})


LONG = "Which of the singers from France recorded their first song before 1990 in Paris?"


@pytest.mark.parametrize(
    ("question", "sql", "reason"),
    [
        ("Please say: which of the singers from FRANCE recorded their first song?", "SELECT 1", "question"),
        ("Which of the many singers from Spain recorded their first song?", "SELECT 1", None),
        ("how many cars are there", "SELECT 1", "question"),
        ("How many cars are there in all?", "SELECT 1", None),
        ("What are the first and last names of all the owners?", "SELECT 1", None),
        ("Owners?", "SELECT o.city FROM owner o WHERE o.car = 'B'", "sql"),
        ("Owners?", "SELECT o.car FROM owner o WHERE o.city = 'B'", None),
        ("", "SELECT 2", None),
    ],
)
def test_a_question_is_left_out_for_its_words_or_its_query(tmp_path, choir, garage, question, sql, reason):
    test = [
        task(1, LONG, FRENCH, choir),
        task(2, "How many cars are there?", "SELECT count(*) FROM car", garage),
        task(3, "What are the first and last names of all the singers?", "SELECT name FROM singer", choir),
        task(4, "City of A?", "SELECT city FROM owner WHERE car = 'A'", garage),
        task(5, "", "SELECT 5, 6", garage),
    ]
    shop = str(made(tmp_path / "shop.sqlite", "CREATE TABLE owner (car, city, age, name); CREATE TABLE t (a, b, c, d)"))
    kept, matches = decontaminate([task(7, question, sql, shop)], evaluation_questions((), test), 0.8, workers=1)
    assert [match.reason for match in matches] == ([reason] if reason else [])
    assert len(kept) == (reason is None)


def test_a_question_is_left_out_for_its_database(tmp_path, choir, garage):
    wider = CHOIR.replace("country TEXT", "country TEXT, town TEXT")  # 6 of 7 names
    other = CHOIR.replace("country TEXT", "town TEXT, street TEXT")  # 5 of 8 names
    databases = {
        "wider": made(tmp_path / "wider.sqlite", wider),
        "other": made(tmp_path / "other.sqlite", other),
        "renamed": made(tmp_path / "new" / "Choir.sqlite", other),
        "garage": garage,
    }
    tasks = [task(n, f"Question {n}", f"SELECT {n}", str(path)) for n, path in enumerate(databases.values())]
    evaluated = evaluation_questions((), [task(9, LONG, FRENCH, choir)])
    kept, matches = decontaminate(tasks, evaluated, 0.8, workers=1)
    assert [entry.database for entry in kept] == [str(databases["other"]), garage]
    assert [(match.reason, match.detail) for match in matches] == [
        ("schema", "Jaccard index 0.86 with database choir"),
        ("schema", "database choir"),
    ]
    assert matches[0].row()["evaluation_question"] == LONG
    assert len(decontaminate(tasks, evaluated, 0.9, workers=1)[0]) == 3


def test_a_name_that_many_databases_have_says_nothing(tmp_path):
    paths = []
    for place, script in (("a", CHOIR), ("b", GARAGE), ("c", GARAGE.replace("plate", "number"))):
        paths.append(str(made(tmp_path / place / "db.sqlite", script + "CREATE TABLE log (day TEXT);")))
    tasks = [task(n, f"Question {n}", f"SELECT {'n' * n} FROM log", path) for n, path in enumerate(paths, 1)]
    assert decontaminate(tasks[1:], evaluation_questions((), tasks[:1]), 0.8, workers=1)[1] == []


def test_the_nearest_schema_is_the_one_that_comparing_with_all_finds():
    import random

    dice = random.Random(0)
    schemas = [frozenset(("t", str(dice.randrange(14))) for _ in range(dice.randint(1, 9))) for _ in range(150)]
    index = Schemas(schemas[:60])
    hits = 0
    for names in schemas[60:]:
        for overlap in (0.5, 0.7, 0.8, 1.0):
            best = max(len(names & other) / len(names | other) for other in schemas[:60])
            found = index.nearest(names, overlap)
            assert (found[1] if found else None) == (best if best >= overlap else None)
            hits += found is not None
    assert 20 < hits < 340


def test_evaluation_sets_are_read_whole_even_where_gold_fails(tmp_path, choir):
    write_jsonl(tmp_path / "dev.jsonl", [{"q": LONG, "gold_sql": "SELECT nothing FROM nowhere", "database": choir}])
    given = EvaluationSet(source="jsonl", path=str(tmp_path / "dev.jsonl"), columns={"question": "q"})
    evaluated = evaluation_questions((given, EvaluationSet(source="sample")), ())
    assert [question.question for question in evaluated[f"jsonl:{tmp_path / 'dev.jsonl'}"]] == [LONG]
    assert len(evaluated["sample:test"]) > 100
    assert evaluated[TEST] == []


def test_a_missing_evaluation_set_is_named_by_its_key(tmp_path):
    with pytest.raises(ConfigError, match=r"distill\.decontaminate\[0\]\.path: .*nowhere does not exist"):
        evaluation_questions((EvaluationSet(source="spider", path=str(tmp_path / "nowhere")),), ())
    with pytest.raises(ValueError, match="source 'bird' needs a path"):
        EvaluationSet(source="bird")


def test_clean_splits_and_the_account_of_what_is_missing(tmp_path, choir, garage):
    train = (
        task(1, "Which cars are dear?", "SELECT plate FROM car WHERE price > 9", garage),
        task(2, "which cars are dear", "SELECT plate FROM car WHERE price > 9", garage),
        task(3, "Say which of the singers from France recorded their first song.", "SELECT city FROM owner", garage),
    )
    validation = (task(4, "Who?", "SELECT name FROM singer", choir),)
    splits = Splits(train, validation, (task(9, LONG, FRENCH, choir),), {"gold SQL is not a SELECT": 7})
    evaluated = evaluation_questions((), splits.test)
    left = clean(Config(name="x"), splits, evaluated, tmp_path)
    assert (left.train, left.validation, left.test) == (train[:1], (), splits.test)
    assert left.dropped == {
        "gold SQL is not a SELECT": 7,
        "duplicate": 1,
        "near an evaluation set: question": 1,
        "near an evaluation set: schema": 1,
    }
    rows = {row["task_id"]: row for row in read_jsonl(tmp_path / CONTAMINATED)}
    assert {name: (row["split"], row["reason"]) for name, row in rows.items()} == {
        "t03": ("train", "question"),
        "t04": ("validation", "schema"),
    }
    assert rows["t03"]["evaluation_id"] == "t09" and rows["t03"]["evaluation_question"] == LONG
    assert rows["t03"]["against"] == TEST
    with pytest.raises(ConfigError, match="no question is left for training: all 1 are"):
        clean(Config(name="x"), replace(splits, train=train[2:]), evaluated, tmp_path)


def test_the_default_mix_is_equal_parts_and_a_dry_level_is_told():
    shares = Distill().levels
    assert shares == dict.fromkeys(("L1", "L2", "L3", "L4"), 0.25)
    splits = load_tasks(Config(name="x").data, seed=0)
    by_level = Counter(entry.level for entry in splits.train)
    few = min(by_level.values())
    now = standing(set_goal("train", splits.train, 4 * few, shares, seed=0), lambda _: KEPT)
    assert set(Counter(entry.level for entry in delivered(now)).values()) == {few}
    assert shortfalls(now) == []
    driest = min(by_level, key=by_level.get)
    dry = standing(set_goal("train", splits.train, 4 * few + 40, shares, seed=0), lambda _: KEPT)
    assert shortfalls(dry) == [f"train: only {few} of {few + 10} traces of {driest}: its {few} questions are used up"]
    assert len(delivered(dry)) == 4 * few + 40


def test_no_question_of_the_sample_is_told_twice_and_few_stand_near_its_test():
    splits = load_tasks(Config(name="x").data, seed=0)
    kept, counts = deduplicate(splits.train, None, workers=2)
    left, matches = decontaminate(kept, evaluation_questions((), splits.test), 0.8, workers=2)
    assert counts.total() + len(matches) + len(left) == len(splits.train)
    assert len(left) > 0.97 * len(splits.train)


def test_words_are_compared_without_case_and_signs():
    assert words("Who's «BEST»?") == words("who s best")


@pytest.mark.slow
def test_a_run_leaves_out_what_stands_near_its_evaluation_set(tmp_path, run_stage):
    """An evaluation set of questions that stand in the training data: none of their databases is learned from."""
    test = load_tasks(Config(name="x").data, seed=0).train[:30]
    rows = [{"question": entry.question, "gold_sql": entry.gold_sql, "database": entry.database} for entry in test]
    write_jsonl(tmp_path / "dev.jsonl", rows)
    given = {"source": "jsonl", "path": str(tmp_path / "dev.jsonl")}
    config = {"name": "run", "runs": str(tmp_path), "distill": {"traces": 4, "validation_traces": 0}}
    config["distill"] |= {"decontaminate": [given], "batch_size": 4}
    write_json(tmp_path / "run.yaml", config)
    done = run_stage("distill", tmp_path / "run.yaml")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "run" / "distill"
    stats = read_json(folder / "stats.json")
    contaminated = read_jsonl(folder / "contaminated.jsonl")
    counts = Counter(f"near an evaluation set: {row['reason']}" for row in contaminated)
    assert counts["near an evaluation set: schema"] >= 30
    assert counts.items() <= stats["questions_left_out"].items()
    assert stats["evaluation_questions"][f"jsonl:{tmp_path / 'dev.jsonl'}"] == 30
    assert {entry.task_id for entry in test} <= {row["task_id"] for row in contaminated}
    left_out = {Path(entry.database) for entry in test}
    assert not left_out & {Path(row["database"]) for row in read_jsonl(folder / "traces.jsonl")}
