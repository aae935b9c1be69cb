"""What `python -m STAGE show RUN` is made of: the run, a screen of a width one can read, and pages printed on it."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console, RenderableType

from configs.errors import ConfigError
from configs.schema import Config
from configs.stage import complain

WIDTHS = 80, 140  # of the page: wider lines are hard to read


def show_pages(print_them: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> int:
    """Have the pages printed on stdout and return the exit status: 0, or 2 for bad input."""
    sys.stdout.reconfigure(errors="replace")
    try:
        print_them(args)
    except ConfigError as error:
        complain("show", error)
        return 2
    except BrokenPipeError:  # `show … | head` ends quietly, at the interpreter's own last flush too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def stage_folder(run: str, stage: str) -> Path:
    """Return the folder of a stage in a run, given as its folder, its name or its config."""
    path = Path(run)
    if path.suffix in (".yaml", ".yml"):
        from configs.check import check_config

        path = check_config(path).folder
    elif not path.is_dir():
        path = Path(Config.model_fields["runs"].default, run)
    if not path.is_dir():
        raise ConfigError(f"no run {run!r} ({path} is no folder); give a run's folder, its name in runs/ or its config")
    return path if path.name == stage else path / stage


def page_screen() -> Console:
    """Return the screen for pages: as wide as the terminal, within WIDTHS."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(max(console.width, WIDTHS[0]), WIDTHS[1])
    return console


def print_page(page: RenderableType, screen: Console) -> None:
    """Print a page on stdout, without white space at the ends of its lines."""
    with screen.capture() as printed:
        screen.print(page)
    print(*(line.rstrip() for line in printed.get().split("\n")), sep="\n", flush=True)


def count(text: str) -> int:
    """Return a whole number from 1, as an option has it."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return int(text)
