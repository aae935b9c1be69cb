"""Anyone's questions: a JSON lines file whose columns are named in the config."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_jsonl
from sandbox import database_file
from tasks.source import Found, Question, Source, existing_path

_OURS = ("question", "gold_sql", "database", "script", "evidence", "task_id", "difficulty")
BAD_SCRIPT = "script does not build a database"


def read_own(source: Source) -> Found:
    """Return the questions of a JSONL file; a row names its database, or holds the script of one."""
    file = existing_path(source)
    columns = _columns(source)
    questions, dropped = [], Counter()
    for number, row in _numbered_rows(source, file):
        cell = _Row(source, file, number, row, columns)
        task_id = cell.optional("task_id") or f"{file.stem}-{number}"
        texts = (cell.text("question"), cell.optional("evidence"), cell.text("gold_sql"))
        database = _database(cell)
        if database is None:
            dropped[BAD_SCRIPT] += 1
        else:
            questions.append(Question(task_id, *texts, database, cell.optional("difficulty")))
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
        raise ConfigError(f"data.columns: {unknown[0]!r} is no column of ours; allowed: {', '.join(_OURS)}")
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
        return _built(cell.text("script"))
    name = cell.text("database")
    folders = [cell.file.parent]
    if cell.source.data.databases:
        folders.insert(0, Path(cell.source.data.databases).expanduser())
    found = next((path for folder in folders for path in _places(folder, name) if _is_file(path)), None)
    if found is None:
        looked_in = " or ".join(str(folder) for folder in folders)
        raise cell.error(f"no database {name[:80]!r} in {looked_in}; set data.databases to the folder that has it")
    return str(found)


def _built(script: str) -> str | None:
    try:
        return str(database_file(script))
    except ConfigError:
        return None


def _places(folder: Path, name: str) -> list[Path]:
    return [folder / name / f"{name}.sqlite", folder / f"{name}.sqlite", folder / name]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name too long for a file: someone's script in the database column
        return False
