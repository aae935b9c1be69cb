"""`python -m budget calibrate`: the machine's speed from a finished run or a few steps, and how far off we were."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from budget.gpus import GPUS, Gpu, gpu_called
from budget.hours import Interval, stage_hours
from budget.machine import driver
from budget.measured import learn, read_run, stage_seconds
from budget.probe_run import probe_run
from budget.shapes import Shape, find_shape
from budget.speed import Speed
from budget.work import stage_work
from configs.check import check_config
from configs.errors import ConfigError
from configs.files import write_json
from configs.folder import CHAIN
from configs.schema import Config
from configs.screen import printable
from configs.stage import complain, not_installed

SPEED_FILE = "speed.json"
PAUSED = 2
"""Times its likely longest that a stage took, from which it must have paused.  Assumed."""
ABOUT = """\
Learns a machine's speed: from a run's metrics, or with --probe from three steps of SFT, one of GRPO and one batch of
answers of a config.  Writes it to RUN/speed.json (with --probe to --out), which `python -m budget CONFIG --speed FILE`
takes in place of a GPU; and says how long each stage was expected to take, and took.
"""
EPILOG = """\
example:
  python -m budget calibrate runs/demo
  python -m budget calibrate configs/cpu.yaml --probe --against runs/demo
"""


@dataclass(frozen=True)
class Compared:
    """A stage: seconds by the GPU's table, by the learned speed, and as measured; None where there is no such."""

    stage: str
    table: Interval | None
    learned: Interval | None
    measured_s: float | None

    @property
    def ratio(self) -> float | None:
        """Measured seconds over the middle of what the table said, or else the learned speed; None where one lacks."""
        expected = self.table or self.learned
        if expected is None or self.measured_s is None or expected.likely <= 0:
            return None
        return self.measured_s / expected.likely


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0, or 2 for a run or config that tells nothing."""
    parser = argparse.ArgumentParser(
        prog="python -m budget calibrate",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run; with --probe a config")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="of the config, with --probe")
    parser.add_argument("--probe", action="store_true", help="run a few steps of each stage here and now")
    parser.add_argument("--gpu", choices=GPUS, help="what the run was made on; else the GPU of this machine, if any")
    parser.add_argument("--against", type=Path, metavar="RUN", help="with --probe: a finished run of the same config")
    parser.add_argument("--out", type=Path, help=f"where to write the speed; else RUN/{SPEED_FILE}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_intermixed_args(arguments)
    try:
        if given.probe:
            name, speed, rows = _probed(given.run, given.overrides, given.gpu, given.against)
        elif given.overrides or given.against:
            raise ConfigError("overrides and --against go with --probe; a run has its own config")
        else:
            name, speed, rows = _calibrated(given.run, given.gpu)
        out = given.out or (None if given.probe else given.run / SPEED_FILE)
        if out:
            _write(out, speed, rows)
    except (ConfigError, ModuleNotFoundError) as error:
        complain("budget calibrate", error if isinstance(error, ConfigError) else not_installed(error))
        return 2
    if given.json:
        print(json.dumps(_as_json(speed, rows), indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 120).print(_table(name, rows), markup=False)
        for line in (*speed.said, *_pauses(rows)):
            print(printable(line))
        print(f"training {_flops(speed.training)}, reading {_flops(speed.reading)}, answering {_flops(speed.making)}")
        print(f"→ {out}; python -m budget CONFIG --speed {out}" if out else "--out FILE keeps the speed")
    return 0


def _calibrated(run: Path, gpu_name: str | None) -> tuple[str, Speed, list[Compared]]:
    """Return what a finished run tells."""
    cfg = read_run(run)
    shape = find_shape(cfg.model.name)
    works = stage_work(cfg, shape)
    speed = learn(cfg, shape, works, f"learned from {run.resolve().name}")
    table = _by_table(cfg, shape, works, gpu_name)
    learned = stage_hours(cfg, shape, speed, works)
    return str(run), speed, _compared(table, learned, stage_seconds(run))


def _probed(
    config: Path, overrides: list[str], gpu_name: str | None, against: Path | None
) -> tuple[str, Speed, list[Compared]]:
    """Return what a few steps of a config tell, beside a finished run of it."""
    cfg = check_config(str(config), overrides)
    shape = find_shape(cfg.model.name)
    measured = stage_seconds(against) if against else {}
    if against and not measured:
        raise ConfigError(f"--against {against}: no finished stage there; give a finished run of {config}")
    speed, works, distill_s = probe_run(config, overrides, cfg, shape)
    learned = stage_hours(cfg, shape, speed, works)
    learned["distill"] = Interval(0.8 * distill_s, 1.25 * distill_s)  # it was run whole
    return str(config), speed, _compared(_by_table(cfg, shape, works, gpu_name), learned, measured)


def _by_table(cfg: Config, shape: Shape, works: Mapping, gpu_name: str | None) -> dict[str, Interval]:
    """Return what was expected of the GPU that the run was made on; empty where that is none of the table's."""
    gpu = GPUS[gpu_name] if gpu_name else _gpu_here()
    return stage_hours(cfg, shape, gpu, works) if gpu else {}


def _gpu_here() -> Gpu | None:
    return next((gpu for title, _, memory_mb in driver() if (gpu := gpu_called(title, memory_mb))), None)


def _compared(
    table: Mapping[str, Interval], learned: Mapping[str, Interval], measured: Mapping[str, float]
) -> list[Compared]:
    return [Compared(stage, table.get(stage), learned.get(stage), measured.get(stage)) for stage in CHAIN]


def _write(out: Path, speed: Speed, rows: list[Compared]) -> None:
    try:
        write_json(out, _as_json(speed, rows))
    except OSError as error:
        raise ConfigError(f"{out}: can't be written ({error.strerror}); give another place: --out FILE") from None


def _as_json(speed: Speed, rows: list[Compared]) -> dict:
    stages = {
        row.stage: {
            "table_s": [row.table.low, row.table.high] if row.table else None,
            "learned_s": [row.learned.low, row.learned.high] if row.learned else None,
            "measured_s": row.measured_s,
            "ratio": row.ratio,
        }
        for row in rows
    }
    return {"speed": speed.model_dump(mode="json"), "stages": stages}


def _table(name: str, rows: list[Compared]) -> Table:
    table = Table(title=Text(printable(f"{name}: estimated and measured")))
    for title in ("stage", "by the GPU's table", "by this speed", "measured", "measured / estimated"):
        table.add_column(title, justify="left" if title == "stage" else "right")
    for row in rows:
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else "–"
        measured = _minutes(row.measured_s) if row.measured_s is not None else "–"
        table.add_row(row.stage, _between(row.table), _between(row.learned), measured, ratio)
    return table


def _pauses(rows: list[Compared]) -> list[str]:
    """Return a line for each stage that took far longer than its own parts did."""
    return [
        f"{row.stage}: {_minutes(row.measured_s)} is from its first begin to its last end; pauses are in it"
        for row in rows
        if row.learned and row.measured_s and row.stage != "distill" and row.measured_s > PAUSED * row.learned.high
    ]


def _between(time: Interval | None) -> str:
    return f"{_minutes(time.low)}–{_minutes(time.high)}" if time else "–"


def _minutes(seconds: float) -> str:
    """Return minutes and seconds.

    >>> _minutes(75.4), _minutes(3725)
    ('1:15', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def _flops(rate) -> str:
    unit, name = (1e12, "TFLOP/s") if rate.fast >= 1e12 else (1e9, "GFLOP/s")
    return f"{rate.slow / unit:.3g}–{rate.fast / unit:.3g} {name}"


if __name__ == "__main__":
    sys.exit(main())
