"""Find a reward by its name, and bind its settings: the whole plug-in system."""

import sys
from collections.abc import Callable
from functools import partial, update_wrapper
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import BuiltinFunctionType, ModuleType
from typing import Any

from configs.errors import ConfigError
from configs.schema import Config
from rewards.settings import COLUMNS, check_settings, nearest, told_by

Reward = Callable[..., list[float | None]]

BUILTIN = {
    "sql_execution": "rewards.execution:sql_execution",
    "result_similarity": "rewards.result:result_similarity",
    "query_cost": "rewards.result:query_cost",
    "schema_linking": "rewards.linking:schema_linking",
    "sql_similarity": "rewards.similarity:sql_similarity",
    "plan_faithfulness": "rewards.plan:plan_faithfulness",
    "think_similarity": "rewards.plan:think_similarity",
    "soft_overlong": "rewards.length:soft_overlong",
    "repetition": "rewards.length:repetition",
    "format_strict": "rewards.form:format_strict",
    "match_format_exactly": "rewards.article:match_format_exactly",
    "match_format_approximately": "rewards.article:match_format_approximately",
    "check_sql_reward": "rewards.article:check_sql_reward",
}


def load_reward(name: str, params: dict[str, Any], cfg: Config | None = None) -> Reward:
    """Return the reward `name` with its settings `params` bound; ConfigError for anything wrong with them.

    name: a key of BUILTIN, `package.module:function`, or `path/to/file.py:function`, relative to the working directory.
    cfg: the run, whose `sandbox` (limits and workers of queries), `answer` (what one shows before its SQL) and
    `max_completion_length` (tokens) are told to a reward that has such a keyword-only parameter.
    The result has the function's `__name__` (training logs under it), and pickles where its module can be imported.
    """
    function = find_reward(name)
    told = told_by(cfg or Config(name="none"), function)
    check_settings(name, function, params, told)
    reward = update_wrapper(partial(function, **(told | params)), function)
    reward.__name__ = name.rpartition(":")[2]
    if name in BUILTIN:  # ours take an empty batch, and look at their settings before they look at answers
        reward(prompts=[], completions=[], **{column: [] for column in COLUMNS})
    return reward


def find_reward(name: str) -> Reward:
    """Return the function that `name` stands for, its settings still open."""
    target, colon, attribute = BUILTIN.get(name, name).rpartition(":")
    if not colon or not target or not attribute:
        raise ConfigError(
            f"unknown reward {name!r}{nearest(name, BUILTIN)}; built in: {', '.join(BUILTIN)}; "
            "your own: 'package.module:function' or 'path/to/file.py:function'"
        )
    module = _module_of_file(name, target) if target.endswith(".py") else _module(name, target)
    if attribute not in vars(module):
        functions = [key for key, value in vars(module).items() if callable(value)]
        raise ConfigError(f"reward {name!r}: {target} has no {attribute!r}{nearest(attribute, functions)}")
    function = vars(module)[attribute]
    if not callable(function) or isinstance(function, type | BuiltinFunctionType):
        kind = type(function).__name__
        raise ConfigError(f"reward {name!r}: {attribute} in {target} is a {kind}, not a function of Python")
    return function


def in_a_line(error: BaseException, file: str | None) -> str:
    """Return an error in a line, with the place in `file` that it came from."""
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == file]
    place = f" ({Path(file).name}:{lines[-1]})" if file and lines else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


def _module(name: str, target: str, file: str | None = None) -> ModuleType:
    try:
        return import_module(target)
    except Exception as error:  # whatever a module does when it is imported
        raise ConfigError(f"reward {name!r}: cannot import {file or target}: {in_a_line(error, file)}") from error


def _module_of_file(name: str, target: str) -> ModuleType:
    path = Path(target).resolve()
    if not path.is_file():
        raise ConfigError(f"reward {name!r}: no such file: {target}")
    module_name = _module_name(path)
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = spec_from_file_location(module_name, path)
    if module_name == path.stem or spec is None or spec.loader is None:
        return _module(name, module_name, str(path))
    module = sys.modules[module_name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # as above
        del sys.modules[module_name]
        raise ConfigError(f"reward {name!r}: cannot import {path}: {in_a_line(error, str(path))}") from error
    return module


def _module_name(path: Path) -> str:
    """Return the plain name where an import finds this very file, as a spawned worker then does too."""
    spec = find_spec(path.stem) if path.stem.isidentifier() and path.stem != "__main__" else None
    if spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path:
        return path.stem
    return f"reward_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
