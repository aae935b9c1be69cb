"""Answers of a model behind a server, as they come in."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from configs.errors import ConfigError
from configs.evaluation_schema import Server
from models.said import Answer
from models.server import ANSWER_TIMEOUT_S, FAULTY, MALFORMED, NO_KEY, TRIES, key_of, read_completion, told

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Chat = list[dict[str, str]]


def served_answers(
    server: Server,
    prompts: Sequence[Chat],
    *,
    max_new_tokens: int,
    batch_size: int,
    temperature: float = 0.0,
    samples: int = 1,
) -> Iterator[list[tuple[int, Answer]]]:
    """Yield (position in `prompts`, answer) pairs as they come in, those of one prompt together.

    batch_size: requests at a time; each sample is a request of its own, as few servers know `n`.
    A request is tried TRIES times.  One that the server refuses for what is asked, or answers with something that is
    no answer, is an empty Answer with its `trouble`; any other failure is a ConfigError, after all that came before.
    """
    body = {"max_tokens": max_new_tokens, "temperature": temperature} | server.options
    line = Line(server, key_of(server), {key: value for key, value in body.items() if value is not None})
    arrived: SimpleQueue[list[tuple[int, Answer]] | Exception] = SimpleQueue()
    # In a thread of its own, so that the server has work, and the clock is right, while answers are judged.
    loop = asyncio.new_event_loop()
    asking = loop.create_task(_ask_all(line, prompts, samples, batch_size, arrived))
    thread = Thread(target=_run, args=(loop, asking, arrived), daemon=True)
    thread.start()
    try:
        left = len(prompts)
        while left:
            said, failure = _heard(arrived)
            left -= len({place for place, _ in said})
            if said:
                yield said
            if failure:
                raise failure
    finally:
        loop.call_soon_threadsafe(asking.cancel)
        thread.join()
        loop.close()


@dataclass(frozen=True)
class Line:
    """A server, its key, and what each request has besides model and messages."""

    server: Server
    key: str
    body: dict


def _run(loop: asyncio.AbstractEventLoop, asking: asyncio.Task, arrived: SimpleQueue) -> None:
    try:
        loop.run_until_complete(asking)
    except asyncio.CancelledError:
        pass
    except Exception as error:  # of the thread that waits for answers
        arrived.put(error)


def _heard(arrived: SimpleQueue) -> tuple[list[tuple[int, Answer]], Exception | None]:
    """Wait for an answer; return all that are there, and what went wrong behind them."""
    said: list[tuple[int, Answer]] = []
    got = arrived.get()
    while not isinstance(got, Exception):
        said += got
        try:
            got = arrived.get_nowait()
        except Empty:
            return said, None
    return said, got


async def _ask_all(line: Line, prompts: Sequence[Chat], samples: int, at_a_time: int, arrived: SimpleQueue) -> None:
    """Put the answers to each prompt into `arrived`; the first failure ends it all."""
    from openai import AsyncOpenAI

    free = asyncio.Semaphore(at_a_time)

    async def ask(place: int, chat: Chat) -> None:
        said = await asyncio.gather(*(_answer(client, line, chat, free) for _ in range(samples)))
        arrived.put([(place, answer) for answer in said])

    async with AsyncOpenAI(
        base_url=line.server.base_url, api_key=line.key or NO_KEY, max_retries=TRIES - 1, timeout=ANSWER_TIMEOUT_S
    ) as client:
        tasks = [asyncio.ensure_future(ask(place, chat)) for place, chat in enumerate(prompts)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(client: "AsyncOpenAI", line: Line, chat: Chat, free: asyncio.Semaphore) -> Answer:
    from openai import APIStatusError, OpenAIError

    async with free:
        begun = time.monotonic()
        try:
            completion = await client.chat.completions.create(
                messages=chat, model=line.server.model, extra_body=line.body
            )
            text, stopped, counts = read_completion(completion)
        except APIStatusError as error:
            if error.status_code not in FAULTY:
                raise _broken(line, error) from None
            text, stopped, counts, trouble = "", False, (), told(error, line.key)
        except OpenAIError as error:
            raise _broken(line, error) from None
        except MALFORMED as error:
            text, stopped, counts, trouble = "", False, (), f"the server's reply is malformed ({type(error).__name__})"
        else:
            trouble = ""
        prompt_tokens, tokens = counts or (None, 0)
        return Answer(text or "", tokens, round(time.monotonic() - begun, 4), stopped, prompt_tokens, trouble)


def _broken(line: Line, error: Exception) -> ConfigError:
    why = told(error, line.key)[:400]
    return ConfigError(f"{line.server.base_url}: {why}; mend this and give the same command again")
