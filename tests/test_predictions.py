"""Prediction files in BIRD's and Spider's forms: what is read, what is refused, and the score."""

import json
from pathlib import Path

import pytest

from configs.errors import ConfigError
from sandbox import Limits, execute
from sandbox.predictions import NO_QUERY, judge_files, read_pairs
from tests.singers import DEAF, SCRIPT, made

CITY = "CREATE TABLE city (name TEXT, people INTEGER); INSERT INTO city VALUES ('Ulm', 1), ('Bonn', 2), ('Ulm', 2);"
GOLD = [
    ("SELECT name FROM singer ORDER BY name", "music"),
    ("SELECT name FROM city", "towns"),
    ("SELECT name, people FROM city", "towns"),
    ("SELECT count(*) FROM song", "music"),
]
RIGHT_UNDER = {
    "SELECT name FROM singer ORDER BY name DESC": {"multiset", "bird"},
    "SELECT DISTINCT name FROM city": {"bird"},
    "SELECT people, name FROM city": {"spider"},
    "SELECT 3.0": {"ordered", "multiset", "bird", "spider"},
}


@pytest.fixture(scope="module")
def databases(tmp_path_factory) -> Path:
    """A folder with one database as published, and one beside it."""
    folder = tmp_path_factory.mktemp("databases")
    made(folder / "music" / "music.sqlite", SCRIPT)
    made(folder / "towns.sqlite", CITY)
    return folder


@pytest.fixture
def write(tmp_path):
    """Return a function that writes text, or an object as JSON, to a file of that name and returns its path."""

    def to_file(name: str, content: object) -> Path:
        file = tmp_path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return file

    return to_file


def bird_gold(keys: tuple[str, str] = ("SQL", "db_id"), **more: object) -> list[dict]:
    return [{keys[0]: sql, keys[1]: name, "question": "?"} | more for sql, name in GOLD]


def bird_answers(sqls) -> dict[str, str]:
    return {
        str(i): f"{sql}\t----- bird -----\t{name}" for i, (sql, (_, name)) in enumerate(zip(sqls, GOLD, strict=True))
    }


def lines(rows) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


# The forms


@pytest.mark.parametrize("rule", ["ordered", "multiset", "bird", "spider"])
@pytest.mark.parametrize("form", ["bird", "spider"])
def test_the_score_under_each_rule(write, databases, form, rule):
    if form == "bird":
        files = write("predict_dev.json", bird_answers(RIGHT_UNDER)), write("dev.json", bird_gold())
    else:
        files = write("predict.txt", "\n".join(RIGHT_UNDER)), write("gold.sql", lines(GOLD))
    found = judge_files(*files, databases, rule)
    right = [rule in rules for rules in RIGHT_UNDER.values()]
    assert [verdict["correct"] for verdict in found["verdicts"]] == right
    assert (found["questions"], found["correct"], found["ex"]) == (4, sum(right), sum(right) / 4)
    assert (found["rule"], found["statuses"]) == (rule, {"ok": 4}) and found["seconds"] > 0
    assert json.loads(json.dumps(found)) == found


def test_gold_against_itself_is_all_right_in_every_mixture_of_forms(write, databases):
    sqls = [sql for sql, _ in GOLD]
    golds = [
        write("dev.json", bird_gold()),
        write("spider_dev.json", bird_gold(("query", "db_id"))),
        write("gold.sql", lines(GOLD)),
        write("windows.sql", "\ufeff" + lines(GOLD).replace("\n", "\r\n")),
    ]
    predictions = [
        write("predict.json", bird_answers(sqls)),
        write("bare.json", {str(number): sql for number, sql in enumerate(sqls)}),
        write("predict.txt", "\n".join(sqls)),
        write("named.txt", lines(GOLD)),
    ]
    for gold in golds:
        for predicted in predictions:
            assert judge_files(predicted, gold, databases)["ex"] == 1.0, (predicted, gold)


def test_what_came_of_each_query_is_told(write, databases):
    answers = bird_answers(["SELECT name FROM singer WHERE id < 0", "DROP TABLE city", "SELECT nme FROM city", DEAF])
    found = judge_files(write("p.json", answers), write("g.json", bird_gold()), databases, limits=Limits(timeout_s=0.3))
    assert found["statuses"] == {"empty": 1, "denied": 1, "error": 1, "timeout": 1}
    assert found["verdicts"][2] == {
        "place": "question 2",
        "database": "towns",
        "status": "error",
        "correct": False,
        "message": "no such column: nme",
    }


def test_answers_are_found_by_number_or_by_question_id_not_by_their_order_in_the_file(write, databases):
    answers = bird_answers([sql for sql, _ in GOLD])
    turned = dict(reversed(answers.items()))
    assert judge_files(write("p.json", turned), write("g.json", bird_gold()), databases)["correct"] == 4
    gold = [item | {"question_id": 1471 + 3 * number} for number, item in enumerate(bird_gold())]
    by_id = {str(1471 + 3 * int(key)): value for key, value in turned.items()}
    assert judge_files(write("p.json", by_id), write("g.json", gold), databases)["correct"] == 4
    assert judge_files(write("p.json", turned), write("g.json", gold), databases)["correct"] == 4


@pytest.mark.parametrize("nothing", [None, 0, "", " \t----- bird -----\tmusic"])
def test_no_answer_is_wrong(write, databases, nothing):
    answers = bird_answers([sql for sql, _ in GOLD]) | {"3": nothing}
    found = judge_files(write("p.json", answers), write("g.json", bird_gold()), databases)
    assert [verdict["correct"] for verdict in found["verdicts"]] == [True, True, True, False]
    assert found["verdicts"][3]["status"] == "error"


def test_a_blank_line_is_no_answer_and_moves_no_other(write, databases):
    predicted = write("p.txt", "\n".join(["", GOLD[1][0], GOLD[2][0], ""]) + "\n")
    found = judge_files(predicted, write("g.sql", lines(GOLD)), databases)
    assert [verdict["correct"] for verdict in found["verdicts"]] == [False, True, True, False]


def test_blank_lines_of_gold_part_interactions(write, databases):
    gold = write("g.sql", lines(GOLD[:2]) + "\n" + lines(GOLD[2:]) + "\n\n")
    sqls = [sql for sql, _ in GOLD]
    found = judge_files(write("p.txt", "\n".join([*sqls[:2], "", *sqls[2:]])), gold, databases)
    assert (found["questions"], found["correct"]) == (4, 4)
    assert [verdict["place"] for verdict in found["verdicts"]] == ["line 1", "line 2", "line 4", "line 5"]
    assert judge_files(write("p.json", bird_answers(sqls)), gold, databases)["correct"] == 4


def test_queries_may_hold_line_breaks_in_json_and_tabs_in_gold(write, databases):
    gold = write("g.sql", "SELECT\tname FROM city\ttowns\n")
    predicted = write("p.json", {"0": "SELECT name\nFROM\tcity -- all\n\t----- bird -----\ttowns"})
    (pair,) = read_pairs(predicted, gold, databases)
    assert (pair.gold.sql, pair.sql) == ("SELECT\tname FROM city", "SELECT name\nFROM\tcity -- all\n")
    assert judge_files(predicted, gold, databases)["correct"] == 1


@pytest.mark.parametrize("line", ["", NO_QUERY])
def test_a_query_that_was_not_given_may_be_written_as_one_that_runs_nowhere(write, databases, line):
    gold = write("g.json", bird_gold())
    predicted = [
        write("p.txt", "\n".join(["SELECT 1", "SELECT 2", line, "SELECT 4"])),
        write("p.json", bird_answers(["SELECT 1", "SELECT 2", line, "SELECT 4"])),
    ]
    for file in predicted:
        assert [pair.sql for pair in read_pairs(file, gold, databases)] == ["SELECT 1", "SELECT 2", "", "SELECT 4"]
    assert execute(databases / "towns.sqlite", NO_QUERY).status == "error"


def test_what_gold_says_of_a_question_is_kept(write, databases):
    gold = write("g.json", bird_gold(evidence="a hint", difficulty="simple", question_id=7)[:1])
    (pair,) = read_pairs(write("p.txt", "SELECT 1"), gold, databases)
    told = (pair.gold.question, pair.gold.evidence, pair.gold.difficulty, pair.gold.question_id)
    assert told == ("?", "a hint", "simple", "7")


# What is refused

ONE = "SELECT 1\tmusic\n"


@pytest.mark.parametrize(
    ("gold", "says"),
    [
        ("", "holds no question"),
        ("[]", "holds no question"),
        ("SELECT 1\n", "line 1 is not SQL<tab>DB but 'SELECT 1'; put the database behind a tab"),
        ("SELECT 1\t\n", "line 1 is not SQL<tab>DB"),
        (ONE + "\n\tmusic", "line 3 is not SQL<tab>DB"),
        ("[1, 2", "is not JSON"),
        ('{"0": "SELECT 1"}', "is a JSON object; gold is a JSON list"),
        ("[1]", "question 0 is no object"),
        ('[{"db_id": "music", "question": "?"}]', "question 0 lacks a text 'db_id' or 'SQL' .* it has db_id, question"),
        ('[{"SQL": "SELECT 1"}]', "question 0 lacks a text 'db_id'"),
        ('[{"SQL": " ", "db_id": "music"}]', "question 0 lacks"),
        ("SELECT 1\tmuzak\n", r"of 1 databases 1 are not in .* \('muzak'\); it must have NAME/NAME.sqlite or NAME"),
        ("SELECT 1\t../towns\n", r"1 are not in .* \('\.\./towns'\)"),
        (
            "".join(f"SELECT 1\t{name}\n" for name in ("a", "b", "music", "c", "d", "a")),
            r"of 5 databases 4 are not in .* \('a', 'b', 'c' and 1 more\)",
        ),
        (
            ONE + "one\ntwo\n\nthree\nfour\n",
            "line 2 is not SQL<tab>DB but 'one', 3 is .* 'two', 5 is .* 'three' and 1 more; put the database",
        ),
    ],
)
def test_gold_that_is_refused(write, databases, gold, says):
    refused(write("p.txt", "SELECT 1"), write("gold.sql", gold), databases, f"gold.sql.*{says}")


@pytest.mark.parametrize(
    ("predicted", "says"),
    [
        ("SELECT 1\n", "has 1 lines where the gold file has 2"),
        ("SELECT 1\n\n\nSELECT 2\n", "has 4 lines where the gold file has 2"),
        ("SELECT 1\ntowns\ttowns\n", "line 2 has 'towns' behind its SQL, but the gold file's line 2 is about 'music'"),
        ("SELECT 1\nSELECT 1\t-0.71\n", "line 2 has '-0.71' behind its SQL"),
        ("[]", "is a JSON list; predictions are a JSON object"),
        ('{"0": "SELECT 1"}', r"it has no answer to 1 of 2 questions \('1'\); give one answer to each"),
        ('{"0": "a", "1": "b", "2": "c"}', r"it has 1 answer to no question \('2'\)"),
        (
            '{"x": "a", "y": "b", "1": "c"}',
            r"no answer to 1 of 2 questions \('0'\) and 2 answers to no question \('x', 'y'\)",
        ),
        ('{"0": "a", "0": "b"}', "the key '0' is there twice"),
        ('{"0": "a", "1": {"sql": "b"}}', "answer '1' is .*sql.*; predictions are"),
        ('{"0": "a", "1": "b\\t----- bird -----\\ttowns"}', "answer '1' has 'towns' behind its SQL"),
        (
            "SELECT 1\ttowns\nSELECT 1\ttowns\n",
            "line 1 has 'towns' .*, line 2 has 'towns' .* is about 'music'; give",
        ),
        ('{"0": "a",', "is not JSON"),
    ],
)
def test_predictions_that_are_refused(write, databases, predicted, says):
    refused(write("p.txt", predicted), write("gold.sql", ONE + ONE), databases, f"p.txt.*{says}")


def refused(predictions: Path, gold: Path, databases: Path, says: str) -> None:
    """Assert that the files are refused with one line that says so."""
    with pytest.raises(ConfigError, match=says) as caught:
        judge_files(predictions, gold, databases)
    assert "\n" not in str(caught.value)


def test_a_query_where_the_gold_file_has_a_blank_line(write, databases):
    gold = write("gold.sql", ONE + "\n" + ONE)
    refused(write("p.txt", "SELECT 1\nSELECT 2\nSELECT 3"), gold, databases, "line 2 is 'SELECT 2' where .* blank line")


def test_files_that_cannot_be_read(write, databases, tmp_path):
    gold = write("gold.sql", ONE)
    refused(tmp_path / "none.txt", gold, databases, "none.txt cannot be read: No such file")
    refused(tmp_path, gold, databases, "cannot be read: Is a directory")
    (tmp_path / "latin.txt").write_bytes(b"SELECT '\xe9'")
    cure = r"convert it: iconv -f WINDOWS-1252 -t UTF-8 \S*latin.txt > utf-8.txt"
    refused(tmp_path / "latin.txt", gold, databases, f"latin.txt is not UTF-8 text .* at byte 8.* Latin-1 .*{cure}")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("content", ["SELECT 1\n", '{"0": "SELECT 1"}'])
def test_other_encodings_are_named_with_the_cure(write, databases, tmp_path, encoding, content):
    gold = write("gold.sql", ONE)
    (tmp_path / "wide.txt").write_bytes(content.encode(encoding))
    named = encoding.upper().replace("-LE", "LE").replace("-BE", "BE")
    refused(tmp_path / "wide.txt", gold, databases, f"wide.txt is {named} text, not UTF-8; .*iconv -f {named} -t UTF-8")
    (tmp_path / "gold16.sql").write_bytes(ONE.encode(encoding))
    refused(write("p.txt", "SELECT 1"), tmp_path / "gold16.sql", databases, f"gold16.sql is {named} text")


@pytest.mark.parametrize("content", ["\ufeffSELECT 1\n", '\ufeff{"0": "SELECT 1"}', "SELECT 1\r\n"])
def test_a_mark_and_windows_line_ends_are_nothing(write, databases, content):
    assert judge_files(write("p.txt", content), write("gold.sql", ONE), databases)["correct"] == 1


def test_a_gold_query_that_does_not_run_is_named(write, databases):
    gold = write("gold.sql", ONE + "SELECT nme FROM city\ttowns\n\nSELECT\tmusic\n")
    says = r"gold.sql: 2 of 3 gold queries did not run \(line 2 on towns: error, no such column: nme; line 4 on music: "
    refused(write("p.txt", "SELECT 1\nSELECT 1\n\nSELECT 1\n"), gold, databases, says)


def test_a_broken_database_is_named(write, databases, tmp_path):
    (tmp_path / "music.sqlite").write_text("not a database")
    with pytest.raises(ConfigError, match="is not a SQLite database"):
        judge_files(write("p.txt", "SELECT 1"), write("gold.sql", ONE), tmp_path)
