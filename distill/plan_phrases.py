"""The words of the question that each step of a plan serves."""

import re
from dataclasses import replace

from sqlglot import exp

from distill.phrases import Question, Span, crosses, cue_spans, joined, near, quote_of, value_spans
from distill.plan_block import Block, Opened, Part, Step
from distill.plan_conditions import Conditions
from distill.plan_cues import (
    BY,
    DIFFERENT,
    EACH,
    HOW_MUCH,
    LEAST,
    MOST,
    NOT_ASCENDING,
    NOT_DESCENDING,
    ORDER,
    OTHER_MOST,
    OUTPUTS,
    RECENT,
    SETS,
)
from distill.plan_named import Named
from tasks.scope import Resolved


def with_quotes(blocks: list[Block], question: Question, found: Resolved) -> list[Block]:
    """Return the blocks with the words of the question beside their steps, where such words are found."""
    link = _Link(question, found)
    quoted = {block.name: link.block(block) for block in blocks}
    answering = _answering(quoted, "")
    asked = {part.quote for name in answering for part in quoted[name].steps[-1].parts}
    return [block if block.name in answering else _less(block, asked) for block in quoted.values()]


def _answering(blocks: dict[str, Block], name: str) -> set[str]:
    """Return the names of the blocks whose rows become those of block `name`: itself and what it combines."""
    combined = (entry.label for step in blocks[name].steps if step.kind == "combine" for entry in step.opened)
    return {name}.union(*(_answering(blocks, other) for other in combined))


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
    """One question's words, looked up for steps and expressions."""

    def __init__(self, question: Question, found: Resolved) -> None:
        self.question = question
        self.named = Named(question, found)
        self.conditions = Conditions(question, self.named)

    def block(self, block: Block) -> Block:
        self.conditions.answers[block.name] = self._answer(block)
        self.conditions.about[block.name] = self._about(block)
        return replace(block, steps=tuple(self.step(step, block) for step in block.steps))

    def _answer(self, block: Block) -> Span | None:
        """Return the words that ask for a block's one value: its superlative, or its aggregate."""
        sort, last = block.step("sort"), block.steps[-1]
        if sort and block.step("limit"):
            return self.superlative(sort.parts[0], block)
        aggregate = last.kind == "deliver" and isinstance(last.parts[0].tree, exp.AggFunc)
        return self.output(last.parts[0].tree) if aggregate else None

    def _about(self, block: Block) -> list[Span]:
        """Return the words for what a block reads and keeps."""
        spans: list[Span] = []
        for step in block.steps:
            for entry in step.opened:
                table = self._table(entry)
                spans += self.conditions.about.get(entry.label, []) + [table] * (table is not None)
            if step.kind in ("filter", "having"):
                spans += [span for part in step.parts for span in self.conditions.words(part.tree)]
        return spans

    def step(self, step: Step, block: Block) -> Step:
        if step.kind in ("filter", "having"):
            parts = (self._quoted(part, *self.conditions.words(part.tree)) for part in step.parts)
            return replace(step, parts=tuple(parts))
        if step.kind == "deliver":
            different = self._first(DIFFERENT) if step.distinct else None
            parts = (self._quoted(part, self.output(part.tree)) for part in step.parts)
            return replace(step, parts=tuple(parts), quote=quote_of(self.question, different))
        if step.kind in ("open", "cross"):
            opened = (replace(one, quote=quote_of(self.question, self._table(one))) for one in step.opened)
            return replace(step, opened=tuple(opened))
        return replace(step, quote=quote_of(self.question, self._step_span(step, block)))

    def _step_span(self, step: Step, block: Block) -> Span | None:
        match step.kind:
            case "group":
                return self.group(step.parts)
            case "sort":
                limited = block.step("limit") is not None
                return self.superlative(step.parts[0], block) if limited else self.order(step.parts[0].tree)
            case "limit":
                return self._number(step.parts[0].text)
            case "combine":
                return self._set_words(re.split("[, ]", step.parts[0].note)[0], step.opened[1].label)
        return None

    def _number(self, rows: str) -> Span | None:
        """Return the one place where the question says how many rows; the one row is a superlative's."""
        spans = value_spans(self.question, rows) if rows != "1" else []
        return spans[0] if len(spans) == 1 else None

    def _set_words(self, kind: str, second: str) -> Span | None:
        """Return the words for a set operation with the block `second`, "or" only where there is just one."""
        if kind == "except" and (denied := self.conditions.denied(second)):
            return denied
        for pattern in SETS[kind]:
            spans = cue_spans(self.question, pattern)
            if spans and (len(spans) == 1 or pattern != "or"):
                return spans[0]
        return None

    def _quoted(self, part: Part, *spans: Span | None) -> Part:
        quotes = dict.fromkeys(filter(None, (quote_of(self.question, span) for span in spans)))
        return replace(part, quote='" and "'.join(quotes))

    def _table(self, entry: Opened) -> Span | None:
        source = self.named.sources.get(entry.key)
        return self.named.tables.get(source.table) if source else None

    def _first(self, pattern: str) -> Span | None:
        return next(iter(cue_spans(self.question, pattern)), None)

    def output(self, tree: exp.Expr) -> Span | None:
        """Return the words that ask for an output: an aggregate's with its column, or the column's."""
        column = self.named.column(tree)
        function = next((kind for kind in OUTPUTS if isinstance(tree, kind)), None)
        if function is None:
            return column
        cues = cue_spans(self.question, OUTPUTS[function])
        if not cues and function in (exp.Max, exp.Min):
            cues = cue_spans(self.question, OTHER_MOST)
        if wider := self.named.with_column(cues, tree, gap=3):
            return wider
        cue = min(cues, key=lambda cue: self._distance(cue, column, tree), default=None)
        nouns = map(self.named.with_noun, cues) if isinstance(tree, exp.Count) else ()
        return next(filter(None, nouns), cue)

    def _distance(self, cue: Span, column: Span | None, tree: exp.Expr) -> tuple[bool, int]:
        """Return how far a cue is from a column; of times, "the most recent" comes before "the maximum"."""
        times = isinstance(tree, exp.Max) and re.search("year|date|time|day", tree.sql(), re.IGNORECASE)
        return bool(times) and not re.match(RECENT, quote_of(self.question, cue), re.IGNORECASE), near(cue, column)

    def group(self, parts: tuple[Part, ...]) -> Span | None:
        """Return "each" or its like, with the words of what is grouped by."""
        targets = [span for part in parts for span in self.named.columns(part.tree)]
        targets += [span for part in parts for span in self.named.table_of(part.tree)]
        for pattern in (EACH, BY):
            for cue in cue_spans(self.question, pattern):
                for target in (target for target in targets if target[0] > cue[1]):
                    span = joined(self.question, cue, target, gap=2)
                    if span and not crosses(self.question, span):
                        return span
        return self._first(r"(for |in |of |by |from )?(each|every)( \w+)?|per \w+")

    def superlative(self, part: Part, block: Block) -> Span | None:
        """Return the superlative that an order with a limit serves, with the words of what it is about after it."""
        if part.tree.find(exp.Column, exp.Count) is None:
            return None
        column, descending = self.named.column(part.tree), part.note.startswith("desc")
        ways = (MOST, LEAST) if descending else (LEAST, MOST)
        wrong = NOT_DESCENDING if descending else NOT_ASCENDING
        for pattern in (*ways, OTHER_MOST):
            cues = cue_spans(self.question, rf"(?!(?:{wrong})\b)({pattern}){HOW_MUCH}")
            if wider := self.named.with_column(cues, part.tree, gap=3, before=True):
                return wider
            if cues:
                return self._most_of(min(cues, key=lambda cue: near(cue, column)), part, block)
        return None

    def _most_of(self, cue: Span, part: Part, block: Block) -> Span:
        """Return "most" with what is counted or grouped by right after it."""
        group = block.step("group")
        found = [self.named.with_column([cue], key.tree, gap=0) for key in group.parts] if group else []
        found += [self.named.with_noun(cue, gap=0)] * isinstance(part.tree, exp.Count)
        return max((span for span in found if span), key=lambda span: span[1] - span[0], default=cue)

    def order(self, tree: exp.Expr) -> Span | None:
        """Return the words that ask for an order, with the column's words after them."""
        cues = cue_spans(self.question, ORDER)
        return self.named.with_column(cues, tree, gap=4) or next(iter(cues), None)
