"""Folders as BIRD, KaggleDBQA and Spider's variants publish them: miniatures in their layout, read as they are."""

import json
from pathlib import Path

import pytest

from configs.distill_schema import EvaluationSet
from configs.errors import ConfigError
from configs.schema import Data
from distill.decontaminate import evaluation_questions
from tasks.load import Splits, load_tasks
from tasks.task import Task
from tests.singers import made

SHOP = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL); INSERT INTO item VALUES (1, 'pen', 2.5);"
pytestmark = pytest.mark.usefixtures("own_cache")


def write(file: Path, *items: dict) -> Path:
    """Write a list of questions and return its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(list(items)), encoding="utf-8")
    return file.parent


def item(database: str, number: int, **more: object) -> dict:
    """Return a question in Spider's form."""
    query = f"SELECT name FROM item LIMIT {number}"
    return {"db_id": database, "query": query, "query_toks": [], "sql": {}, "question": f"Name {number}?"} | more


def shop(folder: Path, name: str) -> Path:
    """Make a database as NAME/NAME.sqlite and return its folder of databases."""
    return made(folder / name / f"{name}.sqlite", SHOP).parents[1]


@pytest.fixture
def spider(tmp_path) -> Path:
    """Spider: what a variant's questions are tested beside."""
    for name in ("pens", "desks"):
        shop(tmp_path / "spider" / "database", name)
    return write(tmp_path / "spider" / "train_spider.json", item("pens", 100), item("desks", 101))


def splits(spider: Path, variant: Path, databases: bool = True) -> Splits:
    """Return Spider's questions with a variant as the test part."""
    given = {"databases": str(spider / "database")} if databases else {}
    return load_tasks(Data(source="spider", path=str(spider), test_path=str(variant), **given), seed=0)


def asked(tasks: tuple[Task, ...]) -> list[tuple[str, str]]:
    return [(task.question, Path(task.database).stem) for task in tasks]


def test_spider_syn_asks_with_synonyms_over_spiders_databases(tmp_path, spider):
    both = {"SpiderQuestion": "Which pens?", "SpiderSynQuestion": "Which quills?"}
    question = {key: value for key, value in (item("pens", 1) | both).items() if key in (*both, "db_id", "query")}
    folder = write(tmp_path / "Spider-Syn" / "Spider-Syn" / "dev.json", question)
    found = splits(spider, folder).test
    assert asked(found) == [("Which quills?", "pens")]
    assert Path(found[0].database) == spider / "database" / "pens" / "pens.sqlite"
    with pytest.raises(ConfigError, match=r"data.test_path: no database found; .*; data.databases names another"):
        splits(spider, folder, databases=False)
    worst = write(tmp_path / "WorstCaseDevSet" / "Adv(BERT).json", item("desks", 1)) / "Adv(BERT).json"
    assert asked(splits(spider, worst).test) == [("Name 1?", "desks")]


def test_spider_dk_has_databases_of_its_own_beside_spiders(tmp_path, spider, capsys):
    shop(tmp_path / "Spider-DK" / "database", "new_pens")
    folder = write(
        tmp_path / "Spider-DK" / "Spider-DK.json", item("new_pens", 1, type=2), item("desks", 2, type=0)
    )  # fmt: skip
    assert asked(splits(spider, folder).test) == [("Name 1?", "new_pens"), ("Name 2?", "desks")]
    alone = splits(spider, folder, databases=False)
    assert (asked(alone.test), alone.dropped) == ([("Name 1?", "new_pens")], {"database file is missing": 1})
    assert "data.test_path: 1 questions are left out, as 1 databases are missing (desks);" in capsys.readouterr().err


def test_spider_realistic_and_spider_cg_are_files_over_spiders_databases(tmp_path, spider):
    folder = write(tmp_path / "spider-realistic" / "spider-realistic.json", item("pens", 1))
    assert asked(splits(spider, folder).test) == [("Name 1?", "pens")]
    file = write(tmp_path / "dev-CG_SUB.json", item("desks", 3)) / "dev-CG_SUB.json"
    assert [task.task_id for task in splits(spider, file).test] == ["dev-CG_SUB-0"]


def test_dr_spider_finds_the_databases_of_each_perturbation(tmp_path, spider):
    data = tmp_path / "dr" / "data"
    shop(data / "Spider-dev" / "databases", "pens")
    nlq = write(data / "NLQ_column_synonym" / "questions_post_perturbation.json", item("pens", 1))
    write(nlq / "questions_pre_perturbation.json", item("pens", 2))
    assert asked(splits(spider, nlq, databases=False).test) == [("Name 1?", "pens")]  # of data/Spider-dev
    here = shop(nlq / "databases", "pens")  # as data_preprocess.py copies them
    (task,) = splits(spider, nlq / "questions_pre_perturbation.json", databases=False).test
    assert (task.question, Path(task.database).parents[1]) == ("Name 2?", here)
    changed = write(data / "DB_schema_synonym" / "questions_post_perturbation.json", item("pens_0", 1))
    post = shop(changed / "database_post_perturbation", "pens_0")
    (task,) = splits(spider, changed, databases=False).test
    assert Path(task.database).parents[1] == post


def test_bird_dev_and_mini_dev_bring_their_difficulty(tmp_path):
    rows = [
        {"question_id": number, "db_id": "pens", "question": "?", "evidence": "", "SQL": "SELECT 1", "difficulty": said}
        for number, said in enumerate(("simple", "moderate", "challenging"))
    ]
    for folder, file in (("dev_20240627", "dev.json"), ("MINIDEV", "mini_dev_sqlite.json")):
        shop(tmp_path / folder / "dev_databases", "pens")
        write(tmp_path / folder / file, *rows)
        found = load_tasks(Data(source="bird", path=str(tmp_path / folder)), seed=0).train
        assert [task.difficulty for task in found] == ["simple", "moderate", "challenging"]
        assert [task.task_id for task in found] == [f"{Path(file).stem}-{number}" for number in range(3)]


def test_databases_that_are_still_packed_are_named(tmp_path):
    row = {"question_id": 0, "db_id": "pens", "question": "?", "evidence": "", "SQL": "SELECT 1"}
    folder = write(tmp_path / "dev_20240627" / "dev.json", row)
    (folder / "dev_databases.zip").write_bytes(b"PK")
    with pytest.raises(ConfigError, match=r"no database found, but \S*dev_databases.zip; unpack it where it is"):
        load_tasks(Data(source="bird", path=str(folder)), seed=0)


@pytest.fixture
def kaggle(tmp_path) -> Path:
    """KaggleDBQA, of two databases."""
    folder = tmp_path / "kaggle-dbqa"
    for name in ("Pens", "Desks"):
        shop(folder / "databases", name)
        write(folder / "examples" / f"{name}_fewshot.json", item(name, 1))
        write(folder / "examples" / f"{name}_test.json", item(name, 2), item(name, 3))
        write(folder / "examples" / f"{name}.json", item(name, 1), item(name, 2), item(name, 3))
    (folder / "KaggleDBQA_tables.json").write_text("[]")
    return folder


def test_kaggledbqa_has_few_questions_to_learn_from_and_more_to_test(kaggle):
    data = Data(source="kaggledbqa", path=str(kaggle), test_path=str(kaggle), validation_share=0)
    found = load_tasks(data, seed=0)
    assert asked(found.train) == [("Name 1?", "Desks"), ("Name 1?", "Pens")]
    assert [task.task_id for task in found.test] == ["Desks_test-0", "Desks_test-1", "Pens_test-0", "Pens_test-1"]
    assert found.test[0].database == str(kaggle / "databases" / "Desks" / "Desks.sqlite")
    (whole,) = {len(load_tasks(Data(source="kaggledbqa", path=str(kaggle / "examples" / "Pens.json")), 0).train)}
    assert whole == 3


def test_kaggledbqa_is_an_evaluation_set_not_to_learn_from(kaggle):
    sets = (EvaluationSet(source="kaggledbqa", path=str(kaggle)),)
    assert len(evaluation_questions(sets, ())[f"kaggledbqa:{kaggle}"]) == 4


def test_a_folder_that_is_not_kaggledbqa_is_told_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.path: .* holds no examples/\*_fewshot\.json; name the folder or one"):
        load_tasks(Data(source="kaggledbqa", path=str(tmp_path)), seed=0)


def test_difficulty_of_a_jsonl_is_a_column(tmp_path):
    made(tmp_path / "pens.sqlite", SHOP)
    rows = [{"question": "?", "gold_sql": "SELECT 1", "database": "pens", "how_hard": said} for said in ("easy", None)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = Data(source="jsonl", path=str(tmp_path / "mine.jsonl"), columns={"difficulty": "how_hard"})
    assert [task.difficulty for task in load_tasks(data, seed=0).train] == ["easy", ""]
    plain = Data(source="jsonl", path=str(tmp_path / "mine.jsonl"))
    assert [task.difficulty for task in load_tasks(plain, seed=0).train] == ["", ""]
