"""Rewritings of a gold query that mean the same on every database."""

from collections.abc import Callable, Iterator

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer import RULES, optimize
from sqlglot.optimizer.canonicalize import canonicalize
from sqlglot.optimizer.eliminate_joins import eliminate_joins
from sqlglot.optimizer.eliminate_subqueries import eliminate_subqueries
from sqlglot.optimizer.merge_subqueries import merge_subqueries
from sqlglot.optimizer.normalize import normalize
from sqlglot.optimizer.optimize_joins import optimize_joins
from sqlglot.optimizer.pushdown_predicates import pushdown_predicates
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.simplify import simplify
from sqlglot.optimizer.unnest_subqueries import unnest_subqueries

from tasks.mutations import Columns, Rewriting, read, sources

SQLGLOT_TRIPS = (AttributeError, TypeError, ValueError, KeyError, IndexError, RecursionError)
"""What escapes from sqlglot, now and then, for odd SQL."""
OPTIMIZER_RULES = (
    simplify, normalize, pushdown_predicates, pushdown_projections, optimize_joins, merge_subqueries,
    eliminate_subqueries, eliminate_joins, unnest_subqueries,
)  # fmt: skip
"""Not `canonicalize`: for a DATETIME column it makes of a date a DATETIME('…'), which is another text in SQLite."""
ALL_RULES = tuple(rule for rule in RULES if rule is not canonicalize)
MIRRORED = {exp.GT: exp.LT, exp.LT: exp.GT, exp.GTE: exp.LTE, exp.LTE: exp.GTE, exp.EQ: exp.EQ, exp.NEQ: exp.NEQ}
OPPOSITE = {exp.GT: exp.LTE, exp.LTE: exp.GT, exp.LT: exp.GTE, exp.GTE: exp.LT, exp.EQ: exp.NEQ, exp.NEQ: exp.EQ}


def equivalents(gold_sql: str, columns: Columns) -> list[Rewriting]:
    """Return queries that mean the same as a gold query, each once.

    >>> [one.sql for one in equivalents("SELECT a FROM t WHERE b > 3 AND c = 1", {}) if one.kind == "and_reversed"]
    ['SELECT a FROM t WHERE c = 1 AND b > 3']
    """
    tree = read(gold_sql, columns)
    made = {gold_sql: ""}
    made.setdefault(tree.sql("sqlite"), "printed")
    for kind, rewrite in REWRITINGS:
        copy = tree.copy()
        if rewrite(copy):
            made.setdefault(copy.sql("sqlite"), kind)
    for kind, rewritten in _optimized(tree, columns):
        made.setdefault(rewritten.sql("sqlite"), kind)
    return [Rewriting(kind, sql) for sql, kind in made.items() if kind]


def _optimized(tree: exp.Query, columns: Columns) -> Iterator[tuple[str, exp.Query]]:
    """Yield what sqlglot's optimizer makes of a query: all its rules together, and each after `qualify`."""
    together = {rule.__name__: (qualify, rule) for rule in OPTIMIZER_RULES}
    for name, rules in {"all": ALL_RULES, "qualify": (qualify,), **together}.items():
        try:
            yield f"optimizer:{name}", optimize(tree.copy(), schema=columns, dialect="sqlite", rules=rules)
        except (SqlglotError, *SQLGLOT_TRIPS):
            continue


# Each rewriting returns whether it changed the tree.


def _reverse_and(tree: exp.Expr) -> bool:
    """Reverse `a AND b AND c`."""
    tops = [node for node in tree.find_all(exp.And) if not isinstance(node.parent, exp.And)]
    for node in tops:
        parts = [part.copy() for part in node.flatten(unnest=False)]
        turned = parts[-1]
        for part in reversed(parts[:-1]):
            turned = exp.And(this=turned, expression=part)
        node.replace(turned)
    return bool(tops)


def _reverse_or(tree: exp.Expr) -> bool:
    tops = [node for node in tree.find_all(exp.Or) if not isinstance(node.parent, exp.Or)]
    for node in tops:
        left, right = node.this.copy(), node.expression.copy()
        node.set("this", right)
        node.set("expression", exp.paren(left) if isinstance(left, exp.Connector) else left)
    return bool(tops)


def _mirror(tree: exp.Expr) -> bool:
    """Turn `a < b` into `b > a`."""
    nodes = list(tree.find_all(*MIRRORED))
    for node in nodes:
        node.replace(MIRRORED[type(node)](this=node.expression.copy(), expression=node.this.copy()))
    return bool(nodes)


def _not_opposite(tree: exp.Expr) -> bool:
    """Turn `a < b` in a condition into `NOT a >= b`."""
    nodes = [node for node in tree.find_all(*OPPOSITE) if node.find_ancestor(exp.Where, exp.Having, exp.Select)]
    for node in nodes:
        if not node.find(exp.Query):
            opposite = OPPOSITE[type(node)](this=node.this.copy(), expression=node.expression.copy())
            node.replace(exp.Not(this=exp.Paren(this=opposite)))
    return bool(nodes)


def _two_for_between(tree: exp.Expr) -> bool:
    nodes = list(tree.find_all(exp.Between))
    for node in nodes:
        low = exp.GTE(this=node.this.copy(), expression=node.args["low"])
        high = exp.LTE(this=node.this.copy(), expression=node.args["high"])
        node.replace(exp.Paren(this=exp.And(this=low, expression=high)))
    return bool(nodes)


def _between_for_two(tree: exp.Expr) -> bool:
    """Turn `a >= 1 AND a <= 2` into BETWEEN."""
    changed = False
    for node in list(tree.find_all(exp.And)):
        low, high = node.this, node.expression
        if isinstance(low, exp.GTE) and isinstance(high, exp.LTE) and low.this == high.this:
            node.replace(exp.Between(this=low.this, low=low.expression, high=high.expression))
            changed = True
    return changed


def _in_for_or(tree: exp.Expr) -> bool:
    """Turn `a = 1 OR a = 2` into IN."""
    changed = False
    for node in list(tree.find_all(exp.Or)):
        left, right = node.this, node.expression
        if isinstance(left, exp.EQ) and isinstance(right, exp.EQ) and left.this == right.this:
            node.replace(exp.In(this=left.this, expressions=[left.expression, right.expression]))
            changed = True
    return changed


def _joined(select: exp.Select) -> list[exp.Join]:
    """Return the joins of a SELECT where all are inner, with ON, and the order of columns does not show."""
    joins = select.args.get("joins") or []
    plain = all(join.args.get("on") and not join.side and not join.method for join in joins)
    return joins if plain and not any(isinstance(one, exp.Star) for one in select.expressions) else []


def _reorder_joins(tree: exp.Expr) -> bool:
    """Turn `a JOIN b ON … JOIN c ON …` into `b JOIN a ON … JOIN c ON …`."""
    changed = False
    for select in list(tree.find_all(exp.Select)):
        if joins := _joined(select):
            start = select.args["from_"].this
            first = joins[0].this
            start_copy, first_copy = start.copy(), first.copy()
            start.replace(first_copy)
            first.replace(start_copy)
            changed = True
    return changed


def _comma_joins(tree: exp.Expr) -> bool:
    """Turn `a JOIN b ON …` into `a, b WHERE …`."""
    changed = False
    for select in list(tree.find_all(exp.Select)):
        for join in _joined(select):
            select.where(exp.paren(join.args["on"].copy()), copy=False)
            join.set("on", None)
            join.set("kind", None)
            changed = True
    return changed


def _rename_aliases(tree: exp.Expr) -> bool:
    """Give each table alias another name, the same one wherever it stands."""
    aliases = {node.alias.lower() for node in tree.find_all(exp.Table, exp.Subquery) if node.alias}
    bare = {table.name.lower() for table in tree.find_all(exp.Table) if not table.alias}
    parts = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    renamed = aliases - bare - parts
    for node in tree.find_all(exp.Table, exp.Subquery):
        if node.alias.lower() in renamed:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(f"renamed_{node.alias.lower()}")))
    for column in tree.find_all(exp.Column):
        if column.table.lower() in renamed:
            column.set("table", exp.to_identifier(f"renamed_{column.table.lower()}"))
    return bool(renamed)


def _exists_for_in(tree: exp.Expr) -> bool:
    """Turn `a IN (SELECT b FROM t WHERE …)` into EXISTS, where no NOT stands before it: NULL would tell them apart."""
    changed = False
    for node in list(tree.find_all(exp.In)):
        query, outer = node.args.get("query"), node.find_ancestor(exp.Select)
        inner = query.this if query else None
        if not isinstance(inner, exp.Select) or not isinstance(node.this, exp.Column) or node.find_ancestor(exp.Not):
            continue
        names = sources(outer)
        if any(inner.args.get(part) for part in ("group", "limit", "distinct", "having")) or inner.find(exp.AggFunc):
            continue
        if names.keys() & sources(inner).keys() or not (node.this.table or len(names) == 1):
            continue
        left = exp.column(node.this.this.copy(), node.this.table or next(iter(names)))
        copy = inner.copy().where(exp.EQ(this=left, expression=inner.expressions[0].unalias().copy()), copy=False)
        copy.set("expressions", [exp.Literal.number(1)])
        node.replace(exp.Exists(this=copy))
        changed = True
    return changed


def _group_for_distinct(tree: exp.Expr) -> bool:
    """Turn `SELECT DISTINCT a, b` into `SELECT a, b … GROUP BY a, b`."""
    changed = False
    for select in list(tree.find_all(exp.Select)):
        columns = all(isinstance(one.unalias(), exp.Column) for one in select.expressions)
        if select.args.get("distinct") and columns and not select.args.get("group"):
            select.set("distinct", None)
            select.set("group", exp.Group(expressions=[one.unalias().copy() for one in select.expressions]))
            changed = True
    return changed


def _count_one(tree: exp.Expr) -> bool:
    """Turn count(*) into count(1)."""
    nodes = [node for node in tree.find_all(exp.Count) if isinstance(node.this, exp.Star)]
    for node in nodes:
        node.set("this", exp.Literal.number(1))
    return bool(nodes)


def _wrap(tree: exp.Expr) -> bool:
    """Turn a query without ORDER BY and LIMIT into `WITH answer AS (…) SELECT * FROM answer`."""
    if not isinstance(tree, exp.Select) or any(tree.args.get(part) for part in ("order", "limit", "with_")):
        return False
    inner = tree.copy()
    for name in list(tree.args):
        tree.set(name, None)
    tree.set("expressions", [exp.Star()])
    tree.set(
        "with_", exp.With(expressions=[exp.CTE(this=inner, alias=exp.TableAlias(this=exp.to_identifier("answer")))])
    )
    tree.set("from_", exp.From(this=exp.to_table("answer")))
    return True


REWRITINGS: tuple[tuple[str, Callable[[exp.Expr], bool]], ...] = (
    ("and_reversed", _reverse_and),
    ("or_reversed", _reverse_or),
    ("comparison_mirrored", _mirror),
    ("not_opposite", _not_opposite),
    ("two_for_between", _two_for_between),
    ("between_for_two", _between_for_two),
    ("in_for_or", _in_for_or),
    ("joins_reordered", _reorder_joins),
    ("comma_joins", _comma_joins),
    ("aliases_renamed", _rename_aliases),
    ("exists_for_in", _exists_for_in),
    ("group_for_distinct", _group_for_distinct),
    ("count_one", _count_one),
    ("with_part", _wrap),
)
