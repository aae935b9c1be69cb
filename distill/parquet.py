"""Rows as a parquet file: the same columns and values as in their JSON lines."""

from collections.abc import Sequence
from pathlib import Path

from configs.files import write_whole


def write_parquet(path: Path, rows: Sequence[dict]) -> None:
    """Write `rows` to `path`, whole."""
    (content,) = to_parquet([rows])
    write_whole(path, content)


def to_parquet(parts: Sequence[Sequence[dict]]) -> list[bytes]:
    """Return one file for each part, all of one schema: where one part has only nulls, another may have text."""
    import pyarrow
    from pyarrow import parquet

    rows = [row for part in parts for row in part]
    names = dict.fromkeys(name for row in rows for name in row)
    whole = pyarrow.table({name: [row.get(name) for row in rows] for name in names})
    files, start = [], 0
    for part in parts:
        file = pyarrow.BufferOutputStream()
        parquet.write_table(whole.slice(start, len(part)), file)
        files.append(file.getvalue().to_pybytes())
        start += len(part)
    return files
