"""Published folders and one's own files become checked tasks, split by database, or one clear line."""

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from configs.errors import ConfigError
from configs.schema import Data
from sandbox import execute
from tasks import gold
from tasks.load import load_tasks, split_by_database, split_by_question
from tasks.task import Task
from tests.singers import made

SHOP = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL); INSERT INTO item VALUES (1, 'pen', 2.5);"
GOOD = "SELECT name FROM item"
pytestmark = pytest.mark.usefixtures("own_cache")


def make_spider(
    folder: Path, databases: int = 5, extra: tuple[dict, ...] = (), file: str = "train_spider.json"
) -> Path:
    for number in range(databases):
        made(folder / "database" / f"shop_{number}" / f"shop_{number}.sqlite", SHOP)
    items = [
        {"db_id": f"shop_{number}", "question": f"Names {which} of shop {number}?", "query": f"{GOOD} LIMIT {which}"}
        for number in range(databases)
        for which in (1, 2)
    ]
    (folder / file).write_text(json.dumps([*items, *extra]), encoding="utf-8")
    return folder


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_spider_folder_is_split_by_whole_databases(tmp_path):
    data = Data(source="spider", path=str(make_spider(tmp_path, databases=10)), test_share=0.3, validation_share=0.2)
    splits = load_tasks(data, seed=1)
    parts = [{task.database for task in part} for part in (splits.train, splits.validation, splits.test)]
    assert [len(part) for part in parts] == [5, 2, 3]
    assert len(set.union(*parts)) == 10
    assert len(splits.train) == 10 and splits.dropped == {}
    assert load_tasks(data, seed=1) == splits
    assert any(load_tasks(data, seed=seed).test != splits.test for seed in (2, 3, 4))


def test_small_shares_still_get_a_database_of_three():
    tasks = [Task(str(n), "q", "", "SELECT 1", f"{n}.sqlite", "L1") for n in range(3)]
    assert [len(part) for part in split_by_database(tasks, 0.01, 0.01, 0)] == [1, 1, 1]
    assert [len(part) for part in split_by_database(tasks, 0.0, 0.0, 0)] == [3, 0, 0]
    with pytest.raises(ConfigError, match="leave none of 3 databases"):
        split_by_database(tasks, 0.5, 0.5, 0)


def test_questions_can_be_held_out_of_every_database(tmp_path):
    twice = {"db_id": "shop_0", "question": "Name one of shop 0?", "query": f"{GOOD} LIMIT 1"}
    more = [{"db_id": "shop_0", "question": f"{n}?", "query": f"{GOOD} LIMIT {n}"} for n in range(3, 11)]
    data = Data(source="spider", path=str(make_spider(tmp_path, 3, (twice, *more))), split="questions",
                test_share=0.3, validation_share=0.2)  # fmt: skip
    for seed in range(4):
        splits = load_tasks(data, seed)
        parts = [splits.train, splits.validation, splits.test]
        assert sum(map(len, parts)) == 15 and splits == load_tasks(data, seed)
        queries = [{(task.database, task.gold_sql) for task in part} for part in parts]
        assert not queries[0] & queries[1] | queries[0] & queries[2] | queries[1] & queries[2]
        large = [len([database for database, _ in part if "shop_0" in database]) for part in queries]
        assert large == [5, 2, 3]  # of ten different queries
        assert {database for database, _ in queries[2]} <= {database for database, _ in queries[0]}
    assert any(load_tasks(data, seed).test != splits.test for seed in range(4))


def test_a_database_with_one_query_has_none_to_hold_out():
    tasks = [Task(str(n), "q", "", "SELECT 1", f"{n}.sqlite", "L1") for n in range(9)]
    assert [len(part) for part in split_by_question(tasks, 0, 0, 0)] == [9, 0, 0]
    with pytest.raises(ConfigError, match=r"data\.test_share 0\.2 of at most 1 different queries a database"):
        split_by_question(tasks, 0, 0.2, 0)
    with pytest.raises(ConfigError, match=r"leaves a part without questions"):
        split_by_question(tasks, 0, 0.9, 0)


def test_held_out_questions_of_the_sample_are_of_its_training_databases():
    data = Data(split="questions", test_share=0.2, validation_share=0.05)
    splits, whole = load_tasks(data, seed=0), load_tasks(Data(), seed=0)
    parts = splits.train + splits.validation + splits.test
    assert {task.task_id for task in parts} == {task.task_id for task in whole.train}
    databases = {task.database for task in whole.train}
    assert {task.database for task in splits.train} == {task.database for task in splits.test} == databases
    assert 0.17 < len(splits.test) / len(parts) < 0.23


def test_bad_golds_are_dropped_and_counted_by_reason(tmp_path):
    bad = (
        "SELECT nme FROM item", "SELECT age FROM item", "SELECT * FROM missing", "SELECT FROM WHERE",
        "DELETE FROM item", "SELECT name FROM item WHERE (", "SELECT 1; SELECT 2",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10001) SELECT i FROM n",
    )  # fmt: skip
    extra = tuple({"db_id": "shop_0", "question": "?", "query": sql} for sql in bad)
    gone = {"db_id": "burnt_down", "question": "?", "query": GOOD}
    splits = load_tasks(Data(source="spider", path=str(make_spider(tmp_path, extra=(*extra, gone)))), seed=0)
    assert splits.dropped == {
        "gold SQL does not run: no such column": 2,
        "gold SQL does not run: no such table": 1,
        "gold SQL cannot be parsed": 2,
        "gold SQL is not a SELECT": 1,
        "gold SQL is not one statement": 1,
        "gold SQL returns more than 10000 rows": 1,
        "database file is missing": 1,
    }
    assert len(splits.train + splits.validation + splits.test) == 10


def test_golds_are_checked_once_until_the_database_changes(tmp_path, monkeypatch):
    data = Data(source="spider", path=str(make_spider(tmp_path)))
    asked = []
    real = gold.execute_many
    monkeypatch.setattr(gold, "execute_many", lambda pairs, *rest: asked.extend(pairs) or real(pairs, *rest))
    first = load_tasks(data, seed=0)
    assert len(asked) == 10
    assert load_tasks(data, seed=0) == first and len(asked) == 10
    changed = tmp_path / "database" / "shop_0" / "shop_0.sqlite"
    made(changed, "DROP TABLE item; CREATE TABLE item (id INT, title TEXT);")
    os.utime(changed, ns=(time.time_ns(), time.time_ns()))
    assert load_tasks(data, seed=0).dropped == {"gold SQL does not run: no such column": 2}
    assert len(asked) == 12


def test_a_damaged_memory_is_no_trouble(tmp_path):
    data = Data(source="spider", path=str(make_spider(tmp_path)))
    first = load_tasks(data, seed=0)
    (memory,) = (tmp_path / "cache" / "gold").glob("*.jsonl")
    for damage in (memory.read_bytes()[:-20], b"\x00\xff not json\n{}\n", b""):
        memory.write_bytes(damage)
        assert load_tasks(data, seed=0) == first


def test_a_published_test_part_is_test_and_never_training(tmp_path):
    folder = make_spider(tmp_path)
    (folder / "dev.json").write_bytes((folder / "train_spider.json").read_bytes())
    data = Data(source="spider", path=str(folder), test_path=str(folder / "dev.json"))
    with pytest.raises(ConfigError, match=r"every question of .* stands in the test part"):
        load_tasks(data, seed=0)
    make_spider(tmp_path / "other", databases=3)
    data = Data(source="spider", path=str(folder), test_path=str(tmp_path / "other" / "train_spider.json"))
    splits = load_tasks(data, seed=0)
    assert len(splits.test) == 6 and splits.dropped == {"stands in the test part too": 6}
    ids = Counter(task.task_id for part in (splits.train, splits.validation, splits.test) for task in part)
    assert max(ids.values()) == 1


def test_wide_databases_are_left_out_with_a_count(tmp_path):
    folder = make_spider(tmp_path)
    made(folder / "database" / "shop_1" / "shop_1.sqlite", "CREATE TABLE more (a, b, c);")
    splits = load_tasks(Data(source="spider", path=str(folder), max_columns=3), seed=0)
    assert splits.dropped == {"schema wider than 3 columns": 2}


def test_bird_folder_brings_evidence(tmp_path):
    made(tmp_path / "dev_databases" / "shop" / "shop.sqlite", SHOP)
    rows = [
        {"question_id": 7, "db_id": "shop", "question": "?", "evidence": "a hint", "SQL": GOOD, "difficulty": "easy"}
    ]
    (tmp_path / "mini_dev_sqlite.json").write_text(json.dumps(rows))
    (task,) = load_tasks(Data(source="bird", path=str(tmp_path)), seed=0).train
    assert (task.task_id, task.evidence, task.level) == ("mini_dev_sqlite-7", "a hint", "L1")


def test_bird_train_folder_prefers_train(tmp_path):
    made(tmp_path / "train_databases" / "shop" / "shop.sqlite", SHOP)
    item = {"db_id": "shop", "question": "?", "evidence": None, "SQL": GOOD}
    (tmp_path / "train.json").write_text(json.dumps([item, item]))
    (tmp_path / "dev.json").write_text("[]")
    splits = load_tasks(Data(source="bird", path=str(tmp_path)), seed=0)
    assert [task.evidence for task in splits.train] == ["", ""]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('[{"db_id": "shop_0", "question": "cut', "not JSON"),
        ("{}", "not a JSON list"),
        ('[{"db_id": "shop_0", "question": "?", "sql": "SELECT 1"}]', "no text 'query'; it has db_id, question, sql"),
        ("[3]", "item 0 is not an object"),
        ("[]", "no usable question"),
        ('[{"db_id": "gone", "question": "?", "query": "SELECT 1"}]', "no database found"),
        ('[{"db_id": "shop_0", "question": "?", "query": "SELECT x FROM item"}]', "1 × gold SQL does not run"),
    ],
)  # fmt: skip
def test_unusable_spider_files_are_told_in_one_line(tmp_path, content, told):
    (make_spider(tmp_path) / "train_spider.json").write_text(content)
    with pytest.raises(ConfigError) as error:
        load_tasks(Data(source="spider", path=str(tmp_path)), seed=0)
    assert told in one_line(error) and one_line(error).startswith("data.path: ")


@pytest.mark.parametrize("source", ["spider", "bird", "gretel", "jsonl"])
def test_a_missing_path_is_told_in_one_line(source):
    with pytest.raises(ValidationError, match=f"source '{source}' needs data.path, where its files are"):
        Data(source=source)
    with pytest.raises(ConfigError, match=r"data\.path: .*/no/such/place does not exist"):
        load_tasks(Data(source=source, path="/no/such/place"), seed=0)


def test_an_empty_folder_is_told_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"holds none of train_spider\.json, train_others\.json, train\.json"):
        load_tasks(Data(source="spider", path=str(tmp_path)), seed=0)


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path):
    (make_spider(tmp_path) / "database" / "shop_2" / "shop_2.sqlite").write_bytes(b"hello, I am no database")
    with pytest.raises(ConfigError) as error:
        load_tasks(Data(source="spider", path=str(tmp_path)), seed=0)
    assert "shop_2.sqlite" in one_line(error)


def write_rows(file: Path, rows: list[dict]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def test_jsonl_with_own_column_names_finds_databases_in_three_places(tmp_path):
    folder = tmp_path / "databases"
    made(folder / "deep" / "deep.sqlite", SHOP)
    made(folder / "flat.sqlite", SHOP)
    made(tmp_path / "beside.db", SHOP)
    rows = [{"prompt": "?", "answer": GOOD, "db": name, "hint": None} for name in ("deep", "flat", "beside.db")]
    columns = {"question": "prompt", "gold_sql": "answer", "database": "db", "evidence": "hint"}
    path = write_rows(tmp_path / "mine.jsonl", rows)
    splits = load_tasks(Data(source="jsonl", path=path, databases=str(folder), columns=columns), seed=0)
    tasks = splits.train + splits.validation + splits.test
    assert {Path(task.database).name for task in tasks} == {"deep.sqlite", "flat.sqlite", "beside.db"}
    assert {task.task_id for task in tasks} == {"mine-1", "mine-2", "mine-3"}
    assert {task.evidence for task in tasks} == {""}


def test_jsonl_script_becomes_a_database(tmp_path):
    rows = [{"question": "?", "gold_sql": GOOD, "context": SHOP, "task_id": 5, "evidence": "e"}]
    rows.append({"question": "?", "gold_sql": GOOD, "context": "CREATE TABLE item (", "task_id": 6, "evidence": "e"})
    path = write_rows(tmp_path / "mine.jsonl", rows)
    splits = load_tasks(Data(source="jsonl", path=path, columns={"script": "context"}), seed=0)
    (task,) = splits.train
    assert execute(task.database, task.gold_sql).rows == (("pen",),)
    assert (task.task_id, task.evidence) == ("5", "e")
    assert splits.dropped == {"script does not build a database": 1}


@pytest.mark.parametrize(
    ("text", "columns", "told"),
    [
        ('{"question": "?", "sql": "SELECT 1"}', {}, "'gold_sql' for gold_sql; columns there: question, sql"),
        ('{"question": "?", "gold_sql": "S"}', {}, ":1: no text in column 'database' for database"),
        ('{"question": "?", "gold_sql": "S", "database": "x"}', {"evidence": "hint"}, "column 'hint' for evidence"),
        ('\n{"question": 3, "gold_sql": "S", "database": "shop"}', {}, ":2: no text in column 'question'"),
        ('{"question": "?", "gold_sql": "S", "database": "x"}', {}, ":1: no database 'x' in "),
        ('{"question": "?", "gold_sql": "S", "database": "shop"}\n{"question": "cu', {}, ":2: "),
        ('{"question": "?"}', {"qestion": "prompt"}, "data.columns: 'qestion' is no column of ours; allowed: question"),
        (json.dumps({"question": "?", "gold_sql": "S", "database": "CREATE" * 99}), {}, ":1: no database 'CREATE"),
        ("", {}, "no usable question"),
    ],
)  # fmt: skip
def test_unusable_jsonl_is_told_with_its_line(tmp_path, text, columns, told):
    made(tmp_path / "shop.sqlite", SHOP)
    (tmp_path / "mine.jsonl").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_tasks(Data(source="jsonl", path=str(tmp_path / "mine.jsonl"), columns=columns), seed=0)
    assert told in one_line(error)


def test_repeated_task_ids_are_refused(tmp_path):
    rows = [{"question": "?", "gold_sql": GOOD, "script": SHOP, "task_id": "same"}] * 2
    with pytest.raises(ConfigError, match="task_id 'same' stands twice"):
        load_tasks(Data(source="jsonl", path=write_rows(tmp_path / "mine.jsonl", rows)), seed=0)


def test_the_sample_has_its_own_split():
    first, second = load_tasks(Data(), seed=0), load_tasks(Data(), seed=9)
    assert first == second
    assert not {task.database for task in first.train} & {task.database for task in first.test}
    with pytest.raises(ConfigError, match="max_columns 1 leaves no database"):
        load_tasks(Data(max_columns=1), seed=0)


@pytest.mark.skipif("PLANQL_SPIDER" not in os.environ, reason="PLANQL_SPIDER does not name a Spider folder")
def test_a_real_spider_folder_loads():
    splits = load_tasks(Data(source="spider", path=os.environ["PLANQL_SPIDER"]), seed=0)
    kept = len(splits.train + splits.validation + splits.test)
    assert kept > 1000 and sum(splits.dropped.values()) < kept / 50
