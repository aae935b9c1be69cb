"""Near misses of a gold query: the slips that models make, one at a time, by name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

Columns = Mapping[str, Mapping[str, str]]
"""For each table its columns with their declared types; all names in lower case."""

WRONG_COLUMNS = 3
"""Wrong columns tried for each column of a query."""
OTHER_BOUNDARY = {exp.GT: exp.GTE, exp.GTE: exp.GT, exp.LT: exp.LTE, exp.LTE: exp.LT}
OTHER_DIRECTION = {exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE}
OTHER_AGGREGATES = {
    exp.Max: (exp.Min, exp.Avg),
    exp.Min: (exp.Max, exp.Avg),
    exp.Avg: (exp.Sum, exp.Max),
    exp.Sum: (exp.Avg, exp.Count),
    exp.Count: (exp.Sum,),
}
SET_OPERATIONS = (exp.Union, exp.Intersect, exp.Except)


@dataclass(frozen=True)
class Rewriting:
    """Another query made from a gold query, and the name of what was done to it."""

    kind: str
    sql: str


def near_misses(gold_sql: str, columns: Columns) -> list[Rewriting]:
    """Return queries that differ from a gold query in one place, each once.

    Some mean the same after all: a DISTINCT may be idle, say, where a key is selected.

    >>> [miss.sql for miss in near_misses("SELECT a FROM t WHERE b > 3", {}) if miss.kind == "boundary"]
    ['SELECT a FROM t WHERE b >= 3']
    """
    tree = read(gold_sql, columns)
    made = {tree.sql("sqlite"): ""}
    for kind, types, change in MISSES:
        for place in range(len(list(tree.find_all(*types)))):
            holder = exp.Subquery(this=tree.copy())  # so that the whole query can be replaced too
            if change(list(holder.this.find_all(*types))[place]):
                made.setdefault(holder.this.sql("sqlite"), kind)
    for kind, miss in _wrong_columns(tree, columns):
        made.setdefault(miss.sql("sqlite"), kind)
    return [Rewriting(kind, sql) for sql, kind in made.items() if kind]


def read(sql: str, columns: Columns) -> exp.Query:
    """Return a query's tree, in which a "name" that no table has as a column is the text that SQLite reads in it."""
    tree = sqlglot.parse_one(sql, read="sqlite")
    known = {column for table in columns.values() for column in table}
    for column in list(tree.find_all(exp.Column)):
        if column.this.args.get("quoted") and not column.table and column.name.lower() not in known:
            column.replace(exp.Literal.string(column.name))
    return tree


def sources(select: exp.Select) -> dict[str, exp.Expr]:
    """Return what stands in FROM and JOIN, by the name it is called there, in lower case."""
    nodes = [select.args.get("from_"), *(select.args.get("joins") or ())]
    return {node.this.alias_or_name.lower(): node.this for node in nodes if node}


# Each change returns whether it applies, and if so is made in place.


def _drop_distinct(node: exp.Distinct) -> bool:
    if not isinstance(node.parent, exp.Select):
        node.replace(node.expressions[0])
        return True
    idle = _is_a_set(node.parent)
    node.parent.set("distinct", None)
    return not idle


def _add_distinct(node: exp.Select | exp.Count) -> bool:
    if isinstance(node, exp.Count):
        if isinstance(node.this, (exp.Distinct, exp.Star)):
            return False
        node.set("this", exp.Distinct(expressions=[node.this]))
        return True
    keys = node.args["group"].expressions if node.args.get("group") else ()
    outputs = [one.unalias() for one in node.expressions]
    idle = all(key in outputs for key in keys) if keys else any(one.find(exp.AggFunc) for one in outputs)
    if node.args.get("distinct") or idle or _is_a_set(node):
        return False
    node.set("distinct", exp.Distinct())
    return True


def _is_a_set(select: exp.Select) -> bool:
    """Return whether repeated rows of a SELECT count for nothing where it stands."""
    above = select.parent
    above = above.parent if isinstance(above, exp.Subquery) else above
    return isinstance(above, (exp.In, exp.Exists)) or (
        isinstance(above, exp.SetOperation) and bool(above.args["distinct"])
    )


def _union_all(node: exp.Union) -> bool:
    node.set("distinct", not node.args.get("distinct"))
    return True


def _swap(others: Mapping[type, type]) -> Callable[[exp.Expr], bool]:
    def change(node: exp.Expr) -> bool:
        other = others[type(node)]
        node.replace(other(**{name: node.args.get(name) for name in ("this", "expression") if node.args.get(name)}))
        return True

    return change


def _negate(node: exp.Expr) -> bool:
    if isinstance(node, exp.Not):
        node.replace(node.this)
    elif isinstance(node, (exp.EQ, exp.NEQ)):
        return _swap({exp.EQ: exp.NEQ, exp.NEQ: exp.EQ})(node)
    elif isinstance(node, exp.Like):
        node.set("negate", not node.args.get("negate"))
    else:
        node.replace(exp.Not(this=node.copy()))
    return True


def _count_all(node: exp.Count) -> bool:
    if isinstance(node.this, exp.Star):
        return False
    node.set("this", exp.Star())
    return True


def _wrong_aggregate(number: int) -> Callable[[exp.Expr], bool]:
    def change(node: exp.Expr) -> bool:
        others = OTHER_AGGREGATES[type(node)]
        if number >= len(others) or isinstance(node.this, exp.Star):
            return False
        node.replace(others[number](this=node.this))
        return True

    return change


def _drop(node: exp.Expr) -> bool:
    return node.pop() is node


def _drop_condition(node: exp.Join) -> bool:
    on = node.args.get("on")
    return on is not None and not isinstance(on.pop(), exp.Boolean)


def _outer(node: exp.Join) -> bool:
    """Make an inner join a left one, and the other way round."""
    if not node.args.get("on"):
        return False
    node.set("side", None if node.side else "LEFT")
    node.set("kind", None)
    return True


def _keep(side: str) -> Callable[[exp.Expr], bool]:
    def change(node: exp.Expr) -> bool:
        node.replace(node.args[side])
        return True

    return change


def _and_or(node: exp.And | exp.Or) -> bool:
    other = exp.Or if isinstance(node, exp.And) else exp.And
    node.replace(exp.Paren(this=other(this=exp.paren(node.this), expression=exp.paren(node.expression))))
    return True


def _add(number: int) -> Callable[[exp.Literal], bool]:
    def change(node: exp.Literal) -> bool:
        if node.is_string and not node.this.isdigit():
            return False
        value = float(node.this) if "." in node.this else int(node.this)
        if isinstance(node.parent, exp.Limit) and value + number < 1:
            return False
        node.replace(exp.Literal(this=str(value + number), is_string=node.is_string))
        return True

    return change


def _flip_order(node: exp.Ordered) -> bool:
    node.set("desc", not node.args.get("desc"))
    node.set("nulls_first", not node.args.get("desc"))
    return True


def _drop_group_column(number: int) -> Callable[[exp.Group], bool]:
    def change(node: exp.Group) -> bool:
        several = len(node.expressions) > max(number, 1)
        node.set("expressions", [one for place, one in enumerate(node.expressions) if place != number])
        return several

    return change


def _other_set_operation(number: int) -> Callable[[exp.SetOperation], bool]:
    def change(node: exp.SetOperation) -> bool:
        other = [kind for kind in SET_OPERATIONS if not isinstance(node, kind)][number]
        node.replace(other(**{**node.args, "distinct": True}))
        return True

    return change


def _swap_sides(node: exp.Except) -> bool:
    node.replace(exp.Except(**{**node.args, "this": node.right.copy(), "expression": node.left.copy()}))
    return True


def _loosen(node: exp.EQ) -> bool:
    if not (isinstance(node.expression, exp.Literal) and node.expression.is_string):
        return False
    node.replace(exp.Like(this=node.this, expression=exp.Literal.string(f"%{node.expression.this}%")))
    return True


def _anchor(strip: Callable[[str], str]) -> Callable[[exp.Like], bool]:
    def change(node: exp.Like) -> bool:
        if not isinstance(node.expression, exp.Literal) or strip(node.expression.this) == node.expression.this:
            return False
        node.set("expression", exp.Literal.string(strip(node.expression.this)))
        return True

    return change


def _strict_between(node: exp.Between) -> bool:
    low, high = (
        exp.GT(this=node.this, expression=node.args["low"]),
        exp.LT(this=node.this, expression=node.args["high"]),
    )
    node.replace(exp.Paren(this=exp.And(this=low, expression=high)))
    return True


MISSES: tuple[tuple[str, tuple[type, ...], Callable[..., bool]], ...] = (
    ("distinct_dropped", (exp.Distinct,), _drop_distinct),
    ("distinct_added", (exp.Select, exp.Count), _add_distinct),
    ("union_all", (exp.Union,), _union_all),
    ("boundary", tuple(OTHER_BOUNDARY), _swap(OTHER_BOUNDARY)),
    ("direction", tuple(OTHER_DIRECTION), _swap(OTHER_DIRECTION)),
    ("negated", (exp.EQ, exp.NEQ, exp.Like, exp.In, exp.Not), _negate),
    ("count_all", (exp.Count,), _count_all),
    *(("wrong_aggregate", tuple(OTHER_AGGREGATES), _wrong_aggregate(number)) for number in (0, 1)),
    ("join_dropped", (exp.Join,), _drop),
    ("join_condition_dropped", (exp.Join,), _drop_condition),
    ("left_for_inner", (exp.Join,), _outer),
    ("condition_dropped", (exp.Where, exp.Having), _drop),
    *(("condition_dropped", (exp.And, exp.Or), _keep(side)) for side in ("this", "expression")),
    ("and_for_or", (exp.And, exp.Or), _and_or),
    *(("constant", (exp.Literal,), _add(number)) for number in (1, -1)),
    ("limit_dropped", (exp.Limit,), _drop),
    ("order_flipped", (exp.Ordered,), _flip_order),
    ("order_dropped", (exp.Order,), _drop),
    *(("group_column_dropped", (exp.Group,), _drop_group_column(number)) for number in range(3)),
    ("group_dropped", (exp.Group,), _drop),
    *(("set_operation", SET_OPERATIONS, _other_set_operation(number)) for number in (0, 1)),
    ("set_operation_swapped", (exp.Except,), _swap_sides),
    *(("set_operation_dropped", SET_OPERATIONS, _keep(side)) for side in ("this", "expression")),
    ("like_for_equal", (exp.EQ,), _loosen),
    ("like_anchored", (exp.Like,), _anchor(lambda text: text.removeprefix("%"))),
    ("like_anchored", (exp.Like,), _anchor(lambda text: text.removesuffix("%"))),
    ("strict_between", (exp.Between,), _strict_between),
)


def _wrong_columns(tree: exp.Query, columns: Columns) -> Iterator[tuple[str, exp.Query]]:
    """Yield the query with one column taken for another of its table, or with a column counted instead of all rows."""
    for place, column in enumerate(tree.find_all(exp.Column)):
        select = column.find_ancestor(exp.Select)
        for name, source in (sources(select) if select else {}).items():
            known = list(columns.get(source.name.lower(), ()))
            if column.table.lower() in ("", name) and column.name.lower() in known:
                start = known.index(column.name.lower()) + 1
                for other in [*known[start:], *known[: start - 1]][:WRONG_COLUMNS]:
                    copy = tree.copy()
                    wrong = list(copy.find_all(exp.Column))[place]
                    wrong.set("this", exp.to_identifier(other, quoted=True))
                    yield "wrong_column", copy
    for place, count in enumerate(tree.find_all(exp.Count)):
        select = count.find_ancestor(exp.Select)
        for name, source in (sources(select) if select else {}).items():
            for other in list(columns.get(source.name.lower(), ()))[:WRONG_COLUMNS]:
                copy = tree.copy()
                list(copy.find_all(exp.Count))[place].set("this", exp.column(other, name, quoted=True))
                yield "column_counted", copy
