"""What a gold query says about the rows it looks at: which columns it joins, compares, groups and orders by."""

from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sandbox.variant_chance import SQLGLOT_TRIPS, is_single
from sandbox.variant_facts import NOTHING, Condition, Link, Reading, Slot

Columns = Mapping[str, frozenset[str]]
"""The columns of each table; all names in lower case."""

OPERATORS = {exp.EQ: "=", exp.NullSafeEQ: "=", exp.NEQ: "!=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
OPPOSITE = {"=": "!=", "!=": "=", ">": "<=", "<=": ">", "<": ">=", ">=": "<"}
MIRRORED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
PATTERNS = (exp.Like, exp.ILike, exp.Glob)
COMPARISONS = (*OPERATORS, *PATTERNS, exp.Between, exp.In, exp.Is)


def read_query(sql: str, columns: Columns) -> Reading:
    """Return what `sql` says; NOTHING where sqlglot cannot read it."""
    try:
        tree = sqlglot.parse_one(sql, read="sqlite")
        return _Reader(tree, columns).reading() if isinstance(tree, exp.Query) else NOTHING
    except (SqlglotError, *SQLGLOT_TRIPS):
        return NOTHING


class _Reader:
    """One query's tree, and how its column names are to be understood."""

    def __init__(self, tree: exp.Expr, columns: Columns) -> None:
        self.tree, self.columns = tree, columns
        self.parts = {cte.alias.lower(): cte.this for cte in tree.find_all(exp.CTE)}
        found = [table for table in tree.find_all(exp.Table) if self._is_stored(table)]
        self.uses = tuple(table.name.lower() for table in found)
        self.number = {id(table): use for use, table in enumerate(found)}
        self.home = [table.find_ancestor(exp.Select) for table in found]
        self.links: list[Link] = []
        self.conditions: list[Condition] = []
        self.counts: list[int] = []

    def reading(self) -> Reading:
        for node in self.tree.find_all(*COMPARISONS, exp.Join, exp.SetOperation):
            self._read(node)
        grouped = self._slots(self.tree.find_all(exp.Group))
        orders = list(self.tree.find_all(exp.Order))
        seen = {
            *grouped,
            *(c.slot for c in self.conditions),
            *(s for link in self.links for s in (link.left, link.right)),
        }
        limits = [self._constant(limit.expression) for limit in self.tree.find_all(exp.Limit)]
        varying = (exp.Order, exp.Limit, exp.Group, exp.Window, exp.GroupConcat)
        bare = any(
            select.find(exp.AggFunc) and len(select.expressions) > 1 for select in self.tree.find_all(exp.Select)
        )
        ordered = tuple(slot for order in orders for slot in self._slots(order.expressions[-1:]))
        averages = [average for average in self.tree.find_all(exp.Avg) if average.find_ancestor(exp.Subquery)]
        return Reading(
            uses=self.uses,
            links=tuple(dict.fromkeys(self.links)),
            conditions=tuple(dict.fromkeys(self.conditions)),
            counts=tuple(dict.fromkeys(self.counts)),
            limit=max((limit for limit in limits if isinstance(limit, int)), default=0),
            grouped=grouped,
            ordered=ordered,
            ranked=tuple(dict.fromkeys((*ordered, *self._slots(self.tree.find_all(exp.Min, exp.Max))))),
            averaged=self._slots(averages),
            by_aggregate=any(
                self._unaliased(key.this).find(exp.AggFunc) for order in orders for key in order.expressions
            ),
            others=tuple(slot for slot in self._slots([self.tree]) if slot not in seen),
            either=self.tree.find(exp.Or) is not None,
            may_vary=bare or self.tree.find(*varying) is not None,
        )

    def _read(self, node: exp.Expr) -> None:
        if isinstance(node, exp.Join):
            for name in node.args.get("using") or ():
                self._link(*self._sides(node, name.name.lower()), True)
        elif isinstance(node, exp.SetOperation):
            holds = isinstance(node, exp.Intersect)
            for left, right in zip(_outputs(node.left), _outputs(node.right), strict=False):
                self._link(self._slot(left), self._slot(right), holds)
        elif isinstance(node, exp.Between):
            self._compare(node, node.this, ">=", node.args["low"])
            self._compare(node, node.this, "<=", node.args["high"])
        elif isinstance(node, exp.In):
            for value in node.expressions:
                self._compare(node, node.this, "=", value)
            if node.args.get("query"):
                self._compare(node, node.this, "=", node.args["query"])
        elif isinstance(node, exp.Is):
            self._compare(node, node.this, "null" if isinstance(node.expression, exp.Null) else "=", node.expression)
        else:
            self._compare(node, node.this, OPERATORS.get(type(node), "like"), node.expression)

    def _compare(self, node: exp.Expr, left: exp.Expr, operator: str, right: exp.Expr) -> None:
        """Note one comparison: a link between two columns, or a condition on one."""
        if self._constant(left) is not None and self._constant(right) is None:
            left, operator, right = right, MIRRORED.get(operator, operator), left
        value, counted = self._constant(right), left.find(exp.Count)
        slot = self._slot(left)
        if counted and not left.find(exp.Query):
            if isinstance(value, int):
                self.counts.append(value)
        elif operator == "null":
            if slot:
                self.conditions.append(Condition(slot, "not null" if _negated(node) else "null"))
        elif value is None:
            other = self._slot(right)
            across = bool(slot and other) and self.home[slot.use] is not self.home[other.use]
            self._link(slot, other, (operator == "=") != _negated(node, across))
        elif slot:
            if _negated(node):
                operator = OPPOSITE.get(operator, "not like")
            around = node.find_ancestor(exp.Subquery)
            single = operator == "=" and around is not None and is_single(around)
            self.conditions.append(Condition(slot, operator, value, _inside(left), single))

    def _link(self, left: Slot | None, right: Slot | None, holds: bool) -> None:
        if left and right and left != right:
            self.links.append(Link(left, right, holds))

    def _slots(self, nodes: Iterator[exp.Expr] | list[exp.Expr]) -> tuple[Slot, ...]:
        """Return the slots of all columns in `nodes`, each once, in the order of the text."""
        found: dict[Slot, None] = {}
        for column in (column for node in nodes for column in node.find_all(exp.Column, bfs=False)):
            meant = self._unaliased(column)
            parts = [column] if meant is column else meant.find_all(exp.Column, bfs=False)
            found |= {slot: None for part in parts if (slot := self._resolved(part))}
        return tuple(found)

    def _slot(self, node: exp.Expr) -> Slot | None:
        """Return the slot of the one column that `node` is made of; for a subquery, of what it selects."""
        while isinstance(node, (exp.Subquery, exp.Paren, exp.Alias)):
            node = node.this
        if isinstance(node, exp.Query):
            outputs = _outputs(node)
            return self._slot(outputs[0]) if outputs else None
        slots = self._slots([node])
        return slots[0] if len(slots) == 1 else None

    def _constant(self, node: exp.Expr) -> object:
        """Return the value of a literal, None for all else.  SQLite reads an unknown "name" as a text."""
        if isinstance(node, exp.Neg):
            value = self._constant(node.this)
            return -value if isinstance(value, (int, float)) else None
        if isinstance(node, exp.Literal):
            return node.this if node.is_string else _number(node.this)
        if isinstance(node, exp.Column) and node.this.args.get("quoted") and not node.table:
            return None if self._resolved(node) else node.name
        return None

    def _resolved(self, column: exp.Column) -> Slot | None:
        """Return the slot behind a column's name, looked for in its own SELECT first, then in those around it."""
        name, table = column.name.lower(), column.table.lower()
        select = column.find_ancestor(exp.Select)
        while select:
            for source in _sources(select):
                if table in ("", source.alias_or_name.lower()) and (slot := self._column_of(source, name)):
                    return slot
            select = select.find_ancestor(exp.Select)
        return None

    def _column_of(self, source: exp.Expr, name: str) -> Slot | None:
        """Return the slot behind column `name` of a table, a subquery or a WITH part."""
        if id(source) in self.number:
            known = name in self.columns[source.name.lower()]
            return Slot(self.number[id(source)], name) if known else None
        query = source.this if isinstance(source, exp.Subquery) else self.parts.get(source.name.lower())
        if not isinstance(query, exp.Query):
            return None
        for output in _outputs(query):
            if output.alias_or_name.lower() == name:
                return self._slot(output)
            if isinstance(output, exp.Star):
                inner = (self._column_of(one, name) for one in _sources(output.find_ancestor(exp.Select)))
                return next((slot for slot in inner if slot), None)
        return None

    def _sides(self, join: exp.Join, name: str) -> tuple[Slot | None, Slot | None]:
        """Return both slots of USING (name): in the joined table, and in the first one before it."""
        before = (self._column_of(source, name) for source in _sources(join.parent) if source is not join.this)
        return self._column_of(join.this, name), next((slot for slot in before if slot), None)

    def _unaliased(self, node: exp.Expr) -> exp.Expr:
        """Return what an output's alias, as in `ORDER BY n`, stands for; else the node itself."""
        node = node.this if isinstance(node, exp.Ordered) else node
        if isinstance(node, exp.Column) and not node.table and not self._resolved(node):
            select = node.find_ancestor(exp.Select)
            for output in _outputs(select) if select else ():
                if output.alias.lower() == node.name.lower():
                    return output.this
        return node

    def _is_stored(self, table: exp.Table) -> bool:
        return table.name.lower() in self.columns and table.name.lower() not in self.parts


def _outputs(query: exp.Expr) -> list[exp.Expr]:
    """Return what the first SELECT of a query selects."""
    while not isinstance(query, exp.Select):
        query = query.this
    return query.expressions


def _sources(select: exp.Select) -> list[exp.Expr]:
    """Return what stands in FROM and its joins."""
    start = select.args.get("from_")
    return [node.this for node in (start, *(select.args.get("joins") or ())) if node]


def _negated(node: exp.Expr, across: bool = False) -> bool:
    """Return whether an odd number of NOTs stands around `node`, in its own SELECT or `across` all of them."""
    odd = bool(node.args.get("negate"))
    while node.parent and (across or not isinstance(node.parent, exp.Select)):
        node = node.parent
        odd ^= isinstance(node, exp.Not)
    return odd


def _inside(node: exp.Expr) -> str:
    """Return the name of the function around a column; an aggregate's value may well be one row's, and is none."""
    while isinstance(node, (exp.Paren, exp.AggFunc, exp.Cast, exp.Distinct)):
        node = node.this
    return "" if isinstance(node, exp.Column) else node.key


def _number(text: str) -> int | float | None:
    """Return a number as SQLite reads it.

    >>> _number("12"), _number("1.50"), _number("0x1F")
    (12, 1.5, None)
    """
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return None
