"""Where questions come from, and what a loader hands on before the gold SQL is checked."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configs.errors import ConfigError
from configs.schema import Data


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


def read_items(source: Source, file: Path, needed: tuple[str, ...]) -> list[dict[str, object]]:
    """Return the objects of a published JSON list, each of which has the `needed` keys, as texts."""
    try:
        items = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ConfigError(f"{source.key}: {file} is not JSON ({error}); fetch the file again") from error
    if not isinstance(items, list):
        raise ConfigError(f"{source.key}: {file} is not a JSON list of questions; name another file")
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise ConfigError(f"{source.key}: {file}: item {number} is not an object; name another file")
        for name in needed:
            if not isinstance(item.get(name), str):
                there = ", ".join(sorted(item))
                raise ConfigError(f"{source.key}: {file}: item {number} has no text {name!r}; it has {there}")
    return items


def find_database(folders: list[Path], name: str) -> Path | None:
    """Return FOLDER/NAME/NAME.sqlite in the first folder that has it."""
    candidates = (folder / name / f"{name}.sqlite" for folder in folders)
    return next((path for path in candidates if path.is_file()), None)


def no_databases(source: Source, folders: list[Path]) -> ConfigError:
    """Return the error for a source none of whose databases is there."""
    looked_in = " or ".join(str(folder) for folder in folders)
    return ConfigError(f"{source.key}: no database found; NAME/NAME.sqlite files are expected in {looked_in}")
