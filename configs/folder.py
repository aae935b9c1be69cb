"""A stage's folder in the run: new, half done, finished, or of other settings; and who is at work in it."""

import fcntl
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Literal

from configs.errors import ConfigError
from configs.files import PARTIAL, as_json, file_fingerprint, read_json, write_json
from configs.schema import Config
from configs.screen import say

CHAIN = ("distill", "sft", "rl", "evaluation")
PACKAGES = ("torch", "transformers", "trl", "peft", "unsloth", "vllm", "datasets", "distilabel", "sqlglot")
STATE = "state.json"

asked = "CONFIG"
"""The config and overrides of this process's command line, for the hints; `stage.main` sets it."""
_locks: dict[Path, IO[str]] = {}
_begun: dict[Path, bool] = {}  # folder → whether --fresh moved an earlier one aside


@dataclass(frozen=True)
class Begun:
    """A stage's folder, and whether its work starts, goes on, or is done already."""

    stage: str
    folder: Path
    status: Literal["new", "resume", "finished"]
    facts: dict[str, object] = field(default_factory=dict)
    """What `finish` noted, when finished."""


def begin(
    cfg: Config, stage: str, settings: dict, inputs: dict[str, Path], fresh: bool = False, more: str = "",
    grows: bool = False,
) -> Begun:  # fmt: skip
    """Return the stage's folder, ready to work in; a ConfigError says why it isn't.

    settings: all that the stage's result depends on, as JSON values (sections of the config).
    inputs: the files and folders it reads, by what they are called in messages.
    more: what there is to do even in a finished folder, to be told; then its status is "resume".
    grows: what is there is kept by its content, so that other settings and inputs go on from it.
    A change of either since the folder was begun is an error: what is there is of another run.
    """
    prints = {name: _input_fingerprint(cfg, name, Path(path)) for name, path in inputs.items()}
    settings = as_json(settings)
    folder = cfg.folder / stage
    _lock(cfg, stage)
    moved = fresh and folder.exists() and _set_aside(folder)
    state = _state(folder)
    if state is None or _untouched(folder):
        _begun[folder] = moved
        return _begin_new(cfg, stage, folder, settings, prints)
    changed = _changes(state, settings, prints)
    if changed and grows:
        state |= {"settings": settings, "inputs": prints, "status": "running"}
        write_json(folder / STATE, state)
        say(f"{stage}: other settings: {'; '.join(changed)}; what is there and still wanted is kept")
    elif changed:
        raise ConfigError(
            f"{folder} was {_done(state)} with other settings: {'; '.join(changed)}. "
            f"--fresh runs {stage} again with the new ones, name=OTHER keeps both runs"
        )
    if state["status"] == "finished" and not more:
        following = f"; next: {command(after(stage))}" if after(stage) else ""
        say(f"{stage} is finished ({folder}); --fresh runs it again{following}")
        return Begun(stage, folder, "finished", state["facts"])
    say(f"{stage}: {more if state['status'] == 'finished' else 'going on where it stopped'} ({folder})")
    _sweep(folder)
    _write_config(cfg)
    return Begun(stage, folder, "resume")


def finish(begun: Begun, /, **facts: object) -> None:
    """Note that the stage is done, with `facts` about it (counts, seconds), in its state.json."""
    state = read_json(begun.folder / STATE)
    write_json(begun.folder / STATE, state | {"status": "finished", "finished": _now(), "facts": facts})


def forget_untouched() -> None:
    """Remove folders that this process began and left empty: a run that failed at once leaves no trace."""
    for folder, moved in _begun.items():
        if not _untouched(folder):
            continue
        shutil.rmtree(folder)
        if moved:
            _old(folder).rename(folder)
        run = folder.parent
        if all(path.name == "config.json" or path.suffix == ".lock" for path in run.iterdir()):
            shutil.rmtree(run)


def after(stage: str) -> str | None:
    """Return the stage that follows in the chain.

    >>> after("distill"), after("evaluation")
    ('sft', None)
    """
    following = CHAIN[CHAIN.index(stage) + 1 :]
    return following[0] if following else None


def command(stage: str) -> str:
    """Return the command that runs `stage` of the run at hand."""
    return f"python -m {stage} {asked}"


def versions() -> dict[str, str | None]:
    """Return the versions that a result may depend on; None for what isn't installed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


@lru_cache
def commit() -> str | None:
    """Return planql's git commit, with -dirty where files differ from it; None outside a repository."""
    project = Path(__file__).parents[1]
    if not (project / ".git").exists():
        return None
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(describe, cwd=project, capture_output=True, text=True, timeout=20)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _begin_new(cfg: Config, stage: str, folder: Path, settings: dict, prints: dict[str, str]) -> Begun:
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    _write_config(cfg)
    state = {
        "stage": stage,
        "status": "running",
        "started": _now(),
        "finished": None,
        "settings": settings,
        "inputs": prints,
        "seed": cfg.seed,
        "commit": commit(),
        "versions": versions(),
        "facts": {},
    }
    write_json(folder / STATE, state)
    return Begun(stage, folder, "new")


def _write_config(cfg: Config) -> None:
    data = {
        "config": cfg.model_dump(mode="json"),
        "seed": cfg.seed,
        "commit": commit(),
        "versions": versions(),
    }
    write_json(cfg.folder / "config.json", data)


def _input_fingerprint(cfg: Config, name: str, path: Path) -> str:
    """Return the fingerprint of an input; a ConfigError names the stage to run first where one makes it."""
    maker = next((stage for stage in CHAIN if path.is_relative_to(cfg.folder / stage)), None)
    cure = f"run first: {command(maker)}" if maker else "check the path"
    if not path.exists():
        raise ConfigError(f"{name}: {path} is missing; {cure}")
    state = _state(cfg.folder / maker) if maker else None
    if state and state["status"] != "finished":
        raise ConfigError(f"{name}: {maker} has not finished ({cfg.folder / maker}); {cure}")
    return file_fingerprint(path)


def _state(folder: Path) -> dict | None:
    return read_json(folder / STATE) if (folder / STATE).exists() else None


def _untouched(folder: Path) -> bool:
    """Tell whether a begun stage has written nothing of its own yet."""
    if not folder.is_dir() or [path.name for path in folder.iterdir()] != [STATE]:
        return False
    return read_json(folder / STATE)["status"] != "finished"


def _changes(state: dict, settings: dict, prints: dict[str, str]) -> list[str]:
    """Return at most three settings and inputs that differ from those in `state`, as `key: old → new`."""
    old, new = _flat(state["settings"]), _flat(settings)
    differ = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    changed = [f"{key}: {_shown(old, key)} → {_shown(new, key)}" for key in differ]
    inputs = state["inputs"]
    for name in sorted(inputs.keys() | prints.keys()):
        if inputs.get(name) != prints.get(name):
            changed.append(f"{name}: its content changed" if name in inputs and name in prints else f"{name}: new")
    more = len(changed) - 3
    return [*changed[:3], f"and {more} more"] if more > 0 else changed


def _flat(value: object, before: str = "") -> dict[str, object]:
    """Return nested mappings as one, keyed by path.

    >>> _flat({"model": {"lora": {"r": 8}}, "seed": 0})
    {'model.lora.r': 8, 'seed': 0}
    """
    if not isinstance(value, dict) or (before and not value):
        return {before: value}
    found: dict[str, object] = {}
    for key, inner in value.items():
        found |= _flat(inner, f"{before}.{key}" if before else str(key))
    return found


def _shown(flat: dict[str, object], key: str) -> str:
    text = repr(flat[key]) if key in flat else "not set"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _done(state: dict) -> str:
    return "finished" if state["status"] == "finished" else "begun"


def _old(folder: Path) -> Path:
    return folder.with_name(folder.name + ".old")


def _set_aside(folder: Path) -> bool:
    """Make room for a fresh start and return whether what was there is now STAGE.old.

    A finished result is only ever replaced by a newer finished one.
    """
    old = _old(folder)
    state, kept = _state(folder), _state(old)
    if kept and kept["status"] == "finished" and not (state and state["status"] == "finished"):
        shutil.rmtree(folder)  # half done: the finished one is worth more
        say(f"{folder} is started again; the last finished one is still in {old}")
        return False
    if old.exists():
        shutil.rmtree(old)
    folder.rename(old)
    say(f"{folder} is started again; what it held is now in {old}")
    return True


def _sweep(folder: Path) -> None:
    """Remove what a killed process was still writing."""
    for path in list(folder.rglob(f".*{PARTIAL}*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _lock(cfg: Config, stage: str) -> None:
    """Take the stage's lock for the life of this process; another holder is a ConfigError.

    A POSIX record lock: it ends with the process even by kill -9, and forked workers don't inherit it.
    """
    path = (cfg.folder / f".{stage}.lock").absolute()
    if path in _locks:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 (open as long as the process lives)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise ConfigError(
            f"{cfg.folder / stage}: another process ({holder}) is running this stage; "
            "wait for its end, or use name=OTHER"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    _locks[path] = file


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
