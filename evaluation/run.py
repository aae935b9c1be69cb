"""Stage 4: the same questions for every model, their answers, and whether these return the gold rows."""

from pathlib import Path

from rich.console import Console

from configs.errors import ConfigError
from configs.files import read_json, write_json
from configs.schema import Config
from configs.screen import say
from configs.stage import begin, finish, wrote
from evaluation.asking import Origin, askers, fingerprint, origins
from evaluation.measure import measure
from evaluation.official import write_official
from evaluation.summary import sentences, summarise_run
from evaluation.table import result_tables
from tasks.load import load_tasks, sample_of_test
from tasks.show import print_page
from tasks.task import Task

OPEN = ("models", "servers", "batch_size", "bootstrap", "judge", "variants")
"""May change half-way: models come later, a batch doesn't fit, and what was answered can be judged again."""
HELD_OUT = {"databases": "not trained on", "questions": "that other questions were trained on"}


def evaluate(cfg: Config, fresh: bool = False) -> Path:
    """Measure the models of evaluation.models; return the path of summary.json."""
    models = origins(cfg)
    settings = cfg.model_dump(mode="json", include={"seed", "data", "model", "evaluation"})
    for key in OPEN:
        del settings["evaluation"][key]
    news = _not_measured(cfg.folder / "evaluation", models)
    more = f"going on with {', '.join(news)}, new or trained again since it finished" if news else ""
    begun = begin(cfg, "evaluation", settings, {}, fresh, more)
    tasks = questions(cfg)
    to_measure = {name: models[name] for name in _not_measured(begun.folder, models)}
    for name, ask in askers(cfg, to_measure):
        measure(cfg, begun.folder, name, fingerprint(models[name]), tasks, ask)
    summary = summarise_run(cfg, begun.folder, tasks, list(models))
    write_json(begun.folder / "summary.json", summary)
    official = begun.folder / "official"
    if to_measure or not all((official / name / "pred.sql").is_file() for name in models):
        answered = {name: read_json(begun.folder / f"{name}.json")["predictions"] for name in models}
        write_official(official, tasks, answered)
    rows = {name: row for name, row in summary.items() if name != "compared"}
    finish(begun, **{name: round(row["ex"], 4) for name, row in rows.items()})
    over = f"{len({task.database for task in tasks})} databases {HELD_OUT[cfg.data.split]}"
    screen = Console(width=None if Console().is_terminal else 120)
    for table in result_tables(rows, f"{cfg.name}: {len(tasks)} questions over {over}"):
        print_page(table, screen)
    for line in sentences(summary):
        print(line)
    wrote(begun, f"{', '.join(to_measure) or 'nothing new'} measured, summary.json")
    return begun.folder / "summary.json"


def questions(cfg: Config) -> list[Task]:
    """Return the test questions that are asked; says what was left out of the data."""
    splits = load_tasks(cfg.data, cfg.seed)
    tasks = sample_of_test(splits, cfg.evaluation.questions, cfg.seed)
    if splits.dropped:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in splits.dropped.items())
        say(f"  left out of the data, all parts together: {reasons}")
    if not tasks:
        raise ConfigError("data.test_share: no test question; raise it, or name a test part in data.test_path")
    return tasks


def _not_measured(folder: Path, models: dict[str, Origin]) -> list[str]:
    """Return the models without a NAME.json that holds the predictions of these very weights."""
    return [
        name
        for name, origin in models.items()
        if not (file := folder / f"{name}.json").exists() or read_json(file).get("adapter", "") != fingerprint(origin)
    ]
