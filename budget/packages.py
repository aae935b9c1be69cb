"""Which versions are installed, against those that were tested together and against each other's own limits.

Nothing here is imported: all comes from the metadata beside the packages.
"""

import platform
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions, requires
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from budget.findings import Finding, Level
from configs.schema import Config

ROOT = Path(__file__).parents[1]
ALWAYS = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
PACKAGES = (*ALWAYS, "bitsandbytes", "unsloth", "unsloth_zoo", "distilabel", "vllm", "vllm-bnb-plugin")
NOT_FOR_TEXT = {"torchvision", "xformers", "triton", "certifi", "wheel", "einops"}
"""What Unsloth asks for and text models do without, see requirements-unsloth.txt; triton comes with torch for CUDA,
and certifi is asked for in a version that registries may not have yet."""
INSTALL = {
    "unsloth": "pip install -c constraints.txt --no-deps -r requirements-no-deps.txt",
    "unsloth-zoo": "pip install -c constraints.txt --no-deps -r requirements-no-deps.txt",
    "vllm": "pip install -c constraints.txt -e '.[gpu]'",
    "vllm-bnb-plugin": "pip install -c constraints.txt -e '.[gpu]'",
}
MAKE = "make install"

Installed = dict[str, Distribution]


def installed(path: list[str] | None = None) -> Installed:
    """Return what is installed by canonical name, as importing would find it; path: folders in place of sys.path."""
    found: Installed = {}
    for each in distributions() if path is None else distributions(path=path):
        if each.metadata["Name"]:
            found.setdefault(canonicalize_name(each.metadata["Name"]), each)
    return found


def pins(root: Path = ROOT) -> dict[str, Requirement]:
    """Return the tested versions of `PACKAGES`, from the files of the checkout, else from planql's own metadata."""
    if (root / "pyproject.toml").is_file():
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        lines = [line for extra in project["optional-dependencies"].values() for line in extra]
        lines += [line for name in ("constraints.txt", "requirements-no-deps.txt") for line in _lines(root / name)]
    else:
        lines = requires("planql") or []
    named = {canonicalize_name(need.name): need for need in map(Requirement, lines) if need.specifier}
    wanted = map(canonicalize_name, PACKAGES)
    return {name: named[name] for name in wanted if name in named}


def check_python() -> Finding:
    """Return whether this Python and system are ones that planql runs on."""
    found = f"Python {platform.python_version()} ({sys.executable}), {platform.platform(terse=True)}"
    if sys.platform != "linux":
        return Finding("python", "fail", found, "Linux (on Windows inside WSL): the sandbox needs its walls")
    tested = sys.version_info[:2] == (3, 11)
    return Finding("python", "ok" if tested else "warning", found, "" if tested else "3.11 is what was tested")


def check_versions(have: Installed, pinned: dict[str, Requirement], cfg: Config | None) -> Iterator[Finding]:
    """Yield a finding for each of `PACKAGES`: there or not, and in the version that was tested."""
    for name in map(canonicalize_name, PACKAGES):
        cure = INSTALL.get(name, MAKE)
        pin = pinned.get(name)
        if name not in have:
            yield Finding(name, _missing(name, cfg), "not installed", cure if needed(name, cfg) else "")
        elif pin and not pin.specifier.contains(have[name].version, prereleases=True):
            yield Finding(name, "warning", f"{have[name].version}; tested with {str(pin.specifier)[2:]}", cure)
        else:
            yield Finding(name, "ok", have[name].version)


def check_caps(have: Installed) -> Finding:
    """Return which limits that the installed packages set each other are not kept."""
    broken = [line for name in map(canonicalize_name, PACKAGES) if name in have for line in _broken(have[name], have)]
    if broken:
        return Finding(
            "version caps", "fail", "; ".join(broken), f"{MAKE} in a new .venv: constraints.txt fits together"
        )
    return Finding("version caps", "ok", "all that these packages ask of each other is kept")


def needed(name: str, cfg: Config | None) -> bool:
    """Tell whether a run of `cfg`, or without one any run, cannot do without this package."""
    if name in ALWAYS or cfg is None:
        return name in ALWAYS
    return {
        "bitsandbytes": cfg.model.quantization != "none"
        or any("8bit" in str(trainer.get("optim")) for trainer in (cfg.sft.trainer, cfg.rl.trainer)),
        "unsloth": cfg.model.backend == "unsloth",
        "unsloth-zoo": cfg.model.backend == "unsloth",
        "distilabel": True,
        "vllm": cfg.model.vllm or cfg.distill.teacher == "vllm",
        "vllm-bnb-plugin": cfg.model.vllm and cfg.model.quantization == "4bit",
    }[name]


def _missing(name: str, cfg: Config | None) -> Level:
    if needed(name, cfg):
        return "fail"
    return "ok" if cfg or name.startswith("vllm") else "warning"


def _broken(package: Distribution, have: Installed) -> Iterator[str]:
    """Yield a line for each requirement of `package`, its extras left out, that what is installed does not meet."""
    owner = canonicalize_name(package.metadata["Name"])
    for line in package.requires or []:
        try:
            need = Requirement(line)
        except InvalidRequirement:
            continue  # a name or version outside the standard says nothing that can be held against another
        name = canonicalize_name(need.name)
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        if owner.startswith("unsloth") and name in NOT_FOR_TEXT:
            continue
        if name not in have:
            yield f"{owner} {package.version} needs {need.name}{need.specifier}, which is not installed"
        elif not need.specifier.contains(have[name].version, prereleases=True):
            yield f"{owner} {package.version} needs {need.name}{need.specifier}, not {have[name].version}"


def _lines(file: Path) -> list[str]:
    """Return the requirements in a file, without comments; none where there is no file."""
    if not file.is_file():
        return []
    lines = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]
