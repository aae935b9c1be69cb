"""What the sandbox returns, refuses and ends: one hostile test for each promise."""

import hashlib
import json
import math
import subprocess
import sys
import time

import pytest

from sandbox import Limits, execute, execute_many, judge_many, pool
from sandbox.__main__ import main
from tests.processes import ROOT
from tests.singers import DEAF, FOR_EVER, QUICK, made

# What comes back


def test_rows_columns_and_status(database):
    result = execute(database, "SELECT name AS who, age FROM singer ORDER BY id")
    assert (result.status, result.columns) == ("ok", ("who", "age"))
    assert result.rows == (("Ada", 30), ("Bo", 40), ("Cy", None))
    assert result.runs and result.message == "" and 0 < result.seconds < 1


def test_no_rows_still_have_columns(database):
    result = execute(database, "SELECT name FROM singer WHERE age > 99")
    assert (result.status, result.columns, result.rows, result.runs) == ("empty", ("name",), (), True)


def test_every_kind_of_value_survives_the_trip(database):
    sql = "SELECT x'00ff', 9e999, -9e999, 9007199254740993, -9223372036854775808, NULL, 'é\n\"', 0.1, '', x''"
    inf = math.inf
    assert execute(database, sql).rows == (
        (b"\x00\xff", inf, -inf, 9007199254740993, -(2**63), None, 'é\n"', 0.1, "", b""),
    )


def test_broken_utf8_is_replaced(database):
    assert execute(database, "SELECT CAST(x'41ff' AS TEXT), 'B'").rows == (("A\ufffd", "B"),)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM singer;",
        "SELECT * FROM singer ;; \n",
        "-- a comment\n/* and another; */ SELECT * FROM singer -- the end;",
        "WITH s AS (SELECT 1) SELECT * FROM s",
        "VALUES (1), (2)",
        "EXPLAIN QUERY PLAN SELECT * FROM singer",
        "EXPLAIN /* how? */ QUERY PLAN SELECT * FROM singer",
        ";; SELECT 1;",
        "explain\nquery plan select 1",
        "SELECT ';' FROM singer",
        "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE%'",
        "SELECT name, pk FROM pragma_table_info('singer')",
        "SELECT m.name, x.name FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x",
        'SELECT "table", "from", "to" FROM pragma_foreign_key_list(\'song\')',
        "SELECT value FROM json_each('[1, 2]')",
        "SELECT sum(age) OVER (ORDER BY id), sqrt(4), group_concat(name) FROM singer",
    ],
)
def test_allowed(database, sql):
    assert execute(database, sql).status == "ok"


def test_index_pragmas_describe(tmp_path):
    path = made(tmp_path / "i.sqlite", "CREATE TABLE t (a, b); CREATE UNIQUE INDEX i ON t (b)")
    sql = "SELECT i.name, c.name FROM pragma_index_list('t') AS i, pragma_index_info(i.name) AS c"
    assert execute(path, sql).rows == (("i", "b"),)


@pytest.mark.parametrize("module", ["fts4(a)", "fts5(a)", "rtree(id, a, b)"])
def test_virtual_tables_of_a_database_can_be_read(tmp_path, module):
    path = made(
        tmp_path / "v.sqlite",
        f"CREATE VIRTUAL TABLE v USING {module}; INSERT INTO v VALUES (1{', 2, 3' * ('r' in module)})",
    )
    assert execute(path, "SELECT a FROM v").status == "ok"


def test_a_damaged_virtual_table_leaves_the_others_readable(tmp_path):
    path = made(
        tmp_path / "v.sqlite",
        "CREATE VIRTUAL TABLE v USING rtree(i, a, b); INSERT INTO v VALUES (1, 2, 3);"
        "UPDATE v_node SET data = x'0001ffff'; CREATE VIRTUAL TABLE w USING fts5(a); INSERT INTO w VALUES ('x')",
    )
    assert execute(path, "SELECT a FROM w").rows == (("x",),)
    assert execute(path, "SELECT a FROM v").status in ("error", "denied")
    assert execute(path, "SELECT count(*) FROM w").rows == ((1,),)


def test_a_table_function_that_is_not_listed_is_called_so(database):
    result = execute(database, "SELECT * FROM pragma_database_list")
    assert result.status == "denied" and result.message.startswith("this virtual table or table function")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("SELECT nope FROM singer", "no such column: nope"),
        ("SELECT 1 FROM", "incomplete input"),
        ("", "there is no statement"),
        (" ;-- nothing", "there is no statement"),
        ("/* never closed", "syntax error"),
        ("SELECT ?", "Incorrect number of bindings"),
        ("SELECT \x00 1", "null character"),
        ("SELECT '\ud800'", "surrogates"),
        ("SELECT abs(-9223372036854775808)", "integer overflow"),
    ],
)
def test_bad_sql_is_data(database, sql, message):
    result = execute(database, sql)
    assert result.status == "error" and not result.runs
    assert message in result.message


# Reading only


DENIED = [
    "INSERT INTO singer VALUES (9, 'x', 1)",
    "REPLACE INTO singer VALUES (1, 'x', 1)",
    "UPDATE singer SET age = 0",
    "DELETE FROM singer",
    "WITH s AS (SELECT 1) INSERT INTO singer SELECT 9, 'x', 1",
    "WITH s AS (SELECT 1) DELETE FROM singer",
    "WITH s AS (SELECT 1) UPDATE singer SET age = 0 RETURNING *",
    "EXPLAIN QUERY PLAN DELETE FROM singer",
    "EXPLAIN SELECT 1",
    "DROP TABLE singer",
    "CREATE TABLE t (a)",
    "CREATE TEMP TABLE t (a)",
    "CREATE VIRTUAL TABLE t USING fts5(a)",
    "ALTER TABLE singer RENAME TO x",
    "ATTACH 'file:other.sqlite' AS other",
    "/* hi */ -- there\n aTtAcH ':memory:' AS other",
    "DETACH main",
    "PRAGMA writable_schema = ON",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA table_info(singer)",
    "SELECT * FROM pragma_database_list",
    "VACUUM INTO 'copy.sqlite'",
    "REINDEX",
    "ANALYZE",
    "BEGIN",
    "SAVEPOINT s",
    "SELECT load_extension('evil.so')",
    "SELECT LOAD_EXTENSION('evil.so')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE singer",
    "SELECT 1;; -- x\n SELECT 2",
]


@pytest.mark.parametrize("sql", DENIED)
def test_denied(database, sql):
    result = execute(database, sql)
    assert (result.status, result.rows) == ("denied", ())
    assert result.message


def test_no_statement_changes_a_byte_on_disk(database):
    def picture():
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in database.parent.iterdir()}

    before, changed_ns = picture(), database.stat().st_mtime_ns
    execute_many([(database, sql) for sql in DENIED])
    execute(database, "SELECT readfile('/etc/passwd'), writefile('x', 'y')")
    assert picture() == before and database.stat().st_mtime_ns == changed_ns


def test_a_big_sort_writes_no_file(database):
    numbers = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 60000) "
    result = execute(database, numbers + "SELECT x, hex(randomblob(200)) AS h FROM c ORDER BY h LIMIT 5")
    assert result.status == "ok"


# Limits


@pytest.mark.parametrize(
    "sql",
    [
        FOR_EVER,
        "SELECT count(*) FROM " + ", ".join(f"song AS s{i}" for i in range(30)),
        "SELECT count(*) FROM " + ", ".join(f"json_each('[1, 2, 3, 4, 5, 6, 7]') AS j{i}" for i in range(9)),
        DEAF,
        "SELECT instr(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || '1')",
    ],
)  # fmt: skip
def test_what_never_ends_is_ended(database, sql):
    begun = time.monotonic()
    result = execute(database, sql, QUICK)
    assert result.status == "timeout", result
    assert time.monotonic() - begun < QUICK.timeout_s + 1.2  # 0.4 s of grace, and a busy machine
    assert execute(database, "SELECT 1").rows == ((1,),)


def test_too_many_rows(database):
    sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000) SELECT x FROM c"
    result = execute(database, sql)
    assert (result.status, result.rows) == ("too_large", ())
    assert execute(database, "VALUES (1), (2), (3)", Limits(max_rows=3)).status == "ok"
    assert execute(database, "VALUES (1), (2), (3)", Limits(max_rows=2)).status == "too_large"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT randomblob(1000000000)",
        "SELECT zeroblob(2000000000)",
        "SELECT hex(zeroblob(15000000))",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 99) SELECT zeroblob(1000000) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 99) "
        "SELECT max(r) FROM (SELECT randomblob(8000000) AS r FROM c ORDER BY r)",
        "SELECT " + ", ".join(["zeroblob(15000000)"] * 100),
        "SELECT '" + "x" * 2_000_000 + "'",
    ],
)
def test_too_much_memory(database, sql):
    result = execute(database, sql, Limits(memory_mb=256))
    assert result.status == "too_large", result
    assert execute(database, "SELECT 1", Limits(memory_mb=256)).rows == ((1,),)


def test_the_memory_limit_is_the_callers(database):
    # The sort keeps some 128 MB: too much for the small limit, and fine for the large one.
    sql = (
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 16) "
        "SELECT count(*) FROM (SELECT DISTINCT randomblob(8000000) FROM c)"
    )
    assert execute(database, sql, Limits(memory_mb=96)).status == "too_large"
    assert execute(database, sql, Limits(memory_mb=1024)).status == "ok"


def test_memory_is_not_short_because_of_queries_before(database):
    pool.close_pool()
    limits = Limits(memory_mb=160)
    golds = [f"WITH RECURSIVE c(x) AS (SELECT {n} UNION ALL SELECT x + 1 FROM c LIMIT 9000) SELECT x, x, x FROM c"
             for n in range(30)]  # fmt: skip
    sql = (
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 9) "
        "SELECT count(*) FROM (SELECT DISTINCT randomblob(8000000) FROM c)"
    )
    assert execute(database, sql, limits).status == "ok"
    assert all(verdict.correct for verdict in judge_many([(database, gold, gold) for gold in golds], limits=limits))
    assert execute(database, sql, limits).status == "ok"


@pytest.mark.parametrize(
    "wrong",
    [{"timeout_s": 0}, {"timeout_s": math.nan}, {"timeout_s": math.inf}, {"timeout_s": -1}, {"max_rows": 0},
     {"memory_mb": 1}, {"memory_mb": 10**9}, {"max_steps": 0}],
    ids=str,
)  # fmt: skip
def test_what_is_no_limit_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^limit {name}=.*: give "):
        Limits(**wrong)


# On the command line


def test_run_prints_json(database, capsys):
    assert main(["run", str(database), "SELECT name, x'ff' FROM singer LIMIT 1", "--timeout-s", "2"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["status"], printed["columns"], printed["rows"]) == (
        "ok",
        ["name", "x'ff'"],
        [["Ada", {"hex": "ff"}]],
    )
    assert main(["run", str(database), "VALUES (1), (2)", "--max-rows", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "too_large"


def test_run_says_in_one_line_what_is_no_database(tmp_path, capsys):
    assert main(["run", str(tmp_path / "nowhere.sqlite"), "SELECT 1"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "nowhere.sqlite" in err


def test_the_sandbox_needs_no_other_package():
    program = "import sys; sys.path.insert(0, '.'); import sandbox, sandbox.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded - set(sys.stdlib_module_names) <= {"sandbox", "configs", "__main__"}
