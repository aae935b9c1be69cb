"""Does the query use the tables and columns that gold uses?"""

from collections.abc import Set

from configs.errors import ConfigError
from configs.schema import Sandbox
from rewards.gated import gated
from rewards.judged import DEFAULT, Gate
from rewards.query import story_of
from rewards.text import Completion
from sandbox.judge import Rule


def schema_linking(
    prompts: list,
    completions: list[Completion],
    gold_sql: list[str],
    database: list[str],
    *,
    tables: float = 0.5,
    gate: Gate = "runs",
    judge: Rule = "ordered",
    sandbox: Sandbox = DEFAULT,
    **_: object,
) -> list[float | None]:
    """Return, from 0.0 to 1.0, how far each query uses what gold uses: `tables` · F1 + (1 − `tables`) · F1.

    F1 = 2 · |used by both| / (|used by the answer| + |used by gold|), once over tables and once over columns, each as
    table.column of the schema: aliases, letter case and SELECT * don't matter, and count(*) uses the key.  Padding
    with tables that gold doesn't use costs precision.  None where gold, or a query that runs, cannot be read.
    The schema-linking reward of Reasoning-SQL (Pourreza et al., 2025, arXiv 2503.23157), as an F1.
    """
    if not 0 <= tables <= 1:
        raise ConfigError(f"reward 'schema_linking': tables is {tables}, the weight of tables against columns: 0 to 1")

    def score(place: int, sql: str) -> float | None:
        gold = story_of(gold_sql[place], str(database[place]))
        used = story_of(sql, str(database[place]))
        if gold is None or used is None:
            return 0.0 if gold and gate == "none" else None
        return tables * f1(used.tables, gold.tables) + (1 - tables) * f1(used.used, gold.used)

    return gated(score, gate, completions, gold_sql, database, judge, sandbox)


def f1(found: Set[str], wanted: Set[str]) -> float:
    """Return the harmonic mean of precision and recall; 1.0 for two empty sets.

    >>> f1({"city", "river"}, {"city"}), f1(set(), {"city"}), f1(set(), set())
    (0.6666666666666666, 0.0, 1.0)
    """
    return 2 * len(found & wanted) / (len(found) + len(wanted)) if found or wanted else 1.0
