"""How the rows of one SELECT come together: what is opened, kept and joined, in the database's own order."""

from collections.abc import Callable

from sqlglot import exp

from distill.plan_block import Opened, Part, Step
from tasks.conditions import conjuncts, join_conditions
from tasks.scope import Scope, Source
from tasks.sql_text import name_text

ReadOrder = Callable[[str], list[tuple[str, str]]]
"""SQL → the names that SQLite opens, in its order, each with "scan" or "search"."""
ToPart = Callable[[exp.Expr], Part]


def read_steps(scope: Scope, to_part: ToPart, read_order: ReadOrder) -> list[Step]:
    """Return the steps open, filter and join; filters on one table come before the joins, others after."""
    if not scope.sources:
        return _filter(_where(scope), to_part)
    joins = scope.select.args.get("joins") or []
    if any(join.side for join in joins):
        return [
            Step("open", opened=tuple(_opened(source, "") for source in scope.sources)),
            *(_outer_join(scope, source, join, to_part) for source, join in zip(scope.sources[1:], joins, strict=True)),
            *_filter(_where(scope), to_part),
        ]
    conditions = _where(scope)
    for source, join in zip(scope.sources[1:], joins, strict=True):
        conditions += join_conditions(scope, source, join)
    joining = [tree for tree in conditions if _joins_two(scope, tree)]
    others = [tree for tree in conditions if not _joins_two(scope, tree)]
    early = [tree for tree in others if len(_keys(scope, tree)) == 1]
    late = [tree for tree in others if len(_keys(scope, tree)) != 1]
    order = _in_order(scope, read_order)
    return [
        Step("open", opened=tuple(_opened(source, how) for source, how in order)),
        *_filter(early, to_part),
        *_inner_joins(order, joining, to_part),
        *_filter(late, to_part),
    ]


def _where(scope: Scope) -> list[exp.Expr]:
    where = scope.select.args.get("where")
    return conjuncts(where.this) if where else []


def _filter(conditions: list[exp.Expr], to_part: ToPart) -> list[Step]:
    return [Step("filter", tuple(to_part(tree) for tree in conditions))] if conditions else []


def _opened(source: Source, how: str) -> Opened:
    real = source.table or source.block
    text = name_text(real) if source.label == real else f"{name_text(real)} as {name_text(source.label)}"
    return Opened(text, source.label, how, key=source.key)


def _in_order(scope: Scope, read_order: ReadOrder) -> list[tuple[Source, str]]:
    """Return the sources in SQLite's order of opening; one that SQLite does not tell of keeps its place."""
    if len(scope.sources) == 1:
        return [(scope.sources[0], "")]
    told: list[tuple[Source, str]] = []
    for name, how in read_order(scope.sql):
        source = next((s for s in scope.sources if s.alias.lower() == name.lower()), None)
        if source is not None and all(source is not known for known, _ in told):
            told.append((source, how))
    if len(told) < len(scope.sources):
        return [(source, "") for source in scope.sources]
    return told


def _keys(scope: Scope, tree: exp.Expr) -> set[str]:
    own = {source.key for source in scope.sources}
    columns = [tree] if isinstance(tree, exp.Column) else tree.find_all(exp.Column)
    return {column.table for column in columns} & own


def _joins_two(scope: Scope, tree: exp.Expr) -> bool:
    sides = isinstance(tree, exp.EQ) and isinstance(tree.this, exp.Column) and isinstance(tree.expression, exp.Column)
    return sides and len(_keys(scope, tree)) == 2


def _outer_join(scope: Scope, source: Source, join: exp.Join, to_part: ToPart) -> Step:
    conditions = join_conditions(scope, source, join)
    kind = f"{join.side.lower()} join" if join.side else "join"
    if not conditions:
        kind = "cross"
    parts = tuple(to_part(_turned(tree, source.key)) for tree in conditions)
    return Step(kind, parts, (_opened(source, ""),))


def _inner_joins(order: list[tuple[Source, str]], joining: list[exp.Expr], to_part: ToPart) -> list[Step]:
    """Return one step per opened table after the first, with the conditions that are complete by then."""
    steps, seen, left = [], {order[0][0].key}, list(joining)
    touched = {column.table for tree in joining for column in tree.find_all(exp.Column)}
    for source, how in order[1:]:
        seen.add(source.key)
        ready = [tree for tree in left if {tree.this.table, tree.expression.table} <= seen]
        left = [tree for tree in left if tree not in ready]
        if ready:
            parts = tuple(to_part(_turned(tree, source.key)) for tree in ready)
            steps.append(Step("join", parts, (_opened(source, how),)))
        elif source.key not in touched:
            steps.append(Step("cross", (), (_opened(source, how),)))
    return steps


def _turned(tree: exp.Expr, key: str) -> exp.Expr:
    """Return an equality with the newly opened table on its left."""
    if isinstance(tree, exp.EQ) and isinstance(tree.expression, exp.Column) and tree.expression.table == key:
        return exp.EQ(this=tree.expression.copy(), expression=tree.this.copy())
    return tree
