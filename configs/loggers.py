"""Are the loggers that `report_to` names there?  The trainer would find out after the model is loaded."""

from difflib import get_close_matches
from importlib.util import find_spec

PACKAGES = {name: name for name in ("tensorboard", "trackio", "wandb", "mlflow", "swanlab", "clearml", "dvclive")}
PACKAGES |= {"comet_ml": "comet-ml", "codecarbon": "codecarbon", "neptune": "neptune", "dagshub": "dagshub"}
"""Logger → what pip calls it; the module is called as the logger."""
OTHERS = ("azure_ml", "flyte", "kubeflow")
"""Loggers of platforms, which are there where one trains on them."""

REPORTING = {"report_to", "run_name", "project"}
"""Options of the trainer on which nothing that a stage makes depends, so that one may change them and go on."""


def logger_problems(stage: str, report_to: object) -> list[str]:
    """Return a line for each logger that is unknown or not installed; empty where nothing trains on this machine."""
    named = report_to if isinstance(report_to, list) else [report_to]
    if not _installed("transformers"):
        return []
    where = f"{stage}.trainer.report_to"
    found = []
    for name in (name for name in named if isinstance(name, str) and name not in ("all", "none", *OTHERS)):
        if name not in PACKAGES:
            close = get_close_matches(name, PACKAGES, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            found.append(f"{where}: no logger {name!r}; {hint}allowed: none, all, {', '.join([*PACKAGES, *OTHERS])}")
        elif not _installed(name) and not (name == "tensorboard" and _installed("tensorboardX")):
            found.append(f"{where}: {name} is not installed; pip install {PACKAGES[name]}, or report_to=none")
    return found


def _installed(module: str) -> bool:
    """Tell whether a package is there; a folder of that name is none, and wandb makes one."""
    spec = find_spec(module)  # of a top-level name: nothing is executed
    return spec is not None and spec.origin is not None
