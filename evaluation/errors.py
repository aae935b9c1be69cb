"""What is wrong with a prediction, in a word."""

import re
from dataclasses import replace

from sandbox import Result, same_result

RIGHT, NO_SQL, GOLD_FAILED = "right", "no_sql", "gold_failed"

MESSAGES: tuple[tuple[str, str], ...] = (
    (
        "syntax",
        r'near "|unrecognized token|incomplete input|there is no statement|no tables specified|parser stack overflow'
        r"|(LIMIT|ORDER BY) clause should come after",
    ),
    ("no_such_column", r"no such column|cannot join using column|\d+\w\w ORDER BY term does not match any column"),
    ("no_such_table", r"no such (table|view)"),
    ("ambiguous_column", r"ambiguous column name"),
    (
        "function",
        r"no such function|wrong number of arguments|misuse of|aggregate functions are not allowed|DISTINCT |FILTER "
        r"|\w+\(\) may not be used as a window function|(\w+ )?argument |integer overflow|malformed JSON"
        r"|(bad )?JSON path|ESCAPE ",
    ),
)
"""Classes of SQLite's messages, and how these begin, before any word of the query's own."""

MEANINGS = {
    RIGHT: "right",
    "other_rows": "as many columns as gold, other rows",
    "other_columns": "more or fewer columns than gold",
    "column_order": "gold's columns in another order",
    "row_order": "gold's rows in another order than it asks for",
    "duplicates": "gold's rows, but repeated or not as it has them",
    "no_rows": "no row, where gold has some",
    NO_SQL: "no query in the answer",
    "no_such_column": "no such column",
    "no_such_table": "no such table",
    "ambiguous_column": "column of several tables, not said of which",
    "function": "no such function, or not with these arguments or in this place",
    "syntax": "not SQL",
    "other_error": "SQLite refuses it for another reason",
    "timeout": "over the limit of time or steps",
    "too_large": "over the limit of rows or bytes",
    "denied": "wants more than to read",
    "crashed": "ended its worker",
    GOLD_FAILED: "not known, as the gold query itself did not run",
}
"""Every class, in the order in which people read them, and what it says of a prediction."""


def error_class(correct: bool, predicted: Result | None, gold: Result) -> str:
    """Return the class of a prediction, a key of MEANINGS.

    correct: by the rule that is asked for; the rows then don't matter.
    predicted: None where the answer held no query.
    """
    if not gold.runs:
        return GOLD_FAILED
    if correct:
        return RIGHT
    if predicted is None:
        return NO_SQL
    if predicted.status == "error":
        return message_class(predicted.message)
    return _rows_class(predicted, gold) if predicted.runs else predicted.status


def message_class(message: str) -> str:
    """Return the class of SQLite's refusal.

    >>> message_class("no such column: T1.nme"), message_class('near "FORM": syntax error')
    ('no_such_column', 'syntax')
    >>> message_class("SELECTs to the left and right of UNION do not have the same number of result columns")
    'other_error'
    """
    return next((name for name, pattern in MESSAGES if re.match(pattern, message)), "other_error")


def _rows_class(predicted: Result, gold: Result) -> str:
    if len(predicted.columns) != len(gold.columns):
        return "other_columns"
    if gold.rows and not predicted.rows:
        return "no_rows"
    if same_result(gold, predicted, "multiset"):
        return "row_order"
    if same_result(_once(gold), _once(predicted), "multiset"):
        return "duplicates"
    return "column_order" if same_result(gold, predicted, "spider") else "other_rows"


def _once(result: Result) -> Result:
    return replace(result, rows=tuple(dict.fromkeys(result.rows)))
