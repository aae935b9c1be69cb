"""Files that are whole or not there, JSON lines that survive a kill, and fingerprints of both."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from configs.errors import ConfigError

PARTIAL = ".partial-"


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write `content` to `path` whole: aside in the same folder, then renamed over what was there."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}{PARTIAL}{os.getpid()}")
    try:
        with open(aside, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
            file.flush()
            os.fsync(file.fileno())  # else a power cut can leave the new name on an empty file
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: str | Path, data: object) -> None:
    """Write `data` to `path` as indented JSON, whole."""
    write_whole(path, _encoded(json.dumps(data, indent=2, ensure_ascii=False, default=_plain)))


def write_jsonl(path: str | Path, rows: Iterable[dict]) -> None:
    """Write `rows` to `path`, one JSON object a line, whole."""
    write_whole(path, b"".join(_line(row) for row in rows))


def append_jsonl(path: str | Path, row: dict) -> None:
    """Add `row` as the last line of `path` in one write; a kill can cut this line and no other."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab", buffering=0) as file:
        file.write(_line(row))


def read_jsonl(path: str | Path, *, repair: bool = False) -> list[dict]:
    """Return the objects of a JSON lines file; blank lines are skipped.

    repair: a last line that a kill cut short is dropped and the file rewritten without it, so that the next
    `append_jsonl` starts on a line of its own.  Every other bad line is a ConfigError all the same.
    """
    path = Path(path)
    # Split as bytes: str.splitlines would also split at U+2028 inside a string.
    *lines, last = _read(path).split(b"\n")
    rows = [_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not last.strip():
        return rows
    try:
        rows.append(_row(path, len(lines) + 1, last))
    except ConfigError:
        if not repair:
            raise
    if repair:
        write_jsonl(path, rows)
    return rows


def read_json(path: str | Path) -> dict:
    """Return the object that a JSON file holds."""
    path = Path(path)
    try:
        data = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON ({error}); delete it and run what writes it again") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: holds a JSON {type(data).__name__}, not an object")
    return data


def as_json(value: object) -> Any:
    """Return `value` as it would come back from a JSON file: tuples as lists, paths as text.

    >>> as_json({"a": (1, 2)})
    {'a': [1, 2]}
    """
    return json.loads(json.dumps(value, default=_plain))


def fingerprint(*parts: object) -> str:
    """Return the SHA-256 of `parts` as canonical JSON: equal values give equal fingerprints.

    >>> fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    True
    >>> fingerprint("ab", "c") == fingerprint("a", "bc")
    False
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_fingerprint(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, or of the names and bytes in a folder, hidden files excepted."""
    path = Path(path)
    if not path.exists():
        raise ConfigError(f"{path} is missing")
    if path.is_dir():
        names = sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file())
        seen = [name for name in names if not any(part.startswith(".") for part in name.parts)]
        return fingerprint([(name.as_posix(), file_fingerprint(path / name)) for name in seen])
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; a file is needed")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from None


def _line(row: dict) -> bytes:
    return _encoded(json.dumps(row, ensure_ascii=False, default=_plain))


def _encoded(text: str) -> bytes:
    """Return the bytes of JSON; half a surrogate pair, which is no UTF-8, is spelled as JSON does: \\ud800."""
    return f"{text}\n".encode("utf-8", "backslashreplace")


def _row(path: Path, number: int, line: bytes) -> dict:
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError among them
        shown = line[:60].decode("utf-8", "replace")
        raise ConfigError(
            f"{path}:{number}: not JSON, perhaps cut off ({error}): {shown!r}; "
            "delete this line, or the file, and run the step that writes it again"
        ) from None
    if not isinstance(row, dict):
        raise ConfigError(f"{path}:{number}: a JSON {type(row).__name__}; each line must be an object {{…}}")
    return row


def _plain(value: object) -> object:
    """Return a path as its text; everything else that JSON doesn't know is our bug."""
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} can't be written as JSON: {value!r}")
