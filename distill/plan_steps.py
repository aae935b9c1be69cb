"""A query as blocks of plan steps, subqueries first, each step holding expressions that are ready to be worded."""

from dataclasses import dataclass, field

from sqlglot import exp

from distill.plan_block import Block, Opened, Part, Step
from distill.plan_joins import ReadOrder, read_steps
from tasks.conditions import conjuncts
from tasks.scope import CannotPlan, Resolved, Scope, arms, own_nodes, unwrap
from tasks.sql_text import expression_text, name_text

_ROLES = {exp.In: "list", exp.Exists: "exists"}


@dataclass(eq=False)
class _Work:
    """What is known while the blocks of one query are made."""

    found: Resolved
    read_order: ReadOrder
    blocks: list[Block] = field(default_factory=list)
    names: dict[int, tuple[exp.Expr, str]] = field(default_factory=dict)
    used: int = 0

    def labels(self) -> dict[str, str]:
        return {key: source.label for key, source in self.found.sources.items()}

    def part(self, tree: exp.Expr, note: str = "") -> Part:
        return Part(expression_text(tree, self.labels()), tree, note)


def blocks(found: Resolved, read_order: ReadOrder) -> list[Block]:
    """Return the blocks in the order in which they are worked out; the main block is the last."""
    work = _Work(found, read_order)
    _add_query(work, found.query, name_it=False)
    return work.blocks


def _add_query(work: _Work, query: exp.Expr, name_it: bool, names: tuple[str, ...] = (), role: str = "") -> str:
    """Append the blocks of `query` and return the name of the last; `names`: what an outer query calls its columns."""
    query = unwrap(query)
    if id(query) in work.names:
        return work.names[id(query)][1]
    if id(query) in work.found.recursive:
        return _add_recursive(work, query, names)
    if isinstance(query, exp.SetOperation):
        steps, per_row = _compound_steps(work, query, names), ()
    else:
        scope = work.found.scopes[id(query)]
        steps = _select_steps(work, scope, names)
        per_row = tuple(dict.fromkeys(name_text(source.label) for source in scope.outer))
    name = _next_name(work) if name_it else ""
    work.names[id(query)] = (query, name)  # the query too: it leaves the tree, its id must stay taken
    work.blocks.append(Block(name, tuple(steps), per_row, work.found.with_names.get(id(query), ""), role))
    return name


def _add_recursive(work: _Work, query: exp.SetOperation, names: tuple[str, ...]) -> str:
    """Append the blocks of a query that reads itself; it has its name before its branches have theirs."""
    name = _next_name(work)
    work.names[id(query)] = (query, name)
    first, *others = (
        _add_query(work, arm, name_it=True, names=names, role=f"{'next' if place else 'begin'} {name}")
        for place, arm in enumerate(arms(query))
    )
    word = "union" if query.args.get("distinct") else "union all"
    text = first + "".join(f" {word} {other}" for other in others)
    repeat = Step("repeat", (Part(text, exp.Var(this=text), word),), tuple(Opened(n, n) for n in (first, *others)))
    steps = (repeat, *_order_steps(work, query))
    work.blocks.append(Block(name, steps, (), work.found.with_names[id(query)]))
    return name


def _next_name(work: _Work) -> str:
    work.used += 1
    if work.used > 26:
        raise CannotPlan("more than 26 subqueries")
    return chr(ord("A") + work.used - 1)


def _compound_steps(work: _Work, query: exp.SetOperation, outputs: tuple[str, ...]) -> list[Step]:
    words = []
    node: exp.Expr = query
    while isinstance(node, exp.SetOperation):
        words.insert(0, type(node).__name__.lower() + ("" if node.args.get("distinct") else " all"))
        node = unwrap(node.this)
    names = [_add_query(work, arm, name_it=True, names=outputs) for arm in arms(query)]
    text = names[0] + "".join(f" {word} {name}" for word, name in zip(words, names[1:], strict=True))
    combine = Step("combine", (Part(text, exp.Var(this=text), ", ".join(words)),), tuple(Opened(n, n) for n in names))
    return [combine, *_order_steps(work, query)]


def _select_steps(work: _Work, scope: Scope, names: tuple[str, ...]) -> list[Step]:
    select = scope.select
    for source in scope.sources:
        if source.query is not None:
            source.block = _add_query(work, source.query, name_it=True, names=source.columns)
            source.label = source.label or source.block
    _name_subqueries(work, scope)
    _put_outputs(work, select)
    _put_windows(select)
    steps = read_steps(scope, work.part, work.read_order)
    if group := select.args.get("group"):
        steps.append(Step("group", tuple(work.part(unwrap(tree)) for tree in group.expressions)))
    if having := select.args.get("having"):
        steps.append(Step("having", tuple(work.part(tree) for tree in conjuncts(having.this))))
    steps += _order_steps(work, select)
    return [*steps, Step("deliver", _outputs(work, select, names), distinct=select.args.get("distinct") is not None)]


def _outputs(work: _Work, select: exp.Select, names: tuple[str, ...]) -> tuple[Part, ...]:
    """Return what is delivered, each with the name that an outer query calls it by where that is another."""
    called = names if len(names) == len(select.expressions) else [""] * len(select.expressions)
    parts = []
    for item, name in zip(select.expressions, called, strict=True):
        tree = unwrap(item.unalias())
        needed = (item.alias or name.isidentifier()) and not (isinstance(tree, exp.Column) and tree.name == name)
        parts.append(work.part(tree, name_text(name) if name and needed else ""))
    return tuple(parts)


def _name_subqueries(work: _Work, scope: Scope) -> None:
    """Work out the subqueries inside the expressions of a SELECT and put their names in their place."""
    from_ = scope.select.args.get("from_")
    entries = {id(from_.this)} if from_ else set()
    entries |= {id(join.this) for join in scope.select.args.get("joins") or ()}
    for node in list(own_nodes(scope.select)):
        if not isinstance(node, exp.Query) or id(node) in entries:
            continue
        role = _ROLES.get(type(node.parent), "value")
        name = exp.Var(this=_add_query(work, node, name_it=True, role=role))
        if isinstance(node.parent, exp.In):
            node.parent.set("query", None)
            node.parent.set("field", name)
        else:
            node.replace(name)


def _put_outputs(work: _Work, select: exp.Expr) -> None:
    """Put outputs in the place of names and positions that mean them."""
    for node in list(own_nodes(select)):
        if named := work.found.renamed.get(id(node)):
            _, place_of, place = named
            node.replace(place_of.expressions[place].unalias().copy())


def _put_windows(select: exp.Select) -> None:
    """Put what a WINDOW clause names in the place of its names."""
    named = {window.this.name.lower(): window for window in select.args.get("windows") or ()}
    for node in own_nodes(select):
        if isinstance(node, exp.Window) and (known := named.get(node.alias.lower())):
            for key in ("partition_by", "order", "spec"):
                if not node.args.get(key):
                    node.set(key, known.copy().args.get(key))
            node.set("alias", None)


def _order_steps(work: _Work, query: exp.Expr) -> list[Step]:
    _put_outputs(work, query)
    steps = []
    if order := query.args.get("order"):
        parts = (work.part(item.this, _order_note(item)) for item in order.expressions)
        steps.append(Step("sort", tuple(parts)))
    if limit := query.args.get("limit"):
        parts = [work.part(limit.expression)]
        if offset := query.args.get("offset"):
            parts.append(work.part(offset.expression))
        steps.append(Step("limit", tuple(parts)))
    return steps


def _order_note(item: exp.Ordered) -> str:
    """Return "asc" or "desc", and where NULLs go if not where SQLite has them (below all values)."""
    descending, nulls_first = bool(item.args.get("desc")), bool(item.args.get("nulls_first"))
    usual = nulls_first is not descending
    return ("desc" if descending else "asc") + ("" if usual else f" nulls {'first' if nulls_first else 'last'}")
