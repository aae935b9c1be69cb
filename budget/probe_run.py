"""A few real steps of each stage, by the stages' own commands, in a folder that is gone afterwards."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from budget.measured import learn, stage_seconds
from budget.shapes import Shape
from budget.speed import Speed
from budget.work import Work, stage_work
from configs.check import check_config
from configs.errors import ConfigError
from configs.schema import Config
from configs.screen import progress

NAME = "probe"
STEPS = 3
ANSWER_TOKENS = 32
"""Tokens of an answer in the probe's evaluation: enough for a rate."""
SPREAD = 0.25
"""Of the rates, up and down: what three steps and one batch don't say.  Assumed."""
TIMEOUT_S = 3600


def probe_run(
    config: Path, overrides: Sequence[str], cfg: Config, shape: Shape
) -> tuple[Speed, Mapping[str, Work], float]:
    """Return the machine's speed, the whole run's work with its traces counted, and the seconds of stage 1.

    Stage 1 runs whole: the lengths of its traces are what the rest depends on.
    """
    if cfg.distill.teacher != "plan":
        raise ConfigError(f"--probe: stage 1 runs whole, which {cfg.distill.teacher!r} bills; set distill.teacher=plan")
    with tempfile.TemporaryDirectory(prefix="planql-probe-") as folder:
        return probe_in(folder, config, overrides, cfg, shape)


def probe_in(
    folder: str, config: Path, overrides: Sequence[str], cfg: Config, shape: Shape
) -> tuple[Speed, Mapping[str, Work], float]:
    """Return the same as `probe_run`, of a run that stays in FOLDER/probe."""
    stages, seconds = stage_words(cfg), {}
    cores = {}
    place = [f"runs={folder}", f"name={NAME}"]
    with progress("probe: stages", len(stages)) as advance:
        for stage, words in stages.items():
            begun, before = time.monotonic(), _processor_s()
            _run(stage, [str(config), *overrides, *place, *words])
            seconds[stage] = time.monotonic() - begun
            cores[stage] = (_processor_s() - before) / seconds[stage]
            advance()
    tried = check_config(str(config), [*overrides, *place, *(word for words in stages.values() for word in words)])
    speed = learn(tried, shape, stage_work(tried, shape), f"learned from {STEPS} steps of {cfg.name}", SPREAD)
    shares = ", ".join(f"{stage} {share:.2f}" for stage, share in cores.items())
    had = f"of {os.cpu_count()} cores the probe had on average: {shares}; beside other work it is slow"
    speed = speed.model_copy(update={"said": (*speed.said, had)})
    whole = cfg.model_copy(update={"runs": folder, "name": NAME})  # where its traces are
    return speed, stage_work(whole, shape), max(1.0, stage_seconds(Path(folder) / NAME)["distill"])


def _processor_s() -> float:
    """Return the seconds of processor time that this process's ended children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def stage_words(cfg: Config) -> dict[str, list[str]]:
    """Return each stage's overrides, which make it short but leave its batches as they are."""
    answers = f"evaluation.max_new_tokens={min(ANSWER_TOKENS, cfg.evaluation.max_new_tokens)}"
    few = [
        f"sft.trainer.max_steps={STEPS}",
        "sft.trainer.logging_steps=1",
        "sft.trainer.eval_strategy='no'",
        "sft.trainer.save_strategy='no'",
        "sft.early_stopping_patience=null",
    ]
    one = ["rl.trainer.max_steps=1", "rl.ex_every=0", "rl.pass_rate_samples=0", "rl.trainer.save_strategy='no'"]
    models = "evaluation.models=[base]"
    questions = f"evaluation.questions={min(cfg.evaluation.batch_size, cfg.evaluation.questions)}"
    return {
        "distill": [],
        "sft": [*few, answers],
        "rl": [*one, answers],
        "evaluation": [models, questions, answers, "evaluation.variants=0"],
    }


def _run(stage: str, words: list[str]) -> None:
    """Run a stage to its end; ConfigError with what it said last where it fails."""
    command = [sys.executable, "-m", stage, *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, env=os.environ
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"--probe: {stage} took more than {TIMEOUT_S} s for a few steps; try a smaller config"
        ) from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise ConfigError(f"--probe: python -m {stage} ended with status {done.returncode}: {said[-1][:400]}")
