"""What a model said."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What the model said to one prompt.

    tokens: of the answer, its end token included; 0 where a server does not tell.
    seconds: its share of the batch's time; of a server's answer, how long its request took.
    stopped: it ended by itself, with its end token or with </sql>, before the limit.
    prompt_tokens: what a server counted, None where the model is here.
    trouble: why a server gave no answer to this prompt, else empty.
    """

    text: str
    tokens: int
    seconds: float
    stopped: bool
    prompt_tokens: int | None = None
    trouble: str = ""
