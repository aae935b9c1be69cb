"""Restrictions drawn at random from what a domain file says about a column or a link."""

import math
from dataclasses import dataclass
from random import Random

from tasks.sample.domain import Column, Domain, Link, Table
from tasks.sample.phrase import Mod, Subject
from tasks.sample.query import Query, Style
from tasks.sample.rows import Rows, literal
from tasks.sample.words import article, day, enumeration, fill, month, number


class NotHere(Exception):
    """The domain has nothing for this kind of question, or this draw came to nothing."""


@dataclass(frozen=True)
class Scene:
    """What a kind of question draws from: a domain, its rows, and a source of chance."""

    domain: Domain
    rows: Rows
    rng: Random

    def pick(self, choices):
        """Return one of the choices, or give this draw up where there is none."""
        choices = list(choices)
        if not choices:
            raise NotHere
        return self.rng.choice(choices)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def style(self) -> Style:
        return self.pick(["T", "T", "T", "letter", "name"])

    def values(self, column: Column) -> list:
        return [row[column.name] for row in self.rows[column.table] if row[column.name] is not None]

    def table(self, *needs: str) -> Table:
        """Return a table with a label that has columns of all the kinds in `needs`."""
        return self.pick(t for t in self.domain.tables.values() if t.label and all(t.of(n) for n in needs))

    def any_table(self, *needs: str) -> Table:
        return self.pick(t for t in self.domain.tables.values() if all(t.of(n) for n in needs))

    def column(self, table: Table, *kinds: str, says: str = "", full: bool = False) -> Column:
        """Return a column of one of the kinds that has the phrase `says`; `full`: without missing values."""
        found = (c for c in table.of(*kinds) if (not says or c.say(says)) and not (full and c.gaps))
        return self.pick(found)

    def named(self, table: Table) -> tuple[str, str]:
        """Return one row of the table: how people name it, and its label."""
        label = self.pick(self.values(table.label))
        return name_of(table, label, self.rng), label

    def filter(self, table: Table, besides: tuple[str, ...] = (), short: bool = False) -> Mod:
        """Return a restriction on one of the table's own columns, other than `besides`.

        short: one that reads well inside a longer phrase.
        """
        able = [c for c in table.of("category", "measure", "date") if c.name not in besides]
        able = [c for c in able if c.say("is") or c.say("pre") or c.say("over")]
        column = self.pick(able)
        if column.kind == "category":
            return self.equals(column)
        if not short and column.say("missing") and self.chance(0.4):
            return self.missing(column)
        if column.kind == "date":
            return self.dated(column)
        return self.compared(column)

    def equals(self, column: Column, value: object = None) -> Mod:
        """Return "column is value", as a word before the noun where the domain has one."""
        value = self.pick(self.values(column)) if value is None else value
        said = say_value(column, value)
        evidence = code_note(column, value)
        where = (f"{column.ref} = {literal(value)}",)
        if column.say("pre") and (not column.say("is") or self.chance(0.6)):
            return Mod(pre=fill(self.pick(column.say("pre")), said), where=where, evidence=evidence,
                       columns=(column.name,))  # fmt: skip
        phrase = self.pick(column.say("is"))
        one = fill(phrase.replace("_s", "a _"), said)
        return Mod(fill(phrase, said), where, vp_one=one, evidence=evidence, columns=(column.name,))

    def one_of(self, column: Column) -> Mod:
        """Return "column is one of two or three values"."""
        values = sorted(set(self.values(column)))
        values = self.rng.sample(values, min(len(values), self.pick([2, 2, 3])))
        if len(values) < 2 or column.codes:
            raise NotHere
        phrase = self.pick(column.say("is"))
        ending = "s" if "_s" in phrase else ""  # "are dogs or cats"
        said = fill(phrase.replace("_s", "_"), enumeration([f"{value}{ending}" for value in values], "or"))
        if self.chance(0.6):
            where = f"{column.ref} IN ({', '.join(map(literal, values))})"
        else:
            where = f"({' OR '.join(f'{column.ref} = {literal(v)}' for v in values)})"
        return Mod(said, (where,), whole=bool(ending), columns=(column.name,))

    def unlike(self, column: Column) -> Mod:
        """Return "column is not value"."""
        phrase = self.pick(p for p in column.say("is") if p.startswith(("are ", "were ")))
        value = self.pick(self.values(column))
        verb, rest = phrase.split(" ", 1)
        where = (f"{column.ref} {self.pick(['<>', '!='])} {literal(value)}",)
        said, phrase = say_value(column, value), f"{verb} not {rest}"
        one = fill(phrase.replace("_s", "a _"), said)
        return Mod(fill(phrase, said), where, vp_one=one, evidence=code_note(column, value), columns=(column.name,))

    def missing(self, column: Column, present: bool = False) -> Mod:
        phrase = self.pick(column.say("present" if present else "missing"))
        return Mod(phrase, (f"{column.ref} IS {'NOT ' if present else ''}NULL",), columns=(column.name,))

    def compared(self, column: Column) -> Mod:
        """Return a comparison of a number with a round figure."""
        way = self.pick(["over", "under", "over", "under", "between"])
        if way == "between":
            return self.between(column)
        phrase, sign = self.pick(column.say(way)), ">" if way == "over" else "<"
        value = threshold(self.values(column), self.rng, column.year)
        for strict, loose in (
            ("more than _", "at least _"),
            ("fewer than _", "at most _"),
            ("less than _", "at most _"),
        ):
            if strict in phrase and self.chance(0.35):
                phrase, sign = phrase.replace(strict, loose), sign + "="
        return Mod(fill(phrase, number(value, column.year)), (f"{column.ref} {sign} {literal(value)}",),
                   columns=(column.name,))  # fmt: skip

    def between(self, column: Column) -> Mod:
        phrase, blank = self.pick((p, w) for p in column.say("over")
                                  for w in ("more than _", "after _", "over _", "above _") if w in p)  # fmt: skip
        values = self.values(column)
        low, high = sorted(threshold(values, self.rng, column.year) for _ in range(2))
        if low == high:
            raise NotHere
        said = f"between {number(low, column.year)} and {number(high, column.year)}"
        where = f"{column.ref} BETWEEN {literal(low)} AND {literal(high)}"
        return Mod(phrase.replace(blank, said), (where,), columns=(column.name,))

    def dated(self, column: Column) -> Mod:
        """Return "after a day", "before a day", "in a year" or "in a month"."""
        value = self.pick(self.values(column))
        way = self.pick(["over", "under", "in", "in"])
        if way != "in":
            where = f"{column.ref} {'>' if way == 'over' else '<'} '{value}'"
            return Mod(fill(self.pick(column.say(way)), day(value, self.rng)), (where,), columns=(column.name,))
        phrase = self.pick(p for p in column.say("over") if "after _" in p)
        if self.chance(0.4):
            said, where = f"in {month(value[:7])}", f"{column.ref} LIKE '{value[:7]}-%'"
        else:
            said = f"in {value[:4]}"
            where = self.pick([f"{column.ref} LIKE '{value[:4]}%'", f"strftime('%Y', {column.ref}) = '{value[:4]}'"])
        return Mod(phrase.replace("after _", said), (where,), columns=(column.name,))

    def worded(self, table: Table) -> Mod:
        """Return a restriction on the letters of the label."""
        label = table.label
        value = str(self.pick(self.values(label)))
        if label.noun.split(" ")[-1] not in ("name", "title", "username"):
            raise NotHere
        if " " not in value:
            raise NotHere
        words = [word for word in value.split() if len(word) > 3 and "'" not in word]
        if self.chance(0.5) or not words or table.who:
            start = value[0]
            return Mod(f"with a {label.noun} that starts with {start}", (f"{label.ref} LIKE '{start}%'",))
        word = self.pick(words)
        phrase = self.pick([f"with the word {word} in the {label.noun}", f'with "{word}" in their {label.noun}'])
        return Mod(phrase, (f"{label.ref} LIKE '%{word}%'",))

    def link(self, *, source: str = "", single: bool | None = None, says: str = "say", labelled: bool = False) -> Link:
        """Return a link that has the phrase `says`; labelled: of a source that people can name."""
        return self.pick(
            link for link in self.domain.links
            if (not source or link.source == source)
            and (single is None or link.single == single)
            and getattr(link, says)
            and (not labelled or self.domain.tables[link.source].label)
        )  # fmt: skip

    def linked(self, link: Link, target: Subject | None = None) -> Mod:
        """Return "whose link leads to target" as a JOIN; the target is a named row where none is given."""
        phrase = self.pick(link.named if link.named and target is None else link.say)
        table = self.domain.tables[link.target]
        if target is None:
            said, value = self.named(table)
            one = said
            conditions, joins, evidence = (f"{table.label.ref} = {literal(value)}",), (), ()
        else:
            said, one = target.many, article(target.one) if link.single else target.many
            conditions = tuple(condition for mod in target.mods for condition in mod.where)
            joins, evidence = target.joins, tuple(text for mod in target.mods for text in mod.evidence)
        mine = join_path(link)
        if {table for table, _ in joins} & {link.source, *(table for table, _ in mine)}:
            raise NotHere
        repeats = not link.single or (target is not None and target.repeats)
        return Mod(fill(phrase, said), conditions, joins=(*mine, *joins), evidence=evidence,
                   repeats=repeats, vp_one=fill(phrase, one))  # fmt: skip

    def within(self, link: Link, target: Subject | None, present: bool = True, correlated: bool = False) -> Mod:
        """Return the same restriction as IN or EXISTS with a subquery; target None: a named row.

        present False: none of the rows that the target describes is linked.
        """
        table = self.domain.tables[link.target]
        joined = self.linked(link, target) if present or target else None
        inner = inner_query(link, joined.where if joined else (), joined.joins if joined else ())
        word = "" if present else "NOT "
        if correlated:
            left, right = link.path[0]
            body = inner.but(
                items=("1",), qualify=True, style="name", where=(f"{{{right}}} = {{{left}}}", *inner.where)
            )
            condition = f"{word}EXISTS ({body.sql()})"
        else:
            if not present:
                inner = not_null(inner, self.domain)
            condition = f"{{{link.path[0][0]}}} {word}IN ({inner.sql()})"
        said = joined.vp if present else fill(self.pick(link.none), table.many)
        return Mod(said, (condition,), evidence=joined.evidence if joined else ())


def join_path(link: Link) -> tuple[tuple[str, str], ...]:
    """Return the joins that lead from a link's source to its target."""
    return tuple((right.split(".")[0], f"{{{left}}} = {{{right}}}") for left, right in link.path)


def inner_query(link: Link, where: tuple[str, ...], joins: tuple[tuple[str, str], ...]) -> Query:
    """Return the query for the keys of the linked rows; it starts where the first step of the link leads."""
    first = link.path[0][1]
    rest = tuple(join for join in joins if join[0] != first.split(".")[0])
    if not where:  # any linked row will do, so the tables behind the first are not needed
        rest = ()
    return Query(first.split(".")[0], (f"{{{first}}}",), rest, where)


def not_null(query: Query, domain: Domain) -> Query:
    """Return the query without missing keys, with which NOT IN would find nothing."""
    table, column = query.items[0].strip("{}").split(".")
    nullable = any(c.gaps for c in domain.tables[table].columns if c.name == column)
    return query.but(where=(*query.where, f"{query.items[0]} IS NOT NULL")) if nullable else query


def name_of(table: Table, label: object, rng: Random) -> str:
    """Return how a person writes the name of a row."""
    said = rng.choice([f"'{label}'", f'"{label}"', str(label)]) if table.label.quote else str(label)
    return fill(table.called, said)


def say_value(column: Column, value: object) -> str:
    return column.codes.get(value, str(value)) if column.codes else str(value)


def code_note(column: Column, value: object) -> tuple[str, ...]:
    return (f"{column.name} '{value}' means {column.codes[value]}",) if column.codes else ()


def threshold(values: list[float], rng: Random, year: bool = False) -> float:
    """Return a round figure somewhere in the middle of the values."""
    ordered = sorted(values)
    value = rng.choice(ordered[len(ordered) // 6 : max(1, len(ordered) * 5 // 6)])
    spread = ordered[-1] - ordered[0]
    if year or not spread:
        return value
    step = 10 ** math.floor(math.log10(spread / 5))
    rounded = round(value / step) * step
    return int(rounded) if step >= 1 else round(rounded, 2)
