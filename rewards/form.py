"""Does the answer have the form of a trace?  The plan in <think>, the query in <sql>, and no other text."""

from rewards.text import Completion, text_of
from tasks.trace import parse

_TAGS = ("<think>", "</think>", "<sql>", "</sql>")


def match_format_exactly(
    prompts: list, completions: list[Completion], *, score: float = 1.1, **_: object
) -> list[float]:
    """Return `score` for a well-formed answer, 0.0 for any other.

    Well-formed is what `tasks.trace.parse` takes: each tag once, in order, neither part blank, no other text.
    """
    return [score if parse(text_of(completion)) else 0.0 for completion in completions]


def match_format_approximately(
    prompts: list, completions: list[Completion], *, bonus: float = 0.125, penalty: float = 0.125, **_: object
) -> list[float]:
    """Return, summed over the four tags, `bonus` for each that stands once, −`penalty` for each that doesn't.

    The published recipe (prodesk98, SQL-LLM-Distillation-GRPO) takes off 1.0 a tag.  Then one missing tag
    outweighs right rows, and an answer without tags outweighs the rest of its group, so the default here is
    gentler; `penalty: 1.0` gives the published values.
    """
    return [sum(bonus if text.count(tag) == 1 else -penalty for tag in _TAGS) for text in map(text_of, completions)]
