"""Who writes the traces: a distilabel LLM, what it is asked, and what its answers depend on."""

import ipaddress
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import httpx
from distilabel.models.llms import OpenAILLM
from distilabel.models.llms.base import LLM
from distilabel.typing import FormattedInput, GenerateOutput
from openai import APIStatusError, OpenAIError
from pydantic import SecretStr

from configs.errors import ConfigError
from configs.files import fingerprint
from configs.schema import Config
from distill.plan import CannotPlan, write_plan
from distill.plan_sql import plain_sql
from tasks.prompt import messages
from tasks.schema import read_schema
from tasks.task import Task
from tasks.trace import render

# distilabel's own hook prints the local variables of each frame, and a key could be among them
sys.excepthook = sys.__excepthook__

Messages = list[dict[str, str]]

CUT = "cut"
CANNOT_PLAN = "cannot plan"
REFUSED = "refused"
NO_ANSWER = "no answer"
NO_KEY = "none"  # what a server that needs no key is sent

ANSWER_TIMEOUT_S = 900  # a whole batch is sent at once, and a small server answers one after the other
OPENAI_URL = "https://api.openai.com/v1"

INSTRUCTION = """\
You write SQLite queries and show how you got there. Answer in exactly this form, and add nothing to it:

<think>
Step 1: ...
Step 2: ...
</think>
<sql>
one SELECT statement
</sql>

In <think> write the query plan, one numbered step a line, in the order in which the database would work: \
which tables are opened and why, which rows are kept, how tables are joined, what is grouped and counted, \
what each subquery delivers, how the result is ordered and cut, which columns are delivered. Say which words \
of the question each step serves. Write columns as table.column, with the names of the schema and no others.
In <sql> return the columns that the question asks for, in the order in which it names them, and no others."""


@dataclass(frozen=True)
class Teacher:
    """`ask` makes the chat that puts one question to the LLM that `llm` makes.

    settings: all that its answers depend on besides the task, without secrets.
    free: whether it may be asked more than is needed.
    check: raises ConfigError where it cannot be reached.
    """

    name: str
    settings: dict[str, object]
    free: bool
    ask: Callable[[Task], Messages]
    llm: Callable[[], LLM]
    check: Callable[[], None]


def teacher_for(cfg: Config) -> Teacher:
    """Return the teacher that the config names."""
    return {"plan": _plan, "openai": _openai}[cfg.distill.teacher](cfg)


def _plan(cfg: Config) -> Teacher:
    settings = {"teacher": "plan", "detail": cfg.distill.detail, "seed": cfg.seed}

    def ask(task: Task) -> Messages:
        return [{"role": "user", "content": json.dumps(asdict(task))}]

    def llm() -> LLM:
        return PlanLLM(detail=cfg.distill.detail, seed=cfg.seed)

    return Teacher("plan", settings, True, ask, llm, check=lambda: None)


def _openai(cfg: Config) -> Teacher:
    chosen = cfg.distill
    url = chosen.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
    key = os.environ.get(chosen.api_key_env, "")
    settings = {
        "teacher": "openai",
        "model": chosen.model,
        "base_url": url,
        "temperature": chosen.temperature,
        "max_new_tokens": chosen.max_new_tokens,
        "schema_style": cfg.data.schema_style,
        "sample_values": cfg.data.sample_values,
        "instruction": fingerprint(INSTRUCTION)[:8],
    }

    def ask(task: Task) -> Messages:
        _, question = messages(task, cfg.data.schema_style, cfg.data.sample_values)
        return [{"role": "system", "content": INSTRUCTION}, question]

    def llm() -> LLM:
        sampling = {"temperature": chosen.temperature, "max_new_tokens": chosen.max_new_tokens}
        return ServerLLM(
            model=chosen.model,
            base_url=url,
            api_key=SecretStr(key or NO_KEY),
            timeout=ANSWER_TIMEOUT_S,
            generation_kwargs=sampling,
        )

    def check() -> None:
        _check_server(url, key, chosen.api_key_env)

    return Teacher(str(chosen.model), settings, False, ask, llm, check)


class PlanLLM(LLM):
    """The teacher that writes the trace from the gold SQL itself; its question is the task as JSON."""

    detail: str
    seed: int

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
            plan = write_plan(task, schema, self.detail, self.seed)
            sql = plain_sql(task.gold_sql, schema)  # in the plan's names, which gold's aliases are not
        except CannotPlan as error:
            return _output(None, f"{CANNOT_PLAN}: {error}")
        return _output(render(plan, sql), "")


class ServerLLM(OpenAILLM):
    """distilabel's OpenAILLM, but a failed request costs its own answer only, and a cut answer is told."""

    async def agenerate(  # type: ignore[override]
        self,
        input: FormattedInput,
        num_generations: int = 1,
        max_new_tokens: int = 128,
        temperature: float = 1.0,
    ) -> GenerateOutput:
        """Return the server's answer, or why there is none.

        Args:
            input: the chat.
            num_generations: answers to an input; always 1.
            max_new_tokens: longest answer, tokens.
            temperature: sampling temperature.
        """
        try:
            return await super().agenerate(
                input, num_generations, max_new_tokens=max_new_tokens, temperature=temperature
            )
        except APIStatusError as error:
            if error.status_code in (400, 413, 422):  # this question is at fault: asking again would not help
                return _output(None, f"{REFUSED}: {self._told(error)}")
            self._logger.warning(f"{NO_ANSWER}: {self._told(error)}")
        except OpenAIError as error:
            self._logger.warning(f"{NO_ANSWER}: {self._told(error)}")
        return _output(None, NO_ANSWER)

    def _told(self, error: OpenAIError) -> str:
        """Return what went wrong on one line, without the key: some servers repeat it in their errors."""
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        key = self.api_key.get_secret_value()
        text = " ".join(f"{error}{cause}".split())
        return text if key == NO_KEY else text.replace(key, "…")

    def _generations_from_openai_completion(self, completion) -> GenerateOutput:
        if not completion.choices:
            self._logger.warning(f"{NO_ANSWER}: the server sent no choices")
            return _output(None, NO_ANSWER)
        output = super()._generations_from_openai_completion(completion)
        return output | {"trouble": [CUT if completion.choices[0].finish_reason == "length" else ""]}


def _output(text: str | None, trouble: str) -> GenerateOutput:
    """Return an answer as distilabel wants it; it hands `trouble` on as a column."""
    return {"generations": [text], "statistics": {}, "trouble": [trouble]}


def _check_server(url: str, key: str, key_name: str) -> None:
    """Raise ConfigError where no server answers at `url`, or it does not take the key."""
    host = urlsplit(url).hostname
    if urlsplit(url).scheme not in ("http", "https") or not host:
        raise ConfigError(f"distill.base_url: {url!r} is not an address; write it as http://host:port/v1")
    if not key and not _is_near(host):
        raise ConfigError(f"distill.api_key_env: {key_name} is not set in the environment; {url} needs a key")
    try:
        answer = httpx.get(f"{url}/models", headers={"Authorization": f"Bearer {key or NO_KEY}"}, timeout=10)
    except httpx.HTTPError as error:
        raise ConfigError(
            f"distill.base_url: nothing answers at {url} ({error}); start the server, or correct the address"
        ) from error
    if answer.status_code == 401:
        raise ConfigError(f"distill.api_key_env: {url} does not take the key in {key_name}")


def _is_near(host: str) -> bool:
    """Tell whether a host is on this machine or in its own network, where servers need no key.

    >>> _is_near("localhost"), _is_near("192.168.1.7"), _is_near("gpu-box"), _is_near("api.openai.com")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal"))
