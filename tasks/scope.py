"""Which table every column of a query belongs to: aliases, subqueries and SQLite's own rules resolved."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.errors import ParseError

from tasks.level import read_query
from tasks.schema import Schema
from tasks.sql_text import sql_text

Withs = dict[str, tuple[exp.Expr, tuple[str, ...]]]
"""The WITH queries in sight: name → query and its columns."""


class CannotPlan(ValueError):
    """The query cannot be told as a plan: why, in one line."""


@dataclass(eq=False)
class Source:
    """What a FROM opens: a table of the schema, or a query that stands in FROM or WITH.

    key: stands as the table of every resolved column.  alias: how the SQL calls it, as written.
    columns: their own names.  label: how the plan calls it.  block: the name of the query's block.
    """

    key: str
    alias: str
    columns: tuple[str, ...]
    table: str = ""
    query: exp.Query | None = None
    label: str = ""
    block: str = ""


@dataclass(eq=False)
class Scope:
    """One SELECT as text and tree, with what it opens; `outer` are the sources of enclosing queries that it reads."""

    select: exp.Select
    sql: str
    sources: list[Source]
    parent: "Scope | None"
    outer: list[Source] = field(default_factory=list)


@dataclass(eq=False)
class Resolved:
    """A query whose columns all carry a source's key as their table.

    scopes: by id of the SELECT.  renamed: by id, a node that names an output: itself (so that its id stays
    taken), the SELECT and the output's place.  with_names: by id of the query.  recursive: ids of the set
    operations that read themselves.
    """

    query: exp.Query
    schema: Schema
    scopes: dict[int, Scope] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    renamed: dict[int, tuple[exp.Expr, exp.Select, int]] = field(default_factory=dict)
    with_names: dict[int, str] = field(default_factory=dict)
    recursive: set[int] = field(default_factory=set)


def resolve(sql: str, schema: Schema) -> Resolved:
    """Return the query with every column resolved; CannotPlan where a name leads nowhere."""
    try:
        query = read_query(sql)
    except ParseError as error:
        raise CannotPlan(f"not one readable SELECT: {str(error).splitlines()[0]}") from error
    found = Resolved(query, schema)
    _resolve_query(found, query, None, {})
    if top := found.scopes.get(id(unwrap(query))):
        top.sql = sql
    _label(found)
    return found


def own_nodes(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the nodes below `node` in written order; nested queries are yielded, but not entered."""
    for child in node.iter_expressions():
        if isinstance(child, exp.With):
            continue
        yield child
        if not isinstance(child, exp.Query):
            yield from own_nodes(child)


def unwrap(node: exp.Expr) -> exp.Expr:
    """Return what stands inside brackets."""
    while isinstance(node, exp.Paren | exp.Subquery) and not node.args.get("alias"):
        node = node.this
    return node


def output_name(projection: exp.Expr) -> str:
    """Return the name under which an outer query sees a projection."""
    return projection.alias_or_name or projection.sql("sqlite")


def _resolve_query(found: Resolved, query: exp.Expr, parent: Scope | None, tables: Withs) -> tuple[str, ...]:
    """Resolve `query` and return the names of its columns; `tables` are the WITH queries in sight."""
    query = unwrap(query)
    tables = dict(tables)
    if with_ := query.args.get("with_"):
        for part in with_.expressions:
            if with_.args.get("recursive") and _reads(part.this, part.alias):
                names = _resolve_recursive(found, part, parent, tables)
            else:
                names = _resolve_query(found, part.this, parent, tables)
            found.with_names[id(unwrap(part.this))] = part.alias
            tables[part.alias.lower()] = (unwrap(part.this), _given(part) or names)
    if isinstance(query, exp.SetOperation):
        names = _resolve_query(found, query.this, parent, tables)
        _resolve_query(found, query.expression, parent, tables)
        _resolve_compound_order(found, query, names)
        return names
    if not isinstance(query, exp.Select):
        raise CannotPlan(f"{type(query).__name__.lower()} in place of a SELECT")
    return _resolve_select(found, query, parent, tables)


def _resolve_recursive(found: Resolved, part: exp.CTE, parent: Scope | None, tables: Withs) -> tuple[str, ...]:
    """Resolve a WITH query that reads itself: only its first branch, which may not, knows its columns."""
    query = unwrap(part.this)
    first, *others = arms(query)
    if not isinstance(query, exp.Union) or _reads(first, part.alias) or query.args.get("order"):
        raise CannotPlan("a recursive WITH that does not begin with rows of its own")
    names = _resolve_query(found, first, parent, tables)
    for arm in others:
        _resolve_query(found, arm, parent, tables | {part.alias.lower(): (query, _given(part) or names)})
    found.recursive.add(id(query))
    return names


def arms(query: exp.Expr) -> list[exp.Expr]:
    """Return the branches of a set operation, in written order."""
    query = unwrap(query)
    return [*arms(query.this), query.expression] if isinstance(query, exp.SetOperation) else [query]


def _given(part: exp.CTE) -> tuple[str, ...]:
    return tuple(column.name for column in part.args["alias"].columns)


def _reads(query: exp.Expr, name: str) -> bool:
    return any(table.name.lower() == name.lower() for table in query.find_all(exp.Table))


def _resolve_select(found: Resolved, select: exp.Select, parent: Scope | None, tables: Withs) -> tuple[str, ...]:
    scope = Scope(select, sql_text(select), [], parent)
    found.scopes[id(select)] = scope
    from_ = select.args.get("from_")
    opened = [from_.this] if from_ else []
    opened += [join.this for join in select.args.get("joins") or ()]
    for node in opened:
        if node.args.get("joins"):
            raise CannotPlan("joins inside brackets")
        scope.sources.append(_source(found, node, parent, tables))
    outputs = {item.alias.lower(): place for place, item in enumerate(select.expressions) if item.alias}
    in_from = {id(node) for node in opened}
    for node in list(own_nodes(select)):
        if isinstance(node, exp.Column):
            _resolve_column(found, node, scope, outputs)
        elif isinstance(node, exp.Query) and id(node) not in in_from:
            _resolve_query(found, node, scope, tables)
    _resolve_positions(found, select)
    return tuple(name for item in select.expressions for name in _output_names(item, scope))


def _source(found: Resolved, node: exp.Expr, parent: Scope | None, tables: Withs) -> Source:
    if isinstance(node, exp.Subquery):
        inner = unwrap(node.this)
        if not isinstance(inner, exp.Query):
            raise CannotPlan("joins inside brackets")
        columns = _resolve_query(found, inner, parent, tables)
        key = f"s{len(found.sources) + 1}"  # after the inner query has taken its own
        source = Source(key, node.alias or key, columns, query=inner)
    elif isinstance(node, exp.Table) and not node.args.get("db"):
        key = f"s{len(found.sources) + 1}"
        if node.name.lower() in tables:
            query, columns = tables[node.name.lower()]
            source = Source(key, node.alias or node.name, columns, query=query)
        else:
            table = next((t for t in found.schema.tables if t.name.lower() == node.name.lower()), None)
            if table is None:
                raise CannotPlan(f"no table {node.name!r} in the schema")
            columns = tuple(column.name for column in table.columns)
            source = Source(key, node.alias or table.name, columns, table=table.name)
    else:
        raise CannotPlan(f"{type(node).__name__.lower()} in FROM")
    found.sources[key] = source
    return source


def _resolve_column(found: Resolved, column: exp.Column, scope: Scope, outputs: dict[str, int]) -> None:
    """Give `column` its source's key and its real name, as SQLite would find them."""
    alone_in_order = isinstance(column.parent, exp.Ordered) and column.parent.parent is scope.select.args.get("order")
    if not column.table and column.name.lower() in outputs and alone_in_order:
        found.renamed[id(column)] = (column, scope.select, outputs[column.name.lower()])
        return
    place: Scope | None = scope
    passed: list[Scope] = []
    while place is not None:
        if hit := _find(column, place.sources):
            source, name = hit
            column.set("table", exp.to_identifier(source.key))
            if not isinstance(column.this, exp.Star):
                column.set("this", exp.to_identifier(name))
            for inner in passed:
                inner.outer.append(source)
            return
        passed.append(place)
        place = place.parent
    _resolve_elsewhere(found, column, scope, outputs)


def _resolve_elsewhere(found: Resolved, column: exp.Column, scope: Scope, outputs: dict[str, int]) -> None:
    """A name that is no column: an output of the same query, or a text in double quotes."""
    if not column.table and column.name.lower() in outputs:
        found.renamed[id(column)] = (column, scope.select, outputs[column.name.lower()])
    elif not column.table and column.this.args.get("quoted"):
        column.replace(exp.Literal.string(column.name))
    else:
        raise CannotPlan(f"no column {column.sql('sqlite')!r} in the tables that the query opens")


def _find(column: exp.Column, sources: list[Source]) -> tuple[Source, str] | None:
    for source in sources:
        if column.table and column.table.lower() != source.alias.lower():
            continue
        if isinstance(column.this, exp.Star):
            return source, "*"
        name = next((name for name in source.columns if name.lower() == column.name.lower()), None)
        if name is not None:
            return source, name
    return None


def _resolve_positions(found: Resolved, select: exp.Select) -> None:
    """ORDER BY 2 and GROUP BY 2 mean the second output."""
    order, group = select.args.get("order"), select.args.get("group")
    items = [ordered.this for ordered in order.expressions] if order else []
    for item in items + (group.expressions if group else []):
        if isinstance(item, exp.Literal) and not item.is_string:
            position = int(item.name) if item.name.isdigit() else 0
            if not 1 <= position <= len(select.expressions):
                raise CannotPlan(f"ORDER BY or GROUP BY {item.name}")
            found.renamed[id(item)] = (item, select, position - 1)


def _resolve_compound_order(found: Resolved, query: exp.SetOperation, names: tuple[str, ...]) -> None:
    """ORDER BY after a set operation names an output of its first branch, or its position."""
    first = query
    while isinstance(first, exp.SetOperation):
        first = unwrap(first.this)
    order = query.args.get("order")
    for ordered in order.expressions if order else ():
        name = ordered.this.name
        lower = [known.lower() for known in names]
        if name.isdigit() and 1 <= int(name) <= len(first.expressions):
            found.renamed[id(ordered.this)] = (ordered.this, first, int(name) - 1)
        elif name.lower() in lower and len(lower) == len(first.expressions):
            found.renamed[id(ordered.this)] = (ordered.this, first, lower.index(name.lower()))
        else:
            raise CannotPlan(f"ORDER BY {ordered.this.sql('sqlite')} after a set operation")


def _output_names(item: exp.Expr, scope: Scope) -> list[str]:
    if isinstance(item, exp.Star):
        return [name for source in scope.sources for name in source.columns]
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        return list(next(source for source in scope.sources if source.key == item.table).columns)
    return [output_name(item)]


def _label(found: Resolved) -> None:
    """Call each source by its table's real name, or by its alias where two of one table are in sight."""
    for source in found.sources.values():
        source.label = source.table
    for scope in found.scopes.values():
        in_sight = list(dict.fromkeys([*scope.sources, *scope.outer]))
        for source in in_sight:
            same = [other for other in in_sight if other is not source and _same_thing(source, other)]
            if same and source.alias.lower() != source.table.lower():
                source.label = source.alias


def _same_thing(one: Source, other: Source) -> bool:
    return one.table == other.table if one.table else one.query is other.query
