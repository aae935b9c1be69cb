"""What BIRD's and Spider's scripts read: the same queries, one a line where they want lines."""

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluation.official import write_official
from evaluation.one_line import has_broken_name, one_line
from sandbox import execute
from sandbox.predictions import BIRD_MARK, NO_QUERY, judge_files, read_pairs
from tasks.task import Task
from tests.singers import SCRIPT, made

QUERIES = [
    "SELECT name -- who\nFROM singer\n",
    "SELECT\tname\r\nFROM singer /* all\nof them */ WHERE name <> 'a\n\tb' ORDER BY 1;",
    None,
    "-- no query",
    "DROP TABLE singer",
    f"SELECT '{BIRD_MARK}', count(*) FROM song",
]
SEEN = [QUERIES[0], QUERIES[1], "", "", "", "SELECT (char(9)||'----- bird -----'||char(9)), count(*) FROM song"]


@pytest.fixture
def tasks(tmp_path) -> list[Task]:
    """A question for each query; the databases are three, two of which have one name."""
    places = ["a/music.sqlite", "b/music.sqlite", "odd name.db"]
    paths = [path for place in places for path in [str(made(tmp_path / place, SCRIPT))] * 2]
    gold = "SELECT name\nFROM singer -- by\tname\nORDER BY name"
    return [Task(f"dev-{place}", f"{place}?", "a hint", gold, path, "L1", "simple") for place, path in enumerate(paths)]


@pytest.fixture
def written(tmp_path, tasks) -> Path:
    """The folder with the forms of one model's answers, and of another's, in another order."""
    rows = [{"task_id": task.task_id, "sql": sql} for task, sql in zip(tasks, QUERIES, strict=True)]
    rows[4]["status"] = "denied"
    write_official(tmp_path / "official", tasks, {"sft": rows, "rl": rows[::-1]})
    return tmp_path / "official"


def read_as_bird_does(folder: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the predictions and the gold queries with their databases, by the rules of BIRD's evaluation.py."""
    with open(folder / "sft" / "predict_dev.json", encoding="utf-8") as file:
        predicted = [tuple(text.split("\t----- bird -----\t")) for text in json.load(file).values()]
    with open(folder / "dev_gold.sql", encoding="utf-8") as file:
        return predicted, [tuple(line.strip().split("\t")) for line in file.readlines()]


def read_as_spider_does(file: Path) -> list[list[str]]:
    """Return the fields of the lines that are not blank."""
    with open(file, encoding="utf-8") as lines:
        return [line.strip().split("\t") for line in lines.readlines() if line.strip()]


def test_the_scripts_read_as_many_queries_as_there_are_questions(written, tasks):
    predicted, gold = read_as_bird_does(written)
    assert [len(pair) for pair in predicted + gold] == [2] * 12
    assert [database for _, database in predicted] == [database for _, database in gold]
    assert gold[0] == ("SELECT name FROM singer ORDER BY name", "music")
    assert [len(fields) for fields in read_as_spider_does(written / "sft" / "pred.sql")] == [1] * 6
    assert read_as_spider_does(written / "dev_gold.sql") == [list(pair) for pair in gold]


def test_what_is_no_query_fails_where_an_empty_text_would_give_no_row(written):
    predicted, _ = read_as_bird_does(written)
    for sql, database in predicted[2:5]:
        with pytest.raises(sqlite3.OperationalError, match="no such column: no_query_was_given"):
            sqlite3.connect(written / "databases" / database / f"{database}.sqlite").execute(sql)


def test_questions_have_birds_keys(written):
    questions = json.loads((written / "dev.json").read_text())
    assert questions == [json.loads(line) for line in (written / "dev.jsonl").read_text().splitlines()]
    assert questions[3] == {
        "question_id": 3, "task_id": "dev-3", "db_id": "music-2", "question": "3?", "evidence": "a hint",
        "SQL": "SELECT name\nFROM singer -- by\tname\nORDER BY name", "difficulty": "simple",
    }  # fmt: skip
    assert {question["db_id"] for question in questions} == {"music", "music-2", "odd name"}


@pytest.mark.parametrize("model", ["sft", "rl"])
@pytest.mark.parametrize("gold", ["dev.json", "dev_gold.sql"])
def test_what_is_written_is_read_again(written, tasks, model, gold):
    answers = read_pairs(written / model / "predict_dev.json", written / gold, written / "databases")
    assert [pair.sql for pair in answers] == SEEN
    lines = read_pairs(written / model / "pred.sql", written / gold, written / "databases")
    assert [pair.sql for pair in lines] == [one_line(sql) for sql in SEEN]
    assert [pair.database.resolve() for pair in lines] == [Path(task.database) for task in tasks]
    for file in ("predict_dev.json", "pred.sql"):
        found = judge_files(written / model / file, written / gold, written / "databases", "bird")
        assert [verdict["correct"] for verdict in found["verdicts"]] == [True, True, False, False, False, False]


def test_it_is_written_over_what_was_there(written, tasks):
    write_official(written, tasks, {"sft": [{"task_id": task.task_id, "sql": "SELECT 1"} for task in tasks]})
    assert (written / "sft" / "pred.sql").read_text() == "SELECT 1\n" * 6


def test_names_with_line_breaks_are_told(tmp_path, tasks, capsys):
    rows = [{"task_id": task.task_id, "sql": "SELECT [a\nb] FROM t"} for task in tasks]
    write_official(tmp_path / "o", tasks, {"base": rows})
    told = " ".join(capsys.readouterr().err.split())
    assert "6 queries of base have a name with a line break or tab" in told and "(dev-0, dev-1, dev-2)" in told


# One line

GAP = st.lists(
    st.sampled_from([" ", "\n", "\t", "\r\n", "\f", "--\n", '-- it\'s "one"\n', "/**/", "/* ' \n -- */", "/*/ [ */"]),
    min_size=1,
).map("".join)
TEXT = st.text("ab'\"`[] \n\t\r-/*\u2028;", max_size=6)
QUOTED = TEXT.map(lambda text: "'" + text.replace("'", "''") + "'")
IN_DOUBLE = TEXT.map(lambda text: '"\n' + text.replace('"', '""') + '"')
VALUE = QUOTED | IN_DOUBLE | st.sampled_from(["x", "1", "x'ab'", "NULL", "count(*)", "t.x", "- 1"])
WORDS = ["SELECT", "SELECT", "FROM t", "x", "1", "'a", "'", '"', "`", "[", "]", "\n", "\t", "--", "/*", "*/", ",", "(",
         ")", "||", "=", "WHERE", "AS", "UNION", "a", ";", "-", "/", "*", "\r", "ORDER BY", "IN"]  # fmt: skip


@st.composite
def queries(draw) -> str:
    """Queries whose texts, in all places that texts have, hold breaks."""
    form = draw(
        st.sampled_from(
            [
                "SELECT|{v}|,|x|FROM|t|WHERE|x|=|{v}|OR|x|LIKE|{v}|OR x|IN|({v},|{v})",
                "SELECT|x|AS|{v}|FROM|t|ORDER|BY|{v}|,|x",
                "SELECT|CASE|x|WHEN|{v}|THEN|{v}|ELSE|{v}|END|FROM|t|GROUP|BY|x|HAVING|max(x)|<>|{v}",
                "SELECT|group_concat(x,|{v})|{v}|FROM|(|SELECT|x|FROM|t|UNION|SELECT|{v}|)",
                "SELECT|replace(x,|{v},|{v})|FROM|t|WHERE|NOT|x|BETWEEN|{v}|AND|{v}|LIMIT|3|--|end",
                "WITH|c|AS|(VALUES|({v}),({v}))|SELECT|c.*|,|x||{v}|FROM|c|JOIN|t|ON|x|<|{v}|/*",
            ]
        )
    )
    return "".join(draw(GAP) if part == "|" else draw(VALUE) if part == "{v}" else part for part in split(form))


def split(form: str) -> list[str]:
    """Return the words, gaps and values of a form."""
    return [part for piece in form.split("|") for part in ("|", *cut(piece))]


def cut(piece: str) -> list[str]:
    return [part for text in piece.split("{v}") for part in ("{v}", text)][1:]


def outcome(sql: str) -> object:
    """Return the rows of a query over texts with breaks; "error" where SQLite refuses it."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (x TEXT)")
    connection.executemany("INSERT INTO t VALUES (?)", [("a",), ("a\n",), ("\nb",)])
    try:
        return connection.execute(sql).fetchall()
    except (sqlite3.Error, sqlite3.Warning):
        return "error"
    finally:
        connection.close()


@settings(max_examples=150)
@given(queries())
def test_on_one_line_a_query_gives_the_same_rows(sql):
    line = one_line(sql)
    assert not set(line) & set("\n\r\t")
    if not has_broken_name(sql):
        assert outcome(line) == outcome(sql)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(WORDS)).map(" ".join) | st.lists(st.sampled_from(WORDS)).map("".join))
@example("SELECT 1 /*/ FROM t")
@example("SELECT 1 /**/ FROM t */")
@example("SELECT 1 /*")
@example("SELECT 'a\n FROM t")
@example('SELECT x AS "a\nb" FROM t ORDER BY "a\nb" DESC')
def test_whatever_a_model_wrote_it_gives_the_same_rows_or_none(sql):
    line = one_line(sql)
    assert not set(line) & set("\n\r\t")
    if not has_broken_name(sql):
        assert outcome(line) == outcome(sql)


def test_queries_did_run_in_the_property_tests():
    assert outcome(one_line("SELECT x FROM t WHERE x = 'a\n'")) == [("a\n",)]
    assert outcome(one_line('SELECT x FROM t WHERE x = "a\n"')) == [("a\n",)]
    assert execute(SCRIPT, NO_QUERY).status == "error"
