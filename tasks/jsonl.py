"""Anyone's questions: a JSON lines file whose columns are named in the config."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_jsonl
from sandbox import database_file
from tasks.source import Found, Question, Source, existing_path

_OURS = ("question", "gold_sql", "database", "script", "evidence", "task_id")
BAD_SCRIPT = "script does not build a database"


def read_own(source: Source) -> Found:
    """Return the questions of a JSONL file; a row names its database, or holds the script of one."""
    file = existing_path(source)
    columns = _columns(source)
    questions, dropped = [], Counter()
    for number, row in _numbered_rows(source, file):
        cell = _Row(source, file, number, row, columns)
        database = _database(cell)
        if database is None:
            dropped[BAD_SCRIPT] += 1
            continue
        task_id = cell.optional("task_id") or f"{file.stem}-{number}"
        texts = (cell.text("question"), cell.optional("evidence"), cell.text("gold_sql"))
        questions.append(Question(task_id, *texts, database))
    return questions, dropped


@dataclass(frozen=True)
class _Row:
    """One line of the file, read by our column names; what is missing is told with the line number."""

    source: Source
    file: Path
    number: int
    row: dict[str, object]
    columns: dict[str, str]

    def text(self, ours: str) -> str:
        """Return the text of a column that must be there."""
        theirs = self.columns[ours]
        value = self.row.get(theirs)
        if not isinstance(value, str) or not value.strip():
            raise self.error(
                f"no text in column {theirs!r} for {ours}; columns there: {', '.join(sorted(self.row))}; "
                f"map it with data.columns.{ours}"
            )
        return value

    def optional(self, ours: str) -> str:
        """Return a column as text, '' where it is missing or null; one that the config maps must be there."""
        theirs = self.columns[ours]
        if theirs not in self.row and ours in self.source.data.columns:
            return self.text(ours)
        value = self.row.get(theirs)
        return "" if value is None else str(value)

    def error(self, what: str) -> ConfigError:
        """Return the error that points at this line."""
        return ConfigError(f"{self.source.key}: {self.file}:{self.number}: {what}")


def _columns(source: Source) -> dict[str, str]:
    if unknown := sorted(source.data.columns.keys() - set(_OURS)):
        raise ConfigError(
            f"data.columns: {', '.join(unknown)} is no column of ours; allowed: {', '.join(_OURS)}"
        )
    return {name: source.data.columns.get(name, name) for name in _OURS}


def _numbered_rows(source: Source, file: Path) -> list[tuple[int, dict]]:
    try:
        rows = read_jsonl(file)
    except ConfigError as error:
        raise ConfigError(f"{source.key}: {error}") from None
    lines = file.read_bytes().split(b"\n")
    numbers = [number for number, line in enumerate(lines, 1) if line.strip()]  # blank lines count as lines
    return list(zip(numbers, rows, strict=True))


def _database(cell: _Row) -> str | None:
    """Return the path of the row's database; None where its script builds none."""
    if cell.row.get(cell.columns["database"]) is None and cell.row.get(cell.columns["script"]) is not None:
        try:
            return str(database_file(cell.text("script")))
        except ConfigError:
            return None
    name = cell.text("database")
    tried = _places(cell, name)
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        looked_at = ", ".join(str(path) for path in tried)
        raise cell.error(
            f"database {name!r} not found; looked at {looked_at}; set data.databases to its folder"
        )
    return str(found)


def _places(cell: _Row, name: str) -> list[Path]:
    """Return where a named database may lie, likeliest first."""
    folders = [Path(cell.source.data.databases)] if cell.source.data.databases else []
    folders.append(cell.file.parent)
    forms = (f"{name}/{name}.sqlite", f"{name}.sqlite", name)
    return [folder / form for folder in folders for form in forms]
