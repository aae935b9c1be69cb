"""Servers with OpenAI's protocol, vLLM, Ollama, llama.cpp's server, hosted APIs: reached, and their replies read."""

import ipaddress
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from configs.errors import ConfigError
from configs.evaluation_schema import Server
from configs.screen import printable

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

NO_KEY = "none"
"""What a server that needs no key is sent."""
ANSWER_TIMEOUT_S = 900
"""A whole batch is sent at once, and a small server answers one after the other."""
TRIES = 12
"""Of a request that fails; the client waits up to 8 s between them, so this outlasts a limit per minute."""
FAULTY = (400, 413, 422)
"""HTTP statuses that are the question's own fault, as it is too long: asking again would not help."""
MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What reading a reply that is no completion raises."""
MOST_TOLD = 1000
"""Characters of a server's complaint that are kept; some send whole pages."""
MOST_TOKENS = 10**9
"""A count beyond is no count."""
VISIBLE = re.compile("[!-~]*")
"""What a key is made of; anything else can't stand in a request's head."""


def check_server(url: str, key: str, key_name: str, section: str) -> None:
    """Raise ConfigError where no server answers at `url`, or it does not take the key; it names `section`'s keys."""
    host = host_of(url)
    if not host:
        raise ConfigError(f"{section}.base_url: {url!r} is not an address; write it as http://host:port/v1")
    if not key and not _is_near(host):
        raise ConfigError(f"{section}.api_key_env: {key_name} is not set in the environment; {url} needs a key")
    if not VISIBLE.fullmatch(key):
        raise ConfigError(
            f"{section}.api_key_env: the key in {key_name} has a blank, a line break or a letter beyond ASCII in it; "
            "set it again"
        )
    try:
        answer = httpx.get(f"{url}/models", headers={"Authorization": f"Bearer {key or NO_KEY}"}, timeout=10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"{section}.base_url: nothing answers at {url} ({error}); start the server, or correct the address"
        ) from error
    if answer.status_code == 401:
        raise ConfigError(f"{section}.api_key_env: {url} does not take the key in {key_name}")


def host_of(url: str) -> str | None:
    """Return the host of a server's address, None where it is no address.

    >>> host_of("http://gpu-box:8000/v1"), host_of("gpu-box:8000"), host_of("http://[/v1")
    ('gpu-box', None, None)
    """
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        return None


def key_of(server: Server) -> str:
    """Return the server's key from the environment, empty where there is none."""
    return os.environ.get(server.api_key_env, "")


def read_completion(completion: "ChatCompletion") -> tuple[str | None, bool, tuple[int, int] | tuple[()]]:
    """Return the text, whether it ended by itself, and the tokens of prompt and answer, where the server tells them.

    One of MALFORMED where it is no completion.
    """
    choice = completion.choices[0]
    text = choice.message.content
    if not isinstance(text, str | None):
        raise TypeError("content")
    if text:
        text = text.encode("utf-8", "replace").decode()  # half a surrogate pair is no character
    return text, choice.finish_reason != "length", _counts(completion)


def _counts(completion: "ChatCompletion") -> tuple[int, int] | tuple[()]:
    """Return the tokens of prompt and answer; nothing where the server tells none, or what can't be."""
    try:
        counts = completion.usage.prompt_tokens, completion.usage.completion_tokens
    except AttributeError:
        return ()
    return counts if all(type(count) is int and 0 <= count <= MOST_TOKENS for count in counts) else ()


def told(error: Exception, key: str) -> str:
    """Return what went wrong on one line, without the key: some servers repeat it in their errors."""
    cause = f" ({error.__cause__})" if error.__cause__ else ""
    text = f"{error}{cause}"
    if key and key != NO_KEY:
        text = text.replace(key, "…")
    return " ".join(printable(text[:MOST_TOLD]).split())


def _is_near(host: str) -> bool:
    """Tell whether a host is on this machine or in its own network, where servers need no key.

    >>> _is_near("localhost"), _is_near("192.168.1.7"), _is_near("gpu-box"), _is_near("api.openai.com")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal"))
