"""`python -m budget CONFIG`: the plan of a run on one GPU or on all, and a config that fits."""

import argparse
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table

from budget.fit import LENGTH_STEP, MOST, as_words, fitted, room
from budget.gpus import GPUS, OWN, Gpu
from budget.plan import Plan, as_data, make_plan
from budget.prices import Prices, load_prices
from budget.shapes import Shape, find_shape
from budget.speed import Speed, read_speed
from budget.table import dollars, gpus_table, hours, show, stages_table
from budget.written import write_fitted
from configs.check import check_config, summary
from configs.errors import ConfigError
from configs.schema import Config
from configs.stage import complain


def run(given: argparse.Namespace) -> int:
    """Return the exit status: 0 where the run fits, 1 where it does not, 2 for bad input."""
    try:
        cfg = check_config(given.config, given.overrides)
        asked = Asked(
            given.config, given.overrides, find_shape(cfg.model.name), load_prices(given.prices),
            None if given.speed is None else read_speed(Path(given.speed)), given.json,
        )  # fmt: skip
        gpu = gpu_named(given.gpu) if given.gpu is not None else this_machine(asked.speed) if asked.speed else None
        if given.fit is not None:
            if given.gpu is None:
                raise ConfigError("--fit: for which GPU? give --gpu, too")
            return _fit(asked, cfg, gpu, Path(given.fit))
        return _on_one(asked, cfg, gpu) if gpu else _on_all(asked, cfg)
    except ConfigError as error:
        complain("budget", error)
        return 2


@dataclass(frozen=True)
class Asked:
    """What the command line asks for, read."""

    config: str
    overrides: list[str]
    shape: Shape
    prices: Prices
    speed: Speed | None
    json: bool


def gpu_named(name: str) -> Gpu:
    """Return the GPU of this name; ConfigError where the table has none."""
    if name not in GPUS:
        raise ConfigError(f"--gpu {name}: not known; there are {', '.join(GPUS)}")
    return GPUS[name]


def this_machine(speed: Speed) -> Gpu:
    """Return the machine that a speed was learned on: without a GPU, its main memory counts."""
    if speed.name in GPUS:
        return GPUS[speed.name]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Gpu(OWN, f"this machine, {speed.name}", memory, 0, 0, "")


def ground(prices: Prices) -> str:
    """Return what a plan rests on."""
    return f"estimated, not measured (docs/budget.md); prices of {prices.as_of} and later"


def _on_all(asked: Asked, cfg: Config) -> int:
    plans = [make_plan(cfg, asked.shape, gpu, asked.prices) for gpu in GPUS.values()]
    if asked.json:
        print(json.dumps([as_data(plan) for plan in plans], indent=2))
    else:
        title = "peak of each stage, GiB"
        show([summary(cfg), gpus_table(plans, title), ground(asked.prices), _hint(plans, asked.config)])
    return 0 if any(plan.fits for plan in plans) else 1


def _hint(plans: list[Plan], config: str) -> str:
    """Return what to look at next."""
    fits = [plan for plan in plans if plan.fits]
    if not fits:
        return "fits on none of them; --gpu NAME --fit FILE writes a config that does"
    priced = [plan for plan in fits if plan.dollars] or fits
    best = min(priced, key=lambda plan: plan.dollars.low + plan.dollars.high if plan.dollars else plan.seconds.low)
    return f"cheapest: {best.gpu.title}; python -m budget {config} --gpu {best.gpu.name} says more"


def _on_one(asked: Asked, cfg: Config, gpu: Gpu, done: str = "") -> int:
    """Print the plan on one GPU; `done`: what to say in place of advice."""
    plan = make_plan(cfg, asked.shape, gpu, asked.prices, asked.speed)
    changes, hopeless = fitted(cfg, asked.shape, gpu.memory_bytes)
    sizes = room(cfg, asked.shape, gpu.memory_bytes)
    if asked.json:
        more = {"changes": changes, "hopeless": hopeless, "room": sizes}
        print(json.dumps(as_data(plan) | more, indent=2))
    else:
        show([summary(cfg), *_told(plan, sizes, asked.prices), done or _advice(plan, changes, hopeless)])
    return 0 if plan.fits else 1


def _fit(asked: Asked, cfg: Config, gpu: Gpu, file: Path) -> int:
    """Write a config that fits, and print its plan."""
    changes, hopeless = fitted(cfg, asked.shape, gpu.memory_bytes)
    if hopeless:
        raise ConfigError(f"--fit: nothing makes {' and '.join(hopeless)} fit {gpu.title}; take a smaller model.name")
    write_fitted(file, asked.config, asked.overrides, changes, gpu)
    words = " ".join(as_words(changes.items())) or "nothing had to change"
    return _on_one(replace(asked, config=str(file), overrides=[]), check_config(file), gpu, f"written: {file}: {words}")


def _told(plan: Plan, sizes: dict[str, int], prices: Prices) -> list[Table | str]:
    """Return the table of a plan, what it rests on, and how far each size could go."""
    notes: dict[str, list[str]] = {}
    for name, stage in plan.stages.items():
        for note in dict.fromkeys((*stage.peak.notes, *stage.work.assumed)):
            notes.setdefault(note, []).append(name)
    ends = {key: MOST * (LENGTH_STEP if key.endswith("length") else 1) for key in sizes}
    largest = ", ".join(f"{key} {value:,}{' or more' * (value >= ends[key])}" for key, value in sizes.items())
    whole = [f"all stages: {hours(plan.seconds)}, {dollars(plan.dollars) or '$0'}"] if plan.fits else []
    return [
        stages_table(plan, plan.gpu.title),
        *whole,
        *(f"  {', '.join(names)}: {note}" for note, names in notes.items()),
        ground(prices),
        f"room, with all else as it is: {largest}",
    ]


def _advice(plan: Plan, changes: dict[str, object], hopeless: list[str]) -> str:
    """Return whether it fits, and what to change."""
    words = " ".join(as_words(changes.items()))
    over = ", ".join(name for name, stage in plan.stages.items() if not stage.fits)
    if not over:
        return f"fits {plan.gpu.title}{words and f'; micro-batches may be as large as, steps as they are: {words}'}"
    if hopeless:
        return f"does not fit {plan.gpu.title}: {over}; take a smaller model.name or a larger GPU"
    return f"does not fit {plan.gpu.title}: {over}; this does: {words} (--fit FILE writes it)"
