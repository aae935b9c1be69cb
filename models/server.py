"""A model behind a server with OpenAI's protocol: vLLM, Ollama, llama.cpp's server, hosted APIs."""

import asyncio
import ipaddress
import os
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from configs.errors import ConfigError
from configs.evaluation_schema import Server
from configs.screen import printable
from models.said import Answer

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion

NO_KEY = "none"
"""What a server that needs no key is sent."""
ANSWER_TIMEOUT_S = 900
"""A whole batch is sent at once, and a small server answers one after the other."""
TRIES = 12
"""Of a request that fails; the client waits up to 8 s between them, so this outlasts a limit per minute."""
FAULTY = (400, 413, 422)
"""HTTP statuses that are the question's own fault, as it is too long: asking again would not help."""


def check_server(url: str, key: str, key_name: str, section: str) -> None:
    """Raise ConfigError where no server answers at `url`, or it does not take the key; it names `section`'s keys."""
    host = urlsplit(url).hostname
    if urlsplit(url).scheme not in ("http", "https") or not host:
        raise ConfigError(f"{section}.base_url: {url!r} is not an address; write it as http://host:port/v1")
    if not key and not _is_near(host):
        raise ConfigError(f"{section}.api_key_env: {key_name} is not set in the environment; {url} needs a key")
    try:
        answer = httpx.get(f"{url}/models", headers={"Authorization": f"Bearer {key or NO_KEY}"}, timeout=10)
    except httpx.HTTPError as error:
        raise ConfigError(
            f"{section}.base_url: nothing answers at {url} ({error}); start the server, or correct the address"
        ) from error
    if answer.status_code == 401:
        raise ConfigError(f"{section}.api_key_env: {url} does not take the key in {key_name}")


def key_of(server: Server) -> str:
    """Return the server's key from the environment, empty where there is none."""
    return os.environ.get(server.api_key_env, "")


def served_answers(
    server: Server,
    prompts: Sequence[list[dict[str, str]]],
    *,
    max_new_tokens: int,
    batch_size: int,
    temperature: float = 0.0,
    samples: int = 1,
) -> Iterator[list[tuple[int, Answer]]]:
    """Yield (position in `prompts`, answer) pairs as they come in, those of one prompt together.

    batch_size: requests at a time; each sample is a request of its own, as few servers know `n`.
    A request is tried TRIES times.  One that the server refuses for what is asked, or answers with something that is
    no answer, is an empty Answer with its `trouble`; any other failure is a ConfigError, and what was yielded before
    stays so.
    """
    from openai import AsyncOpenAI

    loop = asyncio.new_event_loop()
    key = key_of(server)
    client = AsyncOpenAI(
        base_url=server.base_url, api_key=key or NO_KEY, max_retries=TRIES - 1, timeout=ANSWER_TIMEOUT_S
    )
    free = asyncio.Semaphore(batch_size)

    async def ask(chat: list[dict[str, str]]) -> Answer:
        async with free:
            return await _answer(client, server, key, chat, max_new_tokens, temperature)

    async def ask_all(place: int) -> list[tuple[int, Answer]]:
        said = await asyncio.gather(*(ask(prompts[place]) for _ in range(samples)))
        return [(place, answer) for answer in said]

    asked = {loop.create_task(ask_all(place)) for place in range(len(prompts))}
    try:
        while asked:
            done, asked = loop.run_until_complete(asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED))
            yield [pair for task in done for pair in task.result()]
    finally:
        for task in asked:
            task.cancel()
        if asked:
            loop.run_until_complete(asyncio.wait(asked))
        loop.run_until_complete(client.close())
        loop.close()


def read_completion(completion: "ChatCompletion") -> tuple[str | None, bool, tuple[int, int] | tuple[()]]:
    """Return the text, whether it ended by itself, and the tokens of prompt and answer, where the server tells them.

    ValueError, TypeError, AttributeError or LookupError where it is no completion.
    """
    choice, usage = completion.choices[0], completion.usage
    text = choice.message.content
    if not isinstance(text, str | None):
        raise TypeError("content")
    counts = (usage.prompt_tokens, usage.completion_tokens) if usage else ()
    return text, choice.finish_reason != "length", counts


def told(error: Exception, key: str) -> str:
    """Return what went wrong on one line, without the key: some servers repeat it in their errors."""
    cause = f" ({error.__cause__})" if error.__cause__ else ""
    text = " ".join(printable(f"{error}{cause}").split())
    return text.replace(key, "…") if key and key != NO_KEY else text


async def _answer(
    client: "AsyncOpenAI",
    server: Server,
    key: str,
    chat: list[dict[str, str]],
    max_new_tokens: int,
    temperature: float,
) -> Answer:
    from openai import APIStatusError, OpenAIError

    begun = time.monotonic()

    def failed(why: str) -> Answer:
        return Answer("", 0, round(time.monotonic() - begun, 4), False, trouble=why)

    try:
        completion = await client.chat.completions.create(
            messages=chat,
            model=server.model,
            max_tokens=max_new_tokens,
            temperature=temperature,
            extra_body=server.options,
        )
        text, stopped, counts = read_completion(completion)
    except APIStatusError as error:
        if error.status_code in FAULTY:
            return failed(told(error, key))
        raise _broken(server, told(error, key)) from None
    except OpenAIError as error:
        raise _broken(server, told(error, key)) from None
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        return failed(f"the server's reply is malformed ({type(error).__name__})")
    prompt_tokens, tokens = counts or (None, 0)
    return Answer(text or "", tokens, round(time.monotonic() - begun, 4), stopped, prompt_tokens)


def _broken(server: Server, why: str) -> ConfigError:
    return ConfigError(f"{server.base_url}: {why[:400]}; mend this and give the same command again")


def _is_near(host: str) -> bool:
    """Tell whether a host is on this machine or in its own network, where servers need no key.

    >>> _is_near("localhost"), _is_near("192.168.1.7"), _is_near("gpu-box"), _is_near("api.openai.com")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal"))
