"""What machines and teachers cost: a table with dates and sources, which users replace by their own."""

import reprlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError

from budget.gpus import GPUS
from configs.errors import ConfigError
from configs.explain import dotted

OURS = Path(__file__).with_name("prices.yaml")
LARGEST_BYTES = 10**6


class Row(BaseModel, extra="forbid", frozen=True):
    """What every price has: when and where it was read."""

    as_of: date
    """Day of the price, as 2026-03-10."""
    source: str
    """Where it was read."""


class Rate(Row):
    """One offer of one GPU."""

    dollars_per_hour: float = Field(gt=0, lt=10_000, allow_inf_nan=False)
    """For one GPU, dollars."""
    kind: Literal["spot", "on-demand"]
    """Whether it can be taken away."""
    provider: str
    """Who lets it."""


class Answers(Row):
    """What a number of a teacher's answers cost."""

    dollars: float = Field(ge=0, allow_inf_nan=False)
    """All of them."""
    answers: int = Field(ge=1)
    """How many."""

    @property
    def dollars_per_answer(self) -> float:
        """Dollars for one of them."""
        return self.dollars / self.answers


class Prices(BaseModel, extra="forbid", frozen=True):
    """The table: GPUs by the names of `budget.gpus`, teachers by their models' names."""

    gpus: Annotated[dict[str, Annotated[list[Rate], Field(min_length=1)]], Field(min_length=1)]
    teachers: dict[str, Annotated[list[Answers], Field(min_length=1)]] = {}

    def of(self, gpu: str) -> "HourPrice | None":
        """Return what an hour of a GPU costs; None where the table doesn't have it."""
        if gpu not in self.gpus:
            return None
        rows = sorted(self.gpus[gpu], key=lambda row: row.dollars_per_hour)
        return HourPrice(rows[0].dollars_per_hour, rows[-1].dollars_per_hour, max(row.as_of for row in rows))

    @property
    def as_of(self) -> date:
        """Day of the oldest price: what the table is at least as old as."""
        return min(row.as_of for rows in self.gpus.values() for row in rows)


@dataclass(frozen=True)
class HourPrice:
    """Dollars for an hour of one GPU: the cheapest and the dearest offer, and the day of the newest."""

    low: float
    high: float
    as_of: date


def load_prices(path: str | Path | None = None) -> Prices:
    """Return the prices of a YAML file, ours without one; ConfigError says what is wrong with it."""
    path = OURS if path is None else Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES + 1)
        if len(text) > LARGEST_BYTES:
            raise ConfigError(f"--prices {path}: longer than any price table; copy budget/prices.yaml")
        prices = Prices.model_validate(yaml.safe_load(text.decode()))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--prices {path}: can't be read ({type(error).__name__}); give a YAML file") from None
    except (yaml.YAMLError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise ConfigError(f"--prices {path}: not YAML ({said}); copy budget/prices.yaml and edit that") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = dotted(first["loc"]) or "the file"
        raise ConfigError(
            f"--prices {path}: {where}: {first['msg']}, got {reprlib.repr(first['input']):.60}; "
            "budget/prices.yaml has the form"
        ) from None
    if unknown := [name for name in prices.gpus if name not in GPUS]:
        raise ConfigError(f"--prices {path}: gpus.{unknown[0]}: not known; there are {', '.join(GPUS)}")
    return prices
