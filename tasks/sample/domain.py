"""A domain file, read: tables, columns, links, and the words that people use for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from tasks.sample.words import plural

FOLDER = Path(__file__).parent / "domains"
Kind = Literal["key", "ref", "label", "category", "measure", "date", "plain"]

# What a column may say in words, and how its values may be made.
PHRASES = {"is", "pre", "same", "over", "under", "than", "less", "most", "least", "ask", "how", "missing",
           "present", "each"}  # fmt: skip
MAKERS = {"key", "ref", "pool", "names", "int", "real", "date", "after", "values", "code"}
LINK_KEYS = {"from", "to", "by", "many", "say", "ask", "back", "none", "each", "times", "top", "named"}
FLAGS = {"noun", "gaps", "sum", "year", "ends", "type", "skip", "codes", "quote", "meaning", "plain"}


@dataclass(frozen=True)
class Column:
    """One column: how its values are made (`make`) and what people say about it (`phrases`).

    year: a number that counts years of the calendar, so that nobody averages it.
    ends: the words for the largest and the smallest value.
    gaps: share of the rows without a value.
    codes: stored value → what it means; a question that uses it carries the meaning as evidence.
    """

    table: str
    name: str
    kind: Kind
    type: str
    noun: str
    nouns: str
    phrases: Mapping[str, tuple[str, ...]]
    make: Mapping[str, object]
    gaps: float = 0.0
    sum: bool = False
    year: bool = False
    quote: bool = False
    ends: tuple[str, str] = ("highest", "lowest")
    codes: Mapping[str, str] = field(default_factory=dict)

    def say(self, key: str) -> tuple[str, ...]:
        return self.phrases.get(key, ())

    @property
    def ref(self) -> str:
        """The column as the query builder names it, before an alias is chosen."""
        return f"{{{self.table}.{self.name}}}"


@dataclass(frozen=True)
class Table:
    name: str
    one: str
    many: str
    who: bool
    label: Column | None
    columns: tuple[Column, ...]
    rows: int
    called: str = "_"  # how a question names one row: "the shop on _"
    given: tuple[tuple[object, ...], ...] = ()
    given_columns: tuple[str, ...] = ()

    @property
    def key(self) -> Column | None:
        return next((c for c in self.columns if c.kind == "key"), None)

    def of(self, *kinds: Kind) -> list[Column]:
        return [c for c in self.columns if c.kind in kinds]


@dataclass(frozen=True)
class Link:
    """One direction of a relation: `source` is the subject of `say`, the blank stands for `target`.

    path: equalities, in the order in which tables are joined, starting at the source.
    single: every source row has at most one target row.
    """

    source: str
    target: str
    path: tuple[tuple[str, str], ...]
    single: bool
    say: tuple[str, ...]
    none: tuple[str, ...] = ()  # has no target row
    each: tuple[str, ...] = ()  # asks for the number of target rows of each
    ask: tuple[str, ...] = ()  # asks for the target of one source row
    times: tuple[str, ...] = ()  # has "more than 3" target rows
    named: tuple[str, ...] = ()  # as `say`, where the target is one row with a name
    top: tuple[str, ...] = ()  # has the most target rows


@dataclass(frozen=True)
class Domain:
    name: str
    split: str
    we: bool
    tables: Mapping[str, Table]
    links: tuple[Link, ...]


def phrases_of(text: object) -> tuple[str, ...]:
    """Return the alternatives of a phrase.

    >>> phrases_of("are from _ | live in _")
    ('are from _', 'live in _')
    """
    return tuple(part.strip() for part in str(text).split("|")) if text is not None else ()


def column_kind(name: str, spec: Mapping, label: str) -> Kind:
    if name == label:
        return "label"
    if "key" in spec:
        return "key"
    if "ref" in spec:
        return "ref"
    if spec.get("plain"):
        return "plain"
    if "date" in spec or "after" in spec:
        return "date"
    return "measure" if "int" in spec or "real" in spec or "over" in spec else "category"


def column_of(table: str, name: str, spec: Mapping, label: str) -> Column:
    if unknown := spec.keys() - PHRASES - MAKERS - FLAGS:
        raise ValueError(f"{table}.{name}: unknown {sorted(unknown)}")
    kind = column_kind(name, spec, label)
    number = "int" in spec or "key" in spec or "ref" in spec or "over" in spec
    usual = (
        "REAL" if "real" in spec else "TEXT" if "code" in spec else "INTEGER" if number and kind != "date" else "TEXT"
    )
    in_time = kind == "date" or spec.get("year")
    noun, _, nouns = str(spec.get("noun", name.replace("_", " "))).partition(" | ")
    return Column(
        table=table, name=name, kind=kind, type=spec.get("type", usual), noun=noun, nouns=nouns or plural(noun),
        phrases={key: phrases_of(spec[key]) for key in PHRASES & spec.keys()},
        make={key: spec[key] for key in (MAKERS | {"skip"}) & spec.keys()},
        gaps=spec.get("gaps", 0.0), sum=spec.get("sum", False), year=spec.get("year", False),
        quote=spec.get("quote", False), codes=spec.get("codes", {}),
        ends=phrases_of(spec.get("ends", "latest | earliest" if in_time else "highest | lowest")),
    )  # fmt: skip


def table_of(name: str, spec: Mapping) -> Table:
    label = spec.get("label", "")
    columns = tuple(column_of(name, key, value or {}, label) for key, value in spec["columns"].items())
    one, _, many = spec["noun"].partition(" | ")
    given = tuple(tuple(row) for row in spec.get("given", ()))
    if any(len(row) != len(spec["given_columns"]) for row in given):
        raise ValueError(f"{name}: a given row does not fit its columns")
    return Table(
        name=name, one=one, many=many or plural(one), who=spec.get("who", False), called=spec.get("called", "_"),
        label=next((c for c in columns if c.name == label), None), columns=columns,
        rows=len(given) or spec["rows"], given=given, given_columns=tuple(spec.get("given_columns", ())),
    )  # fmt: skip


def links_of(spec: Mapping) -> list[Link]:
    """Return both directions of a relation that a domain file describes."""
    path = tuple(tuple(side.strip() for side in pair.split("=")) for pair in spec["by"].split(","))
    back = tuple((right, left) for left, right in reversed(path))
    if unknown := spec.keys() - LINK_KEYS:
        raise ValueError(f"link: unknown {sorted(unknown)}")
    said = {key: phrases_of(spec.get(key)) for key in LINK_KEYS}
    single = not spec.get("many", False)
    forward = Link(spec["from"], spec["to"], path, single, said["say"], ask=said["ask"], named=said["named"])
    backward = Link(spec["to"], spec["from"], back, False, said["back"],
                    said["none"], said["each"], times=said["times"], top=said["top"])  # fmt: skip
    return [forward, backward]


def read_domain(path: Path) -> Domain:
    """Return the domain that a file describes."""
    spec = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    try:
        tables = {name: table_of(name, table) for name, table in spec["tables"].items()}
        links = tuple(link for relation in spec["links"] for link in links_of(relation))
    except (KeyError, ValueError, TypeError) as problem:
        raise ValueError(f"{path.name}: {problem}") from problem
    return Domain(path.stem, spec["split"], spec.get("we", False), tables, links)


@cache
def read_domains() -> tuple[Domain, ...]:
    """Return all domains, by name."""
    return tuple(read_domain(path) for path in sorted(FOLDER.glob("*.yaml")))
