"""SQLite's two callbacks: what a statement may do, and for how long."""

import sqlite3
import time

TICK = 1000
"""VM steps between two looks at the clock and at the budget."""
ALLOWED_FUNCTIONS = frozenset(
    """
    abs char coalesce concat concat_ws format glob hex if ifnull iif instr length like likelihood likely lower ltrim
    max min nullif octet_length printf quote random randomblob replace round rtrim sign soundex sqlite_version substr
    substring trim typeof unhex unicode unistr unistr_quote unlikely upper zeroblob
    avg count group_concat median percentile percentile_cont percentile_disc string_agg sum total
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
    date datetime julianday strftime time timediff unixepoch current_date current_time current_timestamp
    acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power
    radians sin sinh sqrt tan tanh trunc
    -> ->> json json_array json_array_insert json_array_length json_error_position json_extract json_group_array
    json_group_object json_insert json_object json_patch json_pretty json_quote json_remove json_replace json_set
    json_type json_valid jsonb jsonb_array jsonb_array_insert jsonb_extract jsonb_group_array jsonb_group_object
    jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set
    bm25 highlight match matchinfo offsets snippet
    """.split()  # noqa: SIM905
)
"""Functions that work on their arguments alone; whatever else this SQLite or an extension has is denied."""
ALLOWED_IN_SCRIPTS = ALLOWED_FUNCTIONS | {
    "sqlite_drop_column", "sqlite_fail", "sqlite_rename_column", "sqlite_rename_quotefix", "sqlite_rename_table",
    "sqlite_rename_test",
}  # fmt: skip
"""Also what SQLite itself calls for ALTER TABLE."""
DESCRIBING_PRAGMAS = frozenset(
    "table_info table_xinfo table_list foreign_key_list index_list index_info index_xinfo".split()  # noqa: SIM905
)
_ASKED_BY_FTS = {"data_version", "page_size"}
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_DENIED_IN_SCRIPTS = {
    sqlite3.SQLITE_ATTACH,
    sqlite3.SQLITE_DETACH,
    sqlite3.SQLITE_CREATE_VTABLE,
    sqlite3.SQLITE_DROP_VTABLE,
}
_NAMES = {
    sqlite3.SQLITE_INSERT: "INSERT into",
    sqlite3.SQLITE_UPDATE: "UPDATE of",
    sqlite3.SQLITE_DELETE: "DELETE from",
    sqlite3.SQLITE_PRAGMA: "PRAGMA",
    sqlite3.SQLITE_FUNCTION: "function",
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_CREATE_VTABLE: "CREATE VIRTUAL TABLE",
}


class Guard:
    """The callbacks of one connection, and what they saw.

    denied: the thing that was denied first, as a sentence; over: the limit that was reached, "steps" or "time";
    declared: whether a query was denied because it is the first to use a virtual table or a table function.
    ticks: how often SQLite has called since the statement began.
    """

    def __init__(self) -> None:
        self.denied, self.over, self.declared = "", "", False
        self.ticks = 0
        self._deadline = 0.0
        self._ticks_left = 0

    def begin(self, deadline: float, max_steps: int, tick: int = TICK) -> None:
        """Start a statement's time: until `deadline` by the monotonic clock, and for `max_steps` steps of the VM.

        tick: after how many steps `tick` is called.
        """
        self.denied, self.over, self.declared = "", "", False
        self._deadline, self._ticks_left = deadline, max_steps // tick
        self.ticks = 0

    def tick(self) -> bool:
        """Return true, which stops SQLite, when the steps or the time are used up; called every TICK steps."""
        self.ticks += 1
        self._ticks_left -= 1
        if self._ticks_left < 0:
            self.over = "steps"
        elif time.monotonic() > self._deadline:
            self.over = "time"
        return bool(self.over)

    def reading(self, action: int, first: str | None, second: str | None, _db: object, _view: object) -> int:
        """Return SQLite's verdict on one action of a query: reading is allowed, all else denied."""
        if action in _READING:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and second and second.lower() in ALLOWED_FUNCTIONS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and first:
            name = first.lower()
            if name in DESCRIBING_PRAGMAS or (name in _ASKED_BY_FTS and second is None):
                return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":  # so SQLite asks for a virtual table's columns
            self.declared = True
            self.denied = self.denied or "this virtual table or table function is not allowed, or damaged"
        return self._deny(action, first, second)

    def building(self, action: int, first: str | None, second: str | None, _db: object, _view: object) -> int:
        """Return SQLite's verdict on one action of a script, which may change its own database."""
        if action == sqlite3.SQLITE_PRAGMA:
            # Dumps begin by switching this off; there is nothing to switch, so it is passed over.
            ignored = (first or "").lower() == "foreign_keys"
            return sqlite3.SQLITE_IGNORE if ignored else self._deny(action, first, second)
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in ALLOWED_IN_SCRIPTS:
            return self._deny(action, first, second)
        return self._deny(action, first, second) if action in _DENIED_IN_SCRIPTS else sqlite3.SQLITE_OK

    def _deny(self, action: int, first: str | None, second: str | None) -> int:
        what = second if action == sqlite3.SQLITE_FUNCTION else first
        self.denied = self.denied or f"{_NAMES.get(action, 'this')} {what or ''}".strip() + " is not allowed"
        return sqlite3.SQLITE_DENY
