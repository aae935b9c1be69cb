"""What the databases of questions are called."""

from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from tasks.task import Task


def database_names(tasks: Sequence[Task]) -> dict[str, str]:
    """Return a name for each database, on one line: its file's, with a number behind it where another has that.

    >>> one, other = (Task("", "", "", "", f"/{folder}/shop.sqlite", "L1") for folder in "ab")
    >>> database_names([one, other])
    {'/a/shop.sqlite': 'shop', '/b/shop.sqlite': 'shop-2'}
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for path in dict.fromkeys(task.database for task in tasks):
        stem = " ".join(Path(path).stem.encode("utf-8", "replace").decode().split()) or "database"
        names[path] = next(name for name in chain([stem], (f"{stem}-{n}" for n in count(2))) if name not in taken)
        taken.add(names[path])
    return names
