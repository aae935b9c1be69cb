"""The words of a completion, whichever way the trainer hands it over."""

from tasks.trace import extract_sql

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


def answered_sql(completion: Completion) -> str | None:
    """Return the query that a completion gives as its answer, in any form; None where there is none.

    What stands in <think> is no answer, not even where the answer was cut before </think>.

    >>> answered_sql("<think>plan</think><sql>SELECT 1</sql>")
    'SELECT 1'
    >>> answered_sql("<think>maybe SELECT 1") is None
    True
    """
    answer = text_of(completion).rpartition("</think>")[2].partition("<think>")[0]
    return extract_sql(answer)
