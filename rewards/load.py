"""Find a reward by its name, check its settings, bind them: the whole plug-in system."""

import sys
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial, update_wrapper
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from inspect import Parameter, signature
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from configs.errors import ConfigError

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

# What training gives to a reward besides prompts and completions.
COLUMNS = ("task_id", "question", "gold_sql", "database", "level", "think")


def load_reward(
    name: str, params: dict[str, Any], folder: Path | None = None, defaults: dict[str, Any] | None = None
) -> Reward:
    """Return the reward `name` with its settings `params` bound; ConfigError for anything wrong with them.

    name: a key of BUILTIN, `package.module:function`, or `path/to/file.py:function`, where the path is
    relative to `folder` or else to the working directory.
    defaults: settings of the run (the sandbox's limits), for rewards that have such a parameter.
    The result keeps the function's `__name__`
    (training logs under it), and pickles where the function's module can be imported.
    """
    function = find_reward(name, folder)
    _check_params(name, function, params)
    params = {key: value for key, value in (defaults or {}).items() if key in _settings(function)} | params
    reward = update_wrapper(partial(function, **params), function)
    if name in BUILTIN:  # ours take an empty batch, and look at their settings before they look at answers
        try:
            reward(prompts=[], completions=[], **{column: [] for column in COLUMNS})
        except ValueError as error:  # a ConfigError, or limits of the sandbox that are none
            raise error if isinstance(error, ConfigError) else ConfigError(f"reward {name!r}: {error}") from None
    return reward


def find_reward(name: str, folder: Path | None = None) -> Reward:
    """Return the function that `name` stands for, its settings still open."""
    target, colon, attribute = BUILTIN.get(name, name).rpartition(":")
    if not colon or not target or not attribute:
        raise ConfigError(
            f"unknown reward {name!r}{_nearest(name, BUILTIN)}; built in: {', '.join(BUILTIN)}; "
            "your own: 'package.module:function' or 'path/to/file.py:function'"
        )
    module = _module_of_file(name, target, folder) if target.endswith(".py") else _module(name, target)
    if attribute not in vars(module):
        functions = [key for key, value in vars(module).items() if callable(value)]
        raise ConfigError(f"reward {name!r}: {target} has no {attribute!r}{_nearest(attribute, functions)}")
    function = vars(module)[attribute]
    if not callable(function):
        kind = type(function).__name__
        raise ConfigError(f"reward {name!r}: {attribute} in {target} is a {kind}, not a function")
    return function


def _module(name: str, target: str) -> ModuleType:
    try:
        return import_module(target)
    except (ImportError, SyntaxError) as error:
        raise ConfigError(f"reward {name!r}: cannot import {target}: {error}") from error


def _module_of_file(name: str, target: str, folder: Path | None) -> ModuleType:
    places = [base / target for base in ([folder] if folder else []) + [Path()]]
    path = next((place.resolve() for place in places if place.is_file()), None)
    if path is None:
        raise ConfigError(f"reward {name!r}: no such file: {' or '.join(map(str, places))}")
    module_name = _module_name(path)
    if module_name in sys.modules:
        return sys.modules[module_name]
    if module_name == path.stem:
        return _module(name, module_name)
    spec = spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"reward {name!r}: {path} is not a Python file")
    module = sys.modules[module_name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError) as error:
        del sys.modules[module_name]
        raise ConfigError(f"reward {name!r}: cannot import {path}: {error}") from error
    return module


def _module_name(path: Path) -> str:
    """Return the plain name where an import finds this very file, as a spawned worker then does too."""
    spec = find_spec(path.stem) if path.stem.isidentifier() and path.stem != "__main__" else None
    if spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path:
        return path.stem
    return f"reward_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"


def _check_params(name: str, function: Reward, params: dict[str, Any]) -> None:
    settings = _settings(function)
    for key in params:
        if key not in settings:
            takes = ", ".join(settings) or "none (settings are keyword-only parameters, after a *)"
            near = _nearest(key, settings)
            raise ConfigError(f"reward {name!r} has no parameter {key!r}{near}; it takes: {takes}")
    for key, parameter in settings.items():
        if parameter.default is Parameter.empty and key not in params:
            raise ConfigError(f"reward {name!r} needs the parameter {key!r}")
    if all(p.kind is not Parameter.VAR_KEYWORD for p in signature(function).parameters.values()):
        raise ConfigError(f"reward {name!r} must end in **_: training hands it columns that it may not know")
    hints = get_type_hints(function)
    for key, value in params.items():
        if key in hints and not _fits(value, hints[key]):
            raise ConfigError(f"reward {name!r}: {key} is {value!r}, allowed: {_words(hints[key])}")


def _settings(function: Reward) -> dict[str, Parameter]:
    return {p.name: p for p in signature(function).parameters.values() if p.kind is Parameter.KEYWORD_ONLY}


def _fits(value: object, hint: Any) -> bool:
    """Tell whether a value from YAML fits a simple annotation; any other annotation takes everything.

    >>> _fits(1, float), _fits(True, float), _fits("1", int), _fits("bird", Literal["bird", "multiset"])
    (True, False, False, True)
    """
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if hint is NoneType:
        return value is None
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return isinstance(value, hint) if hint in (str, bool, list, dict) else True


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return ", ".join(map(repr, get_args(hint)))
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(map(_words, get_args(hint)))
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", NoneType: "null"}
    return words.get(hint, hint.__name__)


def _nearest(word: str, words: Any) -> str:
    close = get_close_matches(word, list(words), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
