"""The words of the question that ask for a condition: its value, its comparison, its column, or what it denies."""

import re

from sqlglot import exp

from distill.phrases import VAGUE, Question, Span, between, crosses, cue_spans, joined, near, quote_of, value_spans
from distill.plan_cues import AFTER, LINKING, NEGATION, NULL, SEXES, UNLIKE, compared, fits, is_negated
from distill.plan_named import Named


class Conditions:
    """One question's words for conditions.

    answers: the words for the one value of a block, by its name.  about: the words for what a block reads and keeps.
    """

    def __init__(self, question: Question, named: Named) -> None:
        self.question = question
        self.named = named
        self.answers: dict[str, Span | None] = {}
        self.about: dict[str, list[Span]] = {}

    def words(self, tree: exp.Expr) -> list[Span]:
        """Return the words of a condition: its values with the comparison or the column's words beside them."""
        found = self._values(tree)
        if not found:
            without = self._without_value(tree)
            return [without] if without else []
        span, apart = found[0], []
        for other in found[1:]:
            wider = joined(self.question, span, other, gap=4)
            span, apart = (wider, apart) if wider else (span, [*apart, other])
        span = self._widened(tree, span)
        apart = [self._compared(tree, other) for other in apart if other[0] > span[1] or other[1] < span[0]]
        if is_negated(tree):
            return self._not(tree, span)
        return sorted({span, *apart}) if isinstance(tree, exp.Or | exp.In) else [span]

    def _not(self, tree: exp.Expr, value: Span) -> list[Span]:
        """Return the words of a value with the "not" before them; that stands alone before a quote mark."""
        cues = _asked(value, self._comparisons(tree, with_value=True), gap=5)
        cues = [cue for cue in cues if not crosses(self.question, (cue[0], value[0]))]
        wider = joined(self.question, cues[-1], value, gap=5) if cues else None
        return [wider] if wider else [*cues[-1:], value]

    def denied(self, name: str) -> Span | None:
        """Return the words that deny something, with those for what the block `name` reads and keeps after them."""
        best: Span | None = None
        for cue in cue_spans(self.question, NEGATION):
            span = cue
            for word in sorted(self.about.get(name, [])):
                wider = joined(self.question, span, word, gap=4) if word[0] > cue[0] else None
                span = (
                    wider if wider and (word[0] <= span[1] or not crosses(self.question, (span[1], word[0]))) else span
                )
            span = self._to_the_end(span)
            if best is None or (span != cue and span[1] - span[0] > best[1] - best[0]):
                best = span
        return best

    def _to_the_end(self, span: Span) -> Span:
        """Return a stretch with what follows it in its clause where that is a few words: "no course" and "work"."""
        after = self.question.text[self.question.places[span[1]][1] :]
        rest = re.match(r"(\s+(?!(?:and|or|but)\b)\w+){1,3}(?=\s*[?.,;]|\s*$)", after)
        return (span[0], span[1] + len(rest[0].split())) if rest else span

    def _values(self, tree: exp.Expr) -> list[Span]:
        """Return where the values of a condition stand, the first of them near its column or its comparison."""
        found: list[Span] = []
        columns, cues = self.named.columns(tree), self._comparisons(tree, with_value=True)
        for literal in tree.find_all(exp.Literal):
            if spans := value_spans(self.question, literal.name) or self._sex(tree, literal):
                places = found[-1:] or columns

                def rank(span: Span, places: list[Span] = places) -> tuple[bool, int]:
                    return not _asked(span, cues, gap=1), min((near(place, span) for place in places), default=0)

                found.append(min(spans, key=rank))
        return found

    def _widened(self, tree: exp.Expr, span: Span) -> Span:
        """Return the words of a value with those of the comparison, or of the column, beside them."""
        plain, span = span, self._compared(tree, span)
        columns = self.named.columns(tree)
        if not columns and tree.find(exp.Count):
            span = self.named.with_noun(span, gap=1) or span
        for column in columns:
            after = column[0] > span[1]
            if after or span == plain:
                wider = joined(self.question, column, span, gap=1 if after else 4)
                if wider and self._is_linked(tree, column, span):
                    return wider
        return span

    def _is_linked(self, tree: exp.Expr, column: Span, value: Span) -> bool:
        """Return whether the words between a column and its value say no more than that they belong together."""
        text = between(self.question, column, value)
        links = f"{LINKING}|{UNLIKE}" if is_negated(tree) else LINKING
        return re.fullmatch(rf"(\W|\b({links})\b)*", text, re.IGNORECASE) is not None

    def _compared(self, tree: exp.Expr, value: Span) -> Span:
        """Return the words of a value with those of the comparison before or after it."""
        before = _asked(value, self._comparisons(tree, with_value=True), gap=3)
        after = [cue for cue in cue_spans(self.question, AFTER) if 0 < cue[0] - value[1] <= 1]
        if isinstance(tree, exp.EQ):
            before = [cue for cue in before if self._is_linked(tree, cue, value)]
        for cue in before[-1:] + after[:1]:
            value = joined(self.question, value, cue, gap=3) or value
        return value

    def _comparisons(self, tree: exp.Expr, with_value: bool) -> list[Span]:
        spans = cue_spans(self.question, compared(tree, with_value))
        return [span for span in spans if fits(tree, quote_of(self.question, span))]

    def _sex(self, tree: exp.Expr, literal: exp.Literal) -> list[Span]:
        columns = {column.name.lower() for column in tree.find_all(exp.Column)}
        if columns & {"sex", "gender"} and literal.name.lower() in SEXES:
            return cue_spans(self.question, SEXES[literal.name.lower()])
        return []

    def _without_value(self, tree: exp.Expr) -> Span | None:
        """Return the words of a condition whose value the question does not name."""
        names = [name.name for name in tree.find_all(exp.Var)]
        if isinstance(tree, exp.Not) and isinstance(tree.this, exp.In | exp.Exists):
            return self.denied(names[0] if names else "")
        answer = next((self.answers.get(name) for name in names), None)
        if isinstance(tree, exp.GT | exp.LT | exp.GTE | exp.LTE):
            return self._comparison(tree, answer)
        if answer:
            return answer
        column = self.named.column(tree)
        if isinstance(tree, exp.Is):
            cues = cue_spans(self.question, NULL)
            return next((span for cue in cues if column and (span := joined(self.question, cue, column, gap=3))), None)
        if any(literal.is_string and " " in literal.name.strip() for literal in tree.find_all(exp.Literal)):
            return None  # so telling a value would stand in the question
        vague = column and {self.question.stems[place] for place in range(column[0], column[1] + 1)} <= VAGUE
        return None if vague or (isinstance(tree, exp.Binary) and not tree.find(exp.Literal)) else column

    def _comparison(self, tree: exp.Expr, answer: Span | None) -> Span | None:
        """Return the words that compare, with those for the other side or the column beside them, best after them."""
        cues = self._comparisons(tree, with_value=False)
        sides = [answer] if answer else self.named.columns(tree)
        wider = [span for side in sides for cue in cues if (span := joined(self.question, cue, side, gap=3))]
        plain = [span for span in wider if not crosses(self.question, span)]
        starts = {cue[0] for cue in cues}
        return min(plain, key=lambda span: span[0] not in starts, default=next(iter(cues), None))


def _asked(value: Span, cues: list[Span], gap: int) -> list[Span]:
    """Return the words of comparisons that stand before a value, at most `gap` places from it."""
    return [cue for cue in cues if cue[0] < value[0] and 0 <= value[0] - cue[1] <= gap]
