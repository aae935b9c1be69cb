"""What a reward asks for: columns by name, what a run tells it, and settings of its own, which a config may set."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from inspect import Parameter, signature
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from configs.errors import ConfigError
from configs.schema import Config, Sandbox

COLUMNS = ("task_id", "question", "evidence", "gold_sql", "database", "level", "think")
"""What training gives to a reward of each question."""
GIVEN = ("prompts", "completions", "completion_ids", *COLUMNS, "trainer_state", "log_extra", "log_metric")
"""All that it gives."""


TOLD = ("sandbox", "answer", "max_completion_length")
"""What it tells a reward that has a keyword-only parameter of that name."""


def told_by(cfg: Config, reward: Callable) -> dict[str, Any]:
    """Return what of TOLD this reward asks for."""
    told = zip(TOLD, (cfg.sandbox, cfg.data.answer, cfg.rl.max_completion_length), strict=True)
    return {name: value for name, value in told if name in _asked(reward)}


def settings_of(reward: Callable) -> dict[str, Parameter]:
    """Return the parameters that a config's `params` may set."""
    return {name: parameter for name, parameter in _asked(reward).items() if name != "sandbox"}


def _asked(reward: Callable) -> dict[str, Parameter]:
    parameters = signature(reward).parameters.values()
    return {p.name: p for p in parameters if p.kind is Parameter.KEYWORD_ONLY and p.name not in GIVEN}


def check_settings(name: str, reward: Callable, params: dict[str, Any], told: dict[str, Any]) -> None:
    """Raise ConfigError for a reward that training cannot call, or for settings that it does not have."""
    settings = settings_of(reward)
    for key in params:
        if key not in settings and key in ("sandbox", *Sandbox.model_fields):
            raise ConfigError(f"reward {name!r} has no parameter {key!r}: it goes by the config's section sandbox")
        if key not in settings:
            takes = ", ".join(settings) or "none (settings are keyword-only parameters, after a *)"
            raise ConfigError(f"reward {name!r} has no parameter {key!r}{nearest(key, settings)}; it takes: {takes}")
    for key, parameter in _asked(reward).items():
        if parameter.default is Parameter.empty and key not in params | told:
            raise ConfigError(f"reward {name!r} needs the parameter {key!r}")
    _check_columns(name, list(signature(reward).parameters.values()))
    try:
        hints = get_type_hints(reward)
    except (NameError, TypeError):  # names for type checkers alone; an object that can be called
        hints = {}
    for key, value in params.items():
        if key in hints and not _fits(value, hints[key]):
            raise ConfigError(f"reward {name!r}: {key} is {value!r}, allowed: {_words(hints[key])}")


def _check_columns(name: str, parameters: list[Parameter]) -> None:
    if all(one.kind is not Parameter.VAR_KEYWORD for one in parameters):
        raise ConfigError(f"reward {name!r} must end in **_: training hands it columns that it may not know")
    for one in parameters:
        needed = one.kind is Parameter.POSITIONAL_OR_KEYWORD and one.default is one.empty
        if one.kind is Parameter.POSITIONAL_ONLY or (needed and one.name not in GIVEN):
            given = ", ".join(GIVEN)
            raise ConfigError(f"reward {name!r} asks for {one.name!r}; there is, by name: {given}; settings: after a *")


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


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a hint at the word that was perhaps meant; blank where none is near."""
    close = get_close_matches(word, list(words), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
