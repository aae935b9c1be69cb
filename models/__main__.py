"""`python -m models nano`: make a model that is small enough to experiment with."""

import argparse
import os
import sys
from pathlib import Path

from configs.errors import ConfigError
from configs.schema import Config, Model
from configs.screen import say
from configs.stage import complain
from models.environment import prepare
from models.sources import model_source, write_nano

ABOUT = """\
Make a Llama of 1 M parameters with a tokenizer of its own, trained for minutes on questions over the sample corpus's
training databases and their SQL (but for those questions that the corpus itself asks): SFT and GRPO then learn in
minutes, too.  configs/nano.yaml uses it; as model.name: nano it is made once, into the cache.
"""


def main(argv: list[str] | None = None) -> int:
    """Return the exit status: 0, or 2 where the folder is taken."""
    args = _parser().parse_args(argv)
    try:
        folder = _made(args.out, args.steps)
    except ConfigError as error:
        complain("models", error)
        return 2
    say(f"models: nano → {folder}; use it: model.name={'nano' if args.out is None else folder}")
    return 0


def _made(out: Path | None, steps: int | None) -> Path:
    """Return the folder of the model, which is whole or not there."""
    if out is None and steps is not None:
        raise ConfigError("--steps needs --out FOLDER: in the cache there is only the nano of the usual length")
    if out is not None and out.exists():
        raise ConfigError(f"--out {out} is there already; give a new folder")
    prepare(Config(name="nano", model=Model(name="nano", backend="transformers")))
    if out is None:
        return Path(model_source("nano"))
    aside = out.with_name(f".{out.name}.partial-{os.getpid()}")
    write_nano(aside, steps)
    return aside.rename(out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description=ABOUT)
    made = parser.add_subparsers(dest="model", required=True, metavar="nano")
    nano = made.add_parser("nano", description=ABOUT, help="1 M parameters, for experiments on a CPU")
    nano.add_argument("--out", type=Path, metavar="FOLDER", help="a new folder; without it the cache")
    nano.add_argument("--steps", type=_count, metavar="N", help="steps of its training (default: as many as are good)")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
