"""What the four stages share: the command line, its errors and hints, and the line at the end."""

import argparse
import importlib.util
import shlex
import sys
from collections.abc import Callable

from configs import folder
from configs.check import check_config
from configs.errors import ConfigError, Stopped
from configs.folder import CHAIN, Begun, begin, finish
from configs.screen import console, printable, say

__all__ = ["Begun", "begin", "finish", "main", "not_installed", "wrote"]

EPILOG = """\
An interrupted run goes on where it stopped when the same command is given again; a finished one says so.

example:
  python -m {stage} configs/cpu.yaml
  python -m {stage} configs/cpu.yaml name=second-try {override}
the chain: {chain}
"""
DOCTOR = "budget.before:check_stage"
"""Runs before each stage; by its name, as the stages themselves: budget stands above configs."""
OVERRIDE = {
    "distill": "distill.traces=50",
    "sft": "sft.trainer.learning_rate=1e-4",
    "rl": "rl.trainer.max_steps=10",
    "evaluation": "evaluation.questions=50",
}


Options = Callable[[argparse.ArgumentParser], object]


def main(stage: str, about: str, run: str, argv: list[str] | None = None, options: Options | None = None) -> int:
    """Run one stage from the command line and return the exit status: 0, 2 for bad input, 130 or 143 when stopped.

    about: what the stage reads and writes, for --help.
    run: "module:function" of `f(cfg: Config, fresh: bool) -> Path`; imported only once the config is known to
    be right, so that --help and a bad config need neither torch nor time.
    options: adds options of this stage alone to the parser; `run` gets their values by name.
    """
    parser = _parser(stage, about)
    if options:
        options(parser)
    own = vars(parser.parse_intermixed_args(argv))
    config, overrides, fresh = (own.pop(name) for name in ("config", "overrides", "fresh"))
    asked = shlex.join([config, *overrides])
    try:
        cfg = check_config(config, overrides)
        folder.asked = asked
        _function(DOCTOR)(stage, cfg)
        _function(run)(cfg, fresh, **own)
    except (ConfigError, ModuleNotFoundError) as error:
        complain(stage, error if isinstance(error, ConfigError) else not_installed(error))
        folder.forget_untouched()
        return 2
    except KeyboardInterrupt as stop:
        say(f"{stage}: stopped; the same command goes on: python -m {stage} {asked}")
        return 143 if isinstance(stop, Stopped) else 130
    return 0


def wrote(begun: Begun, text: str) -> None:
    """Print the one line at a stage's end: what was written, and what to run next."""
    following = folder.after(begun.stage)
    hint = f"; next: {folder.command(following)}" if following else ""
    say(f"{begun.stage}: {text} → {begun.folder}{hint}")


def complain(stage: str, error: ConfigError) -> None:
    """Print each line of a ConfigError on stderr, headed by the stage it stopped."""
    for line in str(error).splitlines():
        console.print(f"{stage}: {printable(line)}", style="red", markup=False, highlight=False, soft_wrap=True)


def _parser(stage: str, about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {stage}",
        description=about,
        epilog=EPILOG.format(stage=stage, override=OVERRIDE[stage], chain=" → ".join(CHAIN)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "config", metavar="CONFIG", help="the YAML that describes the run: one in configs/, or your own"
    )
    parser.add_argument(
        "overrides",
        metavar="section.key=value",
        nargs="*",
        help="keys to replace for this run; python -m configs keys lists them",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help=f"start again; what is in RUNS/NAME/{stage} moves to {stage}.old beside it",
    )
    return parser


def _function(run: str):
    """Return the function that "module:function" names."""
    module, _, name = run.partition(":")
    return getattr(importlib.import_module(module), name)


def not_installed(error: ModuleNotFoundError) -> ConfigError:
    """Return what to tell the user of a missing package; a missing module of ours, or of what is there, is a bug."""
    package = (error.name or "").partition(".")[0]
    if not package or importlib.util.find_spec(package):
        raise error
    return ConfigError(f"{package} is not installed in {sys.executable}; `make install` makes .venv with all of it")
