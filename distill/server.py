"""A teacher behind an OpenAI-compatible server: vLLM, Ollama, llama.cpp's server, hosted APIs."""

import ipaddress
from urllib.parse import urlsplit

import httpx
from distilabel.models.llms import OpenAILLM
from distilabel.typing import FormattedInput, GenerateOutput
from openai import APIStatusError, OpenAIError

from configs.errors import ConfigError
from distill.ledger import CUT, NO_ANSWER, REFUSED

NO_KEY = "none"
"""What a server that needs no key is sent."""
ANSWER_TIMEOUT_S = 900
"""A whole batch is sent at once, and a small server answers one after the other."""
OPENAI_URL = "https://api.openai.com/v1"


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
                return said(None, f"{REFUSED}: {self._told(error)}")
            self._logger.warning(f"{NO_ANSWER}: {self._told(error)}")
        except OpenAIError as error:
            self._logger.warning(f"{NO_ANSWER}: {self._told(error)}")
        return said(None, NO_ANSWER)

    def _told(self, error: OpenAIError) -> str:
        """Return what went wrong on one line, without the key: some servers repeat it in their errors."""
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        key = self.api_key.get_secret_value()
        text = " ".join(f"{error}{cause}".split())
        return text if key == NO_KEY else text.replace(key, "…")

    def _generations_from_openai_completion(self, completion) -> GenerateOutput:
        if not completion.choices:
            self._logger.warning(f"{NO_ANSWER}: the server sent no choices")
            return said(None, NO_ANSWER)
        output = super()._generations_from_openai_completion(completion)
        return output | {"trouble": [CUT if completion.choices[0].finish_reason == "length" else ""]}


def said(text: str | None, trouble: str) -> GenerateOutput:
    """Return an answer as distilabel wants it; it hands `trouble` on as a column."""
    return {"generations": [text], "statistics": {}, "trouble": [trouble]}


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
