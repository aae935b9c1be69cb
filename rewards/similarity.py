"""How near does the query come to gold's tree, or to its text?"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from sqlglot import exp

from configs.errors import ConfigError
from configs.schema import Sandbox
from rewards.gated import gated
from rewards.judged import DEFAULT, Gate
from rewards.query import resolved
from rewards.text import Completion
from sandbox.judge import Rule
from tasks.scope import Resolved
from tasks.sql_text import sql_text
from tasks.story_sql import OPERATORS, TURNED, constant_text

Metric = Literal["tree", "ngrams"]

_LEAVES = (exp.Column, exp.Table, exp.Literal)
_NAMES = (exp.Identifier, exp.TableAlias)
_KINDS = {sign: kind.__name__ for kind, sign in OPERATORS.items()}


def sql_similarity(
    prompts: list,
    completions: list[Completion],
    gold_sql: list[str],
    database: list[str],
    *,
    metric: Metric = "tree",
    n: int = 2,
    gate: Gate = "runs",
    judge: Rule = "ordered",
    sandbox: Sandbox = DEFAULT,
    **_: object,
) -> list[float | None]:
    """Return, from 0.0 to 1.0, which part of its pieces each query has in common with gold's.

    `tree`: 2 · |A ∩ B| / (|A| + |B|) over the bags of chains of `n` nodes, each the parent of the next, in the two
    syntax trees: the pq-grams of Augsten et al. (VLDB 2005) with p = n − 1 and q = 1, so that order among siblings
    doesn't count.  `ngrams`: |A ∩ B| / |A ∪ B| over the sets of runs of `n` words, the n-gram reward of Reasoning-SQL
    (Pourreza et al., 2025, arXiv 2503.23157).  In both, columns carry their real tables, and aliases, letter case and
    white space are gone.  None where gold, or a query that runs, cannot be read.
    """
    if n < 1:
        raise ConfigError(f"reward 'sql_similarity': n is {n}, allowed: 1 or more")

    def score(place: int, sql: str) -> float | None:
        gold = _pieces(gold_sql[place], str(database[place]), metric, n)
        found = _pieces(sql, str(database[place]), metric, n)
        if gold is None or found is None:
            return 0.0 if gold and gate == "none" else None
        if metric == "ngrams":
            return len(gold.keys() & found.keys()) / len(gold.keys() | found.keys())
        return 2 * (gold & found).total() / (gold.total() + found.total())

    return gated(score, gate, completions, gold_sql, database, judge, sandbox)


@lru_cache(maxsize=4096)
def _pieces(sql: str, database: str, metric: Metric, n: int) -> Counter[tuple[str, ...]] | None:
    found = resolved(sql, database)
    if found is None:
        return None
    try:
        _rename(found)
        if metric == "tree":
            return Counter(_chains(found.query, (), n))
        words = re.findall(r"\w+|[^\w\s]", sql_text(found.query).lower())
    except RecursionError:
        return None
    runs = zip(*(words[start:] for start in range(min(n, len(words)))), strict=False)
    return Counter(runs)


def _rename(found: Resolved) -> None:
    """Write the real tables' names for aliases, and what an output's alias or position means in its place."""
    for node, select, place in found.renamed.values():
        node.replace(select.expressions[place].unalias().copy())
    for node in list(found.query.walk()):
        source = found.sources.get(node.table) if isinstance(node, exp.Column) else None
        if source:
            node.set("table", exp.to_identifier(source.table or "query"))
        elif isinstance(node, exp.Table):
            node.set("alias", None)
        elif isinstance(node, exp.Alias):
            node.replace(node.this)


def _chains(node: exp.Expr, above: tuple[str, ...], n: int) -> Iterator[tuple[str, ...]]:
    """Yield the chains of `n` labels that end at `node` or below it, shorter ones at the leaves only."""
    chain, leaf = above, isinstance(node, _LEAVES)
    if not _adds_nothing(node, above):
        chain = (*above, _label(node))[-n:]
        if len(chain) == n or leaf:
            yield chain
    for child in () if leaf else node.iter_expressions():
        if not isinstance(child, _NAMES):
            yield from _chains(child, chain, n)


def _adds_nothing(node: exp.Expr, above: tuple[str, ...]) -> bool:
    """Return whether a node says only what its children say: JOIN … ON is as good as WHERE, and so are ANDs."""
    if isinstance(node, exp.Join):
        return not node.side
    if isinstance(node, exp.And):
        return not above or above[-1] not in {"Or", "Not"}
    return isinstance(node, exp.From | exp.Where | exp.Paren | exp.Subquery)


def _label(node: exp.Expr) -> str:
    if isinstance(node, exp.Column):
        return "*" if isinstance(node.this, exp.Star) else f"{node.table}.{node.name}".lower()
    if isinstance(node, exp.Literal):
        return constant_text(node.name)
    if isinstance(node, exp.Table | exp.Anonymous):
        return node.name.lower()
    kind = type(node).__name__
    if type(node) in OPERATORS and isinstance(node.this, exp.Literal):  # 5 < age is age > 5
        return _KINDS[TURNED.get(OPERATORS[type(node)], OPERATORS[type(node)])]
    if isinstance(node, exp.Ordered | exp.SetOperation):
        return f"{kind} {bool(node.args.get('desc') or node.args.get('distinct'))}"
    return f"Not {kind}" if node.args.get("negate") else kind
