"""The three rewards of the DEV article's recipe (prodesk98/SQL-LLM-Distillation-GRPO, d7731e9), to compare with.

They are kept with their values and their flaws; train with `format_strict` and `sql_execution`.  Well-formed SQL that
runs and answers another question earns 2.8 of the 4.0 that a right answer can earn, and a right answer in other words
than gold's earns as little: both are 1.1 + 0.5 + 1.2.
"""

import re

from configs.schema import Sandbox
from rewards.judged import DEFAULT, judged
from rewards.text import Completion, text_of

_FORM = re.compile(r"^<think>\n.*?\n</think>\n<sql>\n.*?\n</sql>$", re.MULTILINE | re.DOTALL)
_TAGS = ("<think>\n", "\n</think>\n", "\n<sql>\n", "\n</sql>")


def match_format_exactly(
    prompts: list, completions: list[Completion], *, score: float = 1.1, **_: object
) -> list[float]:
    """Return `score` where lines of the form stand somewhere in the answer, else 0.0.

    Range: 0.0 or 1.1.  Not exact: the pattern is searched for line by line, so that text before and after the block is
    paid, and so are tags that repeat inside it; and a trace without line breaks after its tags is not paid.
    """
    return [score if _FORM.search(text_of(completion)) else 0.0 for completion in completions]


def match_format_approximately(
    prompts: list, completions: list[Completion], *, bonus: float = 0.125, penalty: float = 1.0, **_: object
) -> list[float]:
    """Return, summed over the four tags, `bonus` for each that stands once with its line breaks, else −`penalty`.

    Range: −4.0 to 0.5.  One tag less costs nearly as much as running SQL is worth, a well-formed trace in one line
    earns −4.0 as no trace does, and the order of the tags does not count.
    """
    texts = map(text_of, completions)
    return [sum(bonus if text.count(tag) == 1 else -penalty for tag in _TAGS) for text in texts]


def check_sql_reward(
    prompts: list,
    completions: list[Completion],
    gold_sql: list[str],
    database: list[str],
    *,
    executes: float = 1.2,
    same_text: float = 1.2,
    fails: float = -1.5,
    nothing: float = 0.0,
    sandbox: Sandbox = DEFAULT,
    **_: object,
) -> list[float | None]:
    """Return `executes` for SQL that runs, and `same_text` more where it is gold's letter by letter.

    Range: −1.5 to 2.4; `fails` for SQL that does not run, `nothing` without SQL.  Rows are never compared, so SELECT 1
    earns what a right query in other words does; and no query at all is worth more than one with a mistake.
    Ours runs it in the sandbox on the question's SQLite database in place of DuckDB in this process, and says None
    where the gold query itself does not run.
    """

    def score(place: int) -> float | None:
        sql, verdict = found[place]
        if verdict.correct is None:
            return None
        if sql is None:
            return nothing
        if not verdict.runs:
            return fails
        return executes + (same_text if sql == gold_sql[place].strip() else 0.0)

    found = judged(completions, gold_sql, database, "ordered", sandbox)
    return [score(place) for place in range(len(found))]
