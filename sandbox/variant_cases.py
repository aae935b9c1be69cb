"""Rows made for a query, so that its near misses give another answer than it does."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sandbox.variant_changes import (
    add_parents,
    keep_one,
    meet_average,
    near_value,
    new_row,
    new_value,
    numbers_and_texts,
    parent_value,
    put,
    renew,
    skew,
    untie,
)
from sandbox.variant_facts import Reading, Slot
from sandbox.variant_rows import Data, Table, make_whole
from sandbox.variant_values import around, satisfies

MAX_COPIES = 25
"""How often rows are repeated for a LIMIT, or to reach a number that count(…) is compared with."""
MANY = 9
"""Copies that make a group which must not count, or which is none, larger than others."""


@dataclass(frozen=True)
class Combination:
    """One new row for each use of a table, which join and satisfy the conditions, but for what is said here.

    forced: values of some slots; None is NULL.  flipped: numbers of links that hold although they must not, or the
    other way round.  without: uses for which no row is made.  copies: how often, and `same` where the copies
    differ in their keys only, else in all but what the query groups by.  mixed: satisfying or not, as it comes.
    """

    forced: tuple[tuple[Slot, object], ...] = ()
    flipped: frozenset[int] = frozenset()
    without: frozenset[int] = frozenset()
    copies: int = 1
    same: bool = False
    mixed: bool = False


def add_cases(data: Data, reading: Reading, rng: Random, number: int, attempt: int) -> None:
    """Add rows for the query: for the first two variants all of them, for others a part.

    Rows that must not count come last and rank first, or in every other variant last: they would win an ORDER BY …
    LIMIT or a max(…).  What the ORDER BY leaves open is settled, at the latest in the second attempt.
    """
    if reading.by_aggregate:
        _skew_groups(data, reading, rng)  # before the cases: these make groups of their own
    share = 1.0 if number < 2 else rng.choice((0.3, 0.6, 1.0))
    chosen = [one for one in combinations(reading) if rng.random() < share]
    rng.shuffle(chosen)
    for combination in sorted(chosen, key=lambda one: _fails(one, reading)):
        _place(data, reading, combination, number % 2 == 0, rng)
    make_whole(data)
    if reading.by_aggregate and attempt > 1:
        _skew_groups(data, reading, rng)
        make_whole(data)
    for slot in reading.ordered if attempt or rng.random() < 0.5 else ():
        table = data.tables[reading.uses[slot.use]]
        if table.place[slot.column] not in table.fixed:
            untie(table, table.place[slot.column], rng)
    for condition in reading.conditions:
        if condition.single:
            table = data.tables[reading.uses[condition.slot.use]]
            keep_one(table, table.place[condition.slot.column], condition.value, rng)
    for slot in reading.averaged:
        table = data.tables[reading.uses[slot.use]]
        if table.place[slot.column] not in table.fixed and (number % 2 or rng.random() < 0.5):
            meet_average(table, table.place[slot.column])
    make_whole(data)


def combinations(reading: Reading) -> Iterator[Combination]:
    """Yield the rows that tell a query from its near misses."""
    if not reading.uses:
        return
    yield from [Combination()] * 4
    yield Combination(copies=MANY if reading.by_aggregate else 2, same=True)
    conditions = reading.conditions
    never = [number for number, link in enumerate(reading.links) if not link.holds]
    for condition in conditions:
        others = [other for other in conditions if other.slot != condition.slot]
        failing = ((other.slot, [value for value in around(other) if not satisfies(value, other)]) for other in others)
        forced = tuple((slot, values[0]) for slot, values in failing if values)
        for value in around(condition):
            yield Combination(forced=((condition.slot, value),))
            for number in never:
                yield Combination(forced=((condition.slot, value),), flipped=frozenset({number}))
            if reading.either:
                yield Combination(forced=((condition.slot, value), *forced))
        if forced:
            yield Combination(forced=forced)
            yield Combination(forced=tuple((slot, None) for slot, _ in forced))
    for slot in (*reading.grouped, *reading.ordered, *reading.others):
        yield Combination(forced=((slot, None),))
    for number in range(len(reading.links)):
        yield Combination(flipped=frozenset({number}))
    uses = frozenset(range(len(reading.uses)))
    for use in uses if len(uses) > 1 else ():
        yield Combination(without=frozenset({use}))
        yield Combination(without=uses - {use})
    if reading.grouped:
        yield from [Combination(copies=2, mixed=True), Combination(copies=3, mixed=True)] * 2
    sizes = {count + change for count in reading.counts for change in (-1, 0, 1)}
    for size in sorted(size for size in sizes if 1 < size <= MAX_COPIES):
        yield Combination(copies=size)
    for _ in range(min(reading.limit, MAX_COPIES)):
        yield Combination()


def _fails(combination: Combination, reading: Reading) -> bool:
    """Return whether its rows must not count."""
    forced = dict(combination.forced)
    broken = (not satisfies(forced[one.slot], one) for one in reading.conditions if one.slot in forced)
    return bool(combination.flipped or combination.without) or any(broken)


def _place(data: Data, reading: Reading, combination: Combination, upwards: bool, rng: Random) -> None:
    """Add the rows of one combination."""
    classes = _classes(reading, combination.flipped)
    first = _fails(combination, reading)
    copies = rng.choice((1, MANY + 3)) if first and reading.by_aggregate else combination.copies
    uses = sorted(set(range(len(reading.uses))) - combination.without)
    tables = {use: data.tables[reading.uses[use]] for use in uses}
    bases = {use: new_row(table, data, rng) for use, table in tables.items()}
    renewed = rng.choice(uses) if uses and rng.random() < 0.5 else None
    kept: dict[Slot, object] = {}
    for _ in range(copies):
        values, rows = dict(kept), []
        for use, table in tables.items():
            row, given = list(bases[use]) if combination.same else new_row(table, data, rng), set()
            for slot, members in classes.items():
                if slot.use == use:
                    if members[0] not in values:
                        values[members[0]] = _value(
                            members, combination, data, reading, upwards if first else None, rng
                        )
                    column = table.place[slot.column]
                    if values[members[0]] is not None or table.nullable(column):
                        row[column] = values[members[0]]
                        given.add(column)
            for column in set(range(len(row))) - given:
                if table.nullable(column) and rng.random() < 0.25 and not combination.same:
                    row[column] = None
            renew(table, row, data, rng, frozenset(given))
            put(table, row, rng)
            rows.append((table, row))
        for table, row in rows:
            add_parents(table, row, data, rng)
        for members in classes.values():
            if members[0] in values and _is_kept(members, combination, renewed, data, reading):
                kept[members[0]] = values[members[0]]


def _is_kept(
    members: tuple[Slot, ...], combination: Combination, renewed: int | None, data: Data, reading: Reading
) -> bool:
    """Return whether all copies of a combination have the same value in these slots.

    renewed: the only use whose rows differ from copy to copy, as many rows may belong to one.
    """
    if not combination.same:
        others = renewed is not None and any(slot.use != renewed for slot in members)
        return others or any(slot in reading.grouped for slot in members)
    tables = (data.tables[reading.uses[slot.use]] for slot in members)
    return not any(table.place[slot.column] in table.single for table, slot in zip(tables, members, strict=True))


def _classes(reading: Reading, flipped: frozenset[int]) -> dict[Slot, tuple[Slot, ...]]:
    """Return for each slot those that share its value, itself among them, in the same order for all."""
    mentioned = (*reading.grouped, *reading.ordered, *reading.others, *(one.slot for one in reading.conditions))
    linked = (slot for link in reading.links for slot in (link.left, link.right))
    classes = {slot: (slot,) for slot in (*mentioned, *linked)}
    for number, link in enumerate(reading.links):
        if link.holds != (number in flipped) and link.right not in classes[link.left]:
            members = classes[link.left] + classes[link.right]
            classes.update(dict.fromkeys(members, members))
    return classes


def _value(
    members: tuple[Slot, ...], combination: Combination, data: Data, reading: Reading, upwards: bool | None, rng: Random
) -> object:
    """Return a value for slots that share one: as forced, as the conditions want it, as the keys allow it.

    upwards: give what is ranked a value above, or where false below, all others.
    """
    for slot, value in combination.forced:
        if slot in members:
            return value
    tables = [data.tables[reading.uses[slot.use]] for slot in members]
    columns = [(table, table.place[slot.column]) for table, slot in zip(tables, members, strict=True)]
    there = [value for table, column in columns for value in table.values(column)]
    conditions = [condition for condition in reading.conditions if condition.slot in members]
    if conditions:
        values = [value for condition in conditions for value in around(condition)]
        values += rng.choices(there, k=3) if there else []
        right = [[satisfies(value, condition) for condition in conditions] for value in values]
        good = [value for value, truths in zip(values, right, strict=True) if all(truths)]
        fair = [value for value, truths in zip(values, right, strict=True) if any(truths)]  # where an OR stands
        return rng.choice(values if combination.mixed else good or fair or values)
    grouped = any(slot in reading.grouped for slot in members)
    own = {(table.name.lower(), column) for table, column in columns}
    for table, column in columns:
        key = table.reference(column)
        if key and (key.parent, key.parent_columns[key.columns.index(column)]) not in own:
            new = new_value(table, column, rng)
            return new if grouped and rng.random() < 0.5 else parent_value(table, column, data, rng, new)
    for table, column in columns:
        if column in table.single:
            return rng.choice(there) if there and rng.random() < 0.3 else new_value(table, column, rng)
    if upwards is not None and any(slot in reading.ranked for slot in members):
        return _extreme(*columns[0], upwards, rng)
    old = 0.2 if grouped or len(members) > 1 else 0.5
    return rng.choice(there) if there and rng.random() < old else near_value(*columns[0], rng)


def _extreme(table: Table, column: int, upwards: bool, rng: Random) -> object:
    """Return a value above or below all others of its column, if it holds numbers or dates."""
    numbers, texts = numbers_and_texts(table, column)
    if numbers and not upwards:
        return min(numbers) - rng.randint(1, 3)
    if numbers or not texts:
        return new_value(table, column, rng)
    with suppress(ValueError, OverflowError):
        text = max(texts) if upwards else min(texts)
        return str(date.fromisoformat(text[:10]) + timedelta(1 if upwards else -1)) + text[10:]
    return max(texts) + "z" if upwards else min(texts)[:-1]


def _skew_groups(data: Data, reading: Reading, rng: Random) -> None:
    """Make the groups of a query that orders by an aggregate differ in size: ties would leave its answer open."""
    linked = (slot for link in reading.links for slot in (link.left, link.right))
    for slot in dict.fromkeys((*reading.grouped, *linked)):
        table = data.tables[reading.uses[slot.use]]
        if rng.random() < 0.8:
            skew(table, table.place[slot.column], rng)
