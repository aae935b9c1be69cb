"""configs.files and configs.screen: whole files, JSON lines that were cut, fingerprints, progress lines."""

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import screen
from configs.errors import ConfigError
from configs.files import (
    append_jsonl,
    file_fingerprint,
    fingerprint,
    read_json,
    read_jsonl,
    write_json,
    write_jsonl,
    write_whole,
)
from tests.processes import ROOT

ROWS = [{"a": 1}, {"b": "zwei\u2028drei\r\n", "c": [None, 1.5]}, {"d": "ü 日本"}]


def test_rows_come_back(tmp_path):
    write_jsonl(tmp_path / "deep" / "rows.jsonl", ROWS)
    assert read_jsonl(tmp_path / "deep" / "rows.jsonl") == ROWS


def test_appended_rows_come_back(tmp_path):
    for row in ROWS:
        append_jsonl(tmp_path / "rows.jsonl", row)
    assert read_jsonl(tmp_path / "rows.jsonl") == ROWS
    assert (tmp_path / "rows.jsonl").read_bytes().count(b"\n") == 3


def test_blank_lines_are_skipped(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n\n{"a": 2}\r\n\n')
    assert read_jsonl(tmp_path / "rows.jsonl") == [{"a": 1}, {"a": 2}]


@given(st.integers(0, 70))
def test_a_cut_file_is_refused_or_repaired_to_whole_rows(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "rows.jsonl"
    write_jsonl(path, ROWS)
    path.write_bytes(path.read_bytes()[:cut])
    repaired = read_jsonl(path, repair=True)
    assert repaired == ROWS[: len(repaired)]
    append_jsonl(path, {"after": 1})
    assert read_jsonl(path) == [*repaired, {"after": 1}]


def test_a_cut_last_line_names_file_line_and_cure(tmp_path):
    (tmp_path / "traces.jsonl").write_text('{"a": 1}\n{"a": "tw')
    with pytest.raises(
        ConfigError, match=r"traces\.jsonl:2: not JSON, perhaps cut off .*\{\"a\": \"tw.*delete this line"
    ):
        read_jsonl(tmp_path / "traces.jsonl")


def test_a_bad_line_in_the_middle_is_never_repaired(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\nnonsense\n{"a": 2}\n')
    with pytest.raises(ConfigError, match=r"rows\.jsonl:2"):
        read_jsonl(path, repair=True)
    assert path.read_text() == '{"a": 1}\nnonsense\n{"a": 2}\n'


@pytest.mark.parametrize("line", ["[1]", "3", '"x"', "null"])
def test_a_line_must_be_an_object(tmp_path, line):
    (tmp_path / "rows.jsonl").write_text(line + "\n")
    with pytest.raises(ConfigError, match="must be an object"):
        read_jsonl(tmp_path / "rows.jsonl")


def test_bytes_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b'{"a": "\xff\xfe"}\n')
    with pytest.raises(ConfigError, match=r"rows\.jsonl:1"):
        read_jsonl(tmp_path / "rows.jsonl")


@pytest.mark.parametrize("read", [read_json, read_jsonl])
def test_missing_file_and_folder_are_refused(tmp_path, read):
    with pytest.raises(ConfigError, match="is missing"):
        read(tmp_path / "nothing.jsonl")
    with pytest.raises(ConfigError, match="is a folder"):
        read(tmp_path)


def test_writing_leaves_nothing_beside_the_file(tmp_path):
    write_whole(tmp_path / "a.txt", "one\n")
    write_json(tmp_path / "a.txt", {"path": tmp_path})
    assert read_json(tmp_path / "a.txt") == {"path": str(tmp_path)}
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failed_write_keeps_the_old_file(tmp_path):
    write_jsonl(tmp_path / "rows.jsonl", ROWS)
    with pytest.raises(TypeError, match="object"):
        write_jsonl(tmp_path / "rows.jsonl", [{"a": 1}, {"a": object()}])
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "rows.jsonl", "half \ud800")
    assert read_jsonl(tmp_path / "rows.jsonl") == ROWS
    assert os.listdir(tmp_path) == ["rows.jsonl"]


def test_kill_9_while_writing_leaves_the_old_or_the_new_file(tmp_path):
    path = tmp_path / "big.txt"
    write_whole(path, "0" * 4_000_000)
    code = (
        "import sys; from configs.files import write_whole\n"
        "for n in range(1, 10_000): write_whole(sys.argv[1], str(n % 10) * 4_000_000)"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT)
    start = time.monotonic()
    while path.read_text()[:1] == "0" and time.monotonic() - start < 20:
        time.sleep(0.01)
    writer.kill()
    writer.wait()
    text = path.read_text()
    assert len(text) == 4_000_000 and len(set(text)) == 1 and text[0] != "0"


def test_fingerprint_depends_on_values_not_on_key_order():
    assert fingerprint({"x": 1, "y": (2, 3)}) == fingerprint({"y": [2, 3], "x": 1})
    assert fingerprint(1) != fingerprint("1")
    assert len(fingerprint()) == 64


def test_a_folders_fingerprint_sees_names_and_bytes_but_no_hidden_files(tmp_path):
    write_whole(tmp_path / "adapter" / "weights.bin", "1")
    first = file_fingerprint(tmp_path / "adapter")
    write_whole(tmp_path / "adapter" / ".cache" / "x", "1")
    assert file_fingerprint(tmp_path / "adapter") == first
    write_whole(tmp_path / "adapter" / "weights.bin", "2")
    changed = file_fingerprint(tmp_path / "adapter")
    (tmp_path / "adapter" / "weights.bin").rename(tmp_path / "adapter" / "other.bin")
    assert len({first, changed, file_fingerprint(tmp_path / "adapter")}) == 3


def test_progress_in_a_log_is_a_line_at_the_start_now_and_then_and_at_the_end(monkeypatch, capsys):
    monkeypatch.setattr(screen, "console", screen.Console(stderr=True, force_terminal=False, width=40))
    now = iter([0.0, 10.0, 31.0, 40.0, 100.0])
    monkeypatch.setattr(screen.time, "monotonic", lambda: next(now))
    with screen.progress("Traces [bold]", 4) as advance:
        advance()
        advance()
        advance(2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "Traces [bold]: 4 …",
        "Traces [bold]: 2 of 4, 16 s each, 0:31 elapsed, 0:31 left",
        "Traces [bold]: 4 of 4 in 1:40, 25 s each",
    ]


def test_progress_says_how_far_it_came_when_it_is_stopped(capsys, monkeypatch):
    monkeypatch.setattr(screen, "console", screen.Console(stderr=True, force_terminal=False))
    with pytest.raises(KeyboardInterrupt), screen.progress("Traces", 9) as advance:
        advance(3)
        raise KeyboardInterrupt
    assert "Traces: 3 of 9 in 0:00" in capsys.readouterr().err


def test_progress_on_a_terminal_shows_count_and_rate(monkeypatch, capsys):
    monkeypatch.setattr(screen, "console", screen.Console(stderr=True, force_terminal=True, width=120))
    with screen.progress("Traces", 3) as advance:
        advance()
        advance(2)
    shown = capsys.readouterr().err
    assert "3/3" in shown and "/s" in shown
