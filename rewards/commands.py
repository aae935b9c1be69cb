"""The commands of `python -m rewards`: their options, and what each prints."""

import argparse
from inspect import Parameter, getdoc
from pathlib import Path

from configs.errors import ConfigError
from configs.files import write_json
from rewards.load import BUILTIN, find_reward
from rewards.settings import TOLD, settings_of

WHICH = "a config (FILE.yaml), a preset in configs/rewards by its name, or one reward (name, FILE.py:function)"

TRY = """\
Say of answers to one question what each reward pays, and why; or of all answers of an earlier run.
An answer is plain text; a file of JSON lines has one a line, as completion, answer or text.

examples:
  python -m rewards try configs/cpu.yaml --completion answer.txt --task airline-001
  echo '<sql>SELECT 1</sql>' | python -m rewards try arctic --completion -
  python -m rewards try configs/cpu.yaml --log runs/demo/rl/completions.jsonl
  python -m rewards try configs/cpu.yaml --log runs/demo/rl/completions.jsonl --reward my_reward.py:my_reward
"""
AUDIT = """\
Pay for honest answers, right, nearly right, wrong, broken and shapeless, and for known hacks, and look at the order.
Not clean, exit 1: a hack earns more than an honest wrong answer, or a right answer is not first.
One reward alone may pay alike what it need not tell apart; the sum of a config or a preset may not.

examples:
  python -m rewards audit configs/cpu.yaml
  python -m rewards audit configs/cpu.yaml rl.rewards=dense
  python -m rewards audit arctic
  python -m rewards audit my_reward.py:my_reward --questions 30 --json audit.json
"""
NEW = """\
Write a reward to start from and a test that runs as it is; nothing is overwritten.

example:
  python -m rewards new my_reward.py
"""


def add_to(commands) -> None:
    """Add every command to the parser of `python -m rewards`."""
    listing = commands.add_parser("list", help="names, what they pay for, settings and their defaults")
    listing.add_argument("name", nargs="*", help="only these; yours too: package.module:function, file.py:function")
    listing.set_defaults(do=_list)
    new = _command(commands, "new", "write a reward of your own to start from, and its test", NEW)
    new.add_argument("path", type=Path, metavar="FILE.py")
    new.set_defaults(do=_new)
    trying = _command(commands, "try", "what rewards say of answers, and why", TRY)
    _add_which(trying)
    what = trying.add_mutually_exclusive_group(required=True)
    what.add_argument("--completion", metavar="FILE|-", help="answers to one question; - for stdin")
    what.add_argument("--log", type=Path, metavar="FILE", help="completions.jsonl of an earlier run")
    trying.add_argument("--task", metavar="ID", help="the question (default: the first one to train on)")
    trying.add_argument(
        "--reward", action="append", default=[], metavar="NAME", help="in place of the config's; can be repeated"
    )
    trying.set_defaults(do=_try)
    audit = _command(commands, "audit", "do known hacks pay, and does the right answer come first?", AUDIT)
    _add_which(audit)
    audit.add_argument(
        "--questions", type=_count, default=15, metavar="N", help="of the sample corpus (default %(default)s)"
    )
    audit.add_argument("--seed", type=int, default=0, metavar="N", help="which ones (default %(default)s)")
    audit.add_argument("--json", type=Path, metavar="FILE", help="write all that was paid here, too")
    audit.set_defaults(do=_audit)


def described(name: str) -> str:
    """Return a reward's name, the first line of its docstring, and its settings with their defaults."""
    function = find_reward(name)
    settings = [_setting(parameter) for parameter in settings_of(function).values()]
    first_line = (getdoc(function) or "no docstring").splitlines()[0]
    return f"{name}\n    {first_line}\n    {', '.join(settings) or 'no settings'}"


def _setting(parameter: Parameter) -> str:
    bare = str(parameter.replace(annotation=Parameter.empty))
    return f"{bare} (training: the run's)" if parameter.name in TOLD else bare


def _command(commands, name: str, about: str, text: str) -> argparse.ArgumentParser:
    first, _, rest = text.partition("\n\nexample")
    return commands.add_parser(
        name,
        help=about,
        description=first,
        epilog=f"example{rest}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", metavar="CONFIG", help=WHICH)
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="keys of the config to replace")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 5:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 5, so that there are 5 databases")
    return int(text)


def _list(given: argparse.Namespace) -> int:
    print("\n\n".join(described(name) for name in given.name or list(BUILTIN)))
    return 0


def _new(given: argparse.Namespace) -> int:
    from rewards.starter import start

    print(start(given.path))
    return 0


def _try(given: argparse.Namespace) -> int:
    from rewards.attempt import attempt
    from rewards.audit_report import wide_console
    from rewards.chosen import chosen
    from rewards.replay import replay

    if given.log and given.task:
        raise ConfigError("--task is for --completion; --log takes all questions")
    rewards = chosen(given.which, given.overrides).with_rewards(given.reward)
    if given.log:
        wide_console().print(replay(rewards, given.log))
    else:
        wide_console().print(attempt(rewards, given.completion, given.task))
    return 0


def _audit(given: argparse.Namespace) -> int:
    from rewards.audit import audit
    from rewards.audit_report import as_json, report, wide_console
    from rewards.chosen import chosen

    found = audit(chosen(given.which, given.overrides), given.questions, given.seed)
    console = wide_console()
    console.print(report(found, console.width))
    if given.json:
        write_json(given.json, as_json(found))
    return 0 if found.clean else 1
