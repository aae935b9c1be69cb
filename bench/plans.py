"""How many gold queries does the free teacher explain, how fast, and does all that it writes pass verification?

    python -m bench.plans SPIDER_FOLDER
    python -m bench.plans --sample
    python -m bench.plans SPIDER_FOLDER --show 20 > docs/traces.md

Traces are written and verified as the stage does it, without distilabel around them.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.table import Table

from configs.errors import ConfigError
from configs.schema import Data
from configs.screen import progress, say
from distill.ledger import KEPT
from distill.plan import CannotPlan, write_plan
from distill.plan_sql import plain_sql
from distill.verify import Answer, verify
from sandbox import Limits, Result, execute
from tasks.load import load_tasks
from tasks.schema import read_schema
from tasks.task import Task
from tasks.trace import parse, render

CANNOT_PLAN = "cannot plan"
ROWS_SHOWN = 5


@dataclass(frozen=True)
class Written:
    """What became of one question: its verdict, and how long its plan is in characters, 0 for none."""

    task_id: str
    level: str
    verdict: str
    detail: str
    length_chars: int


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 where all that was written passed, 1 where some did not, 2 for no questions."""
    parser = argparse.ArgumentParser(prog="python -m bench.plans", description="Measure the free teacher.")
    parser.add_argument("spider", nargs="?", help="the folder with train.json or train_spider.json, and database/")
    parser.add_argument("--sample", action="store_true", help="measure on the embedded corpus")
    parser.add_argument("--questions", type=int, help="questions to take, at random (default all)")
    parser.add_argument("--detail", choices=("short", "full"), default="full", help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of wording and of the order (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes that write (default %(default)s)")
    parser.add_argument("--show", type=int, metavar="N", help="print N random traces as Markdown, measure nothing")
    given = parser.parse_args(arguments)
    if given.sample == bool(given.spider):
        parser.error("give either the folder of Spider's release or --sample")
    try:
        tasks, dropped = read_tasks(given.spider)
    except ConfigError as error:
        say(str(error))
        return 2
    tasks = shuffled(tasks, given.seed)
    if given.show:
        print(traces_page(tasks[: given.show], given.detail, given.seed), end="")
        return 0
    begun = time.monotonic()
    written = write_all(tasks[: given.questions], given.detail, given.seed, given.workers)
    summary = summarise(written, time.monotonic() - begun)
    show(written, summary)
    source = {"source": "sample" if given.sample else "spider", "detail": given.detail, "dropped": dropped}
    print(json.dumps(source | summary))
    return 0 if summary["verified"] == summary["written"] else 1


def read_tasks(spider: str | None) -> tuple[list[Task], dict[str, int]]:
    """Return all questions of Spider's release, or of the embedded corpus, and how many were left out for what."""
    data = Data(source="spider", path=spider, test_share=0, validation_share=0) if spider else Data()
    parts = load_tasks(data, seed=0)
    return [*parts.train, *parts.validation, *parts.test], parts.dropped


def shuffled(tasks: list[Task], seed: int) -> list[Task]:
    """Return the tasks in a random order, the same for the same seed."""
    return random.Random(seed).sample(tasks, len(tasks))


def answer(task: Task, detail: str, seed: int) -> Answer:
    """Return what the teacher says to a question: a trace, or why there is none."""
    schema = read_schema(task.database)
    try:
        return Answer(render(write_plan(task, schema, detail, seed), plain_sql(task.gold_sql, schema)))
    except CannotPlan as error:
        return Answer(None, f"{CANNOT_PLAN}: {error}")


def write_all(tasks: list[Task], detail: str, seed: int, workers: int) -> list[Written]:
    """Return what became of each task; those over one database are written by one process, one after the other."""
    batches = list(by_database(tasks))
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        progress("Traces", len(tasks)) as advance,
    ):
        found: list[Written] = []
        for batch in pool.map(partial(write_batch, detail=detail, seed=seed), batches):
            found += batch
            advance(len(batch))
    return found


def by_database(tasks: Iterable[Task], most: int = 64) -> Iterator[list[Task]]:
    """Yield the tasks in batches over one database each, of at most `most`."""
    in_order = sorted(tasks, key=lambda task: task.database)
    for _, group in groupby(in_order, key=lambda task: task.database):
        same = list(group)
        yield from (same[start : start + most] for start in range(0, len(same), most))


def write_batch(tasks: list[Task], detail: str, seed: int) -> list[Written]:
    """Return what became of each task: its trace is written, then verified in the sandbox."""
    answers = [answer(task, detail, seed) for task in tasks]
    return [
        Written(task.task_id, task.level, verdict.verdict, verdict.detail, _plan_length(said))
        for task, said, verdict in zip(tasks, answers, verify(tasks, answers, Limits(), 1), strict=True)
    ]


def _plan_length(said: Answer) -> int:
    trace = parse(said.text or "")
    return len(trace.think) if trace else 0


def summarise(written: list[Written], seconds: float) -> dict:
    """Return the figures of a run in one flat object.

    >>> rows = [Written("a", "L1", "kept", "", 80), Written("b", "L2", "cannot plan", "a VALUES clause", 0)]
    >>> summarise(rows, 30)["coverage"], summarise(rows, 30)["traces_a_minute"]
    (0.5, 2)
    """
    plans = [row.length_chars for row in written if row.length_chars]
    kept = sum(row.verdict == KEPT for row in written)
    return {
        "questions": len(written),
        "written": len(plans),
        "coverage": round(len(plans) / max(len(written), 1), 5),
        "verified": kept,
        "verified_share": round(kept / max(len(plans), 1), 5),
        "seconds": round(seconds, 1),
        "traces_a_minute": round(kept * 60 / seconds),
        "mean_chars": round(mean(plans)) if plans else 0,
    }


def show(written: list[Written], summary: dict) -> None:
    """Print the figures by level, and each reason for which a question has no verified trace."""
    table = Table(title=f"{summary['traces_a_minute']} traces a minute", title_justify="left")
    for number, head in enumerate(("level", "questions", "written", "verified", "%", "mean characters")):
        table.add_column(head, justify="right" if number else "left")
    for level in (*sorted({row.level for row in written}), "all"):
        part = summarise([row for row in written if level in (row.level, "all")], summary["seconds"])
        share = f"{100 * part['verified'] / max(part['questions'], 1):.2f}"
        cells = (part["questions"], part["written"], part["verified"], share, part["mean_chars"])
        table.add_row(level, *map(str, cells), end_section=level == "all")
    Console(stderr=True).print(table)
    reasons = Counter((row.verdict, row.detail[:100]) for row in written if row.verdict != KEPT)
    for (verdict, detail), number in reasons.most_common(20):
        ids = [row.task_id for row in written if (row.verdict, row.detail[:100]) == (verdict, detail)]
        say(f"{number} × {verdict}: {detail} ({', '.join(ids[:3])})")


def traces_page(tasks: list[Task], detail: str, seed: int) -> str:
    """Return a Markdown page with each task's question, trace, and what the SQL in it returns."""
    parts = [_HEAD.format(number=len(tasks), seed=seed, detail=detail)]
    for number, task in enumerate(tasks, 1):
        trace = answer(task, detail, seed)
        found = parse(trace.text or "")
        name = f"{number}. {Path(task.database).stem}, {task.level}"
        parts.append(
            f"## {name}\n\n> {' '.join(task.question.split())}\n\n```text\n{trace.text or trace.trouble}\n```\n"
        )
        if found:
            parts.append(_rows_text(execute(task.database, found.sql)))
    return "\n".join(parts)


_HEAD = """\
# {number} traces of the free teacher

These are {number} questions of Spider's train set, drawn at random with seed {seed} and none left out, with what \
`distill.teacher: plan` writes for them (`detail: {detail}`, seed {seed}) and the first rows that the query in \
the trace returns. `python -m bench.plans SPIDER_FOLDER --show {number} --seed {seed}` prints the same page.
"""


def _rows_text(result: Result) -> str:
    """Return the first rows of a result as a Markdown table, and how many there are."""
    head = "| " + " | ".join(map(_cell, result.columns)) + " |\n" + "|---" * len(result.columns) + "|\n"
    body = "".join("| " + " | ".join(map(_cell, row)) + " |\n" for row in result.rows[:ROWS_SHOWN])
    number = len(result.rows)
    more = f"The first {ROWS_SHOWN} of {number} rows.\n" if number > ROWS_SHOWN else "" if number else "No rows.\n"
    return head + body + (f"\n{more}" if more else "")


def _cell(value: object) -> str:
    """Return a value as it may stand in a Markdown table.

    >>> _cell("a|b"), _cell(None), _cell("<b>")
    ('a\\\\|b', 'NULL', '&lt;b>')
    """
    text = "NULL" if value is None else " ".join(str(value).split())[:60]
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


if __name__ == "__main__":
    sys.exit(main())
