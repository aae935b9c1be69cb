"""Where two queries differ, with their columns as table.column."""

from sqlglot import exp

from tasks.mutations import Columns, read, sources
from tasks.sql_text import expression_text

Pair = tuple[exp.Expr, exp.Expr | None]
"""What stands in the right query, and what the wrong one has in its place: None where it is left out."""


def difference(gold: exp.Expr, wrong: exp.Expr) -> Pair:
    """Return the smallest part in which two queries differ.

    >>> from sqlglot import parse_one
    >>> was, now = difference(parse_one("SELECT a FROM t WHERE b > 3"), parse_one("SELECT a FROM t WHERE b < 3"))
    >>> str(was), str(now)
    ('b > 3', 'b < 3')
    """
    if type(gold) is not type(wrong) or isinstance(gold, exp.Column | exp.Literal | exp.Table):
        return gold, wrong
    pairs: list[Pair] = []
    for name in gold.args.keys() | wrong.args.keys():
        one, other = gold.args.get(name) or None, wrong.args.get(name) or None
        if one == other:
            continue
        ones, others = (part if isinstance(part, list) else [part] for part in (one, other))
        if len(ones) == len(others):
            pairs += [pair for pair in zip(ones, others, strict=True) if pair[0] != pair[1]]
        elif dropped := [part for part in ones if part not in others]:
            pairs += [(part, None) for part in dropped]
        else:
            return gold, wrong
    if len(pairs) != 1 or not isinstance(pairs[0][0], exp.Expr):
        return gold, wrong
    one, other = pairs[0]
    return difference(one, other) if isinstance(other, exp.Expr) else (one, None)


def named(sql: str, columns: Columns) -> exp.Query:
    """Return a query's tree with every column that can only be one table's under the name of that table."""
    tree = read(sql, columns)
    for column in tree.find_all(exp.Column):
        select = column.find_ancestor(exp.Select)
        while select is not None and not column.table:
            has = [
                name
                for name, source in sources(select).items()
                if column.name.lower() in columns.get(source.name.lower(), ())
            ]
            if len(has) == 1:
                source = sources(select)[has[0]]
                column.set("table", exp.to_identifier(source.alias_or_name))
            select = select.find_ancestor(exp.Select)
    return tree


def text(tree: exp.Expr) -> str:
    """Return an expression as plans write it, table.column; a query inside it as (…)."""
    tables = {column.table: column.table for column in tree.find_all(exp.Column) if column.table}
    inner = exp.Var(this="(…)")
    return expression_text(tree.transform(lambda node: inner if isinstance(node, exp.Query) else node), tables)
