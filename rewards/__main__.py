"""`python -m rewards list [NAME…]`: rewards, what they pay for, and their settings."""

import argparse
import sys
from inspect import Parameter, getdoc, signature

from configs.errors import ConfigError
from rewards.load import BUILTIN, find_reward


def described(name: str) -> str:
    """Return a reward's name, the first line of its docstring, and its settings with their defaults."""
    function = find_reward(name)
    settings = [
        f"{p.name}={p.default!r}" for p in signature(function).parameters.values() if p.kind is Parameter.KEYWORD_ONLY
    ]
    first_line = (getdoc(function) or "no docstring").splitlines()[0]
    return f"{name}\n    {first_line}\n    {', '.join(settings) or 'no settings'}"


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0, or 2 for a reward that cannot be found."""
    parser = argparse.ArgumentParser(prog="python -m rewards", description="Rewards that a config can name.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="names, what they pay for, settings and their defaults")
    listing.add_argument("name", nargs="*", help="only these; yours too: package.module:function, file.py:function")
    names = parser.parse_args(arguments).name or list(BUILTIN)
    try:
        print("\n\n".join(described(name) for name in names))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
