"""The command line of `python -m evaluation report RUN`."""

import argparse
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from configs.errors import ConfigError
from configs.files import write_whole
from configs.screen import say
from configs.stage import complain
from evaluation.report.data import Run, read_run

EPILOG = """\
examples:
  python -m evaluation report demo                            runs/demo/report.html
  python -m evaluation report configs/cpu.yaml --png figures  the figures as files, too
  python -m evaluation report demo --compare second-try       runs/demo/report-second-try.html
"""


def report(argv: list[str]) -> int:
    """Write the report of a run and return the exit status: 0, or 2 for bad input."""
    args = _parser().parse_args(argv)
    try:
        _write(args)
    except ConfigError as error:
        complain("report", error)
        return 2
    return 0


def _write(args: argparse.Namespace) -> None:
    runs = _told_apart(tuple(read_run(asked) for asked in (args.run, args.compare) if asked))
    path = args.out or runs[0].folder / _file_name(runs)
    if path.is_dir():
        raise ConfigError(f"--out {path} is a folder; give the file to write")
    try:
        from evaluation.report.page import render
    except ModuleNotFoundError as error:
        if error.name not in ("plotly", "jinja2"):
            raise
        raise ConfigError(f"{error.name} is not installed; pip install -e '.[report]' brings it") from None
    page = render(runs, args.rows if args.traces else None, datetime.now())
    try:
        write_whole(path, page)
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}; --out names another file") from None
    say(f"report: {' and '.join(run.name for run in runs)} → {path} ({len(page) / 1e6:.1f} MB)")
    if args.png:
        from evaluation.report.png import write_figures

        say(f"report: {write_figures(runs, args.png)} figures → {args.png}")


def _told_apart(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """Return the runs under names of their own: where two have the same, under their folders."""
    if len({run.folder.resolve() for run in runs}) < len(runs):
        raise ConfigError(f"--compare {runs[0].folder}: this is the run itself; name another one")
    if len({run.name for run in runs}) < len(runs):
        return tuple(replace(run, name=str(run.folder)) for run in runs)
    return runs


def _file_name(runs: tuple[Run, ...]) -> str:
    return f"report-{runs[1].folder.resolve().name}.html" if len(runs) > 1 else "report.html"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation report",
        description="Write what a run gave as one HTML page that needs no network: scores with their intervals, "
        "curves, costs, and all answers to look into.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="a run's folder, its name in runs/, or its config")
    parser.add_argument("--compare", metavar="RUN2", help="another run, beside the first")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write it; else report.html in RUN's folder")
    parser.add_argument("--png", type=Path, metavar="DIR", help="write the figures as PNG files, too")
    parser.add_argument(
        "--no-traces", dest="traces", action="store_false",
        help="scores and figures alone, without questions and answers: to publish where the data may not be",
    )  # fmt: skip
    parser.add_argument(
        "--rows", type=_rows, default=10, metavar="N",
        help="rows of each result that are shown (default %(default)s); 0 runs no query and reads no database",
    )  # fmt: skip
    return parser


def _rows(text: str) -> int:
    if not text.isdecimal() or int(text) > 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 0 to 1000")
    return int(text)
