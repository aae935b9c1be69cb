"""`python -m distill show RUN`: traces the way people like to read them."""

import argparse
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rich.console import Console

from configs.errors import ConfigError
from configs.files import read_jsonl
from configs.schema import Config
from configs.stage import complain
from distill.page import page
from sandbox import Limits, Result, execute
from tasks.task import Level
from tasks.trace import Trace, parse

LIMITS = Limits(timeout_s=2, memory_mb=256)
WIDTHS = 80, 140  # of the page: wider lines are hard to read

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
    args = _parser().parse_args(argv)
    sys.stdout.reconfigure(errors="replace")
    try:
        path = run_folder(args.run) / ("rejected.jsonl" if args.rejected else "traces.jsonl")
        _print(_rows(path, args), path, args)
    except ConfigError as error:
        complain("show", error)
        return 2
    except BrokenPipeError:  # `show … | head` ends quietly, at the interpreter's own last flush too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def run_folder(run: str) -> Path:
    """Return the distill folder of a run, given as its folder, its name or its config."""
    path = Path(run)
    if path.suffix in (".yaml", ".yml"):
        from configs.check import check_config

        path = check_config(path).folder
    elif not path.is_dir():
        path = Path(Config.model_fields["runs"].default, run)
    if not path.is_dir():
        raise ConfigError(f"no run {run!r} ({path} is no folder); give a run's folder, its name in runs/ or its config")
    return path if path.name == "distill" else path / "distill"


def _print(rows: list[Shown], path: Path, args: argparse.Namespace) -> None:
    screen = _screen()
    for number in _choice(len(rows), args):
        with screen.capture() as printed:
            screen.print(page(rows[number], _result(rows[number]), screen))
        print(*(line.rstrip() for line in printed.get().split("\n")), sep="\n", flush=True)
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


def _screen() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(max(console.width, WIDTHS[0]), WIDTHS[1])
    return console


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m distill show",
        description="Print traces of a run: the question, the plan, the SQL and the rows that it returns.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="a run's folder, its name in runs/, or its config")
    parser.add_argument("-n", type=_count, default=3, metavar="N", help="how many (default %(default)s)")
    parser.add_argument("--level", choices=get_args(Level), type=str.upper, help="only of this level")
    parser.add_argument("--task", metavar="ID", help="only this task")
    parser.add_argument("--seed", type=int, metavar="N", help="any, chosen by this seed; without it the first ones")
    parser.add_argument("--rejected", action="store_true", help="rejected answers, with the reason")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return int(text)
