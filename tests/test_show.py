"""`python -m distill show`: what is printed of a run, at any width, of any text, and of a run that isn't there."""

import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from configs.files import write_jsonl
from distill.page import page
from distill.show import Shown, show
from sandbox import Result
from tasks.clauses import on_lines
from tasks.trace import Trace, parse, render
from tests.processes import ROOT, run_light
from tests.singers import made

PLAN = """\
1. Open customer ("customers"), then purchase.
2. "more than 2" asks for purchase.amount > 2: keep only those rows.
3. The answer is customer.name."""
SQL = "SELECT customer.name FROM purchase JOIN customer ON purchase.customer = customer.id WHERE purchase.amount > 2"
HOSTILE = "[red]x[/red] [/] \x1b[2J\x1b]0;title\x07 \x9b31m \u202egnp.exe \ud800"


@pytest.fixture(scope="module")
def database(shop) -> str:
    return str(shop)


def row(number: int, database: str, level: str = "L3", **changed: object) -> dict:
    return {
        "task_id": f"q-{number}",
        "split": "train",
        "level": level,
        "database": database,
        "question": f"Question {number}: which customers bought more than 2 of a thing?",
        "evidence": "",
        "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": render(PLAN, SQL)}],
        "teacher": "plan",
    } | changed


def answered(sql: str, think: str = "Open customer.") -> list[dict]:
    return [{"role": "assistant", "content": render(think, sql)}]


@pytest.fixture
def run(tmp_path, database) -> Path:
    """A run with ten traces, the odd ones of level L1, and two rejected answers."""
    rows = [row(number, database, "L1" if number % 2 else "L3") for number in range(10)]
    write_jsonl(tmp_path / "runs" / "shop" / "distill" / "traces.jsonl", rows)
    rejects = [
        {"task_id": "q-77", "level": "L2", "reason": "wrong rows", "detail": "0 rows, gold 2", "database": database,
         "question": "Who is it?", "answer": render("Open customer.", "SELECT name FROM customer WHERE age < 0")},
        {"task_id": "q-78", "level": "L1", "reason": "form", "detail": "", "answer": "I don't know, **sorry**."},
    ]  # fmt: skip
    write_jsonl(tmp_path / "runs" / "shop" / "distill" / "rejected.jsonl", rejects)
    return tmp_path / "runs" / "shop"


def printed(capsys, *words: object) -> str:
    assert show([*map(str, words)]) == 0
    return capsys.readouterr().out


def shown_ids(text: str) -> list[str]:
    return re.findall(r"^(q-\d+) ·", text, re.MULTILINE)


def steers(text: str) -> set[str]:
    """Return the characters that a terminal would obey."""
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char != "\n"}


@pytest.mark.parametrize("width", [40, 80, 120, 500])
def test_a_page_fits_and_has_question_steps_sql_and_rows(width, run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    text = printed(capsys, run, "-n", 1)
    lines = text.splitlines()
    assert max(map(cell_len, lines[:-1])) <= min(max(width, 80), 140)
    assert lines[0].startswith("q-0 · L3 · shop · plan · train ──")
    assert "Question 0: which customers bought more than 2 of a thing?" in text
    assert '  2  "more than 2" asks for purchase.amount > 2: keep only those rows.' in lines
    assert [line for line in lines if line.startswith("  JOIN customer ON purchase.customer = customer.id")]
    assert [name for name in ("Bo", "Cy", "Di", "Ed", "Ada") if f"│ {name} " in text] == ["Bo", "Cy", "Di", "Ed"]
    beside = next(line for line in lines if "│ name │" in line).startswith("  FROM purchase")
    assert beside == (width >= 100)
    assert not steers(text)
    assert not [line for line in lines if line != line.rstrip()]


def test_which_ones_are_shown(run, capsys):
    assert shown_ids(printed(capsys, run)) == ["q-0", "q-1", "q-2"]
    assert shown_ids(printed(capsys, run, "-n", 2, "--level", "l1")) == ["q-1", "q-3"]
    assert shown_ids(printed(capsys, run, "--task", "q-7")) == ["q-7"]
    some = shown_ids(printed(capsys, run, "-n", 4, "--seed", 1))
    assert some == shown_ids(printed(capsys, run, "-n", 4, "--seed", 1)) == sorted(some)
    assert len({*some}) == 4 and some != shown_ids(printed(capsys, run, "-n", 4, "--seed", 2))
    everything = printed(capsys, run, "-n", 99)
    assert len(shown_ids(everything)) == 10
    assert everything.splitlines()[-1].startswith("10 of 10 traces in ")


def test_a_run_is_found_by_folder_name_and_config(run, capsys, monkeypatch):
    monkeypatch.chdir(run.parents[1])
    Path("shop.yaml").write_text(f"name: shop\nruns: {run.parent}\n")
    for given_as in (run, f"{run}/", run / "distill", "shop", "runs/shop", "shop.yaml"):
        assert shown_ids(printed(capsys, given_as, "-n", 1)) == ["q-0"]


def test_rejected_answers_are_shown_with_the_reason(run, capsys):
    text = printed(capsys, run, "--rejected")
    assert "✗ wrong rows: 0 rows, gold 2" in text and "Who is it?" in text and "no rows" in text
    assert "✗ form" in text and "I don't know, **sorry**." in text
    assert shown_ids(printed(capsys, run, "--rejected", "--level", "L1")) == ["q-78"]


def test_results_are_cut_to_what_can_be_read(run, database, capsys):
    many = "SELECT a.id, b.name FROM customer AS a, customer AS b"
    long = "SELECT name || '-' || replace(hex(zeroblob(100)), '0', 'ab') AS x, NULL AS y, x'0102' AS z FROM customer"
    wide = "SELECT " + ", ".join(f"{number} AS column_{number}" for number in range(40))
    rows = [row(number, database, messages=answered(sql)) for number, sql in enumerate((many, long, wide))]
    write_jsonl(run / "distill" / "traces.jsonl", rows)
    text = printed(capsys, run)
    assert "5 of 25 rows" in text and text.count("│ Ada ") == 5
    assert re.search(r"│ Ada-(ab)+a?… │ NULL │ 2 bytes │", text)
    assert "1 row, 40 columns" in text and "│ column_0 │" in text and re.search(r"│ \+3\d │", text)
    assert max(map(cell_len, text.splitlines()[:-1])) <= 80


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nam FROM customer", "error: no such column: nam"),
        ("DELETE FROM customer", "denied: "),
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT max(x) FROM n", "timeout: "),
        ("SELECT name FROM customer WHERE 0", "no rows"),
    ],
)
def test_sql_without_rows_says_what_came_of_it(sql, said, run, database, capsys):
    write_jsonl(run / "distill" / "traces.jsonl", [row(0, database, messages=answered(sql))])
    assert [line for line in printed(capsys, run).splitlines() if line.startswith(f"  {said}")]


def test_a_missing_database_is_said(run, capsys):
    write_jsonl(run / "distill" / "traces.jsonl", [row(0, "/nowhere/shop.sqlite")])
    text = printed(capsys, run)
    assert "not run: database '/nowhere/shop.sqlite'" in text and "FROM purchase" in text


def test_hostile_text_is_text(run, tmp_path, capsys):
    evil = HOSTILE.replace("\ud800", "")
    database = made(tmp_path / "evil.sqlite", 'CREATE TABLE t ("[bold]\x1b[1m" TEXT)', (evil,))
    fields = dict.fromkeys(("task_id", "split", "level", "teacher", "question", "evidence"), evil)
    traces = [
        row(0, str(database), **fields, messages=answered("SELECT * FROM t", f"1. Open {evil}")),
        row(1, f"/tmp/{evil}.sqlite", **fields, messages=answered(f"SELECT '{evil}' FROM t")),
    ]
    write_jsonl(run / "distill" / "traces.jsonl", traces)
    text = printed(capsys, run)
    assert not steers(text)
    assert text.count("[red]x[/red]") >= 8
    assert "[bold]�[1m" in text
    assert show([str(run), "--task", evil.upper()]) == 2
    assert not steers(capsys.readouterr().err)


FIELDS = st.text(max_size=60) | st.sampled_from([HOSTILE, "1. a\n  2) b\nStep 3: c\n- d", "漢字" * 40, "x" * 300])


@settings(max_examples=40)
@given(FIELDS, FIELDS, FIELDS, st.lists(st.lists(FIELDS | st.floats() | st.none(), min_size=3, max_size=3), max_size=7))
def test_any_text_makes_a_page(text, think, sql, rows):
    trace = Trace(think, sql)
    given = Shown(text, text, text, text, text, text, text, text, trace, text, text)
    result = Result("ok" if rows else "empty", (text, think, sql), tuple(map(tuple, rows)))
    for width in (80, 120):
        console = Console(width=width, highlight=False, markup=False, emoji=False)
        with console.capture() as captured:
            console.print(page(given, result, console))
        assert not steers(captured.get())
        assert max(map(cell_len, captured.get().split("\n"))) <= width


def test_steps_of_every_form_are_told_apart(run, database, capsys):
    think = "First, look.\nStep 1: open `Head Count`\n  2) nested\n- a point\n12. the last"
    write_jsonl(run / "distill" / "traces.jsonl", [row(0, database, messages=answered("SELECT 1", think))])
    lines = printed(capsys, run).splitlines()
    assert lines[4:9] == [
        "   •  First, look.", "   1  open `Head Count`", "   2    nested", "   •  a point", "  12  the last"
    ]  # fmt: skip
    sql_only = [{"role": "assistant", "content": "<sql>\nSELECT 1\n</sql>"}]
    write_jsonl(run / "distill" / "traces.jsonl", [row(0, database, messages=sql_only)])
    assert printed(capsys, run).splitlines()[4] == "  SELECT 1"
    assert parse(sql_only[0]["content"]) is None


@pytest.mark.parametrize(
    ("lines", "words", "said"),
    [
        ([], [], r"traces\.jsonl is empty: there are no traces"),
        ([row(0, "x")], ["--level", "L4"], r"has nothing of level L4; it has L3"),
        ([row(0, "x")], ["--task", "q-9"], r"has nothing of task 'q-9'; it has 'q-0' and others"),
        ([row(0, "x"), '{"task_id": "q-1", "mess'], [], r"traces\.jsonl:2: not JSON, perhaps cut off"),
        ([row(0, "x"), "[1]"], [], r"traces\.jsonl:2: a JSON list"),
        ([row(0, "x"), "{}"], [], r"traces\.jsonl:2: neither messages nor an answer"),
        ([row(0, "x", messages=7)], [], r"traces\.jsonl:1: neither messages nor an answer"),
    ],
)
def test_a_bad_file_is_one_line_and_status_2(lines, words, said, run, capsys):
    write_jsonl(run / "distill" / "traces.jsonl", [line for line in lines if isinstance(line, dict)])
    with open(run / "distill" / "traces.jsonl", "a") as file:
        file.writelines(line for line in lines if isinstance(line, str))
    assert show([str(run), *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert re.match(f"show: .*{said}", err)


def test_a_run_that_is_not_there_or_not_distilled(run, capsys):
    for given_as, said in ((run / "other", "no run "), (run.parent, "is missing: this run is not distilled yet")):
        assert show([str(given_as)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and said in err


@pytest.mark.parametrize("words", [["-n", "0"], ["-n", "x"], ["--level", "L5"]])
def test_bad_options_are_status_2(words, run, capsys):
    with pytest.raises(SystemExit) as end:
        show([str(run), *words])
    assert end.value.code == 2


@pytest.mark.parametrize(
    "sql",
    [
        SQL,
        "SELECT a, rank() OVER (PARTITION BY b ORDER BY c DESC) FROM (SELECT x FROM t WHERE y IS DISTINCT FROM w) AS q",
        "WITH a AS (SELECT count(*) AS n FROM people GROUP BY city HAVING n > 3) SELECT n FROM a UNION SELECT 'a  b'",
        "SELECT i FROM b WHERE (x IN (SELECT i FROM c WHERE d = 'from (' OR e = 2 OR f = 345678)) LIMIT 1",
        "SELECT name FROM a LEFT OUTER JOIN b ON a.i = b.i NATURAL LEFT JOIN c WHERE EXISTS (SELECT 1 FROM d)",
        "SELECT ((((", "SELECT 'not closed", ")) FROM (SELECT",
    ],
)  # fmt: skip
def test_lines_change_nothing_but_white_space(sql):
    broken = on_lines(sql, 10)
    assert "".join(broken.split()) == "".join(sql.split())
    if sql.startswith(("SELECT ((", "SELECT 'not", "))")):
        return
    assert "\n" in broken
    assert sqlglot.parse_one(broken, read="sqlite") == sqlglot.parse_one(sql, read="sqlite")


def test_the_command_is_light_and_a_closed_pipe_is_no_error(run):
    done = run_light("distill", "show", run)
    assert (done.returncode, done.stderr) == (0, "") and "Question 2" in done.stdout
    command = [sys.executable, "-m", "distill", "show", str(run), "-n", "10"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"q-0")
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait(timeout=60) == 0
    told = run_light("distill", "--help").stdout
    assert "python -m distill show RUN" in told and "--push REPO" in told
