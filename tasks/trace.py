"""The form of an answer: the query plan, or other reasoning, in <think>, then the query in <sql>."""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["plan", "cot", "sql_only"]
"""What an answer shows before its query: the plan, reasoning in no set form, or nothing."""

TAGS = ("<think>", "</think>", "<sql>", "</sql>")
_FORM = re.compile(r"\s*<think>(.*)</think>\s*<sql>(.*)</sql>\s*", re.DOTALL)
_SQL_ALONE = re.compile(r"\s*<sql>(.*)</sql>\s*", re.DOTALL)
_FENCE = re.compile(r"```(?:sqlite3?|sql)?[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_STATEMENT = re.compile(
    r"""\bSELECT\b.*|\bWITH\s+(?:RECURSIVE\s+)?(?:\w+|"[^"]+")\s*(?:\([^()]*\)\s*)?AS\s*(?:(?:NOT\s+)?MATERIALIZED\s*)?\(.*""",
    re.DOTALL | re.IGNORECASE,
)
"""A query in prose: SELECT, or WITH as SQL has it, since "with" alone is a common word."""


@dataclass(frozen=True)
class Trace:
    """An answer taken apart: `think` is the plan in words, blank where only SQL is wanted; `sql` is one query."""

    think: str
    sql: str


def render(think: str, sql: str) -> str:
    r"""Return the answer in the one form that every stage agrees on; without `think`, the SQL alone.

    >>> render("Open city.", "SELECT name FROM city")
    '<think>\nOpen city.\n</think>\n<sql>\nSELECT name FROM city\n</sql>'
    """
    shown = f"<think>\n{think.strip()}\n</think>\n" if think.strip() else ""
    return f"{shown}<sql>\n{sql.strip()}\n</sql>"


def parse(text: str, kind: Kind = "plan") -> Trace | None:
    """Return the parts of a well-formed answer, None for any other text.

    Well-formed: each of the four tags stands exactly once and in order, neither part is blank, and
    nothing but white space stands before, between or after them.  For `sql_only` there are two tags and one part.

    >>> parse("<think>Open city.</think> <sql>SELECT 1</sql>")
    Trace(think='Open city.', sql='SELECT 1')
    >>> parse("Sure! <think>Open city.</think><sql>SELECT 1</sql>") is None
    True
    >>> parse("<sql>SELECT 1</sql>", "sql_only")
    Trace(think='', sql='SELECT 1')
    """
    if kind == "sql_only":
        match = _SQL_ALONE.fullmatch(text)
        once = match is not None and text.count("<sql>") == text.count("</sql>") == 1
        return Trace("", match[1].strip()) if once and match[1].strip() else None
    match = _FORM.fullmatch(text)
    if match is None or any(text.count(tag) != 1 for tag in TAGS):
        return None
    think, sql = match.group(1).strip(), match.group(2).strip()
    return Trace(think, sql) if think and sql else None


def extract_sql(text: str) -> str | None:
    """Return the query in an answer of any form, None where there is none.

    Looked for after </think>, in this order: the last <sql> block (its end may be missing), the last fenced
    block, the first SELECT or WITH up to the end.  What stands in <think> is no answer, closed or not.

    >>> extract_sql("The answer is: ```sql\\nSELECT 1\\n```")
    'SELECT 1'
    >>> extract_sql("<think>SELECT 2</think> I don't know.") is None
    True
    """
    answer = text.rpartition("</think>")[2].partition("<think>")[0]
    marked = "<sql>" in answer
    answer = answer.rpartition("<sql>")[2].partition("</sql>")[0]
    if fenced := _FENCE.findall(answer):
        marked, answer = True, fenced[-1]
    if not marked:
        found = _STATEMENT.search(answer)
        answer = found.group() if found else ""
    return answer.strip() or None
