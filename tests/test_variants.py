"""Variants of a database: the same each time, built once, whole under their keys, and small."""

import hashlib
import multiprocessing
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from configs.errors import ConfigError
from sandbox import execute
from sandbox import variants as module
from sandbox.variant_reading import MAX_PARENTS, ROWS
from sandbox.variants import agree_on_all, variants
from tests.shop import JOIN, KEY_COLUMNS, SHOP, rows
from tests.singers import SCRIPT, made


def contents(files) -> list[bytes]:
    return [file.read_bytes() for file in files]


def assert_whole(file: Path) -> None:
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]
    assert rows(file, "PRAGMA foreign_key_check") == []


# The same copies each time, made once


def test_the_same_inputs_give_the_same_bytes(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("PLANQL_CACHE", str(tmp_path / "one"))
    first = contents(variants(shop, JOIN))
    monkeypatch.setenv("PLANQL_CACHE", str(tmp_path / "two"))
    elsewhere = shutil.copy(shop, tmp_path / "other.sqlite")
    assert contents(variants(elsewhere, JOIN)) == first
    assert len(set(first)) == 4 and shop.read_bytes() not in first


def test_seed_count_query_and_content_each_make_others(shop, tmp_path):
    base = variants(shop, JOIN)
    assert len(variants(shop, JOIN, count=2)) == 2
    assert contents(variants(shop, JOIN, seed=1)) != contents(base)
    assert contents(variants(shop, JOIN.replace("> 2", "> 3"))) != contents(base)
    changed = made(tmp_path / "changed.sqlite", f"{SHOP}; DELETE FROM purchase WHERE customer = 5")
    assert contents(variants(changed, JOIN)) != contents(base)


def test_a_large_file_is_known_by_its_path_and_time(shop, monkeypatch):
    monkeypatch.setattr(module, "HASHED_BYTES", 0)
    module._content.cache_clear()
    by_path = variants(shop, JOIN)
    module._content.cache_clear()
    monkeypatch.undo()
    assert by_path != variants(shop, JOIN) and contents(by_path) == contents(variants(shop, JOIN))


def test_they_are_built_once(shop, monkeypatch):
    files = variants(shop, JOIN)
    monkeypatch.setattr(module, "_build", lambda *_: pytest.fail("built again"))
    assert variants(shop, f"  {JOIN}\n") == files


def files_and_inodes(shop: Path) -> list[tuple[str, int]]:
    return [(str(file), file.stat().st_ino) for file in variants(shop, "SELECT count(*) FROM customer", count=2)]


def test_many_processes_build_them_once(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("PLANQL_CACHE", str(tmp_path))
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(files_and_inodes, [shop] * 4))
    assert len(found[0]) == 2 and found == [found[0]] * 4
    assert not list((tmp_path / "variants").glob("*.partial"))


def test_what_a_killed_process_left_is_built_anew(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("PLANQL_CACHE", str(tmp_path))
    (folder,) = {file.parent for file in variants(shop, JOIN)}
    half = folder.with_suffix(".partial")
    folder.rename(half)
    (half / "000.sqlite").write_bytes(b"half")
    (half / "009.sqlite").write_bytes(b"half")
    assert [file.name for file in variants(shop, JOIN)] == ["000.sqlite", "001.sqlite", "002.sqlite", "003.sqlite"]
    assert execute(folder / "000.sqlite", JOIN).status == "ok"


def test_the_original_is_only_read(shop):
    folder = {file: (hashlib.sha256(file.read_bytes()), file.stat()) for file in shop.parent.iterdir()}
    before = {file: (digest.hexdigest(), stat.st_mtime_ns, stat.st_ino) for file, (digest, stat) in folder.items()}
    agree_on_all(shop, JOIN, [JOIN, "SELECT 1"], seed=7)
    after = {
        file: (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns, file.stat().st_ino)
        for file in shop.parent.iterdir()
    }
    assert after == before


def test_a_cache_that_cannot_be_written_is_said(shop, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PLANQL_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="PLANQL_CACHE"):
        variants(shop, JOIN)


# Valid databases


@pytest.mark.parametrize("seed", range(3))
def test_keys_hold_and_nulls_stand_only_where_allowed(shop, seed):
    files = variants(shop, JOIN, seed=seed)
    assert len(files) == 4
    for file in files:
        assert_whole(file)
        for table, columns in KEY_COLUMNS.items():
            for column in columns:
                assert rows(file, f"SELECT count(*) FROM {table} WHERE {column} IS NULL") == [(0,)]
        assert rows(file, "SELECT count(*) FROM product WHERE NOT price > 0") == [(0,)]
        assert execute(file, JOIN).status == "ok"
        assert execute(file, "SELECT * FROM dear").runs
    nulls = "SELECT 1 FROM customer WHERE age IS NULL OR city IS NULL UNION SELECT 1 FROM purchase WHERE day IS NULL"
    assert any(rows(file, nulls) for file in files)


def test_the_schema_stays(shop):
    schema = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
    assert all(rows(file, schema) == rows(shop, schema) for file in variants(shop, JOIN))


def test_a_foreign_key_that_the_original_breaks_is_left_alone(tmp_path):
    path = made(tmp_path / "b.sqlite", f"{SCRIPT} INSERT INTO song VALUES (9, 77, 'Lost')")
    files = variants(path, "SELECT title FROM song")
    assert len(files) == 4
    assert any(rows(file, "SELECT 1 FROM song WHERE singer = 77") for file in files)


def test_odd_schemas(tmp_path):
    script = """
    CREATE TABLE parent (a TEXT, b INT, c INT AS (b * 2), PRIMARY KEY (a, b)) WITHOUT ROWID;
    CREATE TABLE child (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b INT, boss INT REFERENCES child, x BLOB,
        FOREIGN KEY (a, b) REFERENCES parent);
    CREATE TABLE "odd ""name" ("select" TEXT COLLATE NOCASE UNIQUE, n INT) STRICT;
    CREATE TABLE untyped (a, b);
    CREATE VIRTUAL TABLE words USING fts5(text);
    CREATE UNIQUE INDEX part ON child (x) WHERE x IS NOT NULL;
    CREATE INDEX e ON parent (lower(a));
    INSERT INTO parent (a, b) VALUES ('x', 1), ('x', 2), ('y', 1);
    INSERT INTO child (a, b, boss, x) VALUES ('x', 1, NULL, x'00'), ('x', 2, 1, x'01'), ('y', 1, 2, NULL);
    INSERT INTO "odd ""name" VALUES ('A', 1), ('b', 2);
    INSERT INTO words VALUES ('hello');
    CREATE TRIGGER t AFTER INSERT ON child BEGIN DELETE FROM parent; END;
    """
    path = made(tmp_path / "odd.sqlite", script)
    for sql in (
        "SELECT p.c FROM parent AS p JOIN child AS c ON c.a = p.a AND c.b = p.b",
        'SELECT n FROM "odd ""name" WHERE "select" = \'a\'',
        "SELECT a FROM untyped WHERE b > 3",
    ):
        files = variants(path, sql, count=3)
        assert len(files) == 3
        for file in files:
            assert_whole(file)
            assert execute(file, sql).status == "ok"


def test_an_empty_database_gets_rows(tmp_path):
    path = made(tmp_path / "e.sqlite", "".join(line for line in SHOP.splitlines(True) if "INSERT" not in line))
    files = variants(path, JOIN)
    assert [execute(file, JOIN).status for file in files] == ["ok"] * 4
    for file in files:
        assert_whole(file)


def test_a_script_is_a_database_too():
    sql = "SELECT name FROM singer WHERE age > 30"
    assert agree_on_all(SCRIPT, sql, [sql, "SELECT name FROM singer WHERE age >= 40"]) == [True, False]


def test_a_damaged_database_is_our_fault(shop, tmp_path):
    path = tmp_path / "cut.sqlite"
    path.write_bytes(shop.read_bytes()[:6000])
    with pytest.raises(ConfigError, match="whole copy"):
        variants(path, JOIN)


def test_a_large_database_is_not_copied(tmp_path):
    path = made(
        tmp_path / "large.sqlite",
        """
        CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE person (id INTEGER PRIMARY KEY, city INT REFERENCES city, boss INT REFERENCES person, note TEXT);
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
            INSERT INTO city SELECT i, 'city ' || i FROM n WHERE i <= 30000;
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
            INSERT INTO person SELECT i, 1 + i * 7 % 30000, nullif(i / 2, 0), printf('%.200c', 'x') FROM n;
        """,
    )
    assert path.stat().st_size > 10 * 2**20
    sql = "SELECT p.id, c.name FROM person AS p JOIN city AS c ON p.city = c.id WHERE p.id > 50000"
    begun = time.perf_counter()
    files = variants(path, sql)
    assert time.perf_counter() - begun < 20  # 2 s where the machine is idle
    assert len(files) == 4
    for file in files:
        assert_whole(file)
        assert file.stat().st_size < 2**20
        assert execute(file, sql).status == "ok"
        (persons,), (cities,) = (rows(file, f"SELECT count(*) FROM {table}")[0] for table in ("person", "city"))
        assert 0 < persons <= 2 * (ROWS + MAX_PARENTS) and 0 < cities <= 2 * (ROWS + MAX_PARENTS)
    spread = rows(files[0], "SELECT max(id) - min(id) FROM person")[0][0]
    assert spread > 20_000
