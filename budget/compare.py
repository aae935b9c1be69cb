"""`python -m budget compare A.yaml B.yaml`: where the money of two runs goes."""

import argparse
import json
from pathlib import Path

from rich.table import Table

from budget.estimate import gpu_named, ground
from budget.gpus import GPUS
from budget.hours import Interval
from budget.plan import Plan, as_data, make_plan
from budget.prices import Prices, load_prices
from budget.shapes import find_shape
from budget.table import dollars, hours, new_table, show
from configs.check import check_config
from configs.errors import ConfigError
from configs.schema import Config
from configs.stage import complain

EPILOG = """\
Without --gpu each run is taken to the GPU of the table that it costs least on, of those that it fits.

example: what the free teacher saves, over the recipe of the article that this project starts from
  python -m budget compare configs/rtx4090-article.yaml configs/rtx4090-llama3.2-3b.yaml --gpu rtx4090
"""


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0, 2 for bad input."""
    given = _parser().parse_args(arguments)
    try:
        prices = load_prices(given.prices)
        plans = [_plan(check_config(config), given.gpu, prices) for config in (given.first, given.second)]
    except ConfigError as error:
        complain("budget", error)
        return 2
    if given.json:
        print(json.dumps([as_data(plan) for plan in plans], indent=2))
    else:
        names = [Path(config).stem for config in (given.first, given.second)]
        names = names if names[0] != names[1] else [given.first, given.second]
        show([_table(plans, names), _sentence(plans, names), ground(prices)])
    return 0


def costs(plan: Plan) -> dict[str, Interval | None]:
    """Return the dollars of a run by what they are paid for."""
    gpu = {stage: each.dollars for stage, each in plan.stages.items()}
    return {"teacher's answers": plan.teacher} | gpu | {"together": plan.dollars}


def _plan(cfg: Config, gpu: str | None, prices: Prices) -> Plan:
    """Return the run's plan on the GPU of this name, or on the cheapest that it fits."""
    shape = find_shape(cfg.model.name)
    if gpu is not None:
        return make_plan(cfg, shape, gpu_named(gpu), prices)
    plans = [make_plan(cfg, shape, each, prices) for each in GPUS.values()]
    fits = [plan for plan in plans if plan.fits and plan.gpu_dollars]
    if not fits:
        raise ConfigError(f"{cfg.name}: fits on no GPU whose price is known; name one with --gpu")
    return min(fits, key=lambda plan: middle(plan.gpu_dollars))


def middle(interval: Interval) -> float:
    """Return what lies between both ends."""
    return (interval.low + interval.high) / 2


def _table(plans: list[Plan], names: list[str]) -> Table:
    table = new_table("dollars", "", *names)
    table.add_row("GPU", *(plan.gpu.title if plan.fits else f"{plan.gpu.title} (does not fit)" for plan in plans))
    for name, both in zip(costs(plans[0]), zip(*(costs(plan).values() for plan in plans), strict=True), strict=True):
        if name == "together":
            table.add_section()
        table.add_row(name, *map(dollars, both))
    table.add_row("time", *(hours(plan.seconds) for plan in plans))
    return table


def _sentence(plans: list[Plan], names: list[str]) -> str:
    """Return the difference in words, of the middles of the intervals."""
    if any(plan.dollars is None for plan in plans):
        return "what they differ by is not known: a price is missing"
    first, second = ({name: middle(cost) for name, cost in costs(plan).items()} for plan in plans)
    difference = first["together"] - second["together"]
    of = max(first, key=lambda name: 0 if name == "together" else abs(first[name] - second[name]))
    less = "less" if difference > 0 else "more"
    return (
        f"{names[1]} costs ${abs(difference):.2f} {less} than {names[0]} "
        f"({second['together']:.2f} against {first['together']:.2f}); most of that is: {of}, "
        f"${first[of]:.2f} against ${second[of]:.2f}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m budget compare",
        description="Where the money of two runs goes: teacher and stages, side by side.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("first", metavar="A.yaml")
    parser.add_argument("second", metavar="B.yaml")
    parser.add_argument("--gpu", metavar="NAME", help="the GPU of both")
    parser.add_argument("--prices", metavar="FILE", help="your own prices, in the form of budget/prices.yaml")
    parser.add_argument("--json", action="store_true", help="print both plans as JSON")
    return parser
