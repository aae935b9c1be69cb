"""Text files that others wrote: read as UTF-8, or refused with the name of what they are and the cure."""

import codecs
import json
import shlex
from collections import Counter
from pathlib import Path

from configs.errors import ConfigError

LOOKED_AT = 4096
"""Bytes of a file in which UTF-16 without its mark is looked for."""


def read_text(file: Path) -> str:
    """Return the text of a UTF-8 file, with or without its mark, every line end as a line feed."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}; give the path of a text file") from None
    if found := _wide_encoding(raw):
        raise ConfigError(f"{file} is {found} text, not UTF-8; {_cure(found, file)}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file} is not UTF-8 text ({error.reason} at byte {error.start}) but perhaps Latin-1 or Windows-1252; "
            f"{_cure('WINDOWS-1252', file)}"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_json(text: str) -> bool:
    """Return whether a text would be JSON's object or list, if it is JSON."""
    return text.lstrip().startswith(("{", "["))


def read_json_text(file: Path, text: str) -> object:
    """Return what the text of a JSON file holds, a list for one object a line; a key twice is a ConfigError."""

    def once(items: list[tuple[str, object]]) -> dict:
        twice = [key for key, times in Counter(key for key, _ in items).items() if times > 1]
        if twice:
            others = f", and {len(twice) - 1} others" if len(twice) > 1 else ""
            raise ConfigError(f"{file}: the key {twice[0]!r} is there twice{others}; keep one of the two")
        return dict(items)

    try:
        if _is_lines(text):
            return [json.loads(line, object_pairs_hook=once) for line in text.split("\n") if line.strip()]
        return json.loads(text, object_pairs_hook=once)
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not JSON ({error}); write the file again") from None


def _is_lines(text: str) -> bool:
    r"""Tell whether a text is JSON lines: an object stands whole on its first line, and more follow.

    >>> _is_lines('{"a": 1}\n{"a": 2}'), _is_lines('{"a": 1}'), _is_lines('{\n"a": 1}'), _is_lines('[\n]')
    (True, False, False, False)
    """
    first, _, rest = text.strip().partition("\n")
    return first.startswith("{") and first.rstrip().endswith("}") and rest.lstrip().startswith("{")


def _wide_encoding(raw: bytes) -> str:
    r"""Return the name of an encoding of two or four bytes a letter; empty where it is none.

    >>> _wide_encoding("a, b".encode("utf-16")), _wide_encoding("a, b".encode("utf-16-be")), _wide_encoding(b"a\0bc")
    ('UTF-16', 'UTF-16BE', '')
    """
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    even, odd = (raw[start:LOOKED_AT:2].count(0) for start in (0, 1))
    if even + odd <= len(raw[:LOOKED_AT]) // 3:
        return ""
    return "UTF-16BE" if even > odd else "UTF-16LE"


def _cure(encoding: str, file: Path) -> str:
    return f"convert it: iconv -f {encoding} -t UTF-8 {shlex.quote(str(file))} > utf-8.txt"
