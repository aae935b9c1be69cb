"""Rows changed at random within the keys: fewer, repeated, shifted, NULL."""

import re
from contextlib import suppress
from datetime import date, timedelta
from functools import cache
from random import Random

from sandbox.variant_rows import Data, Row, Table, make_whole

TRIES = 6
"""Pairs of parents tried for a row whose key is made of foreign keys, before a new parent is thought up."""
EXACT = 2**53
"""From here on a float stays the same when one is added."""


def change(data: Data, rng: Random, most: int) -> None:
    """Change the rows, of which about `most` of each table stay; all keys hold as before."""
    for table in data.tables.values():
        _thin(table, rng, most)
    for table in data.tables.values():
        _refer_again(table, data, rng)
    make_whole(data)
    for table in data.tables.values():
        _shift(table, rng)
        for row in rng.choices(table.rows, k=1 + len(table.rows) // 5) if table.rows else ():
            twin = list(row)
            renew(table, twin, data, rng)
            put(table, twin, rng)
    make_whole(data)


def _thin(table: Table, rng: Random, most: int) -> None:
    """Keep at most `most` rows, and of these most."""
    keep = set(rng.sample(range(len(table.rows)), min(most, len(table.rows))))
    dropped = rng.uniform(0, 0.4)
    table.rows = [row for number, row in enumerate(table.rows) if number in keep and rng.random() >= dropped]


def _refer_again(table: Table, data: Data, rng: Random) -> None:
    """Let most rows whose parent was dropped, and a few others, refer to a parent that is there."""
    for key in table.references:
        parents = data.tables[key.parent].rows
        here = {tuple(row[column] for column in key.parent_columns) for row in parents}
        for row in table.rows if parents else ():
            lost = tuple(row[column] for column in key.columns) not in here
            if rng.random() < (0.8 if lost else 0.1) and None not in (row[column] for column in key.columns):
                parent = rng.choice(parents)
                for column, above in zip(key.columns, key.parent_columns, strict=True):
                    row[column] = parent[above]


def _shift(table: Table, rng: Random) -> None:
    """Change values that are no keys: exchanged, repeated, moved a little, or NULL where that is allowed."""
    for column in range(len(table.columns)):
        if column in table.fixed or rng.random() < 0.3:
            continue
        how = rng.choice(("exchange", "repeat", "move", "null" if table.nullable(column) else "repeat"))
        values = table.values(column)
        rows = [row for row in table.rows if row[column] is not None]
        for row in rng.sample(rows, -(-len(rows) * (15 if how == "null" else 30) // 100)):
            value, other = row[column], rng.choice(rows)
            if how == "null":
                row[column] = None
            elif how == "move" and isinstance(value, (int, float)) and abs(value) < EXACT:
                row[column] = value + rng.choice((-1, 1))
            elif how == "exchange" and other[column] is not None:
                row[column], other[column] = other[column], value
            else:
                row[column] = rng.choice(values)


def renew(table: Table, row: Row, data: Data, rng: Random, given: frozenset[int] = frozenset()) -> None:
    """Give `row` keys that are not taken, changing none of the columns that are `given`."""
    for key in table.unique:
        free = [column for column in key if column not in given]
        own = [column for column in free if table.reference(column) is None]
        if own and (len(key) == 1 or len(free) == len(key)):
            row[own[-1]] = new_value(table, own[-1], rng)
            continue
        for _ in range(TRIES if free else 0):
            if not is_taken(table, key, row):
                break
            for column in free:
                row[column] = parent_value(table, column, data, rng, row[column])
        else:
            if free:
                row[free[-1]] = new_value(table, free[-1], rng)


def is_taken(table: Table, key: tuple[int, ...], row: Row) -> bool:
    """Return whether another row has the key of this one."""
    wanted = [row[column] for column in key]
    return None not in wanted and any([other[column] for column in key] == wanted for other in table.rows)


def parent_value(table: Table, column: int, data: Data, rng: Random, otherwise: object) -> object:
    """Return a value that a foreign key may have; where the column is a key too, one that is not taken."""
    key = table.reference(column)
    if key is None:
        return otherwise
    values = data.tables[key.parent].values(key.parent_columns[key.columns.index(column)])
    if column in table.single:
        taken = set(table.values(column))
        values = [value for value in values if value not in taken]
    return rng.choice(values) if values else otherwise


def put(table: Table, row: Row, rng: Random) -> None:
    """Add a row; where its key is taken, now and then change the row that has it, outside its keys."""
    for key in table.unique:
        wanted = [row[column] for column in key]
        for other in table.rows:
            if [other[column] for column in key] == wanted and None not in wanted:
                for column in set(range(len(row))) - table.fixed if rng.random() < 0.5 else ():
                    other[column] = row[column]
                return
    table.rows.append(row)


def add_parents(table: Table, row: Row, data: Data, rng: Random, above: int = 4) -> None:
    """Add the rows that `row` refers to where they are missing, and, so many times, those that these refer to."""
    for key in table.references if above else ():
        parent = data.tables[key.parent]
        wanted = [row[column] for column in key.columns]
        there = ([other[column] for column in key.parent_columns] == wanted for other in parent.rows)
        if None in wanted or any(there):
            continue
        added = new_row(parent, data, rng)
        for column, value in zip(key.parent_columns, wanted, strict=True):
            added[column] = value
        renew(parent, added, data, rng, frozenset(key.parent_columns))
        put(parent, added, rng)
        add_parents(parent, added, data, rng, above - 1)


def new_row(table: Table, data: Data, rng: Random) -> Row:
    """Return a row like one of the table; for an empty one, a row of new values."""
    if table.rows:
        return list(rng.choice(table.rows))
    row: Row = [None] * len(table.columns)
    for column in range(len(row)):
        key = table.reference(column)
        row[column] = parent_value(table, column, data, rng, None)
        if row[column] is None and (key is None or data.tables[key.parent] is not table):
            row[column] = new_value(table, column, rng)
    return row


def new_value(table: Table, column: int, rng: Random) -> object:
    """Return a value that the column does not hold yet, of the kind that it holds; a number beyond all others."""
    numbers, texts = numbers_and_texts(table, column)
    if len(numbers) > len(texts) or (not texts and _is_number(table.types[column])):
        return max(numbers, default=0) + rng.randint(1, 3)
    text = next_text(rng.choice(texts) if texts else f"{table.columns[column]} 0", rng)
    while text in texts:
        text = next_text(text, rng)
    return text


def near_value(table: Table, column: int, rng: Random) -> object:
    """Return a value that the column does not hold yet; a number near one that it holds."""
    numbers, texts = numbers_and_texts(table, column)
    if not numbers or len(texts) >= len(numbers):
        return new_value(table, column, rng)
    value, reach = rng.choice(numbers), 2
    while value in numbers:
        value += rng.randint(-reach, reach)
        reach += 1
    return value


def numbers_and_texts(table: Table, column: int) -> tuple[list[int | float], list[str]]:
    """Return a column's numbers, as far as one can be added to them, and its texts."""
    values = table.values(column)
    numbers = [value for value in values if isinstance(value, (int, float)) and abs(value) < EXACT]
    return numbers, [value for value in values if isinstance(value, str)]


@cache
def _is_number(declared: str) -> bool:
    return re.search("INT|REAL|FLOA|DOUB|DEC|NUM|YEAR", declared, re.IGNORECASE) is not None


def next_text(text: str, rng: Random) -> str:
    """Return another text of the same form: a later day or number, else one more letter.

    >>> next_text("A-19", Random(0)), next_text("Ada", Random(0)), next_text("1999-12-31 10:00", Random(0))
    ('A-21', 'Adad', '2000-01-02 10:00')
    """
    with suppress(ValueError, OverflowError):
        return str(date.fromisoformat(text[:10]) + timedelta(rng.randint(1, 2))) + text[10:]
    found = re.search(r"\d+(?=\D*$)", text)
    if found is None:
        return text + rng.choice("abcd")
    number = str(int(found[0]) + rng.randint(1, 2)).zfill(len(found[0]))
    return text[: found.start()] + number + text[found.end() :]


def skew(table: Table, column: int, rng: Random) -> None:
    """Keep as many rows that one value stands in one row, another in two, a third in three …"""
    key = table.reference(column)
    if column in table.single or (column in table.fixed and (key is None or len(key.columns) > 1)):
        return
    values = list(dict.fromkeys(table.values(column)))
    rng.shuffle(values)
    placed = [value for size, value in enumerate(values[: rng.randint(2, 6)], 1) for _ in range(size)]
    table.rows = rng.sample(table.rows, min(len(table.rows), len(placed))) if placed else table.rows
    for row, value in zip(table.rows, reversed(placed), strict=False):
        row[column] = value


def untie(table: Table, column: int, rng: Random) -> None:
    """Move values until no two are the same."""
    seen = set()
    for row in table.rows:
        value = row[column]
        if value is None and None in seen:
            value = near_value(table, column, rng)
        first, step = value if isinstance(value, (int, float)) and abs(value) < EXACT else 0, 0
        while value in seen:
            step = -step if step > 0 else 1 - step
            value = first + step if isinstance(value, (int, float)) else next_text(str(value), rng)
        row[column] = value
        seen.add(value)


def meet_average(table: Table, column: int) -> None:
    """Change two numbers so that one of them is exactly the average of all."""
    rows = [row for row in table.rows if row[column] is not None]
    if len(rows) > 2 and all(isinstance(row[column], (int, float)) and abs(row[column]) < EXACT for row in rows):
        average = round(sum(row[column] for row in rows) / len(rows))
        rows[0][column] = average
        rows[1][column] += average * len(rows) - sum(row[column] for row in rows)


def keep_one(table: Table, column: int, value: object, rng: Random) -> None:
    """Leave `value` in one row, and change it in all others."""
    rows = [row for row in table.rows if row[column] == value]
    rng.shuffle(rows)
    for row in rows[1:]:
        if column in table.fixed:
            table.rows = [other for other in table.rows if other is not row]
        else:
            row[column] = near_value(table, column, rng)
