"""What a run needs on one GPU, stage by stage: memory, work, hours, dollars."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from budget.gpus import OWN, Gpu
from budget.hours import Interval, stage_hours
from budget.peaks import Peak, stage_peaks
from budget.prices import Prices
from budget.shapes import Shape
from budget.speed import Speed
from budget.teacher import NOTHING, SERVERS, teacher_dollars
from budget.work import Work, stage_work
from configs.schema import Config


@dataclass(frozen=True)
class StagePlan:
    """A stage on a GPU."""

    peak: Peak
    work: Work
    seconds: Interval
    dollars: Interval | None
    """Of the rented GPU; None where its price is not known."""
    fits: bool


@dataclass(frozen=True)
class Plan:
    """A run on a GPU."""

    gpu: Gpu
    stages: dict[str, StagePlan]
    teacher: Interval | None
    """Dollars of a teacher that asks money for its answers; None where that is not known."""

    @property
    def fits(self) -> bool:
        """Whether every stage fits."""
        return all(stage.fits for stage in self.stages.values())

    @property
    def peak_bytes(self) -> int:
        """Of the stage that needs most."""
        return max(stage.peak.total_bytes for stage in self.stages.values())

    @property
    def seconds(self) -> Interval:
        """Of all stages, one after the other."""
        return total(stage.seconds for stage in self.stages.values())

    @property
    def gpu_dollars(self) -> Interval | None:
        """Of the rented GPU in all stages; None where its price is not known."""
        return total(stage.dollars for stage in self.stages.values())

    @property
    def dollars(self) -> Interval | None:
        """Of all stages and the teacher; None where a price is not known."""
        return total([self.teacher, self.gpu_dollars])


def make_plan(cfg: Config, shape: Shape, gpu: Gpu, prices: Prices, speed: Speed | None = None) -> Plan:
    """Return what each stage needs on this GPU, at these prices.

    speed: learned from a run, in place of what the GPU's data sheet makes likely.
    """
    works, rate = stage_work(cfg, shape), prices.of(gpu.name)
    hours, peaks = stage_hours(cfg, shape, speed or gpu, works), stage_peaks(cfg, shape, gpu.memory_bytes)
    stages = {}
    for stage, peak in peaks.items():
        seconds = hours[stage]
        dollars = rate and Interval(seconds.low / 3600 * rate.low, seconds.high / 3600 * rate.high)
        if gpu.name == OWN or (stage == "distill" and cfg.distill.teacher in SERVERS):
            dollars = NOTHING  # a server is asked before the GPU is rented
        fits = peak.total_bytes <= gpu.memory_bytes
        stages[stage] = StagePlan(peak, works[stage], seconds, dollars, fits)
    return Plan(gpu, stages, teacher_dollars(cfg, works["distill"], prices))


def total(parts: Iterable[Interval | None]) -> Interval | None:
    """Return the sum of intervals, from all low ends to all high ones; None where one is not known.

    >>> total([Interval(1, 2), Interval(3, 5)]), total([Interval(1, 2), None])
    (Interval(low=4, high=7), None)
    """
    parts = list(parts)
    return None if None in parts else Interval(sum(part.low for part in parts), sum(part.high for part in parts))


def as_data(plan: Plan) -> dict:
    """Return a plan as JSON has it: bytes, seconds and dollars as numbers."""
    stages = {
        name: {
            "fits": stage.fits,
            "peak_bytes": stage.peak.total_bytes,
            "peak": asdict(stage.peak),
            "work": asdict(stage.work),
            "seconds": asdict(stage.seconds),
            "dollars": stage.dollars and asdict(stage.dollars),
        }
        for name, stage in plan.stages.items()
    }
    money = {"dollars": plan.dollars, "teacher_dollars": plan.teacher}
    whole = {"seconds": asdict(plan.seconds)} | {name: cost and asdict(cost) for name, cost in money.items()}
    return {"gpu": asdict(plan.gpu), "fits": plan.fits, "peak_bytes": plan.peak_bytes} | whole | {"stages": stages}
