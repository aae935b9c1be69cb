"""How hard a query is, by its form: subqueries, joins and set operations."""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from tasks.task import Level

NOT_A_SELECT = "not a SELECT"
NOT_ONE_STATEMENT = "not one statement"
SQLGLOT_TRIPS = (AttributeError, TypeError, ValueError, KeyError, IndexError)
"""What escapes from sqlglot, now and then, for broken SQL (AttributeError was seen with 30.30)."""
MOST_OPEN_JOINS = 12
"""JOINs without ON or USING that are read at most: sqlglot takes twice as long for each (20: half a minute)."""
_JOIN, _CLOSED = re.compile(r"\bJOIN\b", re.IGNORECASE), re.compile(r"\b(?:ON|USING)\b", re.IGNORECASE)


def level(sql: str) -> Level:
    """Return L1 for a basic query, L2 with a subquery, L3 with a join or set operation, L4 with both.

    Any nested SELECT is a subquery (also a derived table and a WITH part), but not the branches of a
    set operation.  Raises sqlglot's ParseError for what is not one SELECT.

    >>> level("SELECT name FROM city WHERE country_id IN (SELECT id FROM country)")
    'L2'
    >>> level("SELECT a.x FROM a, b WHERE a.id = b.id"), level("SELECT x FROM a UNION SELECT x FROM b")
    ('L3', 'L3')
    >>> level("WITH big AS (SELECT * FROM city) SELECT * FROM big JOIN country USING (id)")
    'L4'
    """
    query = read_query(sql)
    joined = query.find(exp.Join, exp.SetOperation) is not None
    nested = len(list(query.find_all(exp.Select))) > _branches(query)
    if nested:
        return "L4" if joined else "L2"
    return "L3" if joined else "L1"


def read_query(sql: str, dialect: str = "sqlite") -> exp.Query:
    """Return the tree of the one SELECT (or set operation) that `sql` is; ParseError for anything else.

    >>> read_query("DELETE FROM city")
    Traceback (most recent call last):
    sqlglot.errors.ParseError: not a SELECT
    """
    statements = read_statements(sql, dialect)
    if len(statements) != 1:
        raise ParseError(NOT_ONE_STATEMENT)
    if not isinstance(statements[0], exp.Query):
        raise ParseError(NOT_A_SELECT)
    return statements[0]


def read_statements(sql: str, dialect: str) -> list[exp.Expr]:
    """Return the tree of each statement; ParseError for what sqlglot cannot read, whatever the cause."""
    if len(_JOIN.findall(sql)) - len(_CLOSED.findall(sql)) > MOST_OPEN_JOINS:
        raise ParseError(f"more than {MOST_OPEN_JOINS} joins without ON")
    try:
        trees = sqlglot.parse(sql, read=dialect)
    except RecursionError:
        raise ParseError("nested too deeply") from None
    except (TokenError, *SQLGLOT_TRIPS) as error:
        raise ParseError(str(error)) from error
    return [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]


def _branches(query: exp.Expr) -> int:
    """Return how many SELECTs stand at the top: 1, or the branches of the set operation.

    >>> _branches(read_query("(SELECT 1 UNION SELECT 2) EXCEPT SELECT 3"))
    3
    """
    waiting, selects = [query], 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.SetOperation):
            waiting += [node.this, node.expression]
        elif isinstance(node, exp.Subquery | exp.Paren):
            waiting.append(node.this)
        elif isinstance(node, exp.Select):
            selects += 1
    return selects
