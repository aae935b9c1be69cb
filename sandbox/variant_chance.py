"""What a query leaves to chance: ties, columns that a group does not settle, subqueries with several rows.

SQLite answers such a query all the same, this way or that, as its plan has it.  Another query that is as right
would be called wrong where its plan is another.
"""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

SQLGLOT_TRIPS = (AttributeError, TypeError, ValueError, KeyError, IndexError, RecursionError)
"""What escapes from sqlglot, now and then, for odd SQL."""


def settled(sql: str) -> tuple[str, ...]:
    """Return a query twice, with what it leaves open settled one way and the other; nothing where it is all settled.

    Ties are settled by what is selected, and of a group's values the least or the greatest is taken.  What both
    return is the query's only answer.

    >>> settled("SELECT a, b FROM t ORDER BY b LIMIT 1")[1]
    'SELECT a, b FROM t ORDER BY b, 1 DESC, 2 DESC LIMIT 1'
    >>> settled("SELECT a, b FROM t GROUP BY b")[1]
    'SELECT MAX(a), b FROM t GROUP BY b'
    >>> settled("SELECT a, b FROM t GROUP BY b")[0]
    'SELECT CASE WHEN COUNT(a) = COUNT(*) THEN MIN(a) END, b FROM t GROUP BY b'
    """
    both = []
    for last in (False, True):
        try:
            tree = sqlglot.parse_one(sql, read="sqlite")
            changed = [_settle_group(select, last) for select in tree.find_all(exp.Select)]
            changed += [_settle_order(query, last) for query in tree.find_all(exp.Query)]
            both += [tree.sql("sqlite")] if any(changed) else []
        except (SqlglotError, *SQLGLOT_TRIPS):
            return ()
    return tuple(both)


def _settle_order(query: exp.Query, last: bool) -> bool:
    """Let what is selected settle the ties of ORDER BY, and what a LIMIT takes."""
    order = query.args.get("order")
    if query.is_star or not (order or query.args.get("limit")):
        return False
    places = [exp.Ordered(this=exp.Literal.number(n + 1), desc=last) for n in range(len(query.selects))]
    query.set("order", exp.Order(expressions=[*(order.expressions if order else ()), *places]))
    return True


def _settle_group(select: exp.Select, last: bool) -> bool:
    """Take the least or the greatest of each column that stands bare beside an aggregate or in a group.

    A single min(…) or max(…) settles them itself: SQLite takes them from the row where it found it.
    """
    group = select.args.get("group")
    parts = [*select.expressions, *filter(None, (select.args.get("having"), select.args.get("order")))]
    if any(part.find(exp.Min, exp.Max) for part in parts):
        return False
    if not group and not any(part.find(exp.AggFunc) for part in parts):
        return False
    keys = {column.name.lower() for column in group.find_all(exp.Column)} if group else set()
    keys |= {output.alias.lower() for output in select.expressions if output.alias}
    found = [column for part in parts for column in part.find_all(exp.Column)]
    bare = [column for column in found if column.name.lower() not in keys and _is_bare(column, select)]
    for column in bare:
        column.replace(exp.Max(this=column.copy()) if last else _least(column))
    return bool(bare)


def _least(column: exp.Column) -> exp.Case:
    """Return the least of a group's values, NULL below all others."""
    counted = exp.EQ(this=exp.Count(this=column.copy()), expression=exp.Count(this=exp.Star()))
    return exp.Case().when(counted, exp.Min(this=column.copy()))


def _is_bare(column: exp.Column, select: exp.Select) -> bool:
    """Return whether a column of this SELECT stands in no aggregate."""
    return column.find_ancestor(exp.AggFunc, exp.Window, exp.Select) is select


def single_subqueries(sql: str) -> tuple[str, ...]:
    """Return the subqueries that stand for one value and might return several rows, each as a count of its rows.

    >>> single_subqueries("SELECT a FROM t WHERE b = (SELECT c FROM u WHERE d = 1) AND e > (SELECT avg(e) FROM t)")
    ('SELECT COUNT(*) FROM (SELECT c FROM u WHERE d = 1)',)
    """
    try:
        tree = sqlglot.parse_one(sql, read="sqlite")
        found = [node.this.sql("sqlite") for node in tree.find_all(exp.Subquery) if is_single(node)]
    except (SqlglotError, *SQLGLOT_TRIPS):
        return ()
    return tuple(f"SELECT COUNT(*) FROM ({inner})" for inner in found)


def is_single(subquery: exp.Subquery) -> bool:
    """Return whether a subquery stands for one value although nothing in it keeps it to one row."""
    where, inner = subquery.parent, subquery.this
    stands_for_a_value = isinstance(where, (exp.Binary, exp.Between, exp.Alias, exp.Select))
    if not stands_for_a_value or not isinstance(inner, exp.Select) or inner.args.get("limit"):
        return False
    return bool(inner.args.get("group")) or not any(one.find(exp.AggFunc) for one in inner.expressions)
