"""Values that show what a condition means, and whether a value makes it true."""

import re
from contextlib import suppress
from datetime import date, timedelta

from sandbox.variant_facts import Condition

MAX_TEXT = 200
"""Longest text made for a condition on length(…)."""


def around(condition: Condition) -> list[object]:
    """Return the values that show what a condition means: equal, just beside, far off; with and without a text.

    >>> from sandbox.variant_facts import Slot
    >>> around(Condition(Slot(0, "age"), ">", 30)), around(Condition(Slot(0, "name"), "like", "%ab%"))
    ([30, 29, 31, 0, 60], ['ab', 'xab', 'abx', 'xabx', 'a', 'x'])
    """
    value = condition.value
    if isinstance(value, (int, float)):
        step = 1 if isinstance(value, int) else 10 ** -len(str(value).partition(".")[2])
        far = max(abs(value), 10)
        values = [value, value - step, value + step, value - far, value + far]
        return ["x" * int(n) for n in values if 0 <= n <= MAX_TEXT] if condition.inside == "length" else values
    if not isinstance(value, str):
        return [None]
    if condition.operator in ("like", "not like"):
        text = re.sub("[%*]+", "", value).replace("_", "a").replace("?", "a")
        return [text, f"x{text}", f"{text}x", f"x{text}x", text[:-1], "x"]
    if condition.inside and re.fullmatch(r"\d{4}", value):
        year = int(value)
        return [f"{year}-01-01", f"{year}-12-31", f"{year - 1:04}-12-31", f"{year + 1:04}-01-01"]
    with suppress(ValueError, OverflowError):
        day = date.fromisoformat(value[:10])
        return [value, *(str(day + timedelta(change)) + value[10:] for change in (-1, 1))]
    if re.fullmatch(r"-?\d+", value):
        return [value, str(int(value) - 1), str(int(value) + 1), f"{value}0"]
    return [value, f"{value}x", f"x{value}", value[:-1]]


def satisfies(value: object, condition: Condition) -> bool:
    """Return whether a value makes a condition true, as far as can be said without SQLite.

    >>> from sandbox.variant_facts import Slot
    >>> satisfies(29, Condition(Slot(0, "age"), ">", 30)), satisfies("xab", Condition(Slot(0, "n"), "like", "%AB"))
    (False, True)
    """
    if value is None or condition.operator in ("null", "not null"):
        return (value is None) == (condition.operator == "null")
    if condition.inside == "length":
        value = len(str(value))
    elif condition.inside and isinstance(value, str) and isinstance(condition.value, str):
        value = value[: len(condition.value)]  # a year, or another beginning
    elif condition.inside or isinstance(value, bytes):
        return bool(condition.inside)
    if condition.operator in ("like", "not like"):
        parts = ({"%": ".*", "*": ".*", "_": ".", "?": "."}.get(sign, re.escape(sign)) for sign in str(condition.value))
        matches = re.fullmatch("".join(parts), str(value), re.IGNORECASE | re.DOTALL) is not None
        return matches == (condition.operator == "like")
    left, right = ((isinstance(one, str), one) for one in (value, condition.value))
    return {
        "=": left == right, "!=": left != right, "<": left < right, "<=": left <= right, ">": left > right,
        ">=": left >= right,
    }[condition.operator]  # fmt: skip
