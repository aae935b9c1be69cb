"""KaggleDBQA (Lee et al., ACL 2021), read from the folder as published (Chia-Hsuan-Lee/KaggleDBQA).

It has examples/NAME_fewshot.json and examples/NAME_test.json for each of eight databases, and their files in
databases/NAME/NAME.sqlite.  Both parts ask about the same databases: the few-shot questions are there to learn from.
"""

from pathlib import Path

from configs.errors import ConfigError
from tasks.source import Found, Source, existing_path, read_published

_FILES = {"train": "*_fewshot.json", "test": "*_test.json"}
_DATABASES = ("../databases",)


def read_kaggledbqa(source: Source) -> Found:
    """Return the few-shot questions as the training part, or the test questions.

    `path` is the folder with `examples`, or one of the JSON files in there, which is then read whatever its part.
    """
    return read_published(source, _files(source), _DATABASES, "query")


def _files(source: Source) -> list[Path]:
    path = existing_path(source)
    if path.is_file():
        return [path]
    wanted = _FILES[source.part]
    if found := sorted((path / "examples").glob(wanted)) or sorted(path.glob(wanted)):
        return found
    raise ConfigError(f"{source.key}: {path} holds no examples/{wanted}; name the folder or one JSON file in there")
