"""The walls around SQLite, each tried without SQLite's own: what machine code in a worker could not do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import Limits, doctor, execute, pool
from sandbox.__main__ import main
from sandbox.guard import ALLOWED_FUNCTIONS
from tests.processes import ROOT

CONFINED = """
import os, resource, socket, sys, time, types
sys.path.insert(0, sys.argv[1])
from sandbox.confinement import confine, limit_memory, limit_time
layers = confine(os.getppid())
"""


def confined(program: str) -> subprocess.CompletedProcess:
    """Run a program with a worker's walls around it, and none of SQLite's."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", CONFINED + program, str(ROOT)], capture_output=True, text=True, timeout=20
    )


def has_landlock() -> bool:
    return pool.layers()["Landlock"].startswith("on")


def test_no_file_is_written_even_where_the_user_may(tmp_path):
    path = tmp_path / "new"
    for opened in (f"open({str(path)!r}, 'w').write('x' * 9999)", f"open({str(path)!r}, 'ab', 0).write(b'x')"):
        assert confined(opened).returncode != 0
        assert not path.exists() or path.stat().st_size == 0


@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock, or it is switched off")
@pytest.mark.parametrize(
    "program",
    [
        "os.unlink({path!r})",
        "os.truncate({path!r}, 0)",
        "os.rename({path!r}, {path!r} + '2')",
        "os.symlink({path!r}, {path!r} + '2')",
        "os.mkdir({path!r} + '2')",
        "os.listdir('/')",
        "os.execv('/bin/true', ['true'])",
        "socket.create_connection(('127.0.0.1', 9))",
    ],
)
def test_landlock_denies_what_is_not_reading_a_file(tmp_path, program):
    path = tmp_path / "data"
    path.write_text("here")
    done = confined(program.format(path=str(path)))
    assert "PermissionError" in done.stderr, done
    assert path.read_text() == "here" and os.listdir(tmp_path) == ["data"]


@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock, or it is switched off")
def test_landlock_lets_files_be_read(tmp_path):
    path = tmp_path / "data"
    path.write_text("here")
    assert confined(f"print(open({str(path)!r}).read())").stdout == "here\n"


def test_memory_and_cpu_time_end():
    assert "MemoryError" in confined("limit_memory(200 * 2**20); bytearray(300 * 2**20)").stderr
    busy = confined("resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass")
    assert busy.returncode < 0
    assert confined("limit_time(0.2)\nwhile True: pass").returncode == -14  # SIGALRM


def test_only_listed_functions_can_be_called(database):
    known = {row[0].lower() for row in execute(database, "SELECT name FROM pragma_function_list").rows}
    if not known:  # the list itself is not among what may be read
        import sqlite3

        known = {row[0].lower() for row in sqlite3.connect(":memory:").execute("SELECT name FROM pragma_function_list")}
    others = sorted(name for name in known - ALLOWED_FUNCTIONS if name.isidentifier())
    assert others
    for name in others:
        statuses = {execute(database, f"SELECT {name}({', '.join('1' * n)})").status for n in range(4)}
        assert statuses <= {"denied", "error"}, name


def test_every_wall_that_is_promised_stands(capsys):
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "all that the sandbox promises holds" in shown and "Landlock" in shown and "SQLite 3." in shown


def test_a_missing_wall_is_told(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "PROBES", (("writes nothing", "SELECT 1", Limits(), "denied"),))
    assert main(["doctor"]) == 1
    assert "does NOT hold: writes nothing" in capsys.readouterr().out


def test_workers_see_nothing_of_ours(database, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    pool.close_pool()
    execute(database, "SELECT 1")
    (worker,) = pool._pool.workers
    assert Path(f"/proc/{worker.process.pid}/environ").read_bytes() == b""
    assert Path(f"/proc/{worker.process.pid}/cwd").resolve() == Path("/")
    descriptors = os.listdir(f"/proc/{worker.process.pid}/fd")
    assert len(descriptors) <= 5  # stdin, stdout, stderr, the shared counter, the open database
