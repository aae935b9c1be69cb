"""Which gold queries can be judged: one SELECT that runs in the sandbox and returns within its limits."""

from collections import Counter
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import get_args

from sqlglot.errors import ParseError

from configs.files import fingerprint
from configs.screen import progress
from sandbox import Limits, Result, execute_many
from tasks.level import NOT_A_SELECT, NOT_ONE_STATEMENT, level
from tasks.memory import Memory
from tasks.source import Question
from tasks.task import Level, Task

WORKERS = 2
BATCH = 500  # queries between two notes in the memory: what a kill can lose
LIMITS = Limits()

Verdict = str
"""The level of a good query, else the reason why it was dropped."""


def check_gold(questions: list[Question], source: str) -> tuple[list[Task], Counter[str]]:
    """Return the questions whose gold SQL is good, as tasks, and how many others there were by reason.

    source: names the memory in which verdicts are kept, so that the second call runs nothing.
    """
    memory = Memory("gold", source, asdict(LIMITS))
    state = cache(_file_state)
    keys = [fingerprint(*state(question.database), question.gold_sql) for question in questions]
    unknown = [(key, question) for key, question in zip(keys, questions, strict=True) if key not in memory]
    if unknown:
        _find_out(unknown, memory)
    tasks, dropped = [], Counter()
    for key, question in zip(keys, questions, strict=True):
        verdict = memory[key]
        if verdict in get_args(Level):
            tasks.append(Task(**asdict(question), level=verdict))
        else:
            dropped[verdict] += 1
    return tasks, dropped


def _file_state(database: str) -> tuple[str, int, int]:
    path = Path(database).resolve()
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns


def _find_out(unknown: list[tuple[str, Question]], memory: Memory) -> None:
    with progress("Checking gold SQL", len(unknown)) as advance:
        for start in range(0, len(unknown), BATCH):
            batch = unknown[start : start + BATCH]
            memory.tell(_verdicts(batch))
            advance(len(batch))


def _verdicts(batch: list[tuple[str, Question]]) -> dict[str, Verdict]:
    verdicts: dict[str, Verdict] = {}
    readable = []
    for key, question in batch:
        try:
            verdicts[key] = level(question.gold_sql)
            readable.append((key, question))
        except ParseError as error:
            verdicts[key] = unreadable(error)
    results = execute_many([(question.database, question.gold_sql) for _, question in readable], LIMITS, WORKERS)
    for (key, _), result in zip(readable, results, strict=True):
        if not result.runs:
            verdicts[key] = failure(result)
    return verdicts


def unreadable(error: ParseError) -> Verdict:
    """Return why a gold query could not even be read, in few different words."""
    told = str(error)
    return f"gold SQL is {told}" if told in (NOT_A_SELECT, NOT_ONE_STATEMENT) else "gold SQL cannot be parsed"


def failure(result: Result) -> Verdict:
    """Return why a gold query did not run, without the names that differ from query to query.

    >>> failure(Result("error", message="no such column: T1.nmae"))
    'gold SQL does not run: no such column'
    >>> failure(Result("too_large"))
    'gold SQL returns more than 10000 rows'
    """
    if result.status == "too_large":
        return f"gold SQL returns more than {LIMITS.max_rows} rows"
    if result.status != "error":
        return f"gold SQL does not run: {result.status}"
    message = "syntax error" if "syntax error" in result.message else result.message.partition(":")[0]
    return f"gold SQL does not run: {message[:60]}"
