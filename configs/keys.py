"""Every key of a config, with type, default and meaning, as text for people."""

from collections.abc import Iterator
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from configs import trainer
from configs.errors import ConfigError
from configs.explain import paths, section
from configs.schema import Config

PLAIN = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
    Any: "any",
}


def lines(wanted: str = "") -> Iterator[str]:
    """Yield the keys under `wanted` (a section, a key, sft.trainer, rl.trainer) as text; all without it."""
    stage, _, rest = wanted.partition(".")
    if rest == "trainer" and stage in trainer.CONFIG_CLASS:
        yield from _trainer_lines(stage)
        return
    found = [entry for entry in _entries(Config, "") if not wanted or _under(entry[0], wanted)]
    if not found:
        close = get_close_matches(wanted, paths(), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"no key or section {wanted!r}; {hint}sections: {', '.join(Config.model_fields)}")
    for path, field in found:
        yield f"{path}{_default(field)}   ({_type(field)})" if section(field) is None else f"{path}:"
        yield f"    {' '.join(str(field.description).split())}"


def _entries(model: type[BaseModel], before: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        yield before + name, field
        if inner := section(field):
            place = {list: "[0]", dict: ".NAME"}.get(get_origin(field.annotation), "")
            yield from _entries(inner, f"{before}{name}{place}.")


def _under(path: str, wanted: str) -> bool:
    return path == wanted or path.startswith((f"{wanted}.", f"{wanted}["))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return " (required)"
    return f" = {yaml_text(field.get_default(call_default_factory=True))}"


def yaml_text(value: object) -> str:
    """Return a plain value as a YAML would write it on one line.

    >>> yaml_text(None), yaml_text(True), yaml_text(["a", "b"]), yaml_text({}), yaml_text(10_000)
    ('null', 'true', '[a, b]', '{}', '10000')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(yaml_text, value))}]"
    return str(value)


def _type(field: FieldInfo) -> str:
    bounds = " and ".join(bound for rule in field.metadata if (bound := _bound(rule)))
    return f"{_named(field.annotation)} {bounds}".strip()


def _bound(rule: object) -> str:
    match rule:
        case Ge(ge=limit):
            return f"≥ {limit}"
        case Gt(gt=limit):
            return f"> {limit}"
        case Le(le=limit):
            return f"≤ {limit}"
        case Lt(lt=limit):
            return f"< {limit}"
    return ""


def _named(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (Union, UnionType):
        return " or ".join(_named(part) for part in sorted(inner, key=lambda part: part is not NoneType))
    if origin is Annotated:
        return _named(inner[0])
    if origin is list:
        return f"list of {_named(inner[0])}"
    if origin is dict:
        return f"mapping of {_named(inner[0])} to {_named(inner[1])}"
    return PLAIN.get(kind, kind.__name__)


def _trainer_lines(stage: str) -> Iterator[str]:
    if reason := trainer.unchecked():
        raise ConfigError(reason)
    known = trainer.options(stage) or {}
    for name in trainer.names_for(stage):
        option = known[name]
        allowed = f"; allowed: {', '.join(option.allowed)}" if option.allowed else ""
        yield f"{stage}.trainer.{name} = {option.default}   ({option.annotation}{allowed})"
    yield f"The defaults are TRL's; {stage}/train.py sets some better ones (DEFAULTS)."
    refused = sorted(key for key in known if key not in trainer.names_for(stage))
    yield f"Set by planql, and refused here: {', '.join(refused)}"
