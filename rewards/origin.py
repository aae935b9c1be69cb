"""Where the values come from that a query gives: from the tables that gold reads, or from nowhere."""

from collections.abc import Iterator
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import ParseError

from rewards.query import resolved
from tasks.level import read_query, read_statements
from tasks.scope import Resolved, Source, output_name, unwrap

_FROM_ROWS = (exp.Column, exp.Star, exp.Count, exp.Exists, exp.Query)


@lru_cache(maxsize=4096)
def reads_gold(sql: str, gold_sql: str, database: str) -> bool:
    """Return whether a query reads a table that the gold query reads, and gives more than constants.

    Columns are followed into subqueries, and a quoted name that is no column is a text, as SQLite has it; what decides
    between the branches of a CASE is not what it gives.  True where gold reads no table, or gives constants itself, and
    where sqlglot does not understand the query; where `tasks.scope` does not, any name is taken for that of a column.
    VALUES and EXPLAIN QUERY PLAN, which the sandbox allows too, read none.

    >>> city = "CREATE TABLE city (name TEXT, country TEXT)"
    >>> gold = "SELECT name FROM city WHERE country = 'Italy'"
    >>> reads_gold("SELECT count(*) FROM city", gold, city), reads_gold('SELECT "Rome" FROM city', gold, city)
    (True, False)
    >>> reads_gold("SELECT x FROM (SELECT 'Rome' AS x) WHERE 1 IN (SELECT 1 FROM city)", gold, city)
    False
    >>> reads_gold("SELECT CASE WHEN name > '' THEN 'Rome' END FROM city", gold, city)
    False
    """
    wanted, read = _tables(gold_sql), _tables(sql)
    if not wanted or read is None:
        return True
    if not wanted & read:
        return False
    found = resolved(sql, database) or resolved(sql, database, rowids=True)
    if _comes_from_rows(found, found.query if found else read_query(sql)):
        return True
    gold = resolved(gold_sql, database)
    return gold is not None and not _comes_from_rows(gold, gold.query)


@lru_cache(maxsize=4096)
def has_star(sql: str) -> bool:
    """Return whether a query gives all columns of a table; false for what sqlglot cannot read.

    >>> has_star("SELECT c.* FROM city AS c"), has_star("SELECT count(*) FROM city")
    (True, False)
    """
    try:
        return any(one.is_star for select in _branches(read_query(sql)) for one in select.expressions)
    except ParseError:
        return False


@lru_cache(maxsize=4096)
def _tables(sql: str) -> frozenset[str] | None:
    """Return the tables of the database that a query names, in lower case; None where sqlglot cannot read it.

    None of them where there are VALUES in it, or where it is something else than a SELECT.

    >>> sorted(_tables("WITH a AS (SELECT * FROM Town) SELECT * FROM a JOIN b"))
    ['b', 'town']
    """
    try:
        (query,) = read_statements(sql, "sqlite")
    except (ParseError, ValueError):  # the latter for what is not one statement
        return None
    if not isinstance(query, exp.Query) or query.find(exp.Values):
        return frozenset()
    named = {table.name.lower() for table in query.find_all(exp.Table)}
    return frozenset(named - {one.alias.lower() for one in query.find_all(exp.CTE)})


def _comes_from_rows(found: Resolved | None, query: exp.Expr, name: str = "*", within: tuple[int, ...] = ()) -> bool:
    """Return whether the output called `name` of a query, or some output for `*`, counts rows or has a table's column.

    Each branch of a set operation must.  within: ids of the queries being looked at, as a recursive one reads itself.
    """
    if id(query) in within:
        return True

    def holds(source: Source | None, column: str) -> bool:
        if source is None or source.query is None:
            return source is not None
        return _comes_from_rows(found, source.query, column, (*within, id(query)))

    def counts(node: exp.Expr) -> bool:
        if isinstance(node, exp.Query):
            return _comes_from_rows(found, node, within=(*within, id(query)))
        if isinstance(node, exp.Exists) or found is None:
            return True
        if isinstance(node, exp.Column):
            return holds(found.sources.get(node.table), node.name)
        sources = found.scopes[id(node.find_ancestor(exp.Select))].sources
        return not isinstance(node.parent, exp.Column) and any(holds(source, "*") for source in sources)

    def branch_does(select: exp.Select) -> bool:
        named = [one for one in select.expressions if name in ("*", output_name(one))]
        return any(counts(node) for one in named or select.expressions for node in _values(one))

    return all(map(branch_does, _branches(query)))


def _values(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield what an expression gives, or is computed from, that may come from rows."""
    if isinstance(node, _FROM_ROWS):
        yield node
    elif isinstance(node, exp.Sum | exp.Avg):  # of 1 and 0, by a condition: a count
        yield from node.find_all(*_FROM_ROWS)
    else:
        for child in _given(node):
            yield from _values(child)


def _given(node: exp.Expr) -> Iterator[exp.Expr]:
    """Return the children of an expression that its value is made of."""
    if isinstance(node, exp.Case):
        return filter(None, [*(one.args["true"] for one in node.args["ifs"]), node.args.get("default")])
    if isinstance(node, exp.If):
        return filter(None, [node.args["true"], node.args.get("false")])
    if isinstance(node, exp.Coalesce | exp.Nullif):  # a constant that comes first is all there is
        return iter([node.this])
    return node.iter_expressions()


def _branches(query: exp.Expr) -> list[exp.Select]:
    """Return the SELECTs whose rows a query gives: one, or the branches of its set operation."""
    query = unwrap(query)
    if isinstance(query, exp.SetOperation):
        return [*_branches(query.this), *_branches(query.expression)]
    return [query] if isinstance(query, exp.Select) else []
