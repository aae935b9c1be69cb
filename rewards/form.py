"""Does the answer have the form of a trace?  The plan in <think>, the query in <sql>, and no other text."""

from rewards.text import Completion, text_of
from tasks.trace import Kind, parse


def format_strict(
    prompts: list,
    completions: list[Completion],
    *,
    score: float = 1.0,
    otherwise: float = 0.0,
    answer: Kind = "plan",
    **_: object,
) -> list[float]:
    """Return `score` for an answer that is one well-formed trace and nothing else, `otherwise` for any other.

    Range: `otherwise` (0.0) or `score` (1.0).  Well-formed is what `tasks.trace.parse` takes, the same that a trace
    must be to train on: each tag once, in order, neither part blank, no text before, between or after them.
    answer: what an answer shows, as `data.answer`, which training passes on; `sql_only` has no <think>.
    """
    return [score if parse(text_of(completion), answer) else otherwise for completion in completions]
