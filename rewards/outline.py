"""A short honest plan of any query, for answers that are made up to try rewards on."""

from collections.abc import Iterator
from string import ascii_uppercase

from sqlglot import exp

from tasks.conditions import join_conditions
from tasks.schema import Schema
from tasks.scope import Resolved, Scope, resolve, unwrap
from tasks.sql_text import expression_text

_JOINED = {exp.Union: "union", exp.Intersect: "intersect", exp.Except: "except"}


def outline(sql: str, schema: Schema) -> str:
    """Return the plan of `sql`, one line a step, subqueries first; CannotPlan where it cannot be resolved.

    It says what the query does and why of nothing: plans to learn from come from the teachers.
    """
    found = resolve(sql, schema)
    for node, select, place in found.renamed.values():
        node.replace(select.expressions[place].unalias().copy())
    lines: list[str] = []
    names = iter(ascii_uppercase)
    _write(found, unwrap(found.query), lines, names)
    return "\n".join(lines)


def _write(found: Resolved, query: exp.Expr, lines: list[str], names: Iterator[str], name: str = "") -> None:
    """Append the lines of a query; one that is read by another stands in one line, after its name."""
    for inner in _nested(query):
        label = next(names)
        _write(found, unwrap(inner), lines, names, label)
        for source in found.sources.values():
            if source.query is unwrap(inner):
                source.label = source.label or label
        inner.replace(exp.Var(this=label))
    steps = list(_steps(found, query))
    lines += [f"{name}: {'; '.join(steps)}"] if name else [f"{step}." for step in steps]


def _nested(query: exp.Expr) -> list[exp.Expr]:
    """Return the queries that stand in a query, not those that stand in these."""
    found: list[exp.Expr] = []
    left = [child for child in query.iter_expressions(reverse=True)]
    while left:
        node = left.pop()
        if isinstance(unwrap(node), exp.Query):
            found.append(node)
        else:
            left += node.iter_expressions(reverse=True)
    return found


def _steps(found: Resolved, query: exp.Expr) -> Iterator[str]:
    def text(tree: exp.Expr) -> str:
        return expression_text(tree, {source.key: source.label for source in found.sources.values()})

    if isinstance(query, exp.SetOperation):
        word = _JOINED[type(query)] + (" all" if not query.args.get("distinct") else "")
        yield f"deliver {text(query.this)} {word} {text(query.expression)}"
    else:
        yield from _selected(found.scopes[id(query)], query, text)
    if order := query.args.get("order"):
        yield "sort by " + ", ".join(text(one.this) + " descending" * bool(one.args.get("desc")) for one in order)
    if limit := query.args.get("limit"):
        yield f"limit {text(limit.expression)}"
    if isinstance(query, exp.Select):
        once = ", each different row once" if query.args.get("distinct") else ""
        yield "deliver " + ", ".join(text(one.unalias()) for one in query.expressions) + once


def _selected(scope: Scope, select: exp.Select, text) -> Iterator[str]:
    if scope.sources:
        yield "open " + ", ".join(source.label or source.alias for source in scope.sources)
    for source, join in zip(scope.sources[1:], select.args.get("joins") or (), strict=True):
        side = f"{join.side.lower()} join" if join.side else "join"
        conditions = " and ".join(map(text, join_conditions(scope, source, join)))
        yield f"{side} {source.label or source.alias} where {conditions or 'anything is'}"
    if where := select.args.get("where"):
        yield f"keep rows where {text(where.this)}"
    if group := select.args.get("group"):
        yield "group by " + ", ".join(map(text, group.expressions))
    if having := select.args.get("having"):
        yield f"keep groups where {text(having.this)}"
