"""What a query does, as sets: the side of the SQL when plan and SQL are compared."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from tasks.conditions import join_conditions
from tasks.schema import Schema
from tasks.scope import Resolved, Scope, own_nodes, resolve, unwrap
from tasks.sql_text import expression_text

Compared = tuple[str, str, str]
"""What is compared (as `subject` writes it), the operator, and with what: a constant, another subject, or A_QUERY."""

A_QUERY = "(query)"

OPERATORS = {exp.EQ: "=", exp.NEQ: "!=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=", exp.Like: "like"}
TURNED = {"=": "=", "!=": "!=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
AGGREGATES = {exp.Count: "count", exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max"}


@dataclass(frozen=True)
class SqlStory:
    """What a query does; columns as table.column in the schema's spelling, those of subqueries left out.

    read: all columns that it names.  used: also those behind a star.  joined, filtered, grouped, ordered, delivered:
    those in these places.  constants: what its conditions compare with; counts: what counts of rows are compared with.
    compared: all comparisons; links: those of two columns in its conditions.  aggregates: (function, subject) pairs.
    limits: as constants.
    clauses: names of what it holds besides.  plain_groups: whether GROUP BY has nothing but tables' columns.
    """

    tables: frozenset[str]
    read: frozenset[str]
    used: frozenset[str]
    joined: frozenset[str]
    filtered: frozenset[str]
    grouped: frozenset[str]
    ordered: frozenset[str]
    delivered: frozenset[str]
    constants: frozenset[str]
    counts: frozenset[str]
    compared: frozenset[Compared]
    links: frozenset[Compared]
    aggregates: frozenset[tuple[str, str]]
    limits: frozenset[str]
    clauses: frozenset[str]
    plain_groups: bool


def read_sql(sql: str, schema: Schema) -> SqlStory:
    """Return what `sql` does; CannotPlan where it cannot be resolved."""
    found = resolve(sql, schema)
    for node, select, place in found.renamed.values():
        node.replace(select.expressions[place].unalias().copy())
    conditions = [tree for scope in found.scopes.values() for tree in _conditions(scope)]
    links = [tree for tree in conditions if type(tree) in OPERATORS and _is_link(tree)]
    joins = [tree for tree in links if isinstance(tree, exp.EQ)]
    filters = [tree for tree in conditions if tree not in joins]
    told = list(_compared(filters))
    read = _columns(found, [found.query, *joins])
    groups = _items(found.query, "group")
    return SqlStory(
        tables=frozenset(source.table for source in found.sources.values() if source.table),
        read=read,
        used=read | _behind_stars(found),
        joined=_columns(found, joins),
        filtered=_columns(found, filters),
        grouped=_columns(found, groups),
        ordered=_columns(found, _items(found.query, "order")),
        delivered=_columns(found, _outputs(found.query)),
        constants=frozenset(constant for what, _, constant in told if not what.startswith("count(")),
        counts=frozenset(constant for what, _, constant in told if what.startswith("count(")),
        compared=frozenset(_compared([found.query, *joins], with_others=True)),
        aggregates=frozenset(
            (AGGREGATES[type(node)], subject(node.this)) for node in found.query.find_all(*AGGREGATES) if node.this
        ),
        links=frozenset(_compared(links, with_others=True)),
        limits=frozenset(constant_text(limit.expression.name) for limit in found.query.find_all(exp.Limit)),
        clauses=frozenset(name for name, holds in _CLAUSES.items() if holds(found.query)),
        plain_groups=all(len(_columns(found, [tree])) == isinstance(tree, exp.Column) == 1 for tree in groups),
    )


def subject(tree: exp.Expr) -> str:
    """Return what is compared, spelled so that table names, letter case, spaces and quotes don't count.

    >>> from sqlglot import parse_one
    >>> subject(parse_one("COUNT(T1.id)")), subject(parse_one('T1."Head Count"'))
    ('count(*)', 'headcount')
    """
    return plain_subject(
        expression_text(next(iter(tree.expressions), tree) if isinstance(tree, exp.Distinct) else tree, {})
    )


def plain_subject(text: str) -> str:
    """Return the spelling of `subject` for text whose columns have lost their tables."""
    plain = "".join(char for char in text.lower() if char not in ' `"[]')
    counts_rows = plain.startswith("count(") and not plain.startswith("count(distinct")
    return "count(*)" if counts_rows else plain


def constant_text(text: str) -> str:
    """Return a constant so that 1000, 1,000 and 1000.0 are the same, and so are Oslo and oslo.

    >>> constant_text("1,000"), constant_text("1000.0"), constant_text(" New  York")
    ('1000', '1000', 'new york')
    """
    plain = " ".join(text.casefold().replace("’", "'").split())
    try:
        number = float(plain.replace(",", ""))
    except ValueError:
        return plain
    return f"{number:.12g}"


def _conditions(scope: Scope) -> Iterator[exp.Expr]:
    """Yield what ON, USING, WHERE and HAVING ask of the rows, each condition that an AND joins by itself."""
    joins = scope.select.args.get("joins") or ()
    joined = zip(scope.sources[1:], joins, strict=True)
    trees = [tree for source, join in joined for tree in join_conditions(scope, source, join)]
    trees += [clause.this for name in ("where", "having") if (clause := scope.select.args.get(name))]
    while trees:
        tree = trees.pop()
        if isinstance(tree, exp.And | exp.Or | exp.Paren):
            trees += [child for child in (tree.this, tree.args.get("expression")) if child]
        else:
            yield tree


def _is_link(tree: exp.Expr) -> bool:
    return isinstance(tree.this, exp.Column) and isinstance(tree.args.get("expression"), exp.Column)


def _columns(found: Resolved, trees: list[exp.Expr]) -> frozenset[str]:
    """Return the columns of real tables in `trees`; what a subquery inside them reads only where they are queries."""
    columns = set()
    for tree in trees:
        nodes = tree.walk() if isinstance(tree, exp.Query) else (tree, *own_nodes(tree))
        for node in nodes:
            source = found.sources.get(node.table) if isinstance(node, exp.Column) else None
            if source and source.table and not isinstance(node.this, exp.Star):
                columns.add(f"{source.table}.{node.name}")
    return frozenset(columns)


def _behind_stars(found: Resolved) -> frozenset[str]:
    """Return the columns that SELECT * delivers, and the keys that may stand for the rows in COUNT(*)."""
    columns = set()
    for scope in found.scopes.values():
        tables = {source.table for source in scope.sources}
        stars = [item for item in scope.select.expressions if item.is_star]
        counts = any(isinstance(node, exp.Count) for node in own_nodes(scope.select))
        for table in found.schema.tables:
            if table.name in tables:
                columns |= {f"{table.name}.{c.name}" for c in table.columns if stars or (counts and c.primary_key)}
    return frozenset(columns)


def _items(query: exp.Expr, clause: str) -> list[exp.Expr]:
    """Return what the ORDER BYs or GROUP BYs of a query and its subqueries name."""
    queries = [node for node in query.walk() if isinstance(node, exp.Query) and node.args.get(clause)]
    items = [item for query in queries for item in query.args[clause].expressions]
    return [item.this if isinstance(item, exp.Ordered) else item for item in items]


def _outputs(query: exp.Expr) -> list[exp.Expr]:
    """Return what a query delivers, without counts of a column: they may be told as counts of rows."""
    while not isinstance(query, exp.Select):
        query = query.this
    outputs = [unwrap(item.unalias()) for item in query.expressions]
    queries = [tree for tree in outputs if isinstance(tree, exp.Query)]
    counts = [tree for tree in outputs if isinstance(tree, exp.Count) and isinstance(tree.this, exp.Column)]
    own = [tree for tree in outputs if tree not in queries and tree not in counts]
    return own + [tree for inner in queries for tree in _outputs(inner)]


def _compared(trees: list[exp.Expr], with_others: bool = False) -> Iterator[Compared]:
    """Yield the comparisons with constants in `trees`, BETWEEN as two, IN as several; if asked, also the others."""
    for tree in trees:
        for node in tree.walk() if isinstance(tree, exp.Query) else (tree, *own_nodes(tree)):
            for left, sign, right in _sides(node):
                constant = _constant(right)
                if constant is not None:
                    yield subject(left), sign, constant
                elif with_others:
                    other = A_QUERY if isinstance(unwrap(right), exp.Query) else subject(right)
                    yield turned(subject(left), sign, other)


def _sides(node: exp.Expr) -> Iterator[tuple[exp.Expr, str, exp.Expr]]:
    """Yield what one condition compares; the constant on the right."""
    negated = isinstance(node.parent, exp.Not)
    if isinstance(node, exp.Between):
        yield node.this, ">=", node.args["low"]
        yield node.this, "<=", node.args["high"]
    elif isinstance(node, exp.In):
        others = [node.args["query"]] if node.args.get("query") else node.expressions
        yield from ((node.this, "!=" if negated else "=", other) for other in others)
    elif isinstance(node, exp.Like):
        yield node.this, "not like" if negated or node.args.get("negate") else "like", node.expression
    elif isinstance(node, exp.If) and isinstance(node.parent, exp.Case) and node.parent.this:
        yield node.parent.this, "=", node.this
    elif type(node) in OPERATORS:
        sign, constant_first = OPERATORS[type(node)], _constant(node.this) is not None
        yield (node.expression, TURNED[sign], node.this) if constant_first else (node.this, sign, node.expression)


def turned(left: str, sign: str, right: str) -> Compared:
    """Return a comparison of two subjects in the one way in which it is kept, a query on the right.

    >>> turned("b", ">", "a"), turned("a", "<", "b"), turned("a", "=", A_QUERY)
    (('a', '<', 'b'), ('a', '<', 'b'), ('a', '=', '(query)'))
    """
    backwards = right != A_QUERY and sign in TURNED and (left == A_QUERY or left > right)
    return (right, TURNED[sign], left) if backwards else (left, sign, right)


def _constant(tree: exp.Expr) -> str | None:
    if isinstance(tree, exp.Neg) and isinstance(tree.this, exp.Literal):
        return constant_text(f"-{tree.this.name}")
    return constant_text(tree.name) if isinstance(tree, exp.Literal) else None


def _sorted(query: exp.Expr) -> set[bool]:
    """Return whether ORDER BYs go down, True, or up; those of window functions don't count."""
    items = (item for item in query.find_all(exp.Ordered) if not item.find_ancestor(exp.Window))
    return {bool(item.args.get("desc")) for item in items}


_CLAUSES = {
    "ORDER BY": lambda query: bool(_sorted(query)),
    "descending order": lambda query: True in _sorted(query),
    "ascending order": lambda query: False in _sorted(query),
    "LIMIT": lambda query: query.find(exp.Limit) is not None,
    "GROUP BY": lambda query: query.find(exp.Group) is not None,
    "a window": lambda query: query.find(exp.Window) is not None,
    "DISTINCT": lambda query: any(node.args.get("distinct") for node in query.find_all(exp.Select))
    or query.find(exp.Distinct) is not None,
    "a set": lambda query: query.find(exp.Group, exp.SetOperation, exp.In, exp.Exists) is not None,
    "a query in a condition": lambda query: any(
        node.args.get("query") or isinstance(node, exp.Exists) for node in query.find_all(exp.In, exp.Exists)
    ),
    "outer join": lambda query: any(join.side for join in query.find_all(exp.Join)),
    "OR": lambda query: query.find(exp.Or) is not None,
    "UNION": lambda query: query.find(exp.Union) is not None,
    "UNION ALL": lambda query: any(not union.args.get("distinct") for union in query.find_all(exp.Union)),
    "UNION without ALL": lambda query: any(union.args.get("distinct") for union in query.find_all(exp.Union)),
    "INTERSECT": lambda query: query.find(exp.Intersect) is not None,
    "EXCEPT": lambda query: query.find(exp.Except) is not None,
    **{
        name.upper(): lambda query, kind=kind: query.find(kind) is not None
        for kind, name in AGGREGATES.items()
    },
}  # fmt: skip
