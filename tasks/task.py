"""What a question over a database is."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["L1", "L2", "L3", "L4"]


@dataclass(frozen=True)
class Task:
    """One question with its gold SQL.

    database: path of a SQLite file.
    level: L1 basic, L2 with a subquery, L3 with a join or set operation, L4 both.
    difficulty: as the publisher calls it (BIRD: simple, moderate, challenging); empty where the data has none.
    """

    task_id: str
    question: str
    evidence: str
    gold_sql: str
    database: str
    level: Level
    difficulty: str = ""
