"""The words of the question that each step of a plan serves."""

import re
from dataclasses import replace

from sqlglot import exp

from distill.phrases import (
    Question,
    Span,
    column_span,
    crosses,
    cue_spans,
    joined,
    name_spans,
    name_stems,
    near,
    quote_of,
    value_spans,
)
from distill.plan_block import Block, Opened, Part, Step
from distill.plan_scope import Source

_COMPARED = (
    r"(no |not )?(\w+er|more|less|fewer|greater) (\w+ )?than( or equal to)?|above|below|over|under|after|before|older"
    r"|younger|since|at least|at most|exceed(s|ing|ed)?|between|(?<!apart )from|prior to|up to|until|within|exactly"
    r"|contain(s|ing)?|includ(es|ing|e)|(start|begin|end)(s|ning|ing)? with|named|called|titled"
)
_UNLIKE = r"not|outside|other than|apart from|except( for)?|excluding|\w+n't( \w+)?"
_AFTER = (
    r"(or|and) (more|less|fewer|above|below|older|younger|higher|lower|later|earlier|after|before|greater|larger)|times"
)
_MOST = (
    r"most( (recent|common|popular|expensive|frequent|important|used))?|highest|largest|biggest|greatest|maximum|max"
    r"|latest|newest|oldest|longest|tallest|best|top|heaviest|richest|last(?! name)|recent|busiest|fastest"
)
_LEAST = (
    r"least( (recent|common|popular|expensive|frequent|important|used))?|fewest|lowest|smallest|minimum|min|earliest"
    r"|first(?! name)|youngest|shortest|cheapest|worst|slowest|lightest"
)
_OTHER_MOST = r"(?!inter|for|te|re|gu|fo|ha|man|har|con|we)\w{3,}est"
_ORDER = (
    r"((sorted|sort|ordered|ranked|listed) )?(in )?(an |the )?"
    r"(alphabetic(al)?|ascending|descending|decreasing|increasing|lexicographic\w*|chronological"
    r"|reverse\w*) (\w+ )?order( of| by)?|alphabetically|order by|in( the)? order of|from (the )?\w+ to (the )?\w+"
    r"|(sort(ed|ing)?|order(ed|ing)?|rank(ed|ing)?|arranged?|list(ed)?)( \w+){0,3}? (by|from|according to|based on)"
    r"|sorted"
)
_CUES = {
    exp.Count: r"how many( \w+)?|(the )?(total )?numbers?( of( \w+)?)?|count(?! of)|amount of",
    exp.Avg: r"average|mean|avg",
    exp.Sum: r"total|sum|how many|how much|combined|overall|number of",
    exp.Max: _MOST,
    exp.Min: _LEAST,
}
_EACH = r"(for |in |of |by |from )?(each|every)|per|group(ed)? by|different"
_BY = r"by|corresponding|respective(ly)?"
_DIFFERENT = r"different|distinct|unique|differing|various"
_NEGATION = (
    r"(do|does|did|has|have|is|are|was|were|had)( not|n't|n’t)( \w+)?|not( \w+)?|never( \w+)?|no \w+"
    r"|without( \w+)?|except( \w+)?|excluding( \w+)?|none|neither"
)
_NULL = r"no|missing|without|null|not|unknown|empty|lack(s|ing)?"
_SETS = {"intersect": r"both|and also|as well as|also|and", "except": _NEGATION, "union": r"either|or|as well as|and"}
_SEXES = {"f": r"females?|wom[ae]n|girls?", "m": r"males?|m[ae]n|boys?"}


def with_quotes(blocks: list[Block], question: Question, sources: dict[str, Source]) -> list[Block]:
    """Return the blocks with the words of the question beside their steps, where such words are found."""
    link = _Link(question, sources)
    return [link.block(block) for block in blocks]


class _Link:
    """One question's words, looked up for steps and expressions; `answers` are the words for each block's output."""

    def __init__(self, question: Question, sources: dict[str, Source]) -> None:
        self.question = question
        self.sources = sources
        self.answers: dict[str, Span | None] = {}

    def block(self, block: Block) -> Block:
        limited = any(step.kind == "limit" for step in block.steps)
        self.answers[block.name] = self._answer(block, limited)
        return replace(block, steps=tuple(self.step(step, limited) for step in block.steps))

    def _answer(self, block: Block, limited: bool) -> Span | None:
        """Return the words that ask for a block's one value: its superlative, or its aggregate."""
        sort = next((step for step in block.steps if step.kind == "sort"), None)
        if sort and limited:
            return self.superlative(sort.parts[0])
        last = block.steps[-1]
        aggregate = last.kind == "deliver" and isinstance(last.parts[0].tree, exp.AggFunc)
        return self.output(last.parts[0].tree) if aggregate else None

    def step(self, step: Step, limited: bool) -> Step:
        if step.kind in ("filter", "having"):
            return replace(step, parts=tuple(self._quoted(part, self.condition(part.tree)) for part in step.parts))
        if step.kind == "deliver":
            different = self._first(_DIFFERENT) if step.distinct else None
            parts = tuple(self._quoted(part, self.output(part.tree)) for part in step.parts)
            return replace(step, parts=parts, quote=quote_of(self.question, different))
        if step.kind in ("open", "cross"):
            return replace(step, opened=self._opened(step.opened))
        return replace(step, quote=quote_of(self.question, self._step_span(step, limited)))

    def _step_span(self, step: Step, limited: bool) -> Span | None:
        if step.kind == "group":
            return self.group(step.parts)
        if step.kind == "sort":
            return self.superlative(step.parts[0]) if limited else self.order(step.parts[0].tree)
        if step.kind == "combine":
            return self._first(_SETS[re.split("[, ]", step.parts[0].note)[0]])
        return None

    def _quoted(self, part: Part, span: Span | None) -> Part:
        return replace(part, quote=quote_of(self.question, span))

    def _opened(self, opened: tuple[Opened, ...]) -> tuple[Opened, ...]:
        """Quote each table's words; words that stand for two of the tables go to the one they name in full."""
        tables = {source.label: source.table for source in self.sources.values()}
        spans = {entry.label: next(iter(name_spans(self.question, tables[entry.label])), None) for entry in opened}
        best: dict[Span, int] = {}
        for label, span in spans.items():
            if span:
                size = len(name_stems(tables[label]))
                best[span] = min(size, best.get(span, size))
        return tuple(
            replace(entry, quote=quote_of(self.question, span))
            if (span := spans[entry.label]) and len(name_stems(tables[entry.label])) == best[span]
            else entry
            for entry in opened
        )

    def _first(self, pattern: str) -> Span | None:
        return next(iter(cue_spans(self.question, pattern)), None)

    def _column(self, tree: exp.Expr) -> Span | None:
        """Return the words of the first column in `tree`."""
        for column in tree.find_all(exp.Column):
            source = self.sources.get(column.table)
            if source and not isinstance(column.this, exp.Star):
                return column_span(self.question, source.table, column.name)
        return None

    def condition(self, tree: exp.Expr) -> Span | None:
        """Return the words of a condition: its values with the comparison or the column's words beside them."""
        column = self._column(tree)
        found: list[Span] = []
        for literal in tree.find_all(exp.Literal):
            spans = value_spans(self.question, literal.name) or self._sex(tree, literal)
            if spans:
                place = found[-1] if found else column
                found.append(min(spans, key=lambda span: near(place, span)))
        if not found:
            return self._without_value(tree, column)
        span = found[0]
        for other in found[1:]:
            span = joined(self.question, span, other, gap=4) or span
        negated = isinstance(tree, exp.NEQ | exp.Not)
        cues = cue_spans(self.question, _UNLIKE if negated else _COMPARED)
        before = [cue for cue in cues if cue[0] < span[0] and cue[1] <= span[0] and span[0] - cue[1] <= 3]
        after = [cue for cue in cue_spans(self.question, _AFTER) if 0 < cue[0] - span[1] <= 1]
        for cue in before[-1:] + after[:1]:
            span = joined(self.question, span, cue, gap=3) or span
        if column and (column[0] > span[1] or not (before or after)):
            wider = joined(self.question, column, span, gap=1 if column[0] > span[1] else 4)
            if wider and (negated or not re.search(rf"\b({_UNLIKE})\b", quote_of(self.question, wider))):
                return wider
        return span

    def _sex(self, tree: exp.Expr, literal: exp.Literal) -> list[Span]:
        columns = {column.name.lower() for column in tree.find_all(exp.Column)}
        if columns & {"sex", "gender"} and literal.name.lower() in _SEXES:
            return cue_spans(self.question, _SEXES[literal.name.lower()])
        return []

    def _without_value(self, tree: exp.Expr, column: Span | None) -> Span | None:
        """Return the words of a condition whose value the question does not name."""
        if isinstance(tree, exp.Not) and isinstance(tree.this, exp.In | exp.Exists):
            return self._first(_NEGATION)
        answer = next((self.answers.get(name.name) for name in tree.find_all(exp.Var)), None)
        if isinstance(tree, exp.GT | exp.LT | exp.GTE | exp.LTE):
            cue = self._first(_COMPARED)
            wanted = answer or column
            return (wanted and cue and joined(self.question, cue, wanted, gap=3)) or cue
        if answer:
            return answer
        if isinstance(tree, exp.Is):
            cues = cue_spans(self.question, _NULL)
            return next((span for cue in cues if column and (span := joined(self.question, cue, column, gap=3))), None)
        return column

    def output(self, tree: exp.Expr) -> Span | None:
        """Return the words that ask for an output: an aggregate's with its column, or the column's."""
        column = self._column(tree)
        function = next((kind for kind in _CUES if isinstance(tree, kind)), None)
        if function is None:
            return column
        cues = cue_spans(self.question, _CUES[function])
        if not cues and function in (exp.Max, exp.Min):
            cues = cue_spans(self.question, _OTHER_MOST)
        if not cues:
            return None
        cue = min(cues, key=lambda cue: near(cue, column))
        wider = joined(self.question, cue, column, gap=3) if column and column[0] > cue[0] else None
        return cue if wider is None or crosses(self.question, wider) else wider

    def group(self, parts: tuple[Part, ...]) -> Span | None:
        """Return "each" or its like, with the words of what is grouped by."""
        targets = [self._column(part.tree) for part in parts]
        targets += [spans[0] for part in parts if (spans := self._table(part.tree))]
        for pattern in (_EACH, _BY):
            for cue in cue_spans(self.question, pattern):
                for target in targets:
                    if target and target[0] > cue[1] and (span := joined(self.question, cue, target, gap=2)):
                        return span
        return self._first(r"(for |in |of |by |from )?(each|every)( \w+)?|per \w+")

    def _table(self, tree: exp.Expr) -> list[Span]:
        source = self.sources.get(tree.table) if isinstance(tree, exp.Column) else None
        return name_spans(self.question, source.table) if source and source.table else []

    def superlative(self, part: Part) -> Span | None:
        """Return the superlative that an order with a limit serves, with the column's words after it."""
        column = self._column(part.tree)
        if part.tree.find(exp.Column, exp.Count) is None:
            return None
        ways = (_MOST, _LEAST) if part.note == "desc" else (_LEAST, _MOST)
        for pattern in (*ways, _OTHER_MOST):
            if cues := cue_spans(self.question, pattern):
                cue = min(cues, key=lambda cue: near(cue, column))
                return (column and joined(self.question, cue, column, gap=3)) or cue
        return None

    def order(self, tree: exp.Expr) -> Span | None:
        """Return the words that ask for an order, with the column's words after them."""
        column = self._column(tree)
        cues = cue_spans(self.question, _ORDER)
        if not cues:
            return None
        return (column and column[0] > cues[0][0] and joined(self.question, cues[0], column, gap=4)) or cues[0]
