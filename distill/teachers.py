"""Who writes the traces: a distilabel LLM, what it is asked, and what its answers depend on."""

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distilabel.models import llms
from distilabel.models.llms.base import LLM
from distilabel.typing import FormattedInput, GenerateOutput
from pydantic import SecretStr, ValidationError

from configs.errors import ConfigError
from configs.files import file_fingerprint, fingerprint
from configs.schema import Config
from distill.instructions import Messages, first_time, instruction
from distill.ledger import CANNOT_PLAN
from distill.plan import CannotPlan, write_plan
from distill.plan_sql import plain_sql
from distill.repair import is_chosen, repair_think
from distill.server import HUGGING_FACE_URL, OPENAI_URL, ServerLLM, said
from models.server import ANSWER_TIMEOUT_S, NO_KEY, TRIES, check_server
from tasks.schema import read_schema
from tasks.task import Task
from tasks.trace import render

# distilabel's own hook prints the local variables of each frame, and a key could be among them
sys.excepthook = sys.__excepthook__

SERVERS = {"openai": (OPENAI_URL, "OPENAI_API_KEY"), "inference_endpoints": (HUGGING_FACE_URL, "HF_TOKEN")}
"""Where each is where nothing else is said, and the environment variable that holds its key."""
IN_PROCESS = {
    "vllm": ("vLLM", "model", "vllm", "pip install 'planql[gpu]'"),
    "transformers": ("TransformersLLM", "model", "transformers", "make install"),
    "llamacpp": ("LlamaCppLLM", "model_path", "llama_cpp", "pip install llama-cpp-python"),
}
"""distilabel's class for each, its name for the model, the package that it needs, and how to get that."""


@dataclass(frozen=True)
class Teacher:
    """`ask` makes the chat that puts one question to the LLM that `llm` makes, given the stage's folder.

    settings: all that its answers depend on besides the task, without secrets.
    free: whether it may be asked more than is needed.
    check: raises ConfigError where it cannot be reached.
    """

    name: str
    settings: dict[str, object]
    free: bool
    ask: Callable[[Task], Messages]
    llm: Callable[[Path], LLM]
    check: Callable[[], None]


def teacher_for(cfg: Config) -> Teacher:
    """Return the teacher that the config names."""
    kinds = {"plan": _plan} | dict.fromkeys(SERVERS, _server) | dict.fromkeys(IN_PROCESS, _in_process)
    return kinds[cfg.distill.teacher](cfg)


def _plan(cfg: Config) -> Teacher:
    options = {
        "answer": cfg.data.answer,
        "detail": cfg.distill.detail,
        "seed": cfg.seed,
        "repair_share": cfg.distill.repair_share,
    }

    def ask(task: Task) -> Messages:
        return [{"role": "user", "content": json.dumps(asdict(task))}]

    def llm(folder: Path) -> LLM:
        return PlanLLM(**options)

    settings = {"teacher": "plan", "code": _plan_code()} | options
    return Teacher("plan", settings, True, ask, llm, check=lambda: None)


def _plan_code() -> str:
    """Return a fingerprint of the code that writes plans: traces of another version are not mixed with its own."""
    return fingerprint([file_fingerprint(path) for path in sorted(Path(__file__).parent.glob("*.py"))])[:8]


def _server(cfg: Config) -> Teacher:
    chosen = cfg.distill
    usual, key_name = SERVERS[chosen.teacher]
    if chosen.teacher == "openai":
        usual = os.environ.get("OPENAI_BASE_URL") or usual
    url, key_name = chosen.base_url or usual, chosen.api_key_env or key_name
    key = os.environ.get(key_name, "")

    def llm(folder: Path) -> LLM:
        return ServerLLM(
            model=chosen.model,
            base_url=url,
            api_key=SecretStr(key or NO_KEY),
            timeout=ANSWER_TIMEOUT_S,
            max_retries=TRIES,
            generation_kwargs=_sampling(cfg),
            folder=str(folder.absolute()),
            options=chosen.options,
        )

    def check() -> None:
        check_server(url, key, key_name, "distill")

    settings = _settings(cfg) | {"base_url": url, "options": chosen.options}
    return Teacher(str(chosen.model), settings, False, _asking(cfg), llm, check)


def _in_process(cfg: Config) -> Teacher:
    """Return a teacher that distilabel loads itself."""
    chosen = cfg.distill
    name, model_key, package, cure = IN_PROCESS[chosen.teacher]
    sampling: dict[str, Any] = _sampling(cfg)
    if chosen.teacher == "transformers":
        sampling |= {"do_sample": chosen.temperature > 0, "repetition_penalty": 1.0}
        sampling |= {} if chosen.temperature else {"temperature": 1.0}  # not used, and 0 is refused

    def llm(folder: Path) -> LLM:
        return getattr(llms, name)(**{model_key: chosen.model}, generation_kwargs=sampling, **chosen.options)

    def check() -> None:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"distill.teacher: {chosen.teacher} needs the package {package}; {cure}")
        fields = getattr(llms, name).model_fields
        if unknown := sorted(chosen.options.keys() - fields.keys()):
            raise ConfigError(f"distill.options: {name} has no {unknown[0]!r}; it takes {', '.join(sorted(fields))}")
        try:
            llm(cfg.folder)
        except ValidationError as error:
            wrong = error.errors()[0]
            where = "model" if model_key in wrong["loc"] else f"options.{wrong['loc'][0]}"
            raise ConfigError(f"distill.{where}: {wrong['msg']}, got {wrong['input']!r}") from None

    return Teacher(str(chosen.model), _settings(cfg), False, _asking(cfg), llm, check)


def _settings(cfg: Config) -> dict[str, object]:
    """Return all that the answers of a teacher that is asked in words depend on."""
    return {
        "teacher": cfg.distill.teacher,
        "answer": cfg.data.answer,
        "model": cfg.distill.model,
        "temperature": cfg.distill.temperature,
        "max_new_tokens": cfg.distill.max_new_tokens,
        "schema_style": cfg.data.schema_style,
        "sample_values": cfg.data.sample_values,
        "instruction": fingerprint(instruction(cfg.data.answer))[:8],
    }


def _asking(cfg: Config) -> Callable[[Task], Messages]:
    return lambda task: first_time(task, cfg.data.schema_style, cfg.data.sample_values, cfg.data.answer)


def _sampling(cfg: Config) -> dict[str, Any]:
    return {"temperature": cfg.distill.temperature, "max_new_tokens": cfg.distill.max_new_tokens}


class PlanLLM(LLM):
    """The teacher that writes the trace from the gold SQL itself; its question is the task as JSON."""

    answer: str
    detail: str
    seed: int
    repair_share: float = 0.0

    @property
    def model_name(self) -> str:
        """Return the teacher's name."""
        return "plan"

    def generate(self, inputs: list[FormattedInput], num_generations: int = 1) -> list[GenerateOutput]:
        """Return one answer for each input, or why there is none.

        Args:
            inputs: chats of one message, the task as JSON.
            num_generations: answers to an input; always 1.
        """
        return [self._answer(Task(**json.loads(chat[-1]["content"]))) for chat in inputs]

    def _answer(self, task: Task) -> GenerateOutput:
        try:
            schema = read_schema(task.database)
            detail = "free" if self.answer == "cot" else self.detail
            think = "" if self.answer == "sql_only" else write_plan(task, schema, detail, self.seed)
            if self.answer == "plan" and is_chosen(task.task_id, self.seed, self.repair_share):
                think = repair_think(task, schema, think, self.detail, self.seed) or think
            sql = plain_sql(task.gold_sql, schema)  # in the plan's names, which gold's aliases are not
        except CannotPlan as error:
            return said(None, f"{CANNOT_PLAN}: {error}")
        return said(render(think, sql), "")
