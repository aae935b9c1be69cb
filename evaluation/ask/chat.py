"""The conversation of `--chat`: a prompt, questions, and a few commands."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.text import Text

from configs.errors import ConfigError
from configs.screen import console, printable, say
from configs.stage import complain
from evaluation.ask.reply import Reply
from evaluation.ask.session import Session
from tasks.page import inset, one_line
from tasks.prompt import schema_text
from tasks.schema import Schema
from tasks.show import page_screen, print_page

COMMANDS = {
    "\\schema": "shows the tables",
    "\\new": "forgets what was said",
    "\\quit": "ends, as Ctrl-D does",
}


def converse(session: Session, schema: Schema, model: str, question: str, show: Callable[[Reply], None]) -> None:
    """Answer one question after the other until the input ends, first the given one unless it is blank."""
    say(f"{model} over {schema.name}: {one_line(', '.join(table.name for table in schema.tables), 200)}")
    say(f"{', '.join(f'{name} {what}' for name, what in COMMANDS.items())}; Ctrl-C gives up an answer")
    lines = _lines(f"{one_line(schema.name, 20)}> ")
    while True:
        question = question or next(lines, "\\quit")
        if question == "\\quit":
            return
        if question == "\\schema":
            _print_schema(schema)
        elif question == "\\new":
            session.turns.clear()
            say("a new conversation")
        elif question.startswith("\\"):
            say(f"{one_line(question, 40)} is none of {', '.join(COMMANDS)}")
        else:
            _answer(session, question, show)
        question = ""


def _answer(session: Session, question: str, show: Callable[[Reply], None]) -> None:
    """Show the reply; what keeps it from coming ends this question only."""
    try:
        with waiting("answering; Ctrl-C gives it up"):
            reply = session.ask(question)
        show(reply)
    except KeyboardInterrupt:
        say("given up")
    except ConfigError as error:
        complain("ask", error)


def _lines(prompt: str) -> Iterator[str]:
    """Yield the lines that are typed or piped in, but for blank ones, until Ctrl-D or Ctrl-C at the prompt."""
    if sys.stdin is None:
        return
    sys.stdin.reconfigure(errors="replace")
    typed = sys.stdin.isatty() and sys.stdout.isatty()
    if typed:
        import readline  # noqa: F401 (input() then edits lines, and Up brings back earlier ones)
    while True:
        try:
            line = input(prompt if typed else "").strip()
        except (EOFError, KeyboardInterrupt):
            if typed:
                print()
            return
        if line:
            yield line


def _print_schema(schema: Schema) -> None:
    screen = page_screen()
    for line in schema_text(schema, "ddl", 0).split("\n"):
        name, bracket, columns = printable(line).partition("(")
        print_page(inset(Text.assemble((name, "bold"), bracket, columns)), screen)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on a terminal that something takes its time, and nothing afterwards."""
    if not console.is_terminal:
        yield
        return
    with console.status(Text(f"{printable(text)} …", "dim")):
        yield
