"""Predictions in another order than the questions: told, where the tables they ask for show it."""

import json
from pathlib import Path

import pytest

from sandbox.__main__ import main
from sandbox.predictions import judge_files
from tests.singers import SCRIPT, made

GOLD = """\
SELECT name FROM singer\tmusic
SELECT name FROM city\ttowns
SELECT 1 FROM city\ttowns
SELECT 1 FROM song\tmusic
"""
TURNED = ["SELECT name FROM city", "SELECT title FROM song", "SELECT name FROM Singer", "SELECT name FROM singer"]


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    """A gold file over two databases, and a file for predictions."""
    made(tmp_path / "music.sqlite", SCRIPT)
    made(tmp_path / "towns.sqlite", "CREATE TABLE city (name TEXT)")
    (tmp_path / "gold.sql").write_text(GOLD)
    return {"predictions": tmp_path / "p.txt", "gold": tmp_path / "gold.sql", "databases": tmp_path}


def warning(files: dict[str, Path], sqls: list[str]) -> str:
    files["predictions"].write_text("\n".join(sqls))
    return judge_files(**files)["warning"]


def test_another_order_is_told_though_the_files_fit_in_number(files):
    told = warning(files, TURNED)
    assert told.startswith("3 of 3 predictions that fail ask for tables that their own database lacks")
    assert "line 1 asks for city, of towns; line 2 asks for song, of music; line 3 asks for Singer, of music" in told


@pytest.mark.parametrize(
    "sqls",
    [
        [line.partition("\t")[0] for line in GOLD.splitlines()],
        ["SELECT 1 FROM city", "SELECT 1 FROM song", "SELECT 1 FROM people", "SELECT 1 FROM song"],  # only two
        ["SELECT 1 FROM a", "SELECT 1 FROM b", "SELECT 1 FROM c", "SELECT 1 FROM d"],  # no one's
        ["SELECT 1 FROM city", "SELECT 1 FROM", "SELECT 1 FROM", "SELECT 1 FROM city"],  # other mistakes
    ],
)
def test_other_failures_are_no_sign_of_another_order(files, sqls):
    assert warning(files, sqls) == ""


def test_the_command_warns_and_still_prints_one_summary(files, capsys):
    told = warning(files, TURNED)
    assert main(["judge", *(word for name, path in files.items() for word in (f"--{name}", str(path)))]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[-1])["warning"] == told
    assert err == f"warning: {told}\n"
