"""The judge's rules beside their published descriptions, and beside each other: python -m bench.rules SPIDER_FOLDER

Each of Spider's gold queries against its near misses (`tasks/mutations.py`), all rules on the same rows.  `bird` must
agree with the comparison of sets, `spider` with a search through all orders of the columns (Zhong et al., 2020).
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, permutations
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.table import Table
from sqlglot.errors import SqlglotError

from bench.lucky import read_golds
from bench.rewritings import SQLGLOT_TRIPS
from configs.errors import ConfigError
from configs.screen import progress, say
from sandbox import Limits, Result, execute_many
from sandbox.judge import Rule, is_ordered, same_result
from tasks.mutations import near_misses
from tasks.schema import read_schema

MOST_COLUMNS = 6
"""Wider gold results are left out: 7 columns have 5,040 orders."""
LIMITS = Limits(timeout_s=2.0)


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 1 where a rule differs from its description, 2 where there is nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description="Do the rules do as published?")
    parser.add_argument("spider", type=Path, help="the folder with train.json or train_spider.json, and database/")
    given = parser.parse_args(arguments)
    try:
        golds = sorted(read_golds(given.spider), key=lambda gold: gold.database)
    except ConfigError as error:
        say(str(error))
        return 2
    counts: Counter[str] = Counter()
    accepted: Counter[tuple[bool, ...]] = Counter()
    with progress("Gold queries", len(golds)) as advance:
        for database, group in groupby(golds, key=lambda gold: gold.database):
            queries = [gold.sql for gold in group]
            for gold, predicted, ordered in results(database, queries, counts):
                verdicts = {how: same_result(gold, predicted, how, ordered) for how in get_args(Rule)}
                accepted[tuple(verdicts.values())] += 1
                counts["pairs"] += 1
                counts["bird differs"] += verdicts["bird"] != (set(gold.rows) == set(predicted.rows))
                counts["spider differs"] += verdicts["spider"] != by_search(gold.rows, predicted.rows, ordered)
            advance(len(queries))
    show(accepted)
    print(json.dumps(counts))
    return 1 if counts["bird differs"] or counts["spider differs"] else 0


def results(database: Path, queries: Sequence[str], counts: Counter) -> Iterator[tuple[Result, Result, bool]]:
    """Yield the results of each gold query and of one of its near misses, and whether the gold query is ordered."""
    tables = read_schema(str(database), examples=0).tables
    columns = {table.name.lower(): {one.name.lower(): one.type or "TEXT" for one in table.columns} for table in tables}
    for gold_sql in queries:
        try:
            misses = [miss.sql for miss in near_misses(gold_sql, columns)]
        except (SqlglotError, *SQLGLOT_TRIPS):
            counts["not read by sqlglot"] += 1
            continue
        gold, *others = execute_many([(database, sql) for sql in (gold_sql, *misses)], LIMITS)
        if not gold.runs or len(gold.columns) > MOST_COLUMNS:
            counts["gold left out: wide, or over a limit"] += 1
            continue
        counts["near misses left out: they do not run"] += sum(not other.runs for other in others)
        yield from ((gold, other, is_ordered(gold_sql)) for other in others if other.runs)


def by_search(gold: Sequence[tuple], predicted: Sequence[tuple], ordered: bool) -> bool:
    """Return whether some order of the predicted columns makes the results equal: lists where ordered, else bags."""
    if not gold or not predicted:
        return not gold and not predicted
    if (len(gold), len(gold[0])) != (len(predicted), len(predicted[0])):
        return False
    bag = Counter(gold)
    for order in permutations(range(len(gold[0]))):
        rows = [tuple(row[place] for place in order) for row in predicted]
        if rows == list(gold) if ordered else Counter(rows) == bag:
            return True
    return False


def show(accepted: Counter[tuple[bool, ...]]) -> None:
    """Print how many pairs each set of rules takes for the same."""
    table = Table(title="Pairs of a gold query and a near miss, by who takes them for the same", title_justify="left")
    for rule in get_args(Rule):
        table.add_column(rule, justify="center")
    table.add_column("pairs", justify="right")
    for verdicts, pairs in accepted.most_common():
        table.add_row(*("same" if verdict else "–" for verdict in verdicts), f"{pairs:,}")
    Console(stderr=True).print(table)


if __name__ == "__main__":
    sys.exit(main())
