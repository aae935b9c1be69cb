"""SELECT statements, put together from parts that name columns as {table.column}."""

import re
from dataclasses import dataclass, replace
from typing import Literal

Style = Literal["T", "letter", "name"]
Join = tuple[str, str]  # (table, condition)
COLUMN = re.compile(r"\{(\w+)\.(\w+)\}")


@dataclass(frozen=True)
class Query:
    """One SELECT before its aliases are chosen.

    style: how tables are called where there are several: T1, the first letter, or their own name.
    qualify: write the table before a column even where there is one table only.
    """

    source: str
    items: tuple[str, ...]
    joins: tuple[Join, ...] = ()
    where: tuple[str, ...] = ()
    group: str = ""
    having: str = ""
    order: str = ""
    limit: int = 0
    distinct: bool = False
    style: Style = "T"
    qualify: bool = False
    outer: bool = False

    def but(self, **changes: object) -> "Query":
        return replace(self, **changes)

    def sql(self) -> str:
        """Return the statement."""
        names = self.aliases()
        parts = [
            f"SELECT {'DISTINCT ' if self.distinct else ''}{', '.join(self.items)} FROM {self.called(self.source)}"
        ]
        join = "LEFT JOIN" if self.outer else "JOIN"
        parts += [f"{join} {self.called(table)} ON {condition}" for table, condition in self.joins]
        if self.where:
            parts.append("WHERE " + " AND ".join(self.where))
        parts += [f"{word} {text}" for word, text in (("GROUP BY", self.group), ("HAVING", self.having),
                                                      ("ORDER BY", self.order)) if text]  # fmt: skip
        if self.limit:
            parts.append(f"LIMIT {self.limit}")
        alone = not self.joins and not self.qualify

        def column(match: re.Match) -> str:
            if match[1] not in names:  # a column of the query around this one
                return match[0]
            return match[2] if alone else f"{names[match[1]]}.{match[2]}"

        return COLUMN.sub(column, " ".join(parts))

    def aliases(self) -> dict[str, str]:
        tables = [self.source, *(table for table, _ in self.joins)]
        letters = [table[0].lower() for table in tables]
        if self.style == "name" or (self.style == "letter" and len(set(letters)) < len(letters)):
            return {table: table for table in tables}
        if self.style == "letter":
            return dict(zip(tables, letters, strict=True))
        return {table: f"T{place}" for place, table in enumerate(tables, 1)}

    def called(self, table: str) -> str:
        alias = self.aliases()[table]
        plain = alias == table or not (self.joins or self.qualify)
        return table if plain else f"{table} AS {alias}"
