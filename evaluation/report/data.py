"""What a run's folder holds, as plain values."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_json, read_jsonl
from evaluation.errors import MEANINGS, NO_SQL, RIGHT, message_class
from evaluation.report.shapes import Compared, Prediction, Scores, Settings, check, problem
from evaluation.table import NAMES
from tasks.show import stage_folder

GOLD = "gold"


@dataclass(frozen=True)
class Run:
    """The files of one run; empty where a stage has not written its own yet."""

    name: str
    folder: Path
    config: dict
    distill: dict
    """distill/stats.json."""
    sft: list[dict]
    rl: list[dict]
    """metrics.jsonl of the two stages."""
    sft_ex: list[dict]
    best: list[dict]
    health: list[dict]
    samples: list[dict]
    """rl/completions.jsonl."""
    summary: dict[str, dict]
    """Model → its scores; `gold` too, the gold queries judged against themselves."""
    compared: dict[str, dict]
    """AFTER-BEFORE → how one model differs from another."""
    predictions: dict[str, list[dict]]
    """Model → what it answered; each is a shapes.Prediction, with more keys."""

    @cached_property
    def errors(self) -> dict[str, Counter]:
        """Model → how many of its predictions are of each class."""
        return {model: Counter(map(class_of, rows)) for model, rows in self.predictions.items()}

    @property
    def models(self) -> dict[str, dict]:
        """The scores of what was trained or could be."""
        return {name: row for name, row in self.summary.items() if name != GOLD}


def read_run(asked: str) -> Run:
    """Return the run that is given as its folder, its name in runs/ or its config."""
    folder = stage_folder(asked, "evaluation").parent
    config = _object(folder / "config.json").get("config", {})
    check(Settings, config, folder / "config.json", "its config is none")
    rl = folder / "rl"
    run = Run(
        name=str(config.get("name") or folder.resolve().name),
        folder=folder,
        config=config,
        distill=_object(folder / "distill" / "stats.json"),
        sft=_lines(folder / "sft" / "metrics.jsonl"),
        rl=_lines(rl / "metrics.jsonl"),
        sft_ex=_lines(folder / "sft" / "ex.jsonl"),
        best=_lines(rl / "best.jsonl"),
        health=_lines(rl / "health.jsonl"),
        samples=_lines(rl / "completions.jsonl"),
        **_evaluation(folder / "evaluation"),
    )
    if not (run.distill or run.sft or run.rl or run.summary):
        raise ConfigError(f"{folder}: no stage has finished there, so there is nothing to report; run one first")
    return run


def class_of(prediction: dict) -> str:
    """Return the class of a prediction, a key of MEANINGS, also where an older version noted none.

    >>> class_of({"correct": False, "status": "error", "message": "no such column: nme"})
    'no_such_column'
    """
    if (noted := prediction.get("error")) in MEANINGS:
        return noted
    if prediction["correct"]:
        return RIGHT
    status = prediction["status"]
    if status == "error":
        return message_class(str(prediction.get("message") or ""))
    return {"ok": "other_rows", "empty": "no_rows", "no_sql": NO_SQL}.get(status, str(status))


def name_of(model: str, run: Run, runs: tuple[Run, ...]) -> str:
    """Return what a model is called on the page: with its run where there are several."""
    name = NAMES.get(model, model)
    return name if len(runs) == 1 else f"{run.name} {name}"


def _evaluation(folder: Path) -> dict:
    """Return `summary` and `compared`, and the `predictions` of the models in the summary."""
    summary = _object(folder / "summary.json")
    compared = summary.pop("compared", {})
    for model, row in summary.items():
        if Path(model).name != model:
            raise ConfigError(f"{folder / 'summary.json'}: {model!r} is no name of a model; run evaluation again")
        check(Scores, row, folder / "summary.json", f"{model!r} has not the scores of a model")
    predictions = {model: _predictions(folder / f"{model}.json") for model in summary if model != GOLD}
    kept = {model: rows for model, rows in predictions.items() if rows}
    compared = compared if isinstance(compared, dict) else {}
    told = {pair: found for pair, found in compared.items() if not problem(Compared, found)}
    return {"summary": summary, "compared": told, "predictions": kept}


def _predictions(path: Path) -> list[dict]:
    rows = _object(path).get("predictions", [])
    if not isinstance(rows, list):
        raise ConfigError(f"{path}: its predictions are no list; run evaluation again")
    for number, row in enumerate(rows):
        check(Prediction, row, path, f"prediction {number} lacks what a report needs")
    return rows


def _object(path: Path) -> dict:
    return read_json(path) if path.exists() else {}


def _lines(path: Path) -> list[dict]:
    return read_jsonl(path) if path.exists() else []
