"""The command line of `python -m evaluation ask MODEL DB "question"`."""

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import get_args

from configs.errors import ConfigError
from configs.evaluation_schema import Server, Stage
from configs.screen import say
from configs.stage import complain, not_installed
from evaluation.ask.chat import converse, waiting
from evaluation.ask.page import reply_page
from evaluation.ask.reply import Reply, as_object
from evaluation.ask.responder import load
from evaluation.ask.session import Session
from evaluation.ask.source import Source, find_source
from sandbox import database_file
from sandbox.databases import HEADER, is_script
from tasks.schema import read_schema
from tasks.show import count, page_screen, print_page

EPILOG = """\
examples:
  python -m evaluation ask demo shop.sqlite "Who bought more than 2 of a thing?"
  python -m evaluation ask demo shop.sqlite --chat                   until \\quit or Ctrl-D
  python -m evaluation ask demo shop.sqlite --stage base "…"         before any training
  python -m evaluation ask exports/demo schema.sql --json < question.txt
  python -m evaluation ask small shop.sqlite "…" --base-url http://localhost:8000/v1

A run is asked just as its evaluation asks; for another model, --set data.schema_style=… and data.answer=… say what
it was trained with.  Exit status: 0 the query ran, 1 there is none or it failed, 2 bad input; --chat: 0.
"""


def ask(argv: list[str]) -> int:
    """Print the reply to a question on stdout, or hold a conversation, and return the exit status."""
    args = _parser().parse_intermixed_args(argv)
    sys.stdout.reconfigure(errors="replace")
    try:
        return _ask(args)
    except (ConfigError, ModuleNotFoundError) as error:
        complain("ask", error if isinstance(error, ConfigError) else not_installed(error))
        return 2
    except KeyboardInterrupt:
        complain("ask", ConfigError("stopped"))
        return 130
    except BrokenPipeError:  # `ask … | head` ends quietly, at the interpreter's own last flush too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _ask(args: argparse.Namespace) -> int:
    question = _question(args)
    server = None
    if args.base_url:
        server = Server(base_url=args.base_url.rstrip("/"), model=args.model, api_key_env=args.api_key_env)
    source = find_source(args.model, args.stage, args.set, server)
    database = _database(args.database)
    schema = read_schema(database, 0)
    if not schema.tables:
        raise ConfigError(f"DB {args.database!r} has no tables: there is nothing to ask about")
    with waiting(f"loading {source.name}"):
        responder = load(source)
    session = Session(responder, source.cfg, database, args.evidence, lambda line: say(f"ask: {line}"))
    show = partial(_show, source=source, args=args)
    if args.chat:
        converse(session, schema, source.name, question, show)
        return 0
    with waiting("answering"):
        reply = session.ask(question)
    show(reply)
    return 0 if reply.result.runs else 1


def _show(reply: Reply, source: Source, args: argparse.Namespace) -> None:
    """Print a reply on stdout."""
    if args.json:
        print(json.dumps(as_object(reply, source.name)), flush=True)
    else:
        screen = page_screen()
        print_page(reply_page(reply, source, screen.width, args.rows), screen)


def _question(args: argparse.Namespace) -> str:
    """Return what is asked, on the command line or else on stdin; blank for a conversation that begins with none."""
    question = " ".join(args.question)
    if not args.question and not args.chat:
        if sys.stdin is None or sys.stdin.isatty():
            raise ConfigError("what is the question? Give it behind DB or on stdin, or --chat for more than one")
        question = sys.stdin.buffer.read().decode(errors="replace")
    if not question.strip() and (args.question or not args.chat):
        raise ConfigError("the question is empty; give it behind DB or on stdin, or --chat for more than one")
    return question.strip()


def _database(given: str) -> str:
    """Return the SQLite file that is given: itself, or made from a file of DDL and rows."""
    path = Path(given)
    if not path.is_file():
        return given  # which the sandbox has a word for
    try:
        with path.open("rb") as file:
            start = file.read(len(HEADER))
        script = "" if start in (HEADER, b"") else path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        return given
    except OSError as error:
        raise ConfigError(f"DB {given!r} cannot be read: {error.strerror}") from None
    return str(database_file(script)) if is_script(script) else given


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation ask",
        description="Ask a model about a database: print its query plan, its SQL, and the rows that the SQL returns, "
        "run in the sandbox.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="a run (folder, name in runs/ or config), a model's folder, or a hub name")
    add("database", metavar="DB", help="a SQLite file, or a file of DDL and rows")
    add("question", metavar="QUESTION", nargs="*", help="the question; without it, stdin has it")
    add("--chat", action="store_true", help="hold a conversation; what was said before is in the prompt")
    add("--stage", choices=get_args(Stage), help="of a run; without it the last that has finished")
    add("--evidence", default="", metavar="TEXT", help="what one must know to answer, as BIRD's hints")
    add("--rows", type=count, default=20, metavar="N", help="rows shown, at most (default %(default)s)")
    add("--json", action="store_true", help="one JSON object a question, with all rows, for scripts")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="of the config, as model.backend=transformers")
    add("--base-url", default="", metavar="URL", help="the model is behind this OpenAI-compatible server")
    add(
        "--api-key-env", default="OPENAI_API_KEY", metavar="NAME",
        help="environment variable that holds the server's key (default %(default)s)",
    )  # fmt: skip
    return parser
