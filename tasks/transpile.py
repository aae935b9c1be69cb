"""SQL of an unknown dialect, said in SQLite."""

import logging

from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError

from tasks.level import SQLGLOT_TRIPS, read_query, read_statements

_KEPT = (exp.Create, exp.Insert)  # of a script: what makes tables and rows
_TYPES = {
    **dict.fromkeys((exp.DType.SERIAL, exp.DType.BIGSERIAL, exp.DType.SMALLSERIAL), "int"),
    **dict.fromkeys((exp.DType.ENUM, exp.DType.SET, exp.DType.ARRAY, exp.DType.JSON, exp.DType.JSONB), "text"),
}
_DATE_PARTS = {"YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "DOW": "%w", "DOY": "%j"}

# A statement that sqlglot knows only as a whole is reported to the log; here it is dropped and counted.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


def likely_dialects(sql: str) -> tuple[str, ...]:
    """Return the dialects worth trying, likeliest first; '' is sqlglot's generic one.

    >>> likely_dialects("CREATE TABLE `a` (id INT AUTO_INCREMENT)")[0], likely_dialects("SELECT 1::text")[0]
    ('mysql', 'postgres')
    """
    marks = ("`", "AUTO_INCREMENT", "ENGINE=", "ENUM(", "DATE_SUB(", "CURDATE(", "DATE_FORMAT(")
    if any(mark in sql.upper() for mark in marks):
        return ("mysql", "postgres", "")
    return ("postgres", "mysql", "")


def script_to_sqlite(script: str, dialect: str) -> str:
    """Return the CREATE and INSERT statements of `script` in SQLite; ParseError where it is not in `dialect`.

    >>> script_to_sqlite("CREATE TABLE shop.item (id SERIAL PRIMARY KEY); GRANT ALL ON item TO b", "postgres")
    'CREATE TABLE item (id INTEGER PRIMARY KEY);'
    """
    trees = read_statements(script, dialect)
    kept = [tree for tree in trees if isinstance(tree, _KEPT) and not _makes_schema(tree)]
    return "\n".join(_said_in_sqlite(tree, ErrorLevel.IGNORE) + ";" for tree in kept)


def query_to_sqlite(sql: str, dialect: str) -> str:
    """Return one SELECT in SQLite; ParseError where it is none, UnsupportedError where SQLite can't say it.

    >>> query_to_sqlite("SELECT EXTRACT(YEAR FROM sold_on) FROM shop.sale WHERE name ILIKE 'a%'", "postgres")
    "SELECT CAST(STRFTIME('%Y', sold_on) AS INTEGER) FROM sale WHERE LOWER(name) LIKE LOWER('a%')"
    """
    return _said_in_sqlite(read_query(sql, dialect), ErrorLevel.RAISE)


def _makes_schema(tree: exp.Expr) -> bool:
    return isinstance(tree, exp.Create) and tree.args["kind"] not in ("TABLE", "VIEW", "INDEX")


def _said_in_sqlite(tree: exp.Expr, unsupported: ErrorLevel) -> str:
    try:
        return tree.transform(_sqlite_form).sql("sqlite", unsupported_level=unsupported)
    except (RecursionError, *SQLGLOT_TRIPS) as error:
        raise ParseError(str(error)) from error


def _sqlite_form(node: exp.Expr) -> exp.Expr:
    """Return the node as SQLite has it, where sqlglot's own generator leaves it as it was."""
    if isinstance(node, exp.Table | exp.Column):
        node.set("db", None)  # SQLite knows no schemas
        node.set("catalog", None)
    elif isinstance(node, exp.DataType) and node.this in _TYPES:
        return exp.DataType.build(_TYPES[node.this])
    elif isinstance(node, exp.Extract) and node.name.upper() in _DATE_PARTS:
        return _date_part(node.name.upper(), node.expression)
    elif isinstance(node, exp.Year | exp.Month | exp.Day):
        return _date_part(node.sql_name(), node.this)
    return node


def _date_part(part: str, moment: exp.Expr) -> exp.Expr:
    if isinstance(moment, exp.TsOrDsToDate):
        moment = moment.this
    text = exp.Anonymous(this="STRFTIME", expressions=[exp.Literal.string(_DATE_PARTS[part]), moment])
    return exp.cast(text, "int")
