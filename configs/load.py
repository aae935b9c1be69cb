"""From a YAML and `section.key=value` overrides to a checked `Config`, or to every problem at once."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException
from pydantic import ValidationError
from yaml import MarkedYAMLError, YAMLError

from configs.errors import ConfigError
from configs.explain import problem
from configs.schema import Config


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Return the run that a YAML describes, overrides applied; a ConfigError has a line for each problem."""
    data = read_config(path, overrides)
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in schema_problems(error))) from None


def read_config(path: str | Path, overrides: Sequence[str] = ()) -> dict:
    """Return what a YAML and its overrides say, ${section.key} resolved, not yet checked by the schema."""
    path = Path(path)
    try:
        merged = _read_yaml(path)
        for override in overrides:
            _apply(merged, override)
        _refuse_resolvers(OmegaConf.to_container(merged, resolve=False), "")
        return _rewards_beside(path.parent, OmegaConf.to_container(merged, resolve=True, throw_on_missing=True))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except OmegaConfBaseException as error:
        where = f"{error.full_key}: " if error.full_key else ""
        hint = "; ${…} reaches the keys that the YAML itself sets" if isinstance(error, InterpolationKeyError) else ""
        raise ConfigError(f"{path}: {where}{(error.msg or str(error)).splitlines()[0]}{hint}") from None


def _rewards_beside(folder: Path, data: dict) -> dict:
    """Return the config with rewards of files beside it named by their place, so that it works from anywhere."""
    section = data.get("rl")
    rewards = section.get("rewards") if isinstance(section, dict) else None
    for reward in rewards if isinstance(rewards, list) else []:
        file, _, function = str(reward.get("name", "")).rpartition(":") if isinstance(reward, dict) else ("", "", "")
        if file.endswith(".py") and (folder / file).is_file():
            reward["name"] = f"{folder / file}:{function}"
    return data


def schema_problems(error: ValidationError) -> list[str]:
    """Return one line for each problem that pydantic found: the key's path, what is wrong, what is right."""
    return [problem(detail) for detail in error.errors(include_url=False)]


def _read_yaml(path: Path):
    """Return the file as an OmegaConf mapping."""
    if not path.is_file():
        raise ConfigError(_missing(path))
    try:
        loaded = OmegaConf.load(path)
    except YAMLError as error:
        raise ConfigError(f"not YAML: {_yaml_fault(error)}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"not text in UTF-8 (byte {error.start}); is it a YAML file?") from None
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror or error}") from None
    if not OmegaConf.is_dict(loaded):
        raise ConfigError("must be a mapping of keys, as `name: my-run`; this file holds a list or a plain value")
    return loaded


def _yaml_fault(error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


def _missing(path: Path) -> str:
    """Return the line for a file that isn't there, with the YAMLs that are near."""
    if path.is_dir():
        around, text = path, "is a folder, not a YAML file"
    else:
        around, text = path.parent, "is missing"
    near = sorted({*around.glob("*.yaml"), *Path("configs").glob("*.yaml")})
    stems = {file.stem: str(file) for file in near}
    close = get_close_matches(path.stem, stems, n=1)
    hint = f"did you mean {stems[close[0]]}? " if close else ""
    return f"{text}; {hint}There are: {', '.join(map(str, near)) or 'no YAML files near it'}"


def _apply(merged, override: str) -> None:
    """Set one `section.key=value` in `merged`; the value is read as YAML would read it."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"override {override!r}: write section.key=value, as sft.micro_batch=2")
    try:
        value = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=False)["value"]
        OmegaConf.update(merged, key.strip(), value, merge=True, force_add=True)
    except YAMLError as error:
        raise ConfigError(f"override {override!r}: {_yaml_fault(error)}") from None
    except (OmegaConfBaseException, IndexError, ValueError, TypeError) as error:
        raise ConfigError(f"override {override!r}: {str(error).splitlines()[0]}") from None


def _refuse_resolvers(value: object, where: str) -> None:
    """Allow ${section.key} only: ${oc.env:KEY} and its like would copy a secret into config.json."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_resolvers(inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _refuse_resolvers(inner, f"{where}[{number}]")
    elif isinstance(value, str) and calls_resolver(value):
        raise ConfigError(
            f"{where}: {value!r} would copy what it finds into config.json; allowed: ${{section.key}}. "
            "An API key stays in the environment: distill.api_key_env names its variable"
        )


def calls_resolver(text: str) -> bool:
    """Tell whether an interpolation in `text` calls a function, that is, has a colon inside its braces.

    >>> calls_resolver("${oc.env:HOME}"), calls_resolver("${oc.${x}:HOME}"), calls_resolver("http://${host}:80")
    (True, True, False)
    """
    depth = 0
    for index, char in enumerate(text):
        if char == "{" and text[index - 1 : index] == "$":
            depth += 1
        elif char == "}":
            depth = max(depth - 1, 0)
        elif char == ":" and depth:
            return True
    return False
