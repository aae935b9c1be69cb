"""gretelai/synthetic_text_to_sql: questions with the script of a small database, in several SQL dialects."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlglot.errors import ParseError, UnsupportedError

from configs.errors import ConfigError
from configs.files import fingerprint
from configs.screen import progress
from sandbox import database_file
from tasks.gold import unreadable
from tasks.memory import Memory
from tasks.source import Found, Question, Source
from tasks.transpile import likely_dialects, query_to_sqlite, script_to_sqlite

COLUMNS = ("id", "sql_prompt", "sql_context", "sql")
BATCH = 200  # rows between two notes in the memory: what a kill can lose
WORKERS = 2
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_DESCRIPTION = "Building gretel databases"


def read_gretel(source: Source) -> Found:
    """Return gretel's questions over databases built from their scripts, all said in SQLite.

    `path` is a parquet file, a folder of them, or the data set's name on the Hugging Face hub.  What was
    worked out for a row is remembered, so that a stopped load goes on where it was.
    """
    memory = Memory("gretel", source.path, source.part)
    total, batches = _open(source)
    wanted = min(source.data.rows or total, total)
    questions, dropped = [], Counter()
    with progress(_DESCRIPTION, wanted) as advance, ThreadPoolExecutor(WORKERS) as pool:
        for rows in _evenly(batches, wanted, total):
            keys = [fingerprint(row["sql_context"], row["sql"]) for row in rows]
            new = {key: row for key, row in zip(keys, rows, strict=True) if not _still_known(key, memory)}
            memory.tell(dict(zip(new, pool.map(_work_out, new.values()), strict=True)))
            for key, row in zip(keys, rows, strict=True):
                found = memory[key]
                if "dropped" in found:
                    dropped[found["dropped"]] += 1
                    continue
                task_id = f"gretel-{source.part}-{row['id']}"
                questions.append(Question(task_id, row["sql_prompt"], "", found["sql"], found["database"]))
            advance(len(rows))
    return questions, dropped


def _evenly(batches: Iterator[list[dict[str, object]]], wanted: int, total: int) -> Iterator[list[dict[str, object]]]:
    """Yield `wanted` of `total` rows, evenly spaced, in batches."""
    place = 0
    for rows in batches:
        numbered = enumerate(rows, place)
        yield [row for place, row in numbered if (place + 1) * wanted // total > place * wanted // total]
        place += len(rows)


def _still_known(key: str, memory: Memory) -> bool:
    return key in memory and ("dropped" in memory[key] or Path(memory[key]["database"]).is_file())


def _work_out(row: dict[str, object]) -> dict[str, str]:
    """Return the row's `database` and `sql` in SQLite, or why it is `dropped`."""
    try:
        sql = _first_that_reads(str(row["sql"]))
    except UnsupportedError:
        return {"dropped": "gold SQL cannot be said in SQLite"}
    except ParseError as error:
        return {"dropped": unreadable(error)}
    return _built(str(row["sql_context"])) | {"sql": sql}


def _first_that_reads(sql: str) -> str:
    """Return the query in SQLite, read in the first dialect that can; raises the likeliest one's error."""
    errors = []
    for dialect in likely_dialects(sql):
        try:
            return query_to_sqlite(sql, dialect)
        except (ParseError, UnsupportedError) as error:
            errors.append(error)
    raise errors[0]


def _built(context: str) -> dict[str, str]:
    """Return the `database` made of a script, read in the first dialect that works, or why it's `dropped`."""
    reason = "context cannot be parsed"
    for dialect in likely_dialects(context):
        try:
            return {"database": str(database_file(script_to_sqlite(context, dialect)))}
        except ParseError:
            continue
        except ConfigError:
            reason = "context does not build a database"
    return {"dropped": reason}


def _open(source: Source) -> tuple[int, Iterator[list[dict[str, object]]]]:
    """Return how many rows there are, and the rows in batches."""
    path = Path(source.path).expanduser()
    if path.exists():
        return _open_parquet(source, path)
    if _HUB_NAME.fullmatch(source.path) and not source.path.endswith(".parquet"):
        return _open_hub(source)
    raise ConfigError(
        f"{source.key}: {source.path} does not exist; give a parquet file, a folder of them, "
        "or the hub name gretelai/synthetic_text_to_sql"
    )


def _open_parquet(source: Source, path: Path) -> tuple[int, Iterator[list[dict[str, object]]]]:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    opened = []
    for file in _parquet_files(source, path):
        try:
            opened.append(ParquetFile(file))
        except ArrowInvalid as error:
            raise ConfigError(f"{source.key}: {file} is not a parquet file ({error}); fetch it again") from error
        _check_columns(source, str(file), opened[-1].schema_arrow.names)
    total = sum(file.metadata.num_rows for file in opened)
    rows = (batch.to_pylist() for file in opened for batch in file.iter_batches(BATCH, columns=list(COLUMNS)))
    return total, rows


def _parquet_files(source: Source, path: Path) -> list[Path]:
    """Return the file itself, or those of a folder that have the part in their names; all where none has."""
    if path.is_file():
        return [path]
    files = sorted(path.rglob("*.parquet"))
    named = [file for file in files if source.part in file.name]
    if not files:
        raise ConfigError(f"{source.key}: {path} holds no .parquet file; name the file or its folder")
    return named or files


def _open_hub(source: Source) -> tuple[int, Iterator[list[dict[str, object]]]]:
    from datasets import load_dataset

    try:
        data = load_dataset(source.path, split=source.part)
    except (OSError, ValueError) as error:  # no network, no such name, no such split
        told = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise ConfigError(
            f"{source.key}: {source.path} cannot be fetched from the hub ({told}); "
            "go online once, or fetch the parquet files and give their folder"
        ) from error
    _check_columns(source, source.path, data.column_names)
    data = data.select_columns(list(COLUMNS))
    return len(data), (data[start : start + BATCH] for start in range(0, len(data), BATCH))


def _check_columns(source: Source, name: str, there: list[str]) -> None:
    if missing := [column for column in COLUMNS if column not in there]:
        raise ConfigError(
            f"{source.key}: {name} has no column {missing[0]!r}; it has {', '.join(there)}; "
            "is it gretelai/synthetic_text_to_sql?"
        )
