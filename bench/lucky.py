"""How many wrong answers pass on Spider's own databases and fail on variants of them, and does a right one ever?

    python -m bench.lucky SPIDER_FOLDER [--questions 500]

From each gold query near misses are made (`tasks/mutations.py`) and rewritings that mean the same
(`bench/rewritings.py`).  Those that give the gold rows on the database itself are then judged on its variants.
What was measured is kept in --output, so that a run that was ended goes on where it was.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlglot.errors import SqlglotError

from bench.rewritings import SQLGLOT_TRIPS, equivalents
from configs.errors import ConfigError
from configs.files import append_jsonl, fingerprint, read_jsonl
from configs.paths import cache_folder
from configs.screen import progress, say
from sandbox import execute
from sandbox.variants import FORMAT, agree_on_all, variants
from tasks.mutations import Rewriting, near_misses
from tasks.schema import read_schema

SHUFFLE = 0
"""Seed of the order in which questions are taken, so that a few of them are like all."""


@dataclass(frozen=True)
class Gold:
    """One gold query and its database."""

    database: Path
    sql: str


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 where no rewriting was rejected, 1 where one was, 2 where there is nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m bench.lucky", description="Are lucky answers found out?")
    parser.add_argument("spider", type=Path, help="the folder with train.json or train_spider.json, and database/")
    parser.add_argument("--questions", type=int, help="different gold queries to take (default all)")
    parser.add_argument("--count", type=int, default=4, help="variants of each database (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the variants (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="sandbox processes (default %(default)s)")
    parser.add_argument("--output", type=Path, help="file with one line a gold query (default in the cache)")
    given = parser.parse_args(arguments)
    output = given.output or cache_folder() / "bench" / "lucky.jsonl"
    try:
        golds = read_golds(given.spider)[: given.questions]
        rows = measure_all(golds, given.count, given.seed, given.workers, output)
    except ConfigError as error:
        say(str(error))
        return 2
    summary = summarise(rows)
    show(rows)
    print(json.dumps(summary | {"count": given.count, "seed": given.seed, "output": str(output)}))
    return 1 if summary["rejected"] else 0


def read_golds(folder: Path) -> list[Gold]:
    """Return Spider's different gold queries, shuffled, less those whose database is missing."""
    files = [folder / name for name in ("train.json", "train_spider.json", "train_others.json", "dev.json")]
    items = [item for file in files if file.is_file() for item in json.loads(file.read_text(encoding="utf-8"))]
    pairs = sorted({(item["db_id"], item["query"].strip()) for item in items})
    random.Random(SHUFFLE).shuffle(pairs)
    golds = [Gold(folder / "database" / name / f"{name}.sqlite", sql) for name, sql in pairs]
    golds = [gold for gold in golds if gold.database.is_file()]
    if not golds:
        raise ConfigError(f"{folder} holds no questions with their databases; give the folder of Spider's release")
    return golds


def measure_all(golds: list[Gold], count: int, seed: int, workers: int, output: Path) -> list[dict]:
    """Return what `measure` found for each gold query, from `output` where it stands there already."""
    keys = [fingerprint(FORMAT, gold.database.name, gold.sql, count, seed) for gold in golds]
    known = {row["key"]: row for row in read_jsonl(output, repair=True)} if output.exists() else {}
    with progress("Gold queries", len(golds)) as advance:
        for key, gold in zip(keys, golds, strict=True):
            if key not in known:
                known[key] = {"key": key} | measure(gold, count, seed, workers)
                append_jsonl(output, known[key])
            advance()
    return [known[key] for key in keys]


def measure(gold: Gold, count: int, seed: int, workers: int) -> dict:
    """Return for one gold query how many rewritings of each kind there are, pass, and then fail on the variants."""
    row = {"database": gold.database.stem, "gold_sql": gold.sql, "near": {}, "same": {}, "missed": [], "rejected": []}
    if not execute(gold.database, gold.sql).runs:
        return row | {"skipped": "gold query does not run"}
    begun = time.monotonic()
    files = variants(gold.database, gold.sql, count, seed)
    row["build_s"] = round(time.monotonic() - begun, 3)
    row["variants"] = len(files)
    row["with_rows"] = sum(execute(file, gold.sql).status == "ok" for file in files)
    tables = read_schema(str(gold.database), examples=0).tables
    columns = {
        table.name.lower(): {column.name.lower(): column.type or "TEXT" for column in table.columns} for table in tables
    }
    try:
        near, same = near_misses(gold.sql, columns), equivalents(gold.sql, columns)
    except (SqlglotError, *SQLGLOT_TRIPS):
        return row | {"skipped": "sqlglot does not read it"}
    row["near"], _, row["missed"] = _judge(gold, near, count, seed, workers)
    row["same"], row["rejected"], _ = _judge(gold, same, count, seed, workers)
    return row


def _judge(
    gold: Gold, rewritings: list[Rewriting], count: int, seed: int, workers: int
) -> tuple[dict[str, list[int]], list[dict], list[dict]]:
    """Return per kind: made, passed, then failed on a variant; and those that failed and that did not."""
    passes = agree_on_all(gold.database, gold.sql, [one.sql for one in rewritings], 0, workers=workers)
    passed = [one for one, right in zip(rewritings, passes, strict=True) if right]
    agrees = agree_on_all(gold.database, gold.sql, [one.sql for one in passed], count, seed, workers=workers)
    failed = [vars(one) for one, right in zip(passed, agrees, strict=True) if not right]
    agreed = [vars(one) for one, right in zip(passed, agrees, strict=True) if right]
    counts: dict[str, list[int]] = {}
    for place, group in enumerate(
        ([one.kind for one in rewritings], [one.kind for one in passed], [one["kind"] for one in failed])
    ):
        for kind, number in Counter(group).items():
            counts.setdefault(kind, [0, 0, 0])[place] = number
    return counts, failed, agreed


def totals(rows: list[dict], part: str) -> dict[str, list[int]]:
    """Return the counts of all rows together, by kind.

    >>> totals([{"near": {"a": [2, 1, 0]}}, {"near": {"a": [1, 1, 1], "b": [1, 0, 0]}}], "near")
    {'a': [3, 2, 1], 'b': [1, 0, 0]}
    """
    found: dict[str, list[int]] = {}
    for row in rows:
        for kind, counts in row[part].items():
            found[kind] = [before + more for before, more in zip(found.get(kind, [0, 0, 0]), counts, strict=True)]
    return dict(sorted(found.items()))


def summarise(rows: list[dict]) -> dict:
    """Return the figures of a run in one flat object."""
    near = [sum(counts) for counts in zip(*totals(rows, "near").values(), strict=True)] or [0, 0, 0]
    same = [sum(counts) for counts in zip(*totals(rows, "same").values(), strict=True)] or [0, 0, 0]
    judged = [row for row in rows if "skipped" not in row]
    return {
        "queries": len(rows),
        "skipped": len(rows) - len(judged),
        "variants": sum(row["variants"] for row in judged),
        "variants_with_rows": sum(row["with_rows"] for row in judged),
        "build_s": round(sum(row["build_s"] for row in judged), 1),
        "near_misses": near[0],
        "lucky": near[1],
        "found_out": near[2],
        "rewritings": same[0],
        "rewritings_passed": same[1],
        "rejected": same[2],
    }


def show(rows: list[dict]) -> None:
    """Print both tables, and every rewriting that was right on the database and not on a variant."""
    console = Console(stderr=True)
    heads = (("near", "Near misses", "found out"), ("same", "Rewritings that mean the same", "rejected"))
    for part, title, last in heads:
        table = Table(title=title, title_justify="left")
        for number, head in enumerate(("kind", "made", "pass on the database", f"of these {last}", "%")):
            table.add_column(head, justify="right" if number else "left")
        counts = totals(rows, part)
        everything = [sum(one) for one in zip(*counts.values(), strict=True)] or [0, 0, 0]
        for kind, (made, passed, failed) in [*counts.items(), ("all", everything)]:
            share = f"{100 * failed / passed:.1f}" if passed else "–"
            table.add_row(kind, str(made), str(passed), str(failed), share, end_section=kind == "all")
        console.print(table)
    for row in rows:
        for one in row["rejected"]:
            say(f"rejected: {row['database']}: {one['kind']}\n  gold  {row['gold_sql']}\n  other {one['sql']}")


if __name__ == "__main__":
    sys.exit(main())
