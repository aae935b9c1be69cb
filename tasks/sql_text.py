"""How a plan writes names and expressions: SQL's own form, every column as table.column."""

from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite

from tasks.schema import quoted


def name_text(name: str) -> str:
    """Return a table or column name as a plan writes it: in backticks where it could not stand bare.

    >>> name_text("head"), name_text("Zip code"), name_text("order")
    ('head', '`Zip code`', '`order`')
    """
    return name if quoted(name) == name else f"`{name}`"


def expression_text(tree: exp.Expr, labels: dict[str, str]) -> str:
    """Return an expression in SQL, with the tables of its columns called as `labels` says."""
    return _PlanWriter(labels).generate(tree, copy=True)


def sql_text(tree: exp.Expr) -> str:
    """Return a query as SQL in the spelling that plans use."""
    return _Writer(dialect="sqlite", normalize_functions="lower", comments=False).generate(tree, copy=True)


class _Writer(SQLite.Generator):
    """SQLite as people write it: !=, IS NOT NULL, lower-case functions."""

    TRANSFORMS = {  # noqa: RUF012 - sqlglot's own form
        **SQLite.Generator.TRANSFORMS,
        exp.NEQ: lambda self, node: self.binary(node, "!="),
        exp.Substring: lambda self, node: self.func(
            "substr", node.this, node.args.get("start"), node.args.get("length")
        ),
    }

    def join_sql(self, node: exp.Join) -> str:
        """A comma stays a comma: CROSS JOIN would keep SQLite from choosing the order."""
        if node.args.get("kind") == "CROSS" and not node.args.get("on"):
            return f", {self.sql(node, 'this')}"
        return super().join_sql(node)

    def not_sql(self, node: exp.Not) -> str:
        inner = node.this
        if isinstance(inner, exp.Is):
            return f"{self.sql(inner, 'this')} IS NOT {self.sql(inner, 'expression')}"
        if isinstance(inner, exp.In | exp.Between):
            subject = self.sql(inner, "this")
            return f"{subject} NOT{self.sql(inner).removeprefix(subject)}"
        return super().not_sql(node)


class _PlanWriter(_Writer):
    """The same, with columns as table.column and subqueries by their block's name."""

    def __init__(self, labels: dict[str, str]) -> None:
        super().__init__(dialect="sqlite", normalize_functions="lower", comments=False)
        self.labels = labels

    def column_sql(self, node: exp.Column) -> str:
        name = "*" if isinstance(node.this, exp.Star) else name_text(node.name)
        return f"{name_text(self.labels[node.table])}.{name}" if node.table in self.labels else name

    def exists_sql(self, node: exp.Exists) -> str:
        return f"EXISTS {self.sql(node, 'this')}"
