"""`python -m configs`: check, show and explain configs, in a second and without torch."""

import argparse
import json
import signal
import sys

from configs import keys
from configs.check import check_config, problems, summary
from configs.errors import ConfigError
from configs.trainer import unchecked

ABOUT = """\
A config is one YAML that describes a run; any key of it can be replaced on the command line.

  python -m configs check configs/cpu.yaml                    is it right?  every problem at once
  python -m configs check configs/*.yaml rl.generations=4     several files, with an override for all
  python -m configs show configs/cpu.yaml sft.micro_batch=2   the whole config that a run would use, as JSON
  python -m configs keys                                      every key: default, type, meaning
  python -m configs keys rl                                   one section; also rl.trainer and sft.trainer
"""


def main(argv: list[str] | None = None) -> int:
    """Return the exit status: 0, or 2 where a config or a name is wrong."""
    args = _parser().parse_args(argv)
    try:
        if args.command == "check":
            return _check(args.words)
        if args.command == "show":
            print(json.dumps(check_config(args.config, args.overrides).model_dump(mode="json"), indent=2))
        else:
            print("\n".join(keys.lines(args.section)))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _check(words: list[str]) -> int:
    """Print, for each file, that it is right or everything that is wrong with it."""
    from rewards import load_reward  # rewards stand above configs: only this command looks up

    files = [word for word in words if "=" not in word]
    overrides = [word for word in words if "=" in word]
    if not files:
        raise ConfigError("no FILE given; python -m configs check configs/cpu.yaml")
    status = 0
    for file in files:
        if found := problems(file, overrides, load_reward):
            print("\n".join(found))
            status = 2
        else:
            print(f"{file}: ok: {summary(check_config(file, overrides))}")
    if note := unchecked():
        print(f"note: {note}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m configs", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="check | show | keys")
    check = commands.add_parser("check", help="tell everything that is wrong with one or more configs")
    check.add_argument("words", nargs="+", metavar="FILE | section.key=value", help="YAML files, and overrides for all")
    show = commands.add_parser("show", help="print the resolved config as JSON")
    show.add_argument("config", metavar="FILE")
    show.add_argument("overrides", nargs="*", metavar="section.key=value")
    known = commands.add_parser("keys", help="list the keys of a config")
    known.add_argument("section", nargs="?", default="", help="a section or key, as rl, model.lora or sft.trainer")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… keys | head` ends quietly
    sys.exit(main())
