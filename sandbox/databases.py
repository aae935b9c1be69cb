"""From what a task calls its database, a path or a script, to a SQLite file that is safe to open."""

import hashlib
import os
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from urllib.parse import quote

from configs.errors import ConfigError
from configs.paths import cache_folder
from sandbox.once import make_once
from sandbox.pool import build
from sandbox.result import Limits

HEADER = b"SQLite format 3\0"
BUILD_LIMITS = Limits(timeout_s=30.0, memory_mb=1024, max_steps=5_000_000_000)
SCRIPT = re.compile(r"\bcreate\s+(?:temp\s+|temporary\s+)?table\b[^(]*\(", re.IGNORECASE)


@dataclass(frozen=True)
class Database:
    """A SQLite file as it was when it was looked at; a changed file is another Database."""

    path: str
    changed_ns: int
    size_bytes: int
    inode: int

    def __hash__(self) -> int:
        return hash(self.path)  # a text remembers its hash, and batches hash a lot

    @property
    def key(self) -> tuple[str, int, int, int]:
        """What a worker knows an open connection by."""
        return self.path, self.changed_ns, self.size_bytes, self.inode

    @cached_property
    def uri(self) -> str:
        """The address under which SQLite opens the file to read it and nothing else."""
        return f"file://{quote(os.fsencode(self.path))}?mode=ro&immutable=1"


def is_script(database: str | Path) -> bool:
    """Return whether `database` is a script of DDL and rows rather than a path.

    >>> is_script("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)"), is_script("data/create table.sqlite")
    (True, False)
    """
    return isinstance(database, str) and SCRIPT.search(database) is not None


def locate(database: str | Path) -> Database:
    """Return the SQLite file behind a path or a script; ConfigError where there is none."""
    path = database_file(database) if is_script(database) else database
    shown = str(path) if len(str(path)) <= 200 else f"{str(path)[:200]}…"
    try:
        path = os.path.abspath(path)
        found = os.stat(path)
    except (OSError, ValueError):
        raise ConfigError(
            f"database {shown!r}: no such file; give a SQLite file, or a script with CREATE TABLE"
        ) from None
    located = Database(path, found.st_mtime_ns, found.st_size, found.st_ino)
    _check(located)
    return located


@lru_cache(maxsize=4096)
def _check(database: Database) -> None:
    """Raise ConfigError where the file cannot be a SQLite database; remembered until the file changes."""
    path = database.path
    if os.path.isdir(path):
        raise ConfigError(f"database {path!r} is a folder; give the SQLite file in it")
    if not os.path.isfile(path):
        raise ConfigError(f"database {path!r} is not a plain file; give a SQLite file")
    try:
        with open(path, "rb") as file:
            header = file.read(len(HEADER))
    except OSError as error:
        raise ConfigError(f"database {path!r} cannot be read: {error.strerror}") from None
    if header != HEADER:
        what = "is an empty file" if not header else "is not a SQLite database (its first 16 bytes say so)"
        raise ConfigError(f"database {path!r} {what}; give a SQLite file, or a script with CREATE TABLE")
    wal = f"{path}-wal"
    if os.path.exists(wal) and os.path.getsize(wal):
        raise ConfigError(
            f"database {path!r} has changes waiting in {os.path.basename(wal)!r}, which a reader would miss; "
            "run PRAGMA wal_checkpoint(TRUNCATE) on it first"
        )


def database_file(script: str) -> Path:
    """Return the SQLite file that `script`, DDL and rows, makes; it is built once and kept in the cache.

    A worker builds it in memory, under limits: 30 s, 64 MiB, no ATTACH, no PRAGMA, no virtual tables.
    The file is written whole or not at all, and by one process however many ask.  A script that fails is a
    ConfigError.
    """
    name = hashlib.sha256(script.encode("utf-8", "surrogatepass")).hexdigest()
    file = cache_folder().absolute() / "databases" / f"{name}.sqlite"
    if not file.exists():
        try:
            make_once(file, lambda aside: aside.write_bytes(_build(script)))
        except OSError as error:
            raise ConfigError(
                f"cannot write the database cache {str(file.parent)!r}: {error.strerror}; "
                "set PLANQL_CACHE to a folder that can be written"
            ) from None
    return file


def _build(script: str) -> bytes:
    """Return the bytes of the database that `script` makes."""
    reply = build({"do": "build", "script": script} | vars(BUILD_LIMITS))
    if "image" in reply:
        return reply["image"]
    start = " ".join(script.split())[:80]
    raise ConfigError(f"database script {start!r}…: {reply['unusable']}; give DDL and rows that SQLite runs")
