"""What is wrong with a config, in one line each: pydantic's findings in planql's words."""

from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from configs import trainer
from configs.schema import Config

WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text; put it in quotes where YAML reads it otherwise",
    "list": "a list",
    "dict": "a mapping of keys",
    "model": "a mapping of keys",
}


def problem(detail: dict[str, Any]) -> str:
    """Return one line for one entry of `ValidationError.errors()`: where, what, allowed, cure."""
    loc = tuple(part for part in detail["loc"] if part != "[key]")
    where, kind, got = dotted(loc), detail["type"], detail["input"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{where}: unknown key; {_right_name(loc)}"
    if kind == "missing":
        return f"{where}: is missing; {_sentence(loc)}"
    if kind == "value_error":  # raised by the schema's own validators, which say it all
        return f"{where}: {context['error']}" if where else str(context["error"])
    if kind == "literal_error":
        return f"{where}: got {got!r}; {_choices(got, _literals(loc, context))}"
    if kind == "string_pattern_mismatch":
        return f"{where}: got {got!r}; allowed: letters, digits and . _ -, the first a letter or digit"
    base = kind.removesuffix("_type").removesuffix("_parsing").removesuffix("_from_float")
    wanted = WANTED.get(base, detail["msg"].removeprefix("Input should be "))
    return f"{where}: got {_shown(got)}; must be {wanted}"


def dotted(loc: tuple[str | int, ...]) -> str:
    """Return a key's path as an override would write it.

    >>> dotted(("rl", "rewards", 0, "weight"))
    'rl.rewards[0].weight'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def model_at(loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """Return the section of the schema that a path leads to, or None where it leads to a plain value."""
    model: type[BaseModel] | None = Config
    named = False  # whether the next part is a name that the config gives
    for part in loc:
        if isinstance(part, int) or named:
            named = False
            continue
        field = model.model_fields.get(part) if model else None
        model = section(field) if field else None
        named = bool(model and field and get_origin(field.annotation) is dict)
    return model


def section(field: FieldInfo) -> type[BaseModel] | None:
    """Return the section that a field holds, alone, in a list or by name; None for a plain value."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def paths(model: type[BaseModel] = Config, before: str = "") -> list[str]:
    """Return the path of every key in the schema, depth first."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        found.append(before + name)
        if (inner := section(field)) and get_origin(field.annotation) not in (list, dict):
            found += paths(inner, f"{before}{name}.")
    return found


def _right_name(loc: tuple[str | int, ...]) -> str:
    *parents, key = loc
    model = model_at(tuple(parents))
    allowed = list(model.model_fields) if model else []
    key = str(key)
    close = get_close_matches(key, allowed, n=1, cutoff=0.7)
    listed = f"allowed: {', '.join(allowed)}"
    if close:
        return f"did you mean {close[0]!r}? {listed}"
    if parents and (stage := parents[0]) in trainer.CONFIG_CLASS and key in trainer.names_for(stage):
        return f"it is an option of TRL's: write {stage}.trainer.{key}. {listed}"
    if elsewhere := [path for path in paths() if path.rpartition(".")[2] == key]:
        return f"there is {' and '.join(elsewhere)}. {listed}"
    if not parents and (close := get_close_matches(key, allowed, n=1)):
        return f"did you mean {close[0]!r}? {listed}"
    return listed


def _sentence(loc: tuple[str | int, ...]) -> str:
    *parents, key = loc
    model = model_at(tuple(parents))
    text = model.model_fields[key].description if model and key in model.model_fields else None
    return text or "it has no default"


def _literals(loc: tuple[str | int, ...], context: dict[str, Any]) -> list[str]:
    """Return the allowed values of a Literal: as declared; for a mapping's key, as pydantic has them."""
    *parents, key = loc
    model = model_at(tuple(parents))
    field = model.model_fields.get(key) if model and isinstance(key, str) else None
    for kind in (field.annotation, *get_args(field.annotation)) if field else ():
        if get_origin(kind) is Literal:
            return [str(value) for value in get_args(kind)]
    return [part.strip(" '") for part in context.get("expected", "").replace(" or ", ",").split(",")]


def _choices(got: object, allowed: list[str]) -> str:
    close = get_close_matches(str(got), allowed, n=1)
    return (f"did you mean {close[0]!r}? " if close else "") + f"allowed: {', '.join(allowed)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
