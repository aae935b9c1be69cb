"""A teacher behind an OpenAI-compatible server: vLLM, Ollama, llama.cpp's server, hosted APIs."""

from pathlib import Path
from typing import Any

from distilabel.models.llms import OpenAILLM
from distilabel.typing import ChatType, GenerateOutput
from openai import APIStatusError, OpenAIError

from distill.ledger import CUT, NO_ANSWER, REFUSED, Answer, note
from models.server import FAULTY, MALFORMED, read_completion, told

OPENAI_URL = "https://api.openai.com/v1"
HUGGING_FACE_URL = "https://router.huggingface.co/v1"
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
            text, stopped, counts = read_completion(completion)
            answer = Answer(text, "" if stopped else CUT, input[-1]["key"], *counts)
        except APIStatusError as error:
            why = told(error, self.api_key.get_secret_value())
            if error.status_code not in FAULTY:
                return self._silent(f"{ASK_NO_MORE}: {why}" if error.status_code in BARRING else why)
            answer = Answer(None, f"{REFUSED}: {why}", input[-1]["key"])
        except OpenAIError as error:
            return self._silent(told(error, self.api_key.get_secret_value()))
        except MALFORMED as error:
            return self._silent(f"the server's reply is malformed ({type(error).__name__})")
        note(Path(self.folder), answer)
        return said(answer.text, answer.trouble, answer.input_tokens, answer.output_tokens)

    def _silent(self, why: str) -> GenerateOutput:
        self._logger.warning(f"{NO_ANSWER}: {why}")
        return said(None, NO_ANSWER)


def said(text: str | None, trouble: str, *counts: int | None) -> GenerateOutput:
    """Return an answer as distilabel wants it, with its tokens in and out; it hands `trouble` on as a column."""
    counted = dict(zip(("input_tokens", "output_tokens"), ([count] for count in counts), strict=False))
    return {"generations": [text], "statistics": counted, "trouble": [trouble]}
