"""The rows of a domain, and the script that makes its database."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random

import yaml

from tasks.sample.domain import Column, Domain, Table

Row = dict[str, object]
Rows = dict[str, list[Row]]


@cache
def people() -> Mapping[str, list[str]]:
    return yaml.load((Path(__file__).parent / "names.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)


def make_rows(domain: Domain, seed: int) -> Rows:
    """Return the rows of every table, the same for the same seed."""
    rows: Rows = {}
    for table in domain.tables.values():
        rng = Random(f"{seed}/{domain.name}/{table.name}/rows")
        columns = {c.name: column_values(c, table, rows, rng) for c in table.columns if "after" not in c.make}
        made = [{name: values[i] for name, values in columns.items()} for i in range(table.rows)]
        for column in table.columns:
            if "after" in column.make:
                for row in made:
                    row[column.name] = later(column, row, rng)
        rows[table.name] = [{c.name: row[c.name] for c in table.columns} for row in made]
    return rows


def column_values(column: Column, table: Table, rows: Rows, rng: Random) -> list[object]:
    """Return the values of one column, a value for each row of its table."""
    count, make = table.rows, column.make
    if column.name in table.given_columns:
        at = table.given_columns.index(column.name)
        return [row[at] for row in table.given]
    if "key" in make and "code" not in make:
        return list(range(1, count + 1) if make["key"] is True else range(make["key"], make["key"] + count))
    if "ref" in make:
        values = references(make, rows, count, rng)
    elif "names" in make:
        values = unique_names(count, rng)
    elif "values" in make:
        values = rng.sample(make["values"], count)
    elif "code" in make:
        values = [str(make["code"]).format(n) for n in rng.sample(range(100, 1000), count)]
    elif "int" in make:
        values = whole_numbers(*make["int"], count=count, rng=rng)
    elif "real" in make:
        values = prices(*make["real"], count=count, rng=rng)
    elif "date" in make:
        values = days(*make["date"], count=count, rng=rng)
    else:
        values = uneven(make["pool"], count, rng)
    return [None if rng.random() < column.gaps else value for value in values]


def references(make: Mapping, rows: Rows, count: int, rng: Random) -> list[object]:
    """Return keys of another table: some rows are popular, and a share of `skip` is never referred to."""
    table, key = make["ref"].split(".")
    keys = [row[key] for row in rows[table]]
    rng.shuffle(keys)
    keep = max(2, round(len(keys) * (1 - make.get("skip", 0.0))))
    return uneven(keys[:keep], count, rng)


def uneven(pool: list, count: int, rng: Random) -> list[object]:
    """Return values of the pool, each at least once where there is room, some more often than others."""
    pool = rng.sample(pool, len(pool))
    weights = [1 / (place + 2) ** 0.8 for place in range(len(pool))]
    values = pool[:count] + rng.choices(pool, weights, k=max(0, count - len(pool)))
    rng.shuffle(values)
    return values


def unique_names(count: int, rng: Random) -> list[str]:
    firsts, lasts = (rng.sample(people()[part], count) for part in ("first", "last"))
    return [f"{first} {last}" for first, last in zip(firsts, lasts, strict=True)]


def whole_numbers(low: int, high: int, step: int = 1, *, count: int, rng: Random) -> list[int]:
    """Return numbers between two bounds, all different where there are enough of them."""
    choices = range(low, high + 1, step)
    return rng.sample(choices, count) if len(choices) >= count else rng.choices(choices, k=count)


def prices(low: float, high: float, step: float = 0.05, *, count: int, rng: Random) -> list[float]:
    steps = whole_numbers(round(low / step), round(high / step), count=count, rng=rng)
    return [round(n * step, 2) for n in steps]


def days(low: date, high: date, *, count: int, rng: Random) -> list[str]:
    offsets = whole_numbers(0, (high - low).days, count=count, rng=rng)
    return [(low + timedelta(days=n)).isoformat() for n in offsets]


def later(column: Column, row: Row, rng: Random) -> str | None:
    """Return a date some days after another column's date, or nothing."""
    other, least, most = column.make["after"]
    start = row[other]
    moved = timedelta(days=rng.randint(least, most))
    if start is None or rng.random() < column.gaps:
        return None
    return (date.fromisoformat(str(start)) + moved).isoformat()


def script(domain: Domain, rows: Rows) -> str:
    """Return DDL and rows as one SQL script."""
    parts = [ddl(table) for table in domain.tables.values()]
    for table in domain.tables.values():
        lines = (f"({', '.join(map(literal, row.values()))})" for row in rows[table.name])
        parts.append(f"INSERT INTO {table.name} VALUES\n" + ",\n".join(lines) + ";")
    return "\n".join(parts) + "\n"


def ddl(table: Table) -> str:
    """Return the CREATE TABLE of a table."""
    lines = []
    for column in table.columns:
        line = f"{column.name} {column.type}"
        if "key" in column.make:
            line += " PRIMARY KEY"
        if "ref" in column.make:
            other, key = str(column.make["ref"]).split(".")
            line += f" REFERENCES {other}({key})"
        lines.append(line)
    return f"CREATE TABLE {table.name} ({', '.join(lines)});"


def literal(value: object) -> str:
    """Return a value as SQL.

    >>> literal("The Beekeeper's Map"), literal(None), literal(4.5)
    ("'The Beekeeper''s Map'", 'NULL', '4.5')
    """
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
