"""Does the SQL return the gold rows?  Execution accuracy as a reward."""

from configs.errors import ConfigError
from configs.schema import Sandbox
from rewards.copies import rights
from rewards.judged import DEFAULT, judged
from rewards.origin import reads_gold
from rewards.text import Completion, text_of
from sandbox.judge import Rule
from tasks.trace import Kind, parse

SOURCE = "reward 'sql_execution': "


def sql_execution(
    prompts: list,
    completions: list[Completion],
    gold_sql: list[str],
    database: list[str],
    *,
    right: float = 1.0,
    runs: float = 0.1,
    empty: float | None = None,
    fails: float = 0.0,
    nothing: float = -0.1,
    strict: bool = False,
    answer: Kind = "plan",
    gold_tables: bool = False,
    trust_empty: bool = False,
    variants: int = 0,
    judge: Rule = "ordered",
    sandbox: Sandbox = DEFAULT,
    **_: object,
) -> list[float | None]:
    """Return what the rows of each answer are worth: rows count, not text.

    `right` for the gold rows, `runs` for other rows, `fails` for SQL that does not run or goes over a limit (seconds,
    rows, memory, steps), `nothing` without SQL: right > runs ≥ fails ≥ nothing.  No row where gold has some is worth
    `empty`, else `runs` as well.  The levels 1, 0.1 and 0 are those of Arctic-Text2SQL-R1 (Yao et al., 2025).
    None where the rows cannot tell: the gold query does not run; or it gives no row, so that every query that asks for
    what is not there looks right (then all that runs is None; `trust_empty` takes no rows for the gold rows).

    strict: an answer that is not in the form of `format_strict`, for `answer`, is worth `nothing`.  Otherwise the query
    is looked for leniently, so that form is paid for by the rewards of form alone.
    gold_tables: rows that are not made from a table that gold reads (SELECT 1, see `rewards.origin`) are worth `fails`,
    even where they happen to be the gold rows.
    variants: a right answer must also agree with gold on that many changed copies of the database, which are made once
    a question and kept (`sandbox.variants`); else it is worth `runs`.  They also tell where gold gives no row at first.
    judge: when rows are the gold rows, see `sandbox.same_result`.
    """
    empty = runs if empty is None else empty
    _check(right, runs, empty, fails, nothing, variants)
    found = judged(completions, gold_sql, database, judge, sandbox)
    correct = rights(found, gold_sql, database, variants, trust_empty, judge, sandbox)

    def score(place: int) -> float | None:
        sql, verdict = found[place]
        if verdict.correct is None:
            return None
        if sql is None or (strict and not parse(text_of(completions[place]), answer)):
            return nothing
        if not verdict.runs or (gold_tables and not reads_gold(sql, gold_sql[place], database[place])):
            return fails
        if correct[place].right is None:
            return None
        if correct[place].right:
            return right
        return empty if (verdict.gold, verdict.status) == ("ok", "empty") else runs

    return [score(place) for place in range(len(found))]


def _check(right: float, runs: float, empty: float, fails: float, nothing: float, variants: int) -> None:
    if not right > runs >= empty >= fails >= nothing:
        raise ConfigError(
            f"{SOURCE}right {right}, runs {runs}, empty {empty}, fails {fails}, nothing {nothing}; "
            "needed: right > runs >= empty >= fails >= nothing, or the model learns to fail"
        )
    if variants < 0:
        raise ConfigError(f"{SOURCE}variants is {variants}, allowed: 0 (none) or more")
