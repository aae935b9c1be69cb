"""Changed copies of a database, on which an answer that was right by luck no longer is.

    variants("shop.sqlite", gold_sql)                     # four small databases, made once and kept
    agree_on_all("shop.sqlite", gold_sql, [sql, other])   # [True, False]

A variant has the schema of the original and a bounded part of its rows (ROWS of a table, and what they refer
to), whatever the original's size.  Rows are dropped, repeated under new keys and shifted, values are NULL where
that is allowed, and rows are added that tell the gold query from its near misses: values equal to, just below
and just above those that it compares, rows without a partner in a join, each condition broken alone.  Primary
keys, unique columns and NOT NULL hold, and the foreign keys that hold in the original.

A query whose answer is left to chance, by ties in an ORDER BY say, cannot be judged.  So only copies count on which
the gold query's answer is the same when rows are stored in another order, without indexes, and when all that
`variant_chance` finds is settled one way or the other; where none is found in several attempts, there are
fewer variants than asked for, or none.

Files are read, the schema's statements run and gold queries asked in the sandbox's workers alone.  Virtual tables
and triggers are left out.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

from configs.errors import ConfigError
from configs.paths import cache_folder
from sandbox.databases import Database, locate
from sandbox.execution import execute_many, judge_many
from sandbox.judge import Rule, is_ordered, same_result
from sandbox.once import make_once
from sandbox.result import Limits, Result
from sandbox.variant_cases import add_cases
from sandbox.variant_chance import settled, single_subqueries
from sandbox.variant_changes import change
from sandbox.variant_query import read_query
from sandbox.variant_reading import ROWS, read_data
from sandbox.variant_rows import Unbuildable, Unvariable, image

FORMAT = 3
"""Raised with each change to what variants look like, so that older ones are not used."""
SIZES = (ROWS, 60, 25, 12, 8, 6, 5, 4)
"""Rows of a table in the first attempt at a variant, in the second …: fewer rows leave less to chance."""
HASHED_BYTES = 64 * 2**20
"""A larger file is known by its path, size and time of change instead of its content."""
DEFAULT = Limits()
PATIENT = Limits(timeout_s=30)
"""Limits of the gold query while variants are built, which a busy machine must not change."""


@dataclass(frozen=True)
class Gold:
    """A gold query; whether rows stored in another order may change its answer, and `variant_chance` about it."""

    sql: str
    may_vary: bool
    settled: tuple[str, ...]
    single: tuple[str, ...]


def variants(database: Path | str, gold_sql: str, count: int = 4, seed: int = 0) -> tuple[Path, ...]:
    """Return up to `count` changed copies of a database, the same for the same content, query, count and seed.

    They are built once, however many processes ask, and kept in the cache; together they take up to 1 MB or so.
    """
    located = locate(database)
    inputs = json.dumps([FORMAT, _content(located), gold_sql.strip(), count, seed])
    folder = cache_folder().absolute() / "variants" / hashlib.sha256(inputs.encode()).hexdigest()
    if not folder.is_dir():
        try:
            make_once(folder, lambda aside: _build(located, gold_sql, count, seed, aside))
        except OSError as error:
            raise ConfigError(
                f"cannot write the cache of variants {str(folder.parent)!r}: {error.strerror}; "
                "set PLANQL_CACHE to a folder that can be written"
            ) from None
        except Unbuildable as error:
            raise Unvariable(f"database {located.path!r} cannot be varied: {error}; get a whole copy of it") from None
    return tuple(sorted(folder.glob("*.sqlite")))


def agree_on_all(
    database: Path | str,
    gold_sql: str,
    sqls: Sequence[str],
    count: int = 4,
    seed: int = 0,
    how: Rule = "ordered",
    limits: Limits = DEFAULT,
    workers: int = 2,
) -> list[bool]:
    """Return for each query whether it gives the gold rows on the database and on all its variants.

    A variant on which the gold query fails, or is over the limits, does not count; where it fails on the
    database itself, no query agrees.
    """
    agree = [bool(verdict) for verdict in _right(database, gold_sql, sqls, how, limits, workers)]
    for variant in variants(database, gold_sql, count, seed) if count and any(agree) else ():
        left = [number for number, so_far in enumerate(agree) if so_far]
        verdicts = _right(variant, gold_sql, [sqls[number] for number in left], how, limits, workers)
        for number, verdict in zip(left, verdicts, strict=True):
            agree[number] = verdict is not False
    return agree


def _right(
    database: Path | str, gold_sql: str, sqls: Sequence[str], how: Rule, limits: Limits, workers: int
) -> list[bool | None]:
    """Return whether each query gives the gold rows on one database; None where the gold query does not run."""
    verdicts = judge_many([(database, gold_sql, sql) for sql in sqls], how, limits, workers)
    return [verdict.correct for verdict in verdicts]


@lru_cache(maxsize=4096)
def _content(database: Database) -> str:
    """Return what tells the database's content from others."""
    if database.size_bytes > HASHED_BYTES:
        return f"{database.path} {database.size_bytes} {database.changed_ns}"
    return hashlib.sha256(Path(database.path).read_bytes()).hexdigest()


def _build(database: Database, gold_sql: str, count: int, seed: int, folder: Path) -> None:
    """Write the variants, each the first attempt on which the gold query has one answer, and rows in it."""
    folder.mkdir()
    data = read_data(database)
    reading = read_query(gold_sql, {name: frozenset(table.place) for name, table in data.tables.items()})
    gold = Gold(gold_sql, reading.may_vary, settled(gold_sql), single_subqueries(gold_sql))
    for number in range(count):
        without_rows = None
        for attempt, size in enumerate(SIZES):
            rng = Random(f"{seed} {number} {attempt} {gold_sql.strip()}")
            varied = data.copy()
            change(varied, rng, size)
            add_cases(varied, reading, rng, number, attempt)
            images = [image(varied), *(image(varied, rng) for _ in range(2 if gold.may_vary else 0))]
            # Each attempt has a name of its own, as workers keep files open.
            answer = _only_answer(gold, images, folder / f"attempt-{number}-{attempt}")
            if answer and answer.status == "ok":
                (folder / f"{number:03}.sqlite").write_bytes(images[0])
                break
            if answer:
                without_rows = without_rows or images[0]
        else:
            if without_rows:
                (folder / f"{number:03}.sqlite").write_bytes(without_rows)


def _only_answer(gold: Gold, images: list[bytes], aside: Path) -> Result | None:
    """Return the gold query's answer on the first of `images`; None where it fails, or is one of several."""
    files = [aside.with_name(f"{aside.name}-{number}") for number in range(len(images))]
    try:
        for file, content in zip(files, images, strict=True):
            file.write_bytes(content)
        pairs = [(file, gold.sql) for file in files] + [(files[0], sql) for sql in (*gold.settled, *gold.single)]
        answer, *others = execute_many(pairs, PATIENT, workers=1)
    finally:
        for file in files:
            file.unlink(missing_ok=True)
    elsewhere, others = others[: len(files) - 1], others[len(files) - 1 :]
    either = [other for other in others[: len(gold.settled)] if other.runs]  # not all that sqlglot prints does
    single = all(other.rows[0][0] <= 1 for other in others[len(gold.settled) :] if other.runs)
    ordered = is_ordered(gold.sql)
    same = all(same_result(answer, other, "ordered", ordered) for other in (*elsewhere, *either))
    return answer if answer.runs and same and single else None
