"""When two questions, two queries or two databases are the same, however they are written."""

import re
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from unicodedata import normalize

from sqlglot import exp
from sqlglot.errors import ParseError

from configs.screen import progress
from sandbox import Limits, execute_many
from tasks.level import SQLGLOT_TRIPS, read_query

Names = frozenset[tuple[str, str]]
"""What a database is known by: its (table, column) pairs in lower case."""

BATCH = 1000  # databases between two steps of the progress bar, which fewer don't need
_WORD = re.compile(r"\w+")
_NAMES = (
    "SELECT lower(m.name), lower(c.name) FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE "
    r"m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.sql NOT LIKE 'CREATE VIRTUAL%'"
)
_LIMITS = Limits(timeout_s=10, max_rows=100_000)


def words(text: str) -> tuple[str, ...]:
    """Return the words of a question without case, punctuation and the width of letters.

    >>> words("Who is the  BEST singer, in ２０２０?")
    ('who', 'is', 'the', 'best', 'singer', 'in', '2020')
    """
    return tuple(_WORD.findall(normalize("NFKC", text).casefold()))


def names_of(databases: Iterable[str], workers: int) -> dict[str, Names]:
    """Return the names of each database; a damaged one has none."""
    found, wanted = {}, sorted(set(databases))
    with progress("Reading schemas", len(wanted)) if len(wanted) > BATCH else nullcontext(int) as advance:
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            results = execute_many([(database, _NAMES) for database in batch], _LIMITS, workers)
            found |= {database: frozenset(result.rows) for database, result in zip(batch, results, strict=True)}
            advance(len(batch))
    return found


def skeleton(sql: str, names: Names = frozenset(), constants: bool = False) -> str:
    """Return a query as text without its constants, aliases, letter case and needless words.

    names: those of its database; a "double-quoted" word that is no column there is a text to SQLite.
    constants: keep them.  What cannot be read as one SELECT stays as it is, but for case and spaces.

    >>> skeleton("SELECT T1.Name FROM Singer AS T1 WHERE T1.age > 30 AND T1.country IN ('FR', 'IT')")
    'select name from singer where age > ? and country in (?)'
    >>> skeleton("SELECT s.title, COUNT(*) AS n FROM song s INNER JOIN singer ON singer.id = s.by ORDER BY n LIMIT 3")
    'select song.title, count(*) from song join singer on singer.id = song.by order by count(*) limit ?'
    """
    try:
        tree = read_query(sql)
        _name_sources(tree)
        _drop_output_names(tree)
        _settle_constants(tree, {column for _, column in names}, constants)
        for identifier in tree.find_all(exp.Identifier):
            identifier.set("quoted", False)
        for join in tree.find_all(exp.Join):
            join.set("kind", None if join.kind == "INNER" else join.kind)
        for ordered in tree.find_all(exp.Ordered):
            ordered.set("desc", ordered.args.get("desc") or None)
        return tree.sql("sqlite", comments=False).casefold()
    except (ParseError, RecursionError, *SQLGLOT_TRIPS):  # data of others: it need not be SQL at all
        return " ".join(sql.casefold().split())


def _name_sources(tree: exp.Expr) -> None:
    """Call each source of a SELECT by its table, or by its place, and columns by their source."""
    parts = {part.alias.lower(): f"with_{number}" for number, part in enumerate(tree.find_all(exp.CTE), 1)}
    selects = list(tree.find_all(exp.Select))
    called = {id(select): _called(select, parts) for select in selects}
    for column in tree.find_all(exp.Column):
        select = near = column.find_ancestor(exp.Select)
        while select and column.table.lower() not in called[id(select)]:
            select = select.find_ancestor(exp.Select)
        if select:
            alone = select is near and len(called[id(select)]) == 1
            column.set("table", None if alone else exp.to_identifier(called[id(select)][column.table.lower()]))
    for select in selects:
        for entry in _entries(select):
            entry.set("alias", None)
    for node in tree.find_all(exp.Table, exp.CTE):
        if isinstance(node, exp.CTE):
            node.set("alias", exp.TableAlias(this=exp.to_identifier(parts[node.alias.lower()])))
        elif node.name.lower() in parts:
            node.set("this", exp.to_identifier(parts[node.name.lower()]))


def _entries(select: exp.Select) -> list[exp.Expr]:
    from_ = select.args.get("from_")
    return ([from_.this] if from_ else []) + [join.this for join in select.args.get("joins") or ()]


def _called(select: exp.Select, parts: dict[str, str]) -> dict[str, str]:
    """Return for each name of a source what it shall be called."""
    called: dict[str, str] = {}
    for number, entry in enumerate(_entries(select), 1):
        own = entry.name.lower() if isinstance(entry, exp.Table) else f"query_{number}"
        name = parts.get(own, own)
        called[entry.alias_or_name.lower()] = f"{name}_{number}" if name in called.values() else name
    return called


def _drop_output_names(tree: exp.Expr) -> None:
    """Write out what GROUP BY, HAVING and ORDER BY call by a name that the SELECT list gave."""
    for select in tree.find_all(exp.Select):
        named = [item for item in select.expressions if isinstance(item, exp.Alias)]
        outputs = {item.alias.lower(): item.this for item in named}
        for clause in filter(None, (select.args.get(part) for part in ("group", "having", "order"))):
            for column in list(clause.find_all(exp.Column)):
                if not column.table and column.name.lower() in outputs:
                    column.replace(outputs[column.name.lower()].copy())
        for item in named:
            item.replace(item.this)


def _settle_constants(tree: exp.Expr, columns: Collection[str], keep: bool) -> None:
    """Make constants of quoted words that are no columns; blank all constants if they aren't to be kept."""
    for column in list(tree.find_all(exp.Column)):
        if column.this.args.get("quoted") and not column.table and column.name.lower() not in columns:
            column.replace(exp.Literal.string(column.name))
    if keep:
        return
    for literal in list(tree.find_all(exp.Literal)):
        signed = literal.parent if isinstance(literal.parent, exp.Neg) else literal
        signed.replace(exp.Placeholder())
    for test in tree.find_all(exp.In):
        if all(isinstance(value, exp.Placeholder) for value in test.expressions):
            test.set("expressions", test.expressions[:1])
