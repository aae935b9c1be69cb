"""Which questions may be asked at all: each once, and none that an evaluation set gives away."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from configs.errors import ConfigError
from configs.files import write_jsonl
from configs.schema import Config
from configs.screen import say
from distill.decontaminate import Evaluated, decontaminate
from distill.deduplicate import deduplicate
from tasks.load import Splits

CONTAMINATED = "contaminated.jsonl"


def clean(cfg: Config, splits: Splits, evaluated: Evaluated, folder: Path) -> Splits:
    """Return the splits without duplicates and without questions near an evaluation set's; `dropped` counts them.

    Writes contaminated.jsonl into `folder`: for each question left out, which evaluation question it stands near.
    """
    split = dict.fromkeys(splits.train, "train") | dict.fromkeys(splits.validation, "validation")
    workers = cfg.sandbox.workers
    once, dropped = deduplicate(list(split), cfg.distill.per_query, workers)
    kept, matches = decontaminate(once, evaluated, cfg.distill.schema_overlap, workers)
    dropped += Counter(f"near an evaluation set: {match.reason}" for match in matches)
    write_jsonl(folder / CONTAMINATED, [match.row() | {"split": split[match.task]} for match in matches])
    if dropped:
        counts = ", ".join(f"{count} × {reason}" for reason, count in dropped.most_common())
        say(f"  {dropped.total()} of {len(split)} questions left out: {counts}")
    train, validation = (tuple(task for task in kept if split[task] == name) for name in ("train", "validation"))
    if not train:
        raise ConfigError(
            f"no question is left for training: all {len(splits.train)} are duplicates or near an evaluation "
            f"set ({folder / CONTAMINATED}); give other data, or raise distill.schema_overlap"
        )
    return replace(splits, train=train, validation=validation, dropped=splits.dropped | dropped)
