"""`python -m distill show RUN`: traces the way people like to read them."""

import argparse
import random
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from configs.errors import ConfigError
from configs.files import read_jsonl
from distill.page import page
from sandbox import Limits, Result, execute
from tasks.show import count, page_screen, print_page, show_pages, stage_folder
from tasks.task import Level
from tasks.trace import Trace, parse

LIMITS = Limits(timeout_s=2, memory_mb=256)

EPILOG = """\
examples:
  python -m distill show runs/cpu-spider
  python -m distill show cpu-spider -n 5 --level L4 --seed 1
  python -m distill show configs/cpu-spider.yaml --rejected
"""


@dataclass(frozen=True)
class Shown:
    """One line of traces.jsonl or rejected.jsonl; blank where the line has no such key.

    trace: None where the answer has not the form of one.
    reason: why it was rejected; blank for a trace that was kept.
    """

    task_id: str
    split: str
    level: str
    database: str
    teacher: str
    question: str
    evidence: str
    answer: str
    trace: Trace | None
    reason: str
    detail: str


def show(argv: list[str]) -> int:
    """Print traces of a run on stdout and return the exit status: 0, or 2 for bad input."""
    return show_pages(_print, _parser().parse_args(argv))


def _print(args: argparse.Namespace) -> None:
    path = stage_folder(args.run, "distill") / ("rejected.jsonl" if args.rejected else "traces.jsonl")
    rows, screen = _rows(path, args), page_screen()
    for number in _choice(len(rows), args):
        print_page(page(rows[number], _result(rows[number]), screen), screen)
    kind = f"{args.level or ''} {'rejected answers' if args.rejected else 'traces'}".strip()
    screen.print(f"{min(args.n, len(rows)):,} of {len(rows):,} {kind} in {path}", style="dim", soft_wrap=True)


def _rows(path: Path, args: argparse.Namespace) -> list[Shown]:
    """Return the lines of the file that were asked for, at least one."""
    if not path.exists():
        raise ConfigError(f"{path} is missing: this run is not distilled yet; python -m distill CONFIG does it")
    rows = [_shown(path, number, row) for number, row in enumerate(read_jsonl(path), 1)]
    if not rows:
        raise ConfigError(f"{path} is empty: {'nothing was rejected' if args.rejected else 'there are no traces'}")
    found = [row for row in rows if args.level in (None, row.level) and args.task in (None, row.task_id)]
    if not found:
        asked = [f"level {args.level}"] * bool(args.level) + [f"task {args.task!r}"] * bool(args.task)
        has = ", ".join(sorted({row.level for row in rows})) if args.level else f"{rows[0].task_id!r} and others"
        raise ConfigError(f"{path} has nothing of {' and '.join(asked)}; it has {has}")
    return found


def _shown(path: Path, number: int, row: dict) -> Shown:
    try:
        answer = row["messages"][-1]["content"] if "messages" in row else row["answer"]
    except (KeyError, IndexError, TypeError):
        raise ConfigError(f"{path}:{number}: neither messages nor an answer in it; run distill again") from None
    names = ("task_id", "split", "level", "database", "teacher", "question", "evidence", "reason", "detail")
    texts = {name: str(row.get(name) or "") for name in names}
    text = str(answer or "")
    return Shown(**texts, answer=text, trace=parse(text) or parse(text, "sql_only"))


def _choice(count: int, args: argparse.Namespace) -> list[int]:
    """Return the places of what is shown: the first ones, or any, in their order, where a seed was given."""
    if args.seed is None:
        return list(range(min(args.n, count)))
    return sorted(random.Random(args.seed).sample(range(count), min(args.n, count)))


def _result(shown: Shown) -> Result | str:
    """Return what running the SQL gives, or why it can't be run."""
    if shown.trace is None or not shown.database:
        return ""
    try:
        return execute(shown.database, shown.trace.sql, LIMITS)
    except ConfigError as error:
        return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m distill show",
        description="Print traces of a run: the question, the plan, the SQL and the rows that it returns.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="a run's folder, its name in runs/, or its config")
    parser.add_argument("-n", type=count, default=3, metavar="N", help="how many (default %(default)s)")
    parser.add_argument("--level", choices=get_args(Level), type=str.upper, help="only of this level")
    parser.add_argument("--task", metavar="ID", help="only this task")
    parser.add_argument("--seed", type=int, metavar="N", help="any, chosen by this seed; without it the first ones")
    parser.add_argument("--rejected", action="store_true", help="rejected answers, with the reason")
    return parser
