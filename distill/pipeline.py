"""One round through distilabel: load → ask → verify → keep.

distilabel runs each step in a process of its own.  Its cache is not used, as it cannot recover a killed run:
answers and verdicts go into the ledger at once, and the next round leaves out what stands there.
"""

import ctypes
import logging
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from uuid import uuid4

import rich
from distilabel.pipeline import Pipeline
from distilabel.pipeline.ray import RayPipeline
from distilabel.steps import LoadDataFromDicts, Step, StepInput, StepResources
from distilabel.steps.tasks import ChatGeneration
from distilabel.typing import ChatType, StepOutput

from configs.schema import Config
from distill.ledger import CUT, NO_ANSWER, Answer, Verdict, enter, note
from distill.server import ServerLLM
from distill.verify import verify
from distill.work import Work
from sandbox import Limits
from tasks.task import Task

SCRATCH = ".distilabel"
PR_SET_PDEATHSIG = 1  # Linux, prctl(2)


class Ask(ChatGeneration):
    """Puts each row's chat to the LLM; a server is also told the key that its answer is noted by."""

    @property
    def inputs(self) -> list[str]:
        """Return the columns that it reads."""
        return ["messages", "key"]

    def format_input(self, input: dict) -> ChatType:
        """Return the chat of a row."""
        *before, last = super().format_input(input)
        return [*before, last | {"key": input["key"]} if isinstance(self.llm, ServerLLM) else last]


class Verify(Step):
    """Adds to each row the verdict on its answer, and what the LLM itself says went wrong."""

    timeout_s: float
    max_rows: int
    memory_mb: int
    max_steps: int
    workers: int
    answer: str
    max_new_tokens: int
    variants: int

    @property
    def inputs(self) -> list[str]:
        """Return the columns that it reads."""
        return ["task", "generation"]

    @property
    def outputs(self) -> list[str]:
        """Return the columns that it adds."""
        return ["trouble", "verdict", "detail"]

    def process(self, inputs: StepInput) -> StepOutput:  # type: ignore[override]
        """Yield the rows with their verdicts."""
        rows = [row | {"trouble": self._trouble(row)} for row in inputs]
        tasks = [Task(**row["task"]) for row in rows]
        answers = [Answer(row["generation"], row["trouble"]) for row in rows]
        limits = Limits(self.timeout_s, self.max_rows, self.memory_mb, self.max_steps)
        verdicts = verify(tasks, answers, limits, self.workers, self.answer, self.variants)
        yield [row | asdict(verdict) for row, verdict in zip(rows, verdicts, strict=True)]

    def _trouble(self, row: dict) -> str:
        """Return what went wrong by the LLM's own account; those of distilabel tell only how long an answer is."""
        if "llm_ask_trouble" in row:
            return row["llm_ask_trouble"]
        if row["generation"] is None:
            return NO_ANSWER  # a batch on which the LLM itself broke down
        return CUT if (_tokens(row)["output_tokens"] or 0) >= self.max_new_tokens else ""


class Keep(Step):
    """Enters the verdicts in the ledger; what got no answer is left out, to be asked again.

    noted: whether the LLM wrote its answers there itself.
    """

    folder: str
    under: str
    noted: bool

    @property
    def inputs(self) -> list[str]:
        """Return the columns that it reads."""
        return ["key", "generation", "trouble", "verdict", "detail"]

    def process(self, inputs: StepInput) -> StepOutput:  # type: ignore[override]
        """Yield nothing: the ledger is the result."""
        folder = Path(self.folder)
        for row in inputs:
            if row["verdict"] in (None, NO_ANSWER):  # None: Verify broke down
                continue
            if not self.noted:
                note(folder, Answer(row["generation"], row["trouble"], row["key"], **_tokens(row)))
            enter(folder, row["key"], self.under, Verdict(row["verdict"], row["detail"]))
        yield []


class Interruptible:
    """A pipeline that tells whether Ctrl-C stopped it, and obeys the second one at once."""

    interrupted = False

    def _handle_keyboard_interrupt(self) -> object:
        def stop(number: int, frame: FrameType | None) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True
            self._stop()

        return signal.signal(signal.SIGINT, stop)


class Round(Interruptible, Pipeline):
    """distilabel's pipeline on this machine, a process for each step."""


class RoundOnRay(Interruptible, RayPipeline):
    """distilabel's pipeline on Ray: what `Pipeline.ray()` makes of one."""


def _tokens(row: dict) -> dict[str, int | None]:
    """Return the numbers of tokens that the LLM counted."""
    counted = row.get("distilabel_metadata", {}).get("statistics_ask", {})
    return {name: counted.get(name) for name in ("input_tokens", "output_tokens")}


def ask(work: Work, rows: Sequence[dict]) -> str:
    """Put `rows` (key, task, messages) to the teacher; answers and verdicts go into the ledger.

    Returns what distilabel logged, warnings and worse; blank if all went well.  Raises KeyboardInterrupt when
    stopped by Ctrl-C.
    """
    scratch = work.folder / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)  # of a killed run
    try:
        with _quiet(), _children_die_with_us(), _own_interrupt():
            pipeline = _pipeline(work, list(rows))
            pipeline.run(use_cache=False)
        if pipeline.interrupted:
            raise KeyboardInterrupt
        return "\n".join(path.read_text(encoding="utf-8") for path in scratch.rglob("pipeline.log"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _round(cfg: Config, folder: Path) -> Round | RoundOnRay:
    """Return a pipeline without steps; Ray's actors of one round must not have the names of another's."""
    if not cfg.distill.ray:
        return Round("distill", cache_dir=folder / SCRATCH)
    return RoundOnRay(f"distill-{uuid4().hex[:8]}", cache_dir=folder / SCRATCH)


def _pipeline(work: Work, rows: list[dict]) -> Round | RoundOnRay:
    cfg, llm = work.cfg, work.teacher.llm(work.folder)
    size = {"input_batch_size": cfg.distill.batch_size}
    with _round(cfg, work.folder) as pipeline:
        load = LoadDataFromDicts(name="load", data=rows, batch_size=cfg.distill.batch_size)
        several = {"resources": StepResources(replicas=cfg.distill.replicas)}
        answer = Ask(name="ask", llm=llm, add_raw_input=False, add_raw_output=False, **size, **several)
        check = Verify(
            name="verify",
            answer=cfg.data.answer,
            max_new_tokens=cfg.distill.max_new_tokens,
            variants=cfg.distill.variants,
            **cfg.sandbox.model_dump(),
            **size,
            **several,
        )
        folder, noted = str(work.folder.absolute()), isinstance(llm, ServerLLM)
        keep = Keep(name="keep", folder=folder, under=work.under, noted=noted, **size)
        load >> answer >> check >> keep
    return pipeline


@contextmanager
def _quiet() -> Iterator[None]:
    """Send distilabel's log to its file only, as the terminal is our progress bar's; then undo its set-up."""
    console, root = rich.get_console(), logging.getLogger()
    before = console.quiet, root.level, root.handlers[:], os.environ.get("DISTILABEL_LOG_LEVEL", "INFO")
    console.quiet, os.environ["DISTILABEL_LOG_LEVEL"] = True, "WARNING"
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        yield
    finally:
        console.quiet, root.level, root.handlers[:], os.environ["DISTILABEL_LOG_LEVEL"] = before


@contextmanager
def _own_interrupt() -> Iterator[None]:
    """Put back the handler of Ctrl-C, which distilabel replaces for good."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


_parent = 0  # while a pipeline starts: the process whose children shall not outlive it


@contextmanager
def _children_die_with_us() -> Iterator[None]:
    """Let the processes that distilabel forks be killed when this one is, kill -9 included.

    Otherwise they wait for ever on their queues, or go on writing to the ledger beside the next run.
    """
    global _parent
    _parent = os.getpid()
    try:
        yield
    finally:
        _parent = 0


def _die_with_parent() -> None:
    if _parent == os.getppid():
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


os.register_at_fork(after_in_child=_die_with_parent)


def raise_bugs(log: str) -> None:
    """Raise RuntimeError for a round that a bug broke."""
    if "Traceback (most recent call last)" in log:
        raise RuntimeError(f"a step of the distilabel pipeline broke down:\n{log}")


def why_silent(log: str) -> str:
    """Return why the last question of a round got no answer."""
    failed = [line.partition(f"{NO_ANSWER}: ")[2] for line in log.splitlines() if f"{NO_ANSWER}: " in line]
    return failed[-1] if failed else log
