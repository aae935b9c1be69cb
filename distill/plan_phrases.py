"""The words of the question that each step of a plan serves."""

import re
from dataclasses import replace

from sqlglot import exp

from distill.phrases import (
    VAGUE,
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
from distill.plan_cues import (
    AFTER,
    BY,
    DIFFERENT,
    EACH,
    HOW_MUCH,
    LEAST,
    MOST,
    NEGATION,
    NULL,
    ORDER,
    OTHER_MOST,
    OUTPUTS,
    SETS,
    SEXES,
    UNLIKE,
    compared,
    fits,
    is_negated,
)
from distill.plan_scope import Source


def with_quotes(blocks: list[Block], question: Question, sources: dict[str, Source]) -> list[Block]:
    """Return the blocks with the words of the question beside their steps, where such words are found."""
    link = _Link(question, sources)
    quoted = [link.block(block) for block in blocks]
    asked = {part.quote for step in quoted[-1].steps if step.kind == "deliver" for part in step.parts}
    return [_less(block, asked) if block.role in ("value", "list") else block for block in quoted]


def _less(block: Block, asked: set[str]) -> Block:
    """Return a subquery without the words for columns that the main query delivers: they ask for those."""
    *steps, last = block.steps
    if last.kind != "deliver":
        return block
    parts = (
        replace(part, quote="") if part.quote in asked and isinstance(part.tree, exp.Column) else part
        for part in last.parts
    )
    return replace(block, steps=(*steps, replace(last, parts=tuple(parts))))


class _Link:
    """One question's words, looked up for steps and expressions; `answers` are the words for each block's output."""

    def __init__(self, question: Question, sources: dict[str, Source]) -> None:
        self.question = question
        self.sources = sources
        self.answers: dict[str, Span | None] = {}
        self.tables = self._table_words()

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
            return replace(step, parts=tuple(self._quoted(part, *self.condition(part.tree)) for part in step.parts))
        if step.kind == "deliver":
            different = self._first(DIFFERENT) if step.distinct else None
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
            return self._set_words(re.split("[, ]", step.parts[0].note)[0])
        return None

    def _set_words(self, kind: str) -> Span | None:
        """Return the words for a set operation, the telling ones first; "and" and "or" only where there is just one."""
        for pattern in SETS[kind]:
            spans = cue_spans(self.question, pattern)
            if spans and (len(spans) == 1 or pattern not in ("and", "or")):
                return spans[0]
        return None

    def _quoted(self, part: Part, *spans: Span | None) -> Part:
        quotes = dict.fromkeys(filter(None, (quote_of(self.question, span) for span in spans)))
        return replace(part, quote='" and "'.join(quotes))

    def _table_words(self) -> dict[str, Span]:
        """Return each table's words; words that stand for two of the tables go to the one they name in full."""
        names = dict.fromkeys(source.table for source in self.sources.values() if source.table)
        found = {name: spans[0] for name in names if (spans := name_spans(self.question, name))}
        telling = {name: span for name, span in found.items() if not self._is_vague(name, span)}
        least: dict[Span, int] = {}
        for name, span in telling.items():
            least[span] = min(len(name_stems(name)), least.get(span, 99))
        return {name: span for name, span in telling.items() if len(name_stems(name)) == least[span]}

    def _is_vague(self, name: str, span: Span) -> bool:
        said = {self.question.stems[place] for place in range(span[0], span[1] + 1)} & set(name_stems(name))
        return said <= VAGUE and len(name_stems(name)) > 1

    def _opened(self, opened: tuple[Opened, ...]) -> tuple[Opened, ...]:
        """Quote each table's words."""
        tables = {source.label: source.table for source in self.sources.values()}
        spans = [self.tables.get(tables[entry.label]) for entry in opened]
        return tuple(
            replace(entry, quote=quote_of(self.question, span)) for entry, span in zip(opened, spans, strict=True)
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

    def condition(self, tree: exp.Expr) -> list[Span]:
        """Return the words of a condition: its values with the comparison or the column's words beside them."""
        column = self._column(tree)
        found = self._values(tree, column)
        if not found:
            without = self._without_value(tree, column)
            return [without] if without else []
        span, apart = found[0], []
        for other in found[1:]:
            wider = joined(self.question, span, other, gap=4)
            span, apart = (wider, apart) if wider else (span, [*apart, other])
        span = self._widened(tree, span, column)
        apart = [self._compared(tree, other) for other in apart if other[0] > span[1] or other[1] < span[0]]
        if is_negated(tree):  # a "not" before a quote mark
            cues = _asked(span, self._comparisons(tree, with_value=True), gap=3)
            return [*cues[-1:], span]
        return sorted({span, *apart}) if isinstance(tree, exp.Or | exp.In) else [span]

    def _values(self, tree: exp.Expr, column: Span | None) -> list[Span]:
        """Return where the values of a condition stand, the first of them near its column or its comparison."""
        found: list[Span] = []
        cues = self._comparisons(tree, with_value=True)
        for literal in tree.find_all(exp.Literal):
            if spans := value_spans(self.question, literal.name) or self._sex(tree, literal):
                place = found[-1] if found else column
                found.append(min(spans, key=lambda span: (not _asked(span, cues, gap=1), near(place, span))))
        return found

    def _widened(self, tree: exp.Expr, span: Span, column: Span | None) -> Span:
        """Return the words of a value with those of the comparison, or of the column, beside them."""
        negated = is_negated(tree)
        plain, span = span, self._compared(tree, span)
        if column is None and (counted := self._noun(tree, span)):
            span = joined(self.question, span, counted, gap=1) or span
        if column and (column[0] > span[1] or span == plain):
            wider = joined(self.question, column, span, gap=1 if column[0] > span[1] else 4)
            if wider and (negated or not re.search(rf"\b({UNLIKE}|than)\b", quote_of(self.question, wider))):
                return wider
        return span

    def _compared(self, tree: exp.Expr, value: Span) -> Span:
        """Return the words of a value with those of the comparison before or after it."""
        before = _asked(value, self._comparisons(tree, with_value=True), gap=3)
        after = [cue for cue in cue_spans(self.question, AFTER) if 0 < cue[0] - value[1] <= 1]
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

    def _without_value(self, tree: exp.Expr, column: Span | None) -> Span | None:
        """Return the words of a condition whose value the question does not name."""
        if isinstance(tree, exp.Not) and isinstance(tree.this, exp.In | exp.Exists):
            return self._negation()
        answer = next((self.answers.get(name.name) for name in tree.find_all(exp.Var)), None)
        if isinstance(tree, exp.GT | exp.LT | exp.GTE | exp.LTE):
            wanted = answer or column
            cues = self._comparisons(tree, with_value=False)
            wider = (joined(self.question, cue, wanted, gap=3) for cue in cues if wanted)
            return next(filter(None, wider), None) or next(iter(cues), None)
        if answer:
            return answer
        if isinstance(tree, exp.Is):
            cues = cue_spans(self.question, NULL)
            return next((span for cue in cues if column and (span := joined(self.question, cue, column, gap=3))), None)
        return column if tree.find(exp.Literal) or not isinstance(tree, exp.Binary) else None

    def _negation(self) -> Span | None:
        """Return the first words that deny something, with those of a table that they deny."""
        cue = self._first(NEGATION)
        ends = (span for span in self.tables.values() if cue and cue[0] < span[0] <= cue[1] + 1)
        return max(((cue[0], max(cue[1], span[1])) for span in ends), default=cue) if cue else None

    def output(self, tree: exp.Expr) -> Span | None:
        """Return the words that ask for an output: an aggregate's with its column, or the column's."""
        column = self._column(tree)
        function = next((kind for kind in OUTPUTS if isinstance(tree, kind)), None)
        if function is None:
            return column
        cues = cue_spans(self.question, OUTPUTS[function])
        if not cues and function in (exp.Max, exp.Min):
            cues = cue_spans(self.question, OTHER_MOST)
        if not cues:
            return None
        cue = min(cues, key=lambda cue: near(cue, column))
        column = column or self._noun(tree, cue)
        wider = joined(self.question, cue, column, gap=3) if column and column[0] > cue[0] else None
        return cue if wider is None or crosses(self.question, wider) else wider

    def _noun(self, tree: exp.Expr, cue: Span) -> Span | None:
        """Return the table's words that follow "how many" or "at least two": what a count counts."""
        spans = sorted(span for span in self.tables.values() if span[1] >= cue[0])
        return spans[0] if spans and spans[0][1] > cue[1] and tree.find(exp.Count) else None

    def group(self, parts: tuple[Part, ...]) -> Span | None:
        """Return "each" or its like, with the words of what is grouped by."""
        targets = [self._column(part.tree) for part in parts]
        targets += [spans[0] for part in parts if (spans := self._table(part.tree))]
        for pattern in (EACH, BY):
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
        ways = (MOST, LEAST) if part.note.startswith("desc") else (LEAST, MOST)
        for pattern in (*ways, OTHER_MOST):
            if cues := cue_spans(self.question, f"({pattern}){HOW_MUCH}"):
                cue = min(cues, key=lambda cue: near(cue, column))
                return (column and joined(self.question, cue, column, gap=3)) or cue
        return None

    def order(self, tree: exp.Expr) -> Span | None:
        """Return the words that ask for an order, with the column's words after them."""
        column = self._column(tree)
        cues = cue_spans(self.question, ORDER)
        if not cues:
            return None
        return (column and column[0] > cues[0][0] and joined(self.question, cues[0], column, gap=4)) or cues[0]


def _asked(value: Span, cues: list[Span], gap: int) -> list[Span]:
    """Return the words of comparisons that stand before a value, at most `gap` places from it."""
    return [cue for cue in cues if cue[0] < value[0] and 0 <= value[0] - cue[1] <= gap]
