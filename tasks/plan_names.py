"""Which tables and columns a plan names, and which a query reads: do the two tell the same story?"""

import re

from sqlglot import exp

from tasks.conditions import join_conditions
from tasks.schema import Schema
from tasks.scope import Resolved, resolve

_NAME = r"(?:[^\W\d]\w*|`[^`\n]+`)"
_TOKEN = re.compile(
    rf"(?P<table>{_NAME})\.(?P<column>\*|{_NAME}|\"[^\"\n]+\"|\[[^\]\n]+\])"
    r"|(?: \()?\"[^\"\n]*\"\)?|(?<!\w)'(?:[^'\n]|'')*'(?!\w)"  # quoted words and values name nothing
)
_ALIAS = re.compile(rf"(?<![.\w`])({_NAME}) \(?as ({_NAME})\)?", re.IGNORECASE)
_BLOCK = re.compile(r"^(?:\d+\. )?(?:Work out )?([A-Z])\b[^:\n]*:", re.MULTILINE)
_ITEM = rf"{_NAME}(?: \(?as {_NAME}\)?)?"
_OPEN = re.compile(
    rf"\bopen (?:the )?(?:tables? )?({_ITEM}(?:(?:, (?:and |then )*| (?:and |then )+){_ITEM})*)( *[.;:]| *$)?",
    re.I | re.M,
)
_BETWEEN_ITEMS = re.compile(r"\s*,\s*(?:and |then )*| (?:and |then )+")
_ABBREVIATIONS = {"e.g", "i.e", "a.m", "p.m", "u.s", "u.k"}


def names_in_plan(plan: str, schema: Schema) -> tuple[set[str], set[str], set[str]]:
    """Return the tables, the columns as table.column, and the unknown names that a plan holds.

    Looked for outside quotes: table.column, where an alias given by "city as T1" counts as its table,
    and what is opened.  Columns of a subquery that the plan has named (A.total) are left out.
    """
    known = {table.name.lower(): table.name for table in schema.tables}
    real = {(table.name, column.name.lower()): column.name for table in schema.tables for column in table.columns}
    bare = _TOKEN.sub(lambda token: token.group() if token["table"] else "", plan)
    blocks = {block.lower() for block in _BLOCK.findall(plan)}
    aliases = _aliases(bare, blocks | set(known))
    tables, unknown = _opened(bare, known, blocks)
    columns: set[str] = set()
    for token in _TOKEN.finditer(plan):
        if not token["table"] or token.group().lower() in _ABBREVIATIONS:
            continue
        name, column = _plain(token["table"]), _plain(token["column"])
        meant = aliases.get(name, set()) | {name}
        hits = [known[table] for table in meant & set(known) if column == "*" or (known[table], column) in real]
        if not hits and not meant & blocks:
            unknown.add(token.group())
        tables.update(hits)
        columns.update(f"{table}.{real[table, column]}" for table in hits if column != "*")
    return tables, columns, unknown


def unknown_names(plan: str, schema: Schema) -> list[str]:
    """Return the names in a plan that the schema does not have, sorted."""
    return sorted(names_in_plan(plan, schema)[2])


def facts_of_sql(sql: str, schema: Schema) -> tuple[set[str], set[str]]:
    """Return the tables that a query opens and the columns, as table.column, that it reads by name.

    CannotPlan where a name leads nowhere.
    """
    found = resolve(sql, schema)
    tables = {source.table for source in found.sources.values() if source.table}
    trees = [found.query, *_implied(found)]
    columns = [column for tree in trees for column in tree.find_all(exp.Column)]
    return tables, {
        f"{found.sources[column.table].table}.{column.name}"
        for column in columns
        if column.table in found.sources and found.sources[column.table].table and not isinstance(column.this, exp.Star)
    }


def _implied(found: Resolved) -> list[exp.Expr]:
    """Return the equalities that USING and NATURAL stand for."""
    return [
        tree
        for scope in found.scopes.values()
        for source, join in zip(scope.sources[1:], scope.select.args.get("joins") or (), strict=True)
        for tree in join_conditions(scope, source, join)
    ]


def _plain(name: str) -> str:
    return name.strip('`"[]').lower()


def _aliases(text: str, targets: set[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for target, alias in _ALIAS.findall(text):
        if _plain(target) in targets:
            found.setdefault(_plain(alias), set()).add(_plain(target))
    return found


def _opened(text: str, known: dict[str, str], blocks: set[str]) -> tuple[set[str], set[str]]:
    """Return the tables that a plan opens, and what it opens that is none.

    The words after "open" are all names only where a stop follows them; prose may go on otherwise.
    """
    tables: set[str] = set()
    unknown: set[str] = set()
    for found in _OPEN.finditer(text):
        for item in _BETWEEN_ITEMS.split(found[1]):
            name = re.split(r" \(?as ", item, flags=re.IGNORECASE)[0]
            if _plain(name) in known:
                tables.add(known[_plain(name)])
            elif found[2] is not None and _plain(name) not in blocks:
                unknown.add(name)
    return tables, unknown
