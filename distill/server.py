"""A teacher behind an OpenAI-compatible server: vLLM, Ollama, llama.cpp's server, hosted APIs."""

import ipaddress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from distilabel.models.llms import OpenAILLM
from distilabel.typing import ChatType, GenerateOutput
from openai import APIStatusError, OpenAIError
from openai.types.chat import ChatCompletion

from configs.errors import ConfigError
from distill.ledger import CUT, NO_ANSWER, REFUSED, Answer, note

NO_KEY = "none"
"""What a server that needs no key is sent."""
ANSWER_TIMEOUT_S = 900
"""A whole batch is sent at once, and a small server answers one after the other."""
OPENAI_URL = "https://api.openai.com/v1"
HUGGING_FACE_URL = "https://router.huggingface.co/v1"
TRIES = 12
"""Of a request that fails; the client waits up to 8 s between them, so this outlasts a limit per minute."""
ASK_NO_MORE = "the server wants no more questions"
BARRING = (401, 402, 403, 404, 429)
"""HTTP statuses that are no fault of the question: key, money, rights, model, rate."""


class ServerLLM(OpenAILLM):
    """distilabel's OpenAILLM, but each answer is noted when it arrives, and a failed request costs only its own.

    folder: where the ledger is.
    options: more keys of the request, as the server understands them.
    """

    folder: str
    options: dict[str, Any] = {}  # noqa: RUF012 (pydantic copies it)

    async def agenerate(  # type: ignore[override]
        self,
        input: ChatType,
        num_generations: int = 1,
        max_new_tokens: int = 128,
        temperature: float = 1.0,
    ) -> GenerateOutput:
        """Return the server's answer, or why there is none.

        Args:
            input: the chat; its last message has the ledger's key of the answer as `key`.
            num_generations: answers to an input; always 1.
            max_new_tokens: longest answer, tokens.
            temperature: sampling temperature.
        """
        chat = [{"role": message["role"], "content": message["content"]} for message in input]
        try:
            completion = await self._aclient.chat.completions.create(
                messages=chat,
                model=self.model,
                max_tokens=max_new_tokens,
                temperature=temperature,
                extra_body=self.options,
            )
            answer = _answer(completion, input[-1]["key"])
        except APIStatusError as error:
            told = self._told(error)
            if error.status_code not in (400, 413, 422):
                return self._silent(f"{ASK_NO_MORE}: {told}" if error.status_code in BARRING else told)
            # this question is at fault: asking again would not help
            answer = Answer(None, f"{REFUSED}: {told}", input[-1]["key"])
        except OpenAIError as error:
            return self._silent(self._told(error))
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            return self._silent(f"the server's reply is malformed ({type(error).__name__})")
        note(Path(self.folder), answer)
        return said(answer.text, answer.trouble, answer.input_tokens, answer.output_tokens)

    def _silent(self, why: str) -> GenerateOutput:
        self._logger.warning(f"{NO_ANSWER}: {why}")
        return said(None, NO_ANSWER)

    def _told(self, error: OpenAIError) -> str:
        """Return what went wrong on one line, without the key: some servers repeat it in their errors."""
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        key = self.api_key.get_secret_value()
        text = " ".join(f"{error}{cause}".split())
        return text if key == NO_KEY else text.replace(key, "…")


def _answer(completion: ChatCompletion, key: str) -> Answer:
    """Return the server's answer; ValueError, TypeError, AttributeError or LookupError where it is malformed."""
    choice, usage = completion.choices[0], completion.usage
    text = choice.message.content
    if not isinstance(text, str | None):
        raise TypeError("content")
    trouble = CUT if choice.finish_reason == "length" else ""
    counts = (usage.prompt_tokens, usage.completion_tokens) if usage else ()
    return Answer(text, trouble, key, *counts)


def said(text: str | None, trouble: str, *counts: int | None) -> GenerateOutput:
    """Return an answer as distilabel wants it, with its tokens in and out; it hands `trouble` on as a column."""
    counted = dict(zip(("input_tokens", "output_tokens"), ([count] for count in counts), strict=False))
    return {"generations": [text], "statistics": counted, "trouble": [trouble]}


def check_server(url: str, key: str, key_name: str) -> None:
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
