"""What was found out once about a data source and need not be found out again."""

from pathlib import Path

from configs.errors import ConfigError
from configs.files import append_jsonl, fingerprint, read_jsonl
from configs.paths import cache_folder


class Memory:
    """Answers by key, kept in a cache file; what is told in batches survives a kill."""

    def __init__(self, *about: object) -> None:
        self._file = cache_folder() / "gold" / f"{fingerprint(*about)}.jsonl"
        self._answers = _read(self._file)

    def __contains__(self, key: str) -> bool:
        return key in self._answers

    def __getitem__(self, key: str):
        return self._answers[key]

    def tell(self, answers: dict[str, object]) -> None:
        """Keep `answers` for now and for the next time."""
        if answers:
            self._answers |= answers
            append_jsonl(self._file, answers)


def _read(file: Path) -> dict[str, object]:
    """Return what the cache file holds; one that was damaged is dropped: all of it can be found out again."""
    if not file.exists():
        return {}
    answers: dict[str, object] = {}
    try:
        for row in read_jsonl(file, repair=True):
            answers |= row
    except ConfigError:
        file.unlink(missing_ok=True)
        return {}
    return answers
