"""gretel's scripts become databases, its SQL of several dialects becomes SQLite's, and the rest is counted."""

from itertools import pairwise
from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.schema import Data
from sandbox import execute
from tasks.load import load_tasks

SHOP = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL); INSERT INTO item VALUES (1, 'pen', 2.5);"
GOOD = "SELECT name FROM item"
pytestmark = pytest.mark.usefixtures("own_cache")


def gretel_row(number: int, sql: str, context: str = SHOP) -> dict:
    return {"id": number, "domain": "shops", "sql_prompt": f"Question {number}?", "sql_context": context, "sql": sql}


def write_parquet(path: Path, rows: list[dict]) -> Path:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.Table.from_pylist(rows), path)
    return path


def test_gretel_scripts_become_databases_and_queries_become_sqlite(tmp_path):
    mysql = "CREATE TABLE `sale` (id INT AUTO_INCREMENT PRIMARY KEY, kind ENUM('a','b'), day DATE) ENGINE=InnoDB; "
    mysql += "INSERT INTO sale (kind, day) VALUES ('a', '2021-05-03'), ('b', '2022-05-03');"
    postgres = (
        "CREATE SCHEMA s; CREATE TABLE s.t (id SERIAL PRIMARY KEY, v TEXT); INSERT INTO s.t (v) VALUES ('Ab'), ('c');"
    )
    rows = [
        gretel_row(1, "SELECT kind FROM sale WHERE YEAR(day) = 2022", mysql),
        gretel_row(2, "SELECT id FROM s.t WHERE v ILIKE 'a%'", postgres),
        gretel_row(3, "DELETE FROM item"),
        gretel_row(4, "SELECT STDDEV(price) FROM item"),
        gretel_row(5, GOOD, "CREATE TABLE item (a INT, a INT);"),
        gretel_row(6, GOOD, "CREATE TABLE item (((;"),
    ]
    data = Data(
        source="gretel", path=str(write_parquet(tmp_path / "a.parquet", rows)), test_share=0, validation_share=0
    )
    splits = load_tasks(data, seed=0)
    assert [execute(task.database, task.gold_sql).rows for task in splits.train] == [(("b",),), ((1,),)]
    assert splits.dropped == {
        "gold SQL is not a SELECT": 1,
        "gold SQL does not run: no such function": 1,
        "context does not build a database": 1,
        "context cannot be parsed": 1,
    }
    assert load_tasks(data, seed=0) == splits


def test_as_many_rows_as_asked_for_are_read_evenly_spaced(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [gretel_row(number, f"SELECT {number}") for number in range(500)])
    data = Data(source="gretel", path=str(path), rows=7, test_share=0, validation_share=0)
    read = [int(task.gold_sql.split()[-1]) for task in load_tasks(data, seed=0).train]
    assert len(read) == 7 and all(70 <= after - before <= 73 for before, after in pairwise(read))


def test_gretel_folder_reads_the_files_of_its_part(tmp_path):
    write_parquet(tmp_path / "g" / "synthetic_train.snappy.parquet", [gretel_row(1, GOOD)])
    write_parquet(tmp_path / "g" / "synthetic_test.snappy.parquet", [gretel_row(2, GOOD + " LIMIT 1")])
    splits = load_tasks(Data(source="gretel", path=str(tmp_path / "g"), test_path=str(tmp_path / "g")), seed=0)
    assert [task.task_id for task in splits.train + splits.test] == ["gretel-train-1", "gretel-test-2"]


def test_unusable_parquet_is_told_in_one_line(tmp_path):
    row = gretel_row(1, GOOD)
    del row["sql_context"]
    lacking = write_parquet(tmp_path / "lacking.parquet", [row])
    (tmp_path / "text.parquet").write_text("no parquet")
    (tmp_path / "empty").mkdir()
    for path, told in (
        (lacking, "has no column 'sql_context'; it has id, domain"),
        (tmp_path / "text.parquet", "not"),
        (tmp_path / "empty", "holds no .parquet file"),
    ):
        with pytest.raises(ConfigError) as error:
            load_tasks(Data(source="gretel", path=str(path)), seed=0)
        assert told in str(error.value) and "\n" not in str(error.value)


def test_gretel_without_network_tells_the_cure(monkeypatch):
    datasets = pytest.importorskip("datasets")

    def unreachable(name, split):
        raise ConnectionError(f"Couldn't reach {name!r} on the Hub\nmore")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(ConfigError) as error:
        load_tasks(Data(source="gretel", path="gretelai/synthetic_text_to_sql"), seed=0)
    told = str(error.value)
    assert "give their folder" in told and "Couldn't reach" in told and "\n" not in told
