"""Markdown from a template, in which nothing that a config or a dataset says is taken for markup."""

import re
from pathlib import Path

from configs.screen import printable

_MARKUP = re.compile(r"[\\`*_\[\]<>|~&#]")


class Plain(str):
    """Text that stands in the page as it is, whatever Markdown makes of it."""


def filled(template: Path, **values: object) -> str:
    """Return a template of Jinja2 with its values, of which every text is `escaped`; a value that lacks is an error."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(finalize=escaped, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template.read_text(encoding="utf-8")).render(values)


def escaped(value: object) -> object:
    r"""Return a value as text of one line that Markdown shows as it is.

    >>> escaped("a|b\n# <c>"), escaped(Plain("a|b")), escaped(3)
    ('a\\|b \\# \\<c\\>', 'a|b', 3)
    """
    if isinstance(value, Plain) or not isinstance(value, str):
        return value
    return _MARKUP.sub(r"\\\g<0>", " ".join(printable(value).split()))


def fenced(text: str, language: str = "") -> Plain:
    """Return text as a code block that nothing in it can close.

    >>> fenced("a ``` b").splitlines()
    ['````', 'a ``` b', '````']
    """
    text = printable(text)
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return Plain(f"{fence}{language}\n{text}\n{fence}")
