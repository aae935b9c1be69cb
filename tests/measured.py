"""Two steps of a profile's SFT and GRPO at its full lengths, and the memory they took beside what budget says."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from transformers import AutoTokenizer

from budget.peaks import stage_peaks
from budget.shapes import find_shape
from configs.files import read_json, read_jsonl, write_jsonl, write_whole
from configs.schema import Config
from models.load import with_template
from models.sources import model_source
from models.template import prompt_ids
from tasks.load import load_tasks
from tasks.prompt import messages
from tests.processes import ROOT
from tests.profiles import PROFILES, load_profile

GIB = 2**30
QUESTIONS = 32
"""Each over a database of its own, so that any split has enough."""
NOT_TENSORS = ("CUDA context", "margin")


@dataclass(frozen=True)
class Measured:
    """A stage's peak; figures are GiB, None where there was nothing to measure them with."""

    profile: str
    stage: str
    gpu: str
    tokens: int
    """Of the longest sequence that was trained on or generated."""
    estimated_tensors: float
    allocated: float | None
    """Of torch, to hold against the estimated tensors."""
    reserved: float | None
    estimated: float
    """With CUDA context and margin."""
    shown: float | None
    """By nvidia-smi, more than before the stage, to hold against the estimate."""


class Refused(Exception):
    """A stage that said why it cannot run here: no such model, no vLLM."""


def measure(profile: str, folder: Path, gpu: str, gpu_bytes: int, overrides: tuple[str, ...] = ()) -> list[Measured]:
    """Return the peaks of SFT and GRPO; Refused where a stage cannot run on this machine.

    overrides: of the profile; the sizes that memory depends on are left as they are.
    """
    words = [f"runs={folder}", *_short(load_profile(profile, *overrides), folder), *overrides]
    cfg = load_profile(profile, *words)
    tokenizer = with_template(AutoTokenizer.from_pretrained(model_source(cfg.model.name)))
    _fill(cfg, tokenizer, folder / "questions.jsonl")
    _run("distill", profile, words)
    traces = read_jsonl(cfg.folder / "distill" / "traces.jsonl")
    longest = max(
        len(tokenizer.apply_chat_template(row["messages"], tokenize=True, return_dict=False)) for row in traces
    )
    shown = {stage: _run(stage, profile, words) for stage in ("sft", "rl")}
    said = max(row["completions/max_length"] for row in _metrics(cfg) if "completions/max_length" in row)
    asked = max(len(prompt_ids(tokenizer, row["messages"][:-1])) for row in traces)
    lengths = {"sft": ("model.max_length", longest), "rl": ("rl.max_completion_length", int(said))}
    made = []
    for stage, (key, tokens) in lengths.items():
        as_run = load_profile(profile, *words, f"{key}={tokens}", *_room_for(stage, longest))
        peak = stage_peaks(as_run, find_shape(cfg.model.name), gpu_bytes)[stage]
        facts = read_json(cfg.folder / stage / "state.json")["facts"]
        made.append(
            Measured(
                profile,
                stage,
                gpu,
                tokens + (asked if stage == "rl" else 0),
                _gib(sum(held for part, held in peak.parts.items() if part not in NOT_TENSORS)),
                facts.get("peak_allocated_gib"),
                facts.get("peak_reserved_gib"),
                _gib(peak.total_bytes),
                shown[stage],
            )
        )
    return made


def write_peaks(rows: list[Measured], folder: Path) -> Path:
    """Add rows to measured-peaks.jsonl in a folder, write the table anew beside it, and return the table's path."""
    file = folder / "measured-peaks.jsonl"
    known = [Measured(**row) for row in read_jsonl(file)] if file.exists() else []
    again = {(row.profile, row.stage, row.gpu) for row in rows}
    every = [row for row in known if (row.profile, row.stage, row.gpu) not in again] + rows
    write_jsonl(file, [asdict(row) for row in every])
    write_whole(file.with_suffix(".md"), "\n".join(_lines(every)) + "\n")
    return file.with_suffix(".md")


def _lines(rows: list[Measured]) -> Iterator[str]:
    yield "| profile | stage | GPU | tokens | tensors est. | allocated | off | reserved | all est. | nvidia-smi | off |"
    yield "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        tensors = (row.estimated_tensors, row.allocated, _off(row.estimated_tensors, row.allocated))
        whole = (row.reserved, row.estimated, row.shown, _off(row.estimated, row.shown))
        figures = [
            each if isinstance(each, str) else "–" if each is None else f"{each:.1f}" for each in tensors + whole
        ]
        yield f"| {row.profile} | {row.stage} | {row.gpu} | {row.tokens} | {' | '.join(figures)} |"


def _off(estimated: float, measured: float | None) -> str:
    """Return how far an estimate is from what was measured.

    >>> _off(11.0, 10.0), _off(9.0, 10.0), _off(1.0, None)
    ('+10 %', '-10 %', '–')
    """
    return f"{100 * (estimated / measured - 1):+.0f} %" if measured else "–"


def _gib(held: int) -> float:
    return round(held / GIB, 4)


def _metrics(cfg: Config) -> list[dict]:
    return read_jsonl(cfg.folder / "rl" / "metrics.jsonl")


def _room_for(stage: str, longest: int) -> tuple[str, ...]:
    """Return the overrides that make a config with a smaller model.max_length whole again."""
    if stage != "sft":
        return ()
    return "rl.max_prompt_length=32", f"rl.max_completion_length={longest - 32}", "evaluation.max_new_tokens=16"


def _short(cfg: Config, folder: Path) -> list[str]:
    """Return the overrides that make two steps of a profile, over questions whose schemas fill the prompts."""
    least = "min_tokens" if cfg.model.vllm else "min_new_tokens"
    return [
        "data.source=jsonl",
        f"data.path={folder / 'questions.jsonl'}",
        "data.test_path=null",
        "data.rows=null",
        "data.validation_share=0.2",
        "data.test_share=0.2",
        f"distill.traces={2 * cfg.sft.micro_batch}",
        "distill.validation_traces=2",
        "distill.levels={}",
        "distill.teacher=plan",
        "data.answer=plan",
        "sft.accumulation=1",
        "sft.early_stopping_patience=null",
        "sft.trainer.max_steps=2",
        "sft.trainer.eval_steps=2",
        "rl.trainer.max_steps=2",
        f"rl.trainer.generation_kwargs={{{least}: {cfg.rl.max_completion_length}}}",
        "rl.ex_every=0",
        "rl.ex_patience=null",
        "evaluation.max_new_tokens=16",
    ]


def _fill(cfg: Config, tokenizer, file: Path) -> None:
    """Write questions over databases of as many tables as rl.max_prompt_length has room for."""

    def tokens(tables: int) -> int:
        write_jsonl(file, [_question(number, tables) for number in range(3 if tables < 3 else QUESTIONS)])
        data = cfg.data.model_copy(update={"validation_share": 0.0, "test_share": 0.0})
        tasks = load_tasks(data, cfg.seed).train
        style, values = cfg.data.schema_style, cfg.data.sample_values
        return max(len(prompt_ids(tokenizer, messages(task, style, values))) for task in tasks)

    one, two = tokens(1), tokens(2)
    tables = 1 + max(0, (cfg.rl.max_prompt_length - one) // (two - one + 2))
    while tokens(tables) > cfg.rl.max_prompt_length:
        tables -= 1


def _question(number: int, tables: int) -> dict[str, str]:
    """Return a row of questions.jsonl: how many there are in the first of the tables, which alone has rows."""
    script = [f"CREATE TABLE part{number}_{each} (part_id INTEGER PRIMARY KEY, name TEXT);" for each in range(tables)]
    script += [f"INSERT INTO part{number}_{each} VALUES (1, 'bolt'), (2, 'nut');" for each in range(tables)]
    question = f"How many of part {number} are called bolt?"
    return {
        "question": question,
        "gold_sql": f"SELECT count(*) FROM part{number}_0 WHERE name = 'bolt'",
        "script": "\n".join(script),
    }


def _run(stage: str, profile: str, words: list[str]) -> float | None:
    """Return how much more nvidia-smi showed at most while a stage ran than before it, GiB."""
    command = [sys.executable, "-m", stage, str(PROFILES[profile]), *words]
    online = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    with _watched() as seen:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=online)
    if done.returncode == 2:
        raise Refused(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr[-6000:]
    return round((max(seen) - seen[0]) / 1024, 2) if seen else None


@contextmanager
def _watched() -> Iterator[list[int]]:
    """Give a list that grows by the MiB in use on the first GPU, every fifth of a second; where there is none, it is
    empty in the end."""
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        query = ["nvidia-smi", "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not over.wait(0.2):
            try:
                seen.append(int(subprocess.run(query, capture_output=True, text=True, check=True).stdout))
            except (OSError, subprocess.CalledProcessError, ValueError):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
