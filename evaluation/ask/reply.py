"""A model's answer to a question, taken apart, and what came of its query."""

import re
from dataclasses import dataclass
from math import isfinite

from configs.schema import Config
from models.said import Answer
from sandbox import Limits, Result, execute
from tasks.trace import extract_sql, parse

NO_SQL = Result("error", message="the answer has no SQL in it")
_MARKS = re.compile(r"</?(?:think|sql)>|```\w*")


@dataclass(frozen=True)
class Reply:
    """plan: what the answer says besides its query.  sql: None where there is none.  form: it is well-formed."""

    question: str
    answer: Answer
    plan: str
    sql: str | None
    form: bool
    result: Result

    @property
    def status(self) -> str:
        """What came of it: a status of sandbox.Result, or no_sql."""
        return "no_sql" if self.sql is None else self.result.status


def read_reply(question: str, answer: Answer, database: str, cfg: Config) -> Reply:
    """Return the answer taken apart, leniently as evaluation reads it, and its query run over the database."""
    trace = parse(answer.text, cfg.data.answer)
    sql = extract_sql(answer.text)
    result = NO_SQL if sql is None else execute(database, sql, Limits(**cfg.sandbox.limits))
    plan = trace.think if trace else besides(answer.text, sql)
    return Reply(question, answer, plan, sql, trace is not None, result)


def besides(text: str, sql: str | None) -> str:
    r"""Return an answer without its query and the tags of its form.

    >>> besides("<think>\nOpen city.\n</think>\n```sql\nSELECT 1\n```", "SELECT 1")
    'Open city.'
    """
    before, _, after = text.rpartition(sql) if sql else (text, "", "")
    return "\n".join(part.strip() for part in _MARKS.sub("", f"{before}\n{after}").split("\n") if part.strip())


def as_object(reply: Reply, model: str) -> dict:
    """Return what `model` replied as --json prints it, all rows of the result in it."""
    return {
        "model": model,
        "question": reply.question,
        "plan": reply.plan,
        "sql": reply.sql,
        "form": reply.form,
        "status": reply.status,
        "message": "" if reply.sql is None else reply.result.message,
        "columns": list(reply.result.columns),
        "rows": [[plain(value) for value in row] for row in reply.result.rows],
        "tokens": reply.answer.tokens,
        "seconds": reply.answer.seconds,
        "stopped": reply.answer.stopped,
    }


def plain(value: object) -> object:
    """Return a value of a row as JSON can have it: a blob in SQL's own form, an infinite number as text.

    >>> plain(b"ab"), plain(float("-inf")), plain(3)
    ("x'6162'", '-inf', 3)
    """
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return str(value) if isinstance(value, float) and not isfinite(value) else value
