"""Which rows of a gold result its ORDER BY leaves tied: any order among those is as right as the gold one."""

from collections import Counter
from collections.abc import Callable

from sandbox.judge import TOKEN, Rows, is_ordered
from sandbox.result import Result


def tied_runs(sql: str, gold: Result, run: Callable[[str], Result]) -> tuple[int, ...] | None:
    """Return the lengths of the runs of gold rows that are tied by the query's ORDER BY; None where it can't be told.

    SQLite is asked, so that its own reading of the sort keys counts: aliases, ordinals, collations, compounds.
    `run` says what comes of the gold query with all its columns as further keys, once ascending and once
    descending.  That moves tied rows only.  So a run ends wherever both results and the gold one have had the
    same rows so far; rows that are equal in all columns may be cut up further, which nobody can see.

    A LIMIT that cuts through a tie stays strict: which of the tied rows it keeps differs between the results, so
    from there on each gold row is a run of its own.  So it is where rows are not the same on every call.
    None, which is as strict: no ORDER BY, an OFFSET, a query that fails, nothing tied before such a place.
    """
    texts = _with_all_columns_as_keys(sql, len(gold.rows[0])) if gold.rows else []
    results = [run(text).rows for text in texts]
    if not results or any(len(rows) != len(gold.rows) for rows in results):
        return None
    lengths = _run_lengths(gold.rows, *results)
    if not lengths:
        return None
    return (*lengths, *[1] * (len(gold.rows) - sum(lengths)))


def _with_all_columns_as_keys(sql: str, width: int) -> list[str]:
    """Return the query with its columns as the last keys of its ORDER BY, ascending and descending.

    Nothing where the query has no ORDER BY, or an OFFSET: a tie that is cut at its upper end can't be recognised.
    BINARY, as other collations have differing texts tied.

    >>> _with_all_columns_as_keys("SELECT a FROM t ORDER BY b LIMIT 3", 1)[1]
    'SELECT a FROM t ORDER BY b , 1 COLLATE BINARY DESC LIMIT 3'
    """
    if not is_ordered(sql):
        return []
    sql = TOKEN.sub(lambda token: " " if token[0].startswith(("--", "/*")) else token[0], sql).rstrip("; \t\r\n\f")
    depth, end = 0, len(sql)
    for token in TOKEN.finditer(sql):
        word = token[0].upper()
        depth += (word == "(") - (word == ")")
        if depth == 0 and word == "LIMIT":
            end = token.start()
        elif depth == 0 and end < len(sql) and word in ("OFFSET", ","):
            return []
    keys = [[f", {column} COLLATE BINARY{way}" for column in range(1, width + 1)] for way in ("", " DESC")]
    return [f"{sql[:end].rstrip()} {''.join(each)} {sql[end:]}".rstrip() for each in keys]


def _run_lengths(gold: Rows, ascending: Rows, descending: Rows) -> list[int]:
    """Return the distances between the places up to which all three have had the same rows, as far as there are some.

    Where a run is not one way round in the one and the other way round in the other, rows moved for another reason.

    >>> _run_lengths("bacdfe", "abcdef", "bacdfe"), _run_lengths("bacd", "abcd", "bace")
    ([2, 1, 1, 2], [2, 1])
    """
    lengths: list[int] = []
    begin = 0
    ahead: Counter = Counter()
    for end, (row, first, last) in enumerate(zip(gold, ascending, descending, strict=True), 1):
        for key, change in (((0, first), 1), ((0, last), -1), ((1, first), 1), ((1, row), -1)):
            ahead[key] += change
            if not ahead[key]:
                del ahead[key]
        if not ahead:
            if list(ascending[begin:end]) != list(reversed(descending[begin:end])):
                break
            lengths.append(end - begin)
            begin = end
    return lengths
