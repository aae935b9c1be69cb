"""Is the plan in <think> the plan of the query beside it, and is it near the reference plan?"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from configs.errors import ConfigError
from configs.schema import Sandbox
from rewards.gated import gated
from rewards.judged import DEFAULT, Gate
from rewards.query import UNREADABLE
from rewards.text import Completion, text_of
from sandbox.judge import Rule
from tasks.schema import read_schema
from tasks.story import faithfulness, plan_part
from tasks.trace import Kind, Trace, parse


def plan_faithfulness(
    prompts: list,
    completions: list[Completion],
    question: list[str],
    gold_sql: list[str],
    database: list[str],
    *,
    gate: Gate = "right",
    judge: Rule = "ordered",
    answer: Kind = "plan",
    sandbox: Sandbox = DEFAULT,
    **_: object,
) -> list[float | None]:
    """Return, from 0.0 to 1.0, how much more of what the answer's own query does its plan tells than the question does.

    (F(plan) − F(question)) / (1 − F(question)), at least 0.0, or F(plan) where the question tells it all.
    F = (facts − facts left out − statements that the query belies) / facts, where each table, joined, filtered,
    grouped, sorted and delivered column, constant, limit and clause of the query is a fact (`tasks.story`, the check
    that traces pass).  0.0 without the form of a trace, for a plan that holds the query itself, and for a query
    without tables; None for one that runs and cannot be read.  Reasoning in no set form (`data.answer` cot) is no plan,
    and would earn nothing whatever it says, so that is refused.
    A process reward in the place of Reward-SQL's learned one (Zhang et al., 2025, arXiv 2505.04671).
    """
    if answer != "plan":
        raise ConfigError(f"reward 'plan_faithfulness' is for data.answer 'plan', not for {answer!r}; remove it")

    def score(place: int, sql: str) -> float | None:
        trace = parse(text_of(completions[place]))
        if trace is None or _is_copy(trace):
            return 0.0
        try:
            told, asked = (_told(text, trace.sql, str(database[place])) for text in (trace.think, question[place]))
        except UNREADABLE:
            return 0.0 if gate == "none" else None
        return max(0.0, (told - asked) / (1 - asked)) if asked < 1 else told

    return gated(score, gate, completions, gold_sql, database, judge, sandbox)


@lru_cache(maxsize=4096)
def _told(text: str, sql: str, database: str) -> float:
    return faithfulness(text, sql, read_schema(database, examples=0))


def _is_copy(trace: Trace) -> bool:
    """Return whether the query stands in its own plan, letter case and white space aside.

    >>> _is_copy(Trace("run select  name from city", "SELECT name FROM city;"))
    True
    """
    think, sql = (re.sub(r"[\s;]+", " ", text.casefold()).strip() for text in (plan_part(trace.think), trace.sql))
    return sql in think


def think_similarity(
    prompts: list,
    completions: list[Completion],
    think: list[str],
    gold_sql: list[str],
    database: list[str],
    *,
    floor: float = 0.6,
    gate: Gate = "right",
    judge: Rule = "ordered",
    answer: Kind = "plan",
    sandbox: Sandbox = DEFAULT,
    **_: object,
) -> list[float | None]:
    """Return, from 0.0 to 1.0, how near each <think> is to the question's verified plan.

    max(0, cosine − `floor`) / (1 − `floor`) of the two texts' embeddings: WordLlama's 256 numbers a token, averaged
    (16 MB, no torch, about 1 ms a plan; extra `similarity`).  The question itself has a cosine of 0.57 with its plan
    (median of 142 of Spider's train set), another question's plan 0.20, a near miss's 0.97; hence the floor.
    0.0 without the form of a trace; None where the question has no plan.
    """
    if answer == "sql_only":
        raise ConfigError("reward 'think_similarity' needs a <think>, not data.answer 'sql_only'; remove it")
    if not 0 <= floor < 1:
        raise ConfigError(f"reward 'think_similarity': floor is {floor}, allowed: 0 up to, but not, 1")
    model = _embedder()
    traces = [parse(text_of(completion)) for completion in completions]
    said = [plan_part(trace.think) if trace and plan else "" for trace, plan in zip(traces, think, strict=True)]
    cosines = _cosines(model, said, [plan_part(plan) for plan in think])

    def score(place: int, sql: str) -> float | None:
        return max(0.0, cosines[place] - floor) / (1 - floor) if said[place] else 0.0

    scores = gated(score, gate, completions, gold_sql, database, judge, sandbox)
    return [one if plan else None for one, plan in zip(scores, think, strict=True)]


def _cosines(model: Any, texts: list[str], others: list[str]) -> list[float]:
    """Return the cosine of each text and the other beside it, 0.0 where one of them has no word."""
    if not texts:
        return []
    one, other = model.embed(texts), model.embed(others)
    lengths = ((one**2).sum(axis=1) * (other**2).sum(axis=1)) ** 0.5
    products = (one * other).sum(axis=1)
    return [
        min(1.0, float(product / length)) if length else 0.0 for product, length in zip(products, lengths, strict=True)
    ]


@lru_cache(maxsize=1)
def _embedder() -> Any:
    """Return the embedding model; its own search for its files misses those that came with it, so they are named."""
    try:
        import wordllama
    except ImportError as error:
        raise ConfigError(
            f"reward 'think_similarity' needs the extra 'similarity' ({error}): "
            ".venv/bin/pip install -c constraints.txt -e '.[similarity]'"
        ) from error
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
