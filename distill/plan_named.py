"""Which words of the question name the tables and the columns of one query."""

import re

from sqlglot import exp

from distill.phrases import (
    VAGUE,
    Question,
    Span,
    between,
    column_spans,
    crosses,
    joined,
    main_stem,
    name_spans,
    name_stems,
)
from distill.plan_cues import NO_NOUN
from tasks.scope import Resolved


class Named:
    """One question's words for names; `tables` has the best ones for each table that the query opens."""

    def __init__(self, question: Question, found: Resolved) -> None:
        self.question = question
        self.sources = found.sources
        self._known = [table.name for table in found.schema.tables]
        names = dict.fromkeys(source.table for source in self.sources.values() if source.table)
        self._found = {name: name_spans(question, name) for name in names}
        self.tables = self._table_words()

    def _table_words(self) -> dict[str, Span]:
        """Return each table's words; words that stand for two of them go to the one that they name best, if any."""
        claims: dict[Span, list[tuple[int, bool, str]]] = {}
        for name, spans in self._found.items():
            said = self._said(name, spans[0]) if spans else set()
            if said and not self._is_anothers(name, said):
                claims.setdefault(spans[0], []).append((len(name_stems(name)), main_stem(name) not in said, name))
        words = {}
        for span, claim in claims.items():
            best, *others = sorted(claim)
            if not others or others[0][:2] != best[:2]:
                words[best[2]] = span
        return words

    def _said(self, name: str, span: Span) -> set[str]:
        return set(self.question.stems[span[0] : span[1] + 1]) & set(name_stems(name))

    def _is_anothers(self, name: str, said: set[str]) -> bool:
        """Return whether the words for a table say little, or name another table: "dorm" is no dorm_amenity."""
        others = (set(name_stems(other)) for other in self._known if other != name)
        vague = said <= VAGUE and len(name_stems(name)) > 1
        return vague or (main_stem(name) not in said and said in others)

    def columns(self, tree: exp.Expr) -> list[Span]:
        """Return where the first column in `tree` is named, best first."""
        for column in tree.find_all(exp.Column):
            source = self.sources.get(column.table)
            if source and not isinstance(column.this, exp.Star):
                return column_spans(self.question, source.table, column.name)
        return []

    def column(self, tree: exp.Expr) -> Span | None:
        return next(iter(self.columns(tree)), None)

    def table_of(self, tree: exp.Expr) -> list[Span]:
        """Return where the table of a column is named."""
        source = self.sources.get(tree.table) if isinstance(tree, exp.Column) else None
        return self._found.get(source.table, []) if source else []

    def with_column(self, cues: list[Span], tree: exp.Expr, gap: int, before: bool = False) -> Span | None:
        """Return a stretch over a cue and the best words of `tree`'s column after it, or also before it."""
        for column in self.columns(tree):
            for cue in (cue for cue in cues if column[1] > cue[1] or before):
                wider = joined(self.question, cue, column, gap)
                if wider and not crosses(self.question, wider):
                    return wider
        return None

    def with_noun(self, cue: Span, gap: int = 2) -> Span | None:
        """Return a stretch over "how many" or "at least two" and the table's words that follow: what is counted."""
        nouns = (span for spans in self._found.values() for span in spans if span[0] >= cue[0] and span[1] >= cue[1])
        noun = min(nouns, key=lambda span: (span[0], -span[1]), default=None)
        if noun is None or self.question.lower[cue[1]] == "times":
            return None
        if re.search(NO_NOUN, between(self.question, cue, noun), re.IGNORECASE):
            return None
        return joined(self.question, cue, noun, gap)
