"""The gold SQL in the plan's own names: aliases only where the plan has them, so that the one copies from the other."""

from sqlglot import exp

from tasks.schema import Schema, quoted
from tasks.scope import Resolved, Scope, Source, own_nodes, resolve
from tasks.sql_text import sql_text


def plain_sql(sql: str, schema: Schema) -> str:
    """Return the query with real table names in place of aliases, and columns bare where one table is open.

    Two openings of one table in sight of each other keep their aliases, and so do queries in FROM and
    WITH.  The query means the same; CannotPlan where `resolve` says so.
    """
    found = resolve(sql, schema)
    for scope in found.scopes.values():
        for node, source in zip(_entries(scope), scope.sources, strict=True):
            if source.table:
                node.set("this", _identifier(source.table))
                node.set("alias", _alias(source))
            elif not node.alias and isinstance(node, exp.Subquery):
                node.set("alias", exp.TableAlias(this=_identifier(source.alias)))
    for scope in found.scopes.values():
        _rename_columns(found, scope)
    return sql_text(found.query)


def _entries(scope: Scope) -> list[exp.Expr]:
    from_ = scope.select.args.get("from_")
    return ([from_.this] if from_ else []) + [join.this for join in scope.select.args.get("joins") or ()]


def _alias(source: Source) -> exp.TableAlias | None:
    return None if _called(source) == source.table else exp.TableAlias(this=_identifier(_called(source)))


def _called(source: Source) -> str:
    return source.label if source.table else source.alias


def _rename_columns(found: Resolved, scope: Scope) -> None:
    alone = len(scope.sources) == 1 and not scope.outer
    outputs = {item.alias.lower() for item in scope.select.expressions if item.alias}
    for node in own_nodes(scope.select):
        if isinstance(node, exp.Column) and node.table in found.sources:
            source = found.sources[node.table]
            bare = alone and not isinstance(node.this, exp.Star) and node.name.lower() not in outputs
            node.set("table", None if bare else _identifier(_called(source)))
            if not isinstance(node.this, exp.Star):
                node.set("this", _identifier(node.name))


def _identifier(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=quoted(name) != name)
