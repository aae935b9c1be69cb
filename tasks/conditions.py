"""The conditions of a query: those of its joins, however they are written, and those that an AND joins."""

from sqlglot import exp

from tasks.scope import CannotPlan, Scope, Source, unwrap


def conjuncts(tree: exp.Expr) -> list[exp.Expr]:
    """Return the conditions that an AND joins, brackets taken off."""
    tree = unwrap(tree)
    if isinstance(tree, exp.And):
        return [part for side in (tree.this, tree.expression) for part in conjuncts(side)]
    return [tree]


def join_conditions(scope: Scope, source: Source, join: exp.Join) -> list[exp.Expr]:
    """Return the conditions of one join: its ON, or the equalities that USING and NATURAL stand for."""
    before = scope.sources[: scope.sources.index(source)]
    shared = [name.name for name in join.args.get("using") or ()]
    if join.args.get("method") == "NATURAL":
        known = {name.lower() for other in before for name in other.columns}
        shared = [name for name in source.columns if name.lower() in known]
    conditions: list[exp.Expr] = [_equality(before, source, name) for name in shared]
    if on := join.args.get("on"):
        conditions += [part for part in conjuncts(on) if not isinstance(part, exp.Boolean)]
    return conditions


def _equality(before: list[Source], source: Source, name: str) -> exp.EQ:
    """Return the equality of the column `name` in the joined table and in the first table that has it."""
    ends = []
    for place in (next((s for s in before if _real_name(s, name)), None), source):
        real = _real_name(place, name) if place else None
        if real is None:
            raise CannotPlan(f"USING ({name}), which is not in both tables")
        ends.append(exp.column(real, table=place.key))
    return exp.EQ(this=ends[1], expression=ends[0])


def _real_name(source: Source, name: str) -> str | None:
    return next((known for known in source.columns if known.lower() == name.lower()), None)
