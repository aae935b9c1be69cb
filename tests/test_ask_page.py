"""What `python -m evaluation ask` prints of a reply: for people, at any width and of any text, and as JSON."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len

from evaluation.ask.page import reply_page
from evaluation.ask.reply import as_object, read_reply
from evaluation.ask.source import find_source
from models.said import Answer
from tasks.show import page_screen, print_page
from tasks.trace import render
from tests.singers import made

HOSTILE = "[red]x[/red] [/] \x1b[2J\x1b]0;title\x07 \u202egnp.exe"


def replied(text: str, database: Path, **stopped: bool):
    """Return the reply that an answer of that text makes."""
    source = find_source("tiny")
    return read_reply("Who?", Answer(text, 20, 1.25, **{"stopped": True} | stopped), str(database), source.cfg), source


def page_of(text: str, database: Path, width: int, rows: int, capsys, monkeypatch, **stopped: bool) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    reply, source = replied(text, database, **stopped)
    screen = page_screen()
    print_page(reply_page(reply, source, screen.width, rows), screen)
    lines = capsys.readouterr().out.rstrip("\n").splitlines()
    assert max(map(cell_len, lines)) <= max(width, 80)
    return lines


def steers(text: str) -> set[str]:
    """Return the characters that a terminal would obey."""
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char != "\n"}


def test_a_page_has_plan_sql_rows_and_what_they_took(shop, capsys, monkeypatch):
    sql = "SELECT name, age, NULL AS gone FROM customer ORDER BY name"
    plan = "1. Open customer, in which a great many words on what is asked must be said so that the line is too long.\n"
    lines = page_of(render(plan + "2. Deliver customer.name.", sql), shop, 80, 2, capsys, monkeypatch)
    assert lines[0].startswith("  1  Open customer, in which") and lines[1].startswith("     ")
    assert "  2  Deliver customer.name." in lines and f"  {sql}" in lines
    assert re.fullmatch(r"  │ Ada  │ +\d+ │ +NULL │", lines[-5]), lines
    assert lines[-3].startswith("  ╰") and lines[-2].endswith("… 3 more rows") and "Cy" not in "".join(lines)
    assert re.fullmatch(r"  5 rows in <?[\d.]+ ms · tiny: 20 tokens in 1\.2 s", lines[-1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (render("Open it.", "SELECT nam FROM customer"), "error: no such column: nam · tiny: 20 tokens in 1.2 s"),
        (render("Open it.", "DROP TABLE customer"), "denied: DROP is not allowed"),
        (render("Open it.", "SELECT 1 WHERE 0"), "no rows in "),
        ("I don't know.", "the answer has no SQL in it · tiny"),
        ("```sql\nSELECT 1\n```", " · not in the form that was asked for"),
    ],
)
def test_what_came_of_a_query_is_said(text, said, shop, capsys, monkeypatch):
    lines = page_of(text, shop, 140, 20, capsys, monkeypatch)
    assert said in lines[-1]
    assert (lines[0].strip() == "I don't know.") == text.startswith("I")


def test_an_answer_that_was_cut_off_is_said(shop, capsys, monkeypatch):
    lines = page_of("<think>\nopen cust", shop, 140, 20, capsys, monkeypatch, stopped=False)
    assert lines[0].strip() == "open cust" and lines[-1].endswith("cut off at evaluation.max_new_tokens = 512")


def test_few_rows_too_wide_for_a_table_stand_line_by_line(shop, capsys, monkeypatch):
    wide = ", ".join(f"'{'y' * number} {number}' AS column_{number}" for number in range(40))
    sql = f"SELECT {wide}, printf('%.*c', 500, 'x') AS long"
    lines = page_of(render("Open it.", sql), shop, 80, 20, capsys, monkeypatch)
    assert "│ column_39 │ yyyyyyy" in "\n".join(lines) and any(re.search(r"│ long +│ x+… │", line) for line in lines)
    many = page_of(render("Open it.", sql + f" UNION ALL SELECT {wide}, 1" * 4), shop, 80, 20, capsys, monkeypatch)
    assert any(re.search(r"│ \+\d+ │", line) for line in many)


def test_hostile_text_is_text(tmp_path, capsys, monkeypatch):
    database = made(tmp_path / "evil.sqlite", 'CREATE TABLE t ("[bold]\x1b[1m" TEXT)', (HOSTILE,))
    for text in (render(f"1. Open {HOSTILE}", f"SELECT *, '{HOSTILE}' AS x FROM t"), HOSTILE):
        shown = "\n".join(page_of(text, database, 140, 20, capsys, monkeypatch))
        assert not steers(shown) and "[red]x[/red]" in shown
    assert "[bold]�[1m" in "\n".join(page_of(render("x", "SELECT * FROM t"), database, 80, 20, capsys, monkeypatch))


def test_json_has_all_that_a_script_needs(shop):
    sql = "SELECT 1 AS a, x'0aff' AS b, 9e999 AS c, NULL AS d, 'é' AS e UNION ALL SELECT 2, 1, 0.5, 1, 1"
    told = json.loads(json.dumps(as_object(replied(render("Open it.", sql), shop)[0], "tiny"), allow_nan=False))
    assert told == {
        "model": "tiny", "question": "Who?", "plan": "Open it.", "sql": sql, "form": True, "status": "ok",
        "message": "", "columns": ["a", "b", "c", "d", "e"],
        "rows": [[1, "x'0aff'", "inf", None, "é"], [2, 1, 0.5, 1, 1]], "tokens": 20, "seconds": 1.25, "stopped": True,
    }  # fmt: skip
    nothing = as_object(replied("No idea.", shop)[0], "tiny")
    assert (nothing["plan"], nothing["sql"], nothing["status"], nothing["rows"]) == ("No idea.", None, "no_sql", [])
