"""Window functions in words: what is worked out for each row, among which rows, in which order."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

_RANKS = {
    exp.Rank: ("the rank of each row", "rank(), ties leave gaps"),
    exp.DenseRank: ("the rank of each row", "dense_rank(), ties leave no gaps"),
    exp.RowNumber: ("the number of each row", "row_number()"),
    exp.PercentRank: ("the rank of each row from 0 to 1", "percent_rank()"),
    exp.CumeDist: ("the share of rows up to each row", "cume_dist()"),
}
_BESIDE = {exp.Lag: ("lag", "before"), exp.Lead: ("lead", "after")}
_ENDS = {exp.FirstValue: ("first", "first_value"), exp.LastValue: ("last", "last_value")}
_SUMS = (exp.Sum, exp.Count, exp.Avg, exp.Max, exp.Min)


@dataclass(frozen=True)
class Told:
    """How a window's parts are said: as SQL, as an output in words, and which end of an order comes first."""

    text: Callable[[exp.Expr], str]
    output: Callable[[exp.Expr, bool], str]
    first: Callable[[exp.Expr, bool], str]


def window_words(tree: exp.Window, told: Told) -> str:
    """Return a window function in words, with its SQL name in brackets at the end."""
    partition = tree.args.get("partition_by") or []
    order, frame = tree.args.get("order"), tree.args.get("spec")
    what, name = _what(tree.this, told)
    among = f" among the rows with the same {' and '.join(map(told.text, partition))}" if partition else ""
    keys = [f"{told.text(o.this)}, {told.first(o.this, bool(o.args.get('desc')))}" for o in order or ()]
    by = f", by {', then by '.join(keys)}" if keys else ""
    rows = f", {_frame(frame)}" if frame else ""
    if isinstance(tree.this, _SUMS) and not frame:
        among = among or ("" if by else " over all rows")
        rows = ", from the start up to each row" if by else ""
    return f"{what}{among}{by}{rows} ({name})"


def _what(tree: exp.Expr, told: Told) -> tuple[str, str]:
    """Return what is worked out, and the function's SQL name."""
    if type(tree) in _RANKS:
        return _RANKS[type(tree)]
    if isinstance(tree, exp.Ntile):
        return f"which of {told.text(tree.this)} equal parts each row is in", "ntile()"
    if type(tree) in _BESIDE:
        name, side = _BESIDE[type(tree)]
        distance = tree.args.get("offset")
        number = told.text(distance) if distance else "1"
        other = tree.args.get("default")
        instead = f" or else {told.text(other)}" if other else ""
        return f"{told.text(tree.this)} of {number} row{'s' * (number != '1')} {side} each row{instead}", f"{name}()"
    if type(tree) in _ENDS:
        which, name = _ENDS[type(tree)]
        return f"the {which} {told.text(tree.this)}", f"{name}()"
    return told.output(tree, False), "a window"


def _frame(frame: exp.WindowSpec) -> str:
    """Return which rows around each row are taken."""
    if frame.args["kind"].upper() != "ROWS" or frame.args.get("exclude"):
        return f"over {frame.sql('sqlite')}"
    start = _side(frame.args["start"], frame.args.get("start_side"))
    end = _side(frame.args.get("end") or "CURRENT ROW", frame.args.get("end_side"))
    return f"from {start} to {end}"


def _side(place: exp.Expr | str, side: str | None) -> str:
    before = str(side).upper() == "PRECEDING"
    if isinstance(place, exp.Expr):
        number = place.sql("sqlite")
        return f"{number} row{'s' * (number != '1')} {'before' if before else 'after'} it"
    if place.upper() == "CURRENT ROW":
        return "the row itself"
    return "the start" if before else "the end"
