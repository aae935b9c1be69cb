"""The words of a completion, whichever way the trainer hands it over."""

Completion = str | list[dict[str, str]]


def text_of(completion: Completion) -> str:
    """Return the text of a completion: a plain string, or chat messages of which the last one counts.

    >>> text_of([{"role": "assistant", "content": "<sql>SELECT 1</sql>"}])
    '<sql>SELECT 1</sql>'
    >>> text_of("SELECT 1")
    'SELECT 1'
    """
    if isinstance(completion, str):
        return completion
    return completion[-1]["content"] if completion else ""
