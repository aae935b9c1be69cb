"""What the planner says of each profile, where people read it: the profiles' heads, README and docs.

python -m budget.printed          # writes it there again; a test asks that this changes nothing
"""

import re
import sys
from pathlib import Path

from budget.gpus import GPUS
from budget.peaks import Peak
from budget.plan import Plan, make_plan
from budget.prices import Prices, load_prices
from budget.shapes import find_shape
from budget.table import GIB, dollars, hours
from configs.check import check_config
from configs.files import write_whole

ROOT = Path(__file__).parents[1]
NO_RUNS = "runs=no-such-folder"
"""So that what is printed does not depend on the runs of this machine, whose traces would be counted."""
HEAD = re.compile(r"^# budget .*\n(?:#  +.*\n)*", re.MULTILINE)
PLACE = re.compile(r"(<!-- budget: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
ALL = "all"


def profiles() -> list[Path]:
    """Return the profiles for GPUs, those whose name begins with one of the table's, in its order."""
    found = [path for path in sorted((ROOT / "configs").glob("*.yaml")) if home(path) in GPUS]
    return sorted(found, key=lambda path: list(GPUS).index(home(path)))


def home(profile: Path) -> str:
    """Return the name of the GPU that a profile is made for.

    >>> home(Path("configs/h200-qwen3-4b.yaml"))
    'h200'
    """
    return profile.stem.partition("-")[0]


def written(text: str, path: Path, prices: Prices) -> str:
    """Return a file's text with what the planner says now in its places."""
    if path.suffix == ".yaml":
        return HEAD.sub(lambda _: head(path, prices), text, count=1)
    return PLACE.sub(lambda found: f"{found[1]}{_table(found[2], prices)}{found[3]}", text)


def head(path: Path, prices: Prices) -> str:
    """Return the lines of a profile's head."""
    plan = _plan(path, home(path), prices)
    peaks = ", ".join(
        f"{name} {stage.peak.total_bytes / GIB:.1f}" for name, stage in plan.stages.items() if stage.peak.total_bytes
    )
    fits = "" if plan.fits else "; DOES NOT FIT"
    return (
        f"# budget    estimated by `python -m budget {path.relative_to(ROOT)} --gpu {plan.gpu.name}`:\n"
        f"#           GiB at the peak: {peaks}, of {plan.gpu.memory_bytes / GIB:.1f}{fits}\n"
        f"#           {_whole(plan)}, at prices of {prices.as_of:%Y-%m} and later\n"
    )


def _whole(plan: Plan) -> str:
    teacher = f"; with its teacher {dollars(plan.dollars)}" if plan.teacher and plan.teacher.high else ""
    return f"{hours(plan.seconds)}, {dollars(plan.gpu_dollars)} on one {plan.gpu.title}{teacher}"


def _table(name: str, prices: Prices) -> str:
    """Return the Markdown of one profile on its GPU, stage by stage, or of all on all GPUs."""
    if name == ALL:
        lines = [
            f"| profile | GiB | {' | '.join(gpu.title for gpu in GPUS.values())} |",
            "|---|---|" + "---|" * len(GPUS),
        ]
        return "".join(f"{line}\n" for line in [*lines, *(_row(path, prices) for path in profiles())])
    path = ROOT / "configs" / f"{name}.yaml"
    plan = _plan(path, home(path), prices)
    lines = ["| stage | peak | time | dollars |", "|---|---|---|---|"]
    for stage, each in plan.stages.items():
        peak = f"{_gib(each.peak)} GiB" if each.peak.total_bytes else "no GPU"
        lines.append(f"| {stage} | {peak} | {hours(each.seconds)} | {dollars(each.dollars)} |")
    lines.append(
        f"| together | of {plan.gpu.memory_bytes / GIB:.1f} GiB | {hours(plan.seconds)} | {dollars(plan.dollars)} |"
    )
    return "".join(f"{line}\n" for line in lines)


def _row(path: Path, prices: Prices) -> str:
    plans = [_plan(path, name, prices) for name in GPUS]
    highest = next(plan.peak_bytes for plan in plans if plan.gpu.name == home(path))
    return (
        f"| `{path.stem}` | {highest / GIB:.0f} | {' | '.join(_short(plan) if plan.fits else '–' for plan in plans)} |"
    )


def _short(plan: Plan) -> str:
    """Return hours and dollars in few letters."""
    low, high = plan.seconds.low / 3600, plan.seconds.high / 3600
    money = plan.dollars
    cost = f"${_two(money.low)}–{_two(money.high)}" if money else "$?"
    return f"{_two(low)}–{_two(high)} h, {cost}"


def _two(number: float) -> str:
    """Return a number with about two digits.

    >>> _two(0.4567), _two(9.61), _two(183.4)
    ('0.46', '9.6', '183')
    """
    return f"{number:.0f}" if number >= 9.95 else f"{number:.2g}"


def _gib(peak: Peak) -> str:
    return f"{peak.total_bytes / GIB:.1f}"


def _plan(path: Path, gpu: str, prices: Prices) -> Plan:
    cfg = check_config(path, [NO_RUNS])
    return make_plan(cfg, find_shape(cfg.model.name), GPUS[gpu], prices)


def places() -> list[Path]:
    """Return the files that hold what the planner says."""
    return [*profiles(), ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def main() -> int:
    """Return 0 after writing every place again."""
    prices = load_prices()
    for path in places():
        text = path.read_text(encoding="utf-8")
        if (new := written(text, path, prices)) != text:
            write_whole(path, new)
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
