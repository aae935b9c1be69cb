"""What a report takes the files of a run for: people edit them, and older versions wrote some keys otherwise."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs.errors import ConfigError

Interval = Annotated[list[float], Field(min_length=2, max_length=2)]
Count = Annotated[str, Field(pattern=r"^[1-9]\d{0,8}$")]


class Shape(BaseModel):
    """An object with at least these keys; what else it holds is not looked at."""

    model_config = ConfigDict(strict=True)


class Part(Shape):
    """The scores of the questions of one level, or difficulty."""

    questions: int
    ex: float


class Scores(Shape):
    """What a model's predictions add up to; an older summary has fewer of them."""

    questions: int
    ex: float
    ex_interval: Interval
    levels: dict[str, Part]
    difficulties: dict[str, Part] = {}
    pass_at: dict[Count, float] = {}
    ex_bird: float | None = None
    ex_suite: float | None = None
    soft_f1: float | None = None
    r_ves: float | None = None
    form: float | None = None
    runs: float | None = None
    stops: float | None = None
    tokens: float | None = None
    seconds: float | None = None
    dollars: float | None = None


class Compared(Shape):
    """How one model differs from another."""

    difference: float
    interval: Interval
    won: int
    lost: int
    mcnemar_p: float


class Sample(Shape):
    """One of several answers to a question."""

    correct: bool


class Prediction(Shape):
    """What a model answered to a question, and whether it is right."""

    task_id: str
    level: str
    database: str
    question: str
    gold_sql: str
    answer: str
    status: str
    correct: bool
    sql: str | None = None
    error: str | None = None
    samples: list[Sample] | None = None


class Asked(Shape):
    """The section `evaluation` of a run's config."""

    samples: int = 1
    temperature: float = 0
    bootstrap: Annotated[int, Field(ge=1)] = 1


class Settings(Shape):
    """A run's config."""

    seed: int = 0
    data: dict = {}
    model: dict = {}
    sandbox: dict = {}
    evaluation: Asked = Asked()


def problem(shape: type[Shape], value: object) -> str:
    """Return what keeps a JSON value from being of this shape, empty for nothing.

    >>> problem(Part, {"questions": 3, "ex": 0.5, "more": 1}), problem(Part, {"questions": "3", "ex": 0.5})
    ('', 'questions: Input should be a valid integer')
    """
    try:
        shape.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg']}" if where else first["msg"]
    return ""


def check(shape: type[Shape], value: object, path: Path, what: str) -> None:
    """Raise ConfigError where a value of the file at `path` is not of this shape; what: how the complaint begins."""
    if found := problem(shape, value):
        raise ConfigError(f"{path}: {what} ({found}); run evaluation again")
