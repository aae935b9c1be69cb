"""What a finished run says of the machine's speed, from the files that its stages leave."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import isfinite, sqrt
from pathlib import Path
from statistics import quantiles

from pydantic import BaseModel, ValidationError

from budget.flops import forward_flops
from budget.shapes import Shape
from budget.speed import Rate, Speed
from budget.work import Work
from configs.errors import ConfigError
from configs.files import read_json, read_jsonl
from configs.folder import CHAIN, STATE
from configs.load import schema_problems
from configs.schema import Config
from models.trained import run_config

LEAST_SPREAD = 0.1
"""Of a learned rate, up and down: no machine is more even than that.  Assumed."""
MOST_START_S = 600
"""What a stage takes beyond its training and more than this is no start, but a pause between two commands.  Assumed."""
LONGEST_S = 10**8
"""Three years: what is longer is no time of a stage."""


@dataclass(frozen=True)
class Sample:
    """A measured piece of work."""

    amount: float
    """Floating-point operations."""
    seconds: float


@dataclass(frozen=True)
class Turns:
    """A batch of answers: how many at a time, how many tokens one after the other, in how many seconds."""

    rows: int
    turns: float
    context: float
    """Tokens that a token sees on average."""
    seconds: float


def read_run(run: Path) -> Config:
    """Return the config of a run's folder, with that folder as its own, wherever it was made.

    Each stage's section is as that stage ran, by its state.json: config.json is the last command's.
    """
    cfg, whole = run_config(run), run.resolve()
    sections = {stage: _as_it_ran(cfg, run / stage / STATE, stage) for stage in CHAIN}
    return cfg.model_copy(update={"runs": str(whole.parent), "name": whole.name} | sections)


def _as_it_ran(cfg: Config, file: Path, stage: str) -> BaseModel:
    """Return a stage's section of the config with what its state.json says of it."""
    section = getattr(cfg, stage)
    settings = read_json(file).get("settings") if file.is_file() else None
    noted = settings.get(stage) if isinstance(settings, dict) else None
    if not isinstance(noted, dict):
        return section
    known = {key: value for key, value in noted.items() if key in type(section).model_fields}
    try:
        return type(section).model_validate(section.model_dump(mode="json") | known)
    except ValidationError as error:
        raise ConfigError(f"{file}: settings: {schema_problems(error)[0]}; run {stage} again with --fresh") from None


def stage_seconds(run: Path) -> dict[str, float]:
    """Return the seconds from begin to end of each finished stage, by its name."""
    found = {}
    for stage in CHAIN:
        file = run / stage / STATE
        state = read_json(file) if file.is_file() else {}
        if state.get("status") != "finished":
            continue
        try:
            ends = [datetime.fromisoformat(state[key]) for key in ("started", "finished")]
            seconds = (ends[1] - ends[0]).total_seconds()
        except (KeyError, TypeError, ValueError):
            raise ConfigError(f"{file}: no times of begin and end; run {stage} again with --fresh") from None
        if not 0 <= seconds <= LONGEST_S:
            raise ConfigError(f"{file}: it would have taken {seconds:.0f} s; run {stage} again with --fresh")
        found[stage] = seconds
    return found


def learn(cfg: Config, shape: Shape, works: Mapping[str, Work], name: str, least: float = LEAST_SPREAD) -> Speed:
    """Return the speed of the machine that a run was made on; ConfigError where its files tell too little of it.

    least: how far apart the ends of each rate are at least, up and down, as a share of it.
    """
    run = cfg.folder
    learned = list(_training(run, works["sft"]))
    if not learned:
        raise ConfigError(f"{run}: sft/metrics.jsonl has no step with tokens and seconds; finish python -m sft first")
    training = _rate(learned[1:] if len(learned) > 2 else learned, least)  # the first steps warm up
    forward = list(_validation(cfg, shape, works["sft"]))
    reading = _rate(forward, least) if forward else training
    made = [*_steps(cfg, shape, works["rl"], training, reading), *_evaluation(cfg, shape, works["evaluation"], reading)]
    if not made:
        raise ConfigError(f"{run}: no GRPO step and no evaluation that tells its seconds; finish python -m rl first")
    flops = [Sample(each.rows * each.turns * forward_flops(shape, each.context), each.seconds) for each in made]
    fewest = min(each.rows for each in made)
    turns = [Sample(each.turns * shape.layers, each.seconds) for each in made if each.rows == fewest]
    step = _rate(turns, least)  # layers a second
    return Speed(
        name=name,
        training=training,
        reading=reading,
        making=_rate(flops, least),
        layer_step_s=Rate(slow=1 / step.slow, fast=1 / step.fast),
        start_s=_start(run, works),
        said=(f"learned from {len(learned)} logs of SFT and {len(made)} batches of answers in {run}",),
    )


def _training(run: Path, work: Work) -> Iterator[Sample]:
    """Yield the steps of SFT between two logs: seconds of validation are left out."""
    per_token = work.training_flops / max(1, work.tokens)
    seconds_before = tokens_before = validated = 0.0
    for row in _rows(run / "sft" / "metrics.jsonl"):
        validated += _number(row, "eval_runtime") or 0.0
        seconds, tokens = _number(row, "seconds"), _number(row, "num_tokens")
        if seconds is None or tokens is None or "loss" not in row:
            continue
        took = seconds - (seconds_before if seconds >= seconds_before else 0.0) - validated
        trained = tokens - (tokens_before if tokens >= tokens_before else 0.0)
        if took > 0 and trained > 0:
            yield Sample(trained * per_token, took)
        seconds_before, tokens_before, validated = seconds, tokens, 0.0


def _validation(cfg: Config, shape: Shape, work: Work) -> Iterator[Sample]:
    """Yield the validation passes of SFT."""
    made = work.generations[0].prompt_tokens + work.generations[0].answer_tokens
    flops = cfg.distill.validation_traces * made * forward_flops(shape, made / 2)
    for row in _rows(cfg.folder / "sft" / "metrics.jsonl"):
        if took := _number(row, "eval_runtime"):
            yield Sample(flops, took)


def _steps(cfg: Config, shape: Shape, work: Work, training: Rate, reading: Rate) -> Iterator[Turns]:
    """Yield the answers of GRPO's steps: what a step took, less learning and reading at the rates known already."""
    made = work.generations[0]
    learning = work.training_flops / max(1, work.steps) / _middle(training)
    read = work.reading_flops / max(1, work.steps) / _middle(reading)
    for row in _rows(cfg.folder / "rl" / "metrics.jsonl"):
        took, longest = _number(row, "step_time"), _number(row, "completions/max_length")
        if took and longest and (left := took - learning - read) > 0.1 * took:
            yield Turns(round(made.rows), longest, made.prompt_tokens + longest / 2, left)


def _evaluation(cfg: Config, shape: Shape, work: Work, reading: Rate) -> Iterator[Turns]:
    """Yield the batches of the evaluation: the answers of a batch all bear its seconds, shared out."""
    made = work.generations[0] if work.generations else None
    for name in cfg.evaluation.models:
        file = cfg.folder / "evaluation" / f"{name}.json"
        if name in cfg.evaluation.servers or not file.is_file() or made is None:
            continue
        rows = read_json(file).get("predictions")
        told = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        pairs = sorted((_number(row, "seconds") or 0, _number(row, "tokens") or 0) for row in told)
        for each_s, batch in groupby(pairs, key=lambda pair: pair[0]):
            tokens = [count / cfg.evaluation.samples for _, count in batch]
            rows_at_once, longest = len(tokens) * cfg.evaluation.samples, max(tokens)
            prompts = len(tokens) * made.prompt_tokens * forward_flops(shape, made.prompt_tokens / 2, head=0)
            left = each_s * len(tokens) - prompts / _middle(reading)
            if longest and left > 0:
                yield Turns(rows_at_once, longest, made.prompt_tokens + longest / 2, left)


def _start(run: Path, works: Mapping[str, Work]) -> Rate:
    """Return the seconds of SFT and GRPO that their training does not account for; 0 where nothing tells of them."""
    whole, rest = stage_seconds(run), []
    for stage in ("sft", "rl"):
        trained = [took for row in _rows(run / stage / "metrics.jsonl") if (took := _number(row, "train_runtime"))]
        if stage in whole and trained and 0 < (left := whole[stage] - sum(trained)) <= MOST_START_S:
            rest.append(left)
    return Rate(slow=max(rest), fast=min(rest)) if rest else Rate(slow=0, fast=0)


def _rate(samples: list[Sample], least: float) -> Rate:
    """Return amounts a second: overall, from the slower quarter of the samples to the faster one.

    >>> _rate([Sample(100, 10), Sample(100, 10)], 0.1)
    Rate(slow=9.0, fast=11.0)
    """
    overall = sum(each.amount for each in samples) / sum(each.seconds for each in samples)
    each = [sample.amount / sample.seconds for sample in samples]
    low, _, high = quantiles(each, n=4) if len(each) > 3 else (overall, overall, overall)
    return Rate(slow=max(min(low, (1 - least) * overall), 1e-9), fast=max(high, (1 + least) * overall))


def _middle(rate: Rate) -> float:
    return sqrt(rate.slow * rate.fast)


def _rows(path: Path) -> list[dict]:
    return read_jsonl(path) if path.is_file() else []


def _number(row: dict, key: str) -> float | None:
    """Return a number that a row holds and that a time or a count can be, else None.

    >>> _number({"a": 3}, "a"), _number({"a": float("nan")}, "a"), _number({"a": "3"}, "a"), _number({"a": -1}, "a")
    (3.0, None, None, None)
    """
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not 0 <= value < 1e15:
        return None
    return float(value)
