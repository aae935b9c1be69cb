"""Where questions come from, and what a loader hands on before the gold SQL is checked."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configs.errors import ConfigError
from configs.schema import Data
from configs.screen import say


@dataclass(frozen=True)
class Source:
    """One part of the data: `key` is the config key whose value `path` is, named in every error."""

    key: str
    path: str
    part: Literal["train", "test"]
    data: Data


@dataclass(frozen=True)
class Question:
    """A question as its publisher wrote it: nothing is known yet about its gold SQL."""

    task_id: str
    question: str
    evidence: str
    gold_sql: str
    database: str
    difficulty: str = ""


MISSING = "database file is missing"
NAMED = 3
"""Missing databases that are named."""
Found = tuple[list[Question], Counter[str]]
"""The questions of a source, and how many were left out for which reason."""


def existing_path(source: Source) -> Path:
    """Return the path of a source that must be there."""
    path = Path(source.path).expanduser()
    if not path.exists():
        raise ConfigError(
            f"{source.key}: {source.path} does not exist; give the path of your {source.data.source} data"
        )
    return path


def pick_files(source: Source, names: Mapping[str, tuple[tuple[str, ...], ...]]) -> list[Path]:
    """Return the JSON files to read: the file that the path names, or the first set found in its folder.

    names: for each part, sets of file names in order of preference; a set is there if one of its files is.
    """
    path = existing_path(source)
    if path.is_file():
        return [path]
    for wanted in names[source.part]:
        if found := [path / name for name in wanted if (path / name).is_file()]:
            return found
    looked_for = ", ".join(name for wanted in names[source.part] for name in wanted)
    raise ConfigError(f"{source.key}: {path} holds none of {looked_for}; name the folder or the JSON file itself")


def read_items(
    source: Source, file: Path, needed: tuple[str, ...], else_under: Mapping[str, str] | None = None
) -> list[dict[str, object]]:
    """Return the objects of a published JSON list, each of which has the `needed` keys, as texts.

    else_under: for a needed key another one, whose text is taken where the first is missing.
    """
    try:
        items = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ConfigError(f"{source.key}: {file} is not JSON ({error}); fetch the file again") from error
    if not isinstance(items, list):
        raise ConfigError(f"{source.key}: {file} is not a JSON list of questions; name another file")
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise ConfigError(f"{source.key}: {file}: item {number} is not an object; name another file")
        for name, other in (else_under or {}).items():
            if name not in item and other in item:
                item[name] = item[other]
        for name in needed:
            if not isinstance(item.get(name), str):
                there = ", ".join(sorted(item))
                raise ConfigError(f"{source.key}: {file}: item {number} has no text {name!r}; it has {there}")
    return items


def read_published(
    source: Source,
    files: list[Path],
    databases: tuple[str, ...],
    sql: str,
    number_under: str = "",
    else_under: Mapping[str, str] | None = None,
) -> Found:
    """Return the questions of published JSON files, and how many lack their database, which are named on stderr.

    databases: where these may be, seen from a file's folder; first of all they are looked for in data.databases.
    sql, number_under: the keys of the gold query, and of a number that is the question's own.
    else_under: as for `read_items`.
    """
    questions, missing = [], Counter()
    for file in files:
        folders = _database_folders(source, file.parent, databases)
        for place, item in enumerate(read_items(source, file, ("db_id", sql, "question"), else_under)):
            database = _find_database(folders, item["db_id"])
            if database is None:
                missing[item["db_id"]] += 1
                continue
            task_id = f"{file.stem}-{item.get(number_under, place)}"
            texts = (task_id, item["question"], str(item.get("evidence") or ""), item[sql], str(database))
            questions.append(Question(*texts, difficulty_of(item)))
    if missing and not questions:
        raise _no_databases(source, folders)
    if missing:
        named = ", ".join(list(missing)[:NAMED]) + (", …" if len(missing) > NAMED else "")
        say(
            f"  {source.key}: {missing.total()} questions are left out, as {len(missing)} databases are missing "
            f"({named}); data.databases names a folder that has them"
        )
    return questions, +Counter({MISSING: missing.total()})


def _database_folders(source: Source, folder: Path, published: tuple[str, ...]) -> list[Path]:
    """Return where to look for databases: in data.databases, if it is given, then where they are published."""
    given = source.data.databases
    beside = [(folder / name).resolve() if name.startswith("..") else folder / name for name in published]
    return [*([Path(given).expanduser()] if given else []), *beside]


def _find_database(folders: list[Path], name: str) -> Path | None:
    """Return FOLDER/NAME/NAME.sqlite, or FOLDER/NAME.sqlite, in the first folder that has it."""
    candidates = (path for folder in folders for path in (folder / name / f"{name}.sqlite", folder / f"{name}.sqlite"))
    return next((path for path in candidates if path.is_file()), None)


def difficulty_of(item: Mapping[str, object]) -> str:
    """Return what the publisher says of a question's difficulty, in whatever words; empty for nothing.

    >>> difficulty_of({"hardness": "extra"}), difficulty_of({"difficulty": None}), difficulty_of({"difficulty": 2})
    ('extra', '', '2')
    """
    said = item.get("difficulty", item.get("hardness"))
    return "" if said is None else str(said)


def _no_databases(source: Source, folders: list[Path]) -> ConfigError:
    """Return the error for a source none of whose databases is there."""
    if packed := [zipped for folder in folders if (zipped := folder.with_name(f"{folder.name}.zip")).is_file()]:
        return ConfigError(f"{source.key}: no database found, but {packed[0]}; unpack it where it is")
    parents = list(dict.fromkeys(folder.parent for folder in folders))
    looked_in = "; ".join(
        f"{', '.join(folder.name for folder in folders if folder.parent == parent)} of {parent}" for parent in parents
    )
    return ConfigError(
        f"{source.key}: no database found; NAME/NAME.sqlite files are expected in {looked_in}; "
        "data.databases names another folder"
    )
