"""What is wrong with a near miss, in words that hold for its kind of slip and name the tables and columns."""

from collections.abc import Callable, Mapping

from sqlglot import exp

from distill.difference import difference, named, text
from distill.phrases import name_stems
from tasks.mutations import Columns
from tasks.prompt import short_type
from tasks.sql_text import name_text

_AGGREGATES = {exp.Avg: "average", exp.Sum: "sum", exp.Max: "maximum", exp.Min: "minimum", exp.Count: "count"}
_SETS = {
    exp.Union: "the rows of either half",
    exp.Intersect: "the rows that both halves have",
    exp.Except: "the rows of the first half that the second half does not have",
}
_LINKS = (exp.And, exp.Or)


def slip_words(kind: str, gold_sql: str, sql: str, columns: Columns) -> list[str]:
    """Return ways to say what is wrong with `sql`, none where it cannot be said well.

    kind: of `tasks.mutations`.  gold_sql, sql: with tables' own names, as `plain_sql` writes them.
    """
    say = _WORDS.get(kind)
    if say is None:
        return []
    was, now = difference(named(gold_sql, columns), named(sql, columns))
    was = was.unnest()
    return say(was, now) if now is None or _could_be_taken(was, now, columns) else []


def _could_be_taken(was: exp.Expr, now: exp.Expr, columns: Columns) -> bool:
    """Return whether anybody would take one column for the other: of the same type, or delivered and of like names."""
    if not (isinstance(was, exp.Column) and isinstance(now, exp.Column)):
        return True
    if set(name_stems(was.name)) & set(name_stems(now.name)) - {"id"} and isinstance(was.parent, exp.Select):
        return True
    types = [columns.get(column.table.lower(), {}).get(column.name.lower()) for column in (was, now)]
    return None in types or len({short_type(declared or "") for declared in types}) == 1


def _list(trees: list[exp.Expr]) -> str:
    return " and ".join(text(tree.unalias()) for tree in trees)


# One function for each kind of slip, or family of kinds: was, now → ways to say it.


def _distinct_dropped(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if now is not None:
        what = _list(was.expressions)
        return [f"it counts repeated values of {what} too; only different ones are asked for"]
    what = _list(was.parent.expressions)
    return [
        f"the same {what} may come more than once; each is wanted once",
        f"it does not drop repeated rows of {what}",
    ]


def _distinct_added(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if isinstance(was, exp.Select):
        return [f"DISTINCT drops repeated rows of {_list(was.expressions)}, which count here"]
    return [f"it takes each different {text(was)} once only; all values count"]


def _boundary(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    end = _value(was.expression)
    verb = f"lets {end} itself in" if isinstance(now, exp.GTE | exp.LTE) else f"leaves {end} itself out"
    return [f"it {verb}: {_asked(was, now)}", f"{text(now)} {verb}; {text(was)} is asked for"]


def _value(tree: exp.Expr) -> str:
    return text(tree) if isinstance(tree, exp.Literal | exp.Column) else "the bound"


def _asked(was: exp.Expr, now: exp.Expr) -> str:
    return f"it has {text(now)}, where {text(was)} is asked for"


def _direction(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    return [f"it compares the wrong way round: {text(now)} in place of {text(was)}"]


def _negated(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if not isinstance(was, exp.NEQ | exp.Not | exp.Like) or isinstance(now, exp.Not):
        return []  # who would put a "not" where none is asked for?
    return [f"the not is missing: it has {text(now)}, where {text(was)} is asked for"]


def _count_all(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if isinstance(was, exp.Distinct):
        return [f"it counts rows, where different values of {_list(was.expressions)} are asked for"]
    return [f"it counts all rows, also those without {text(was)}"]


def _wrong_aggregate(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if isinstance(was, exp.Count):
        return []
    of = text(was.this)
    return [
        f"it takes the {_AGGREGATES[type(now)]} of {of} instead of the {_AGGREGATES[type(was)]}",
        f"the {_AGGREGATES[type(was)]} of {of} is asked for, not the {_AGGREGATES[type(now)]}",
    ]


def _join_dropped(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    table = name_text(was.this.name)
    on = f" on {text(was.args['on'])}" if was.args.get("on") else ""
    return [f"the join with {table}{on} is missing", f"it forgets to join {table}{on}"]


def _join_condition_dropped(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    joined = was if isinstance(was, exp.Join) else was.find_ancestor(exp.Join)
    on = joined.args["on"] if joined else was
    table = name_text(joined.this.alias_or_name) if joined else "the table"
    return [f"it pairs every row with every row of {table}: the join condition {text(on)} is missing"]


def _left_for_inner(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    table = name_text(was.this.alias_or_name)
    if was.side:
        return [f"the inner join loses the rows that have no match in {table}, which are asked for too"]
    return [f"the left join also keeps rows that have no match in {table}, which are not asked for"]


def _condition_dropped(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if isinstance(was, _LINKS):
        missing = was.expression if now == was.this else was.this
        if isinstance(was, exp.Or):
            return [f"rows with {text(missing)} are asked for too, and it leaves them out"]
        return [f"the condition {text(missing)} is missing", f"it forgets {text(missing)}"]
    if isinstance(was, exp.Having):
        return [f"it does not look at the groups: the condition {text(was.this)} is missing"]
    return [f"the filter {text(was.this)} is missing", f"it forgets the filter {text(was.this)}"]


def _and_for_or(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if now is None or not isinstance(now.unnest(), exp.Or if isinstance(was, exp.And) else exp.And):
        return []
    sides = (was.this.unnest(), was.expression.unnest())
    one, other = (f"({text(side)})" if isinstance(side, _LINKS) else text(side) for side in sides)
    if isinstance(was, exp.And):
        return [f"it is content with {one} or {other}; both must hold"]
    return [f"it wants {one} and {other} at once; one of the two is enough"]


def _limit_dropped(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    rows = was.expression.name
    return [f"it gives all rows, where only {'the first' if rows == '1' else f'the first {rows}'} should stay"]


def _order_flipped(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    up, down = "from low to high", "from high to low"
    has, asked = (up, down) if was.args.get("desc") else (down, up)
    return [f"it sorts by {text(was.this)} {has}; it must go {asked}"]


def _order_dropped(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    ways = {True: "from high to low", False: "from low to high"}
    keys = ", then ".join(f"{text(item.this)} {ways[bool(item.args.get('desc'))]}" for item in was.expressions)
    if was.parent.args.get("limit"):
        return [f"it keeps the rows that happen to come first: they must first be sorted by {keys}"]
    return [f"the rows come in no order: they must be sorted by {keys}"]


def _group_dropped(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    keys = was.expressions if isinstance(was, exp.Group) else [was]
    return [f"it does not group by {_list(keys)}"]


def _set_operation(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if isinstance(now, exp.SetOperation) and type(now) is not type(was):
        return [f"{_operator(now)} gives {_SETS[type(now)]}; asked for are {_SETS[type(was)]} ({_operator(was)})"]
    return []


def _set_operation_swapped(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    return ["the two halves of EXCEPT stand the wrong way round"]


def _set_operation_dropped(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if not isinstance(was, exp.SetOperation):
        return []
    missing = was.expression if now == was.this else was.this
    tables = " and ".join(dict.fromkeys(name_text(table.name) for table in missing.find_all(exp.Table)))
    where = f" where {text(missing.args['where'].this)}" if missing.args.get("where") else ""
    return [f"half of it is missing, that on {tables}{where}; asked for are {_SETS[type(was)]} ({_operator(was)})"]


def _operator(tree: exp.SetOperation) -> str:
    return type(tree).__name__.upper()


def _like(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    return [f"{text(now)} lets in other values too; it must be {text(was)}"] if isinstance(was, exp.EQ) else []


def _like_anchored(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    like = was.parent if isinstance(was, exp.Literal) else was
    return [f"the pattern is too narrow: it must be {text(like)}"]


def _strict_between(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    return [f"it leaves out both ends of {text(was)}"]


def _wrong_column(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if not isinstance(was, exp.Column) or not isinstance(now, exp.Column):
        return []
    if isinstance(was.parent, exp.AggFunc):
        return [f"it takes the {_AGGREGATES.get(type(was.parent), 'result')} of {text(now)} instead of {text(was)}"]
    subject = "its subquery" if was.find_ancestor(exp.Subquery, exp.In, exp.Exists) else "it"
    return [
        f"{subject} {_verb(was)} {text(now)} instead of {text(was)}",
        f"{subject} {_verb(was)} {text(now)}; {text(was)} is needed",
    ]


_VERBS: Mapping[type[exp.Expr], str] = {
    exp.Join: "joins on",
    exp.Where: "filters on",
    exp.Having: "filters on",
    exp.Group: "groups by",
    exp.Order: "sorts by",
    exp.Select: "delivers",
}


def _verb(node: exp.Expr) -> str:
    above = node.find_ancestor(*_VERBS)
    return next((verb for kind, verb in _VERBS.items() if isinstance(above, kind)), "reads")


def _column_counted(was: exp.Expr, now: exp.Expr | None) -> list[str]:
    if not isinstance(was, exp.Star):
        return []
    return [f"it counts values of {text(now)} and so passes over rows where that is NULL; all rows count"]


_WORDS: dict[str, Callable[[exp.Expr, exp.Expr | None], list[str]]] = {
    "distinct_dropped": _distinct_dropped,
    "distinct_added": _distinct_added,
    "boundary": _boundary,
    "direction": _direction,
    "negated": _negated,
    "count_all": _count_all,
    "wrong_aggregate": _wrong_aggregate,
    "join_dropped": _join_dropped,
    "join_condition_dropped": _join_condition_dropped,
    "left_for_inner": _left_for_inner,
    "condition_dropped": _condition_dropped,
    "and_for_or": _and_for_or,
    "limit_dropped": _limit_dropped,
    "order_flipped": _order_flipped,
    "order_dropped": _order_dropped,
    "group_column_dropped": _group_dropped,
    "group_dropped": _group_dropped,
    "set_operation": _set_operation,
    "set_operation_swapped": _set_operation_swapped,
    "set_operation_dropped": _set_operation_dropped,
    "like_for_equal": _like,
    "like_anchored": _like_anchored,
    "strict_between": _strict_between,
    "wrong_column": _wrong_column,
    "column_counted": _column_counted,
}
"""Slips that a model could make; not "constant": a number that the question gives is copied right."""
