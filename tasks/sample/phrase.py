"""Restrictions on rows, each both said and written in SQL, and the noun phrases made from them."""

from dataclasses import dataclass, replace

from tasks.sample.domain import Table
from tasks.sample.query import Join, Query, Style
from tasks.sample.words import finite, relative, singular


@dataclass(frozen=True)
class Mod:
    """One restriction on the rows of a table.

    vp: plural verb phrase, as domain files write it; "" where `pre` stands before the noun instead.
    repeats: its join may show a row of the table more than once.
    vp_one: the phrase after a singular noun where it is not the same ("books by authors", "a book by an author").
    whole: the phrase cannot be shortened ("that are red or cost 5 euros").
    """

    vp: str = ""
    where: tuple[str, ...] = ()
    pre: str = ""
    vp_one: str = ""
    joins: tuple[Join, ...] = ()
    evidence: tuple[str, ...] = ()
    repeats: bool = False
    whole: bool = False
    columns: tuple[str, ...] = ()

    def after_noun(self, who: bool, one: bool) -> str:
        if self.whole:
            return f"{'who' if who else 'that'} {finite(self.vp)}"
        return relative(self.vp_one or self.vp if one else self.vp, who, one)


@dataclass(frozen=True)
class Subject:
    """The rows of one table that satisfy some restrictions: "crime books with more than 300 pages"."""

    table: Table
    mods: tuple[Mod, ...] = ()

    def and_(self, *mods: Mod) -> "Subject":
        return replace(self, mods=(*self.mods, *mods))

    @property
    def pre(self) -> str:
        return "".join(f"{mod.pre} " for mod in self.mods if mod.pre)

    @property
    def said_after(self) -> list[Mod]:
        return [mod for mod in self.mods if mod.vp]

    @property
    def many(self) -> str:
        return f"{self.pre}{self.table.many}{self.tail(self.said_after)}"

    @property
    def one(self) -> str:
        return f"{self.pre}{self.table.one}{self.tail(self.said_after, one=True)}"

    @property
    def all(self) -> str:
        return self.many if self.mods else f"all {self.many}"

    @property
    def deep(self) -> bool:
        """Whether a restriction stands beside a nested one, so that only a full clause keeps them apart."""
        first = self.said_after[:-1]
        compared = any(" (SELECT " in condition for mod in self.mods for condition in mod.where)
        return any(mod.joins for mod in first) or bool(first and compared)

    @property
    def clause(self) -> str:
        """The subject and its last restriction as a predicate: "crime books have more than 300 pages"."""
        *others, last = self.said_after
        return f"{self.pre}{self.table.many}{self.tail(others)} {finite(last.vp)}"

    @property
    def clause_one(self) -> str:
        *others, last = self.said_after
        return f"{self.pre}{self.table.one}{self.tail(others, one=True)} {singular(last.vp_one or last.vp)}"

    def tail(self, mods: list[Mod], one: bool = False) -> str:
        """Return the restrictions that follow the noun; after a relative clause the others join it with "and"."""
        words, within = "", ""
        for mod in mods:
            if within == "clause":
                words += " and " + (singular(mod.vp_one or mod.vp) if one else finite(mod.vp))
                continue
            phrase = mod.after_noun(self.table.who, one)
            kind = "with" if phrase.startswith("with ") else "short"
            if phrase.startswith(("who ", "that ")):
                kind = "clause"
            if kind == "with" and within == "with":
                phrase = "and " + phrase.removeprefix("with ")
            elif within and kind == within:
                phrase = "and " + phrase
            words, within = f"{words} {phrase}", kind
        return words

    @property
    def evidence(self) -> str:
        return "; ".join(dict.fromkeys(text for mod in self.mods for text in mod.evidence))

    @property
    def repeats(self) -> bool:
        return any(mod.repeats for mod in self.mods)

    @property
    def joins(self) -> tuple[Join, ...]:
        return tuple(dict.fromkeys(join for mod in self.mods for join in mod.joins))

    def query(self, *items: str, style: Style = "T") -> Query:
        """Return a query for these rows that shows `items`."""
        where = tuple(condition for mod in self.mods for condition in mod.where)
        return Query(self.table.name, items, self.joins, where, style=style)

    def label_query(self, style: Style = "T") -> Query:
        """Return a query for the labels of these rows."""
        return self.query(self.table.label.ref, style=style).but(distinct=self.repeats)


def either(one: Mod, other: Mod) -> Mod:
    """Return the restriction that one or the other holds."""
    where = " OR ".join(" AND ".join(mod.where) for mod in (one, other))
    return Mod(vp=f"{finite(one.vp)} or {finite(other.vp)}", where=(f"({where})",), whole=True,
               evidence=one.evidence + other.evidence, columns=one.columns + other.columns)  # fmt: skip
