"""Expressions in words: what an output, a sort key or a condition says to somebody who reads no SQL."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from distill.plan_cues import is_negated
from distill.plan_window import Told, window_words
from tasks.schema import Column
from tasks.scope import Resolved, Source, unwrap
from tasks.sql_text import expression_text

_MEANS = {exp.Avg: "the average of", exp.Sum: "the sum of", exp.Max: "the maximum of", exp.Min: "the minimum of"}
_NUMBERS = (exp.Count, exp.Sum, exp.Avg, exp.Binary, exp.Window, exp.Round, exp.Var)
_TIMES = {
    "%Y": "year", "%m": "month", "%d": "day of the month", "%Y-%m": "year and month", "%H": "hour",
    "%w": "day of the week, 0 for Sunday", "%j": "day of the year", "%W": "week of the year", "%Y-%m-%d": "date",
}  # fmt: skip
_FIRST = {
    ("number", False): ("lowest first", "from low to high"),
    ("number", True): ("highest first", "from high to low"),
    ("text", False): ("alphabetically", "from A to Z"),
    ("text", True): ("from Z to A", "in descending order"),
    ("date", False): ("earliest first", "from old to new"),
    ("date", True): ("latest first", "newest first"),
    ("", False): ("in ascending order", "in ascending order"),
    ("", True): ("in descending order", "in descending order"),
}


@dataclass(frozen=True)
class Words:
    """Says expressions of one resolved query in words; all that it says is in their SQL."""

    found: Resolved

    def text(self, tree: exp.Expr) -> str:
        """Return an expression as SQL, with the plan's names."""
        return expression_text(tree, {key: source.label for key, source in self.found.sources.items()})

    def output(self, tree: exp.Expr, grouped: bool) -> str:
        """Return what an output or a sort key is, as SQL where words would not do; `grouped`: the query groups."""
        tree = unwrap(tree)
        if isinstance(tree, exp.Star):
            return "all columns"
        if isinstance(tree, exp.Count | exp.Avg | exp.Sum | exp.Max | exp.Min):
            return self._aggregate(tree, grouped)
        if isinstance(tree, exp.Filter):
            kept = self.text(tree.expression.this)
            over = "" if isinstance(tree.this, exp.Count) else " over rows"
            return f"{self.output(tree.this, grouped=False)}{over} where {kept} (FILTER)"
        if isinstance(tree, exp.Window):
            return window_words(tree, Told(self.text, self.output, self.first))
        if isinstance(tree, exp.Case | exp.If):
            return self._cases(tree, grouped)
        if isinstance(tree, exp.Round | exp.Coalesce | exp.Cast):
            return self._wrapped(tree, grouped)
        return self._text_function(tree) or self.text(tree) + self._aside(self._inside(tree, grouped))

    def condition(self, tree: exp.Expr, unmatched: frozenset[str] = frozenset()) -> str:
        """Return a condition as SQL, and in brackets what a form that is not plain means.

        unmatched: keys of tables that a left join may have found no row of.
        """
        inner, negated = tree.this if isinstance(tree, exp.Not) else tree, is_negated(tree)
        said = list(self._inside(tree, grouped=False))
        if isinstance(inner, exp.Like) and isinstance(inner.expression, exp.Literal):
            said += _like(inner.expression.name, negated)
        elif isinstance(inner, exp.Exists):
            said.append(f"{inner.this.name} has {'no row' if negated else 'at least one row'}")
        elif isinstance(inner, exp.Is) and not negated and {c.table for c in inner.find_all(exp.Column)} & unmatched:
            said.append("no match was found")
        return self.text(tree) + self._aside(iter(said))

    def first(self, tree: exp.Expr, descending: bool, way: int = 0) -> str:
        """Return which end of an order comes first, in words that fit what is ordered."""
        return _FIRST[self._kind(tree), descending][way]

    def _aside(self, said: Iterator[str]) -> str:
        texts = list(dict.fromkeys(said))
        return f" ({', '.join(texts)})" if texts else ""

    def _aggregate(self, tree: exp.AggFunc, grouped: bool) -> str:
        inner = tree.this
        if isinstance(tree, exp.Count):
            if isinstance(inner, exp.Star):
                return "the number of rows in each group" if grouped else "the number of rows"
            if isinstance(inner, exp.Distinct):
                return f"the number of different {self._listed(inner.expressions)}"
        one = self._of_some(tree)
        if one or isinstance(tree, exp.Count) or tree.expressions:
            return one or self.text(tree)
        if isinstance(inner, exp.Distinct):
            return f"{_MEANS[type(tree)]} the different values of {self._listed(inner.expressions)}"
        return f"{_MEANS[type(tree)]} {self.text(inner)}" + self._aside(self._inside(inner, grouped))

    def _listed(self, trees: list[exp.Expr]) -> str:
        return ", ".join(map(self.text, trees))

    def _of_some(self, tree: exp.AggFunc) -> str | None:
        """Return an aggregate over a CASE with one condition as one over the rows where that holds."""
        found = _one_case(tree.this)
        if found is None:
            return None
        condition, value, other = found
        where, amount, rest = self.text(condition), value.sql(), other.sql() if other else "NULL"
        match tree, amount, rest:
            case exp.Count(), _, "NULL" if isinstance(value, exp.Literal):
                return f"the number of rows where {where} (a count of {amount} for those only)"
            case exp.Sum(), "1", "0" | "NULL":
                return f"the number of rows where {where} (a sum of 1 for each, else {rest})"
            case exp.Avg(), "1" | "1.0", "0" | "0.0":
                return f"the share of rows where {where} (the average of {amount} for those, else {rest})"
            case exp.Sum(), _, "0" | "NULL":
                return f"the sum of {self.text(value)} over rows where {where} (else {rest})"
            case exp.Avg() | exp.Max() | exp.Min(), _, "NULL":
                return f"{_MEANS[type(tree)]} {self.text(value)} over rows where {where} (CASE)"
        return None

    def _cases(self, tree: exp.Case | exp.If, grouped: bool) -> str:
        """Return a CASE as "x if this, else y if that, else z"."""
        texts = [f"{self.output(value, grouped)} if {self.text(condition)}" for condition, value in _branches(tree)]
        other = tree.args.get("default") or tree.args.get("false")
        return ", else ".join([*texts, self.output(other, grouped) if other else "NULL"]) + " (CASE)"

    def _wrapped(self, tree: exp.Round | exp.Coalesce | exp.Cast, grouped: bool) -> str:
        inner = self.output(tree.this, grouped)
        if isinstance(tree, exp.Cast):
            return f"{inner} cast to {tree.to.sql('sqlite')}"
        if isinstance(tree, exp.Coalesce):
            return f"{inner} (or {self._listed(tree.expressions)} where that is NULL)"
        places = tree.args.get("decimals")
        decimals = "a whole number" if places is None else f"{self.text(places)} decimal{'s' * (places.name != '1')}"
        return f"{inner} rounded to {decimals}"

    def _text_function(self, tree: exp.Expr) -> str | None:
        if isinstance(tree, exp.GroupConcat):
            separator = tree.args.get("separator")
            inner = tree.this.expressions[0] if isinstance(tree.this, exp.Distinct) else tree.this
            what = "different values" if isinstance(tree.this, exp.Distinct) else "values"
            between = f", {self.text(separator)} between them" if separator else ""
            return f"the {what} of {self.text(inner)} in one text{between} (group_concat)"
        if isinstance(tree, exp.TimeToStr) and (time := _TIMES.get(tree.args["format"].name)):
            return f"the {time} of {self.text(unwrap(tree.this.this))} (strftime {self.text(tree.args['format'])})"
        if isinstance(tree, exp.Substring) and tree.args["start"].name == "1" and tree.args.get("length"):
            return f"characters 1 to {self.text(tree.args['length'])} of {self.text(tree.this)}"
        return None

    def _inside(self, tree: exp.Expr, grouped: bool) -> Iterator[str]:
        """Yield what the forms inside an expression mean that is shown as SQL."""
        for node in tree.find_all(exp.Window, exp.AggFunc, exp.Cast, exp.TimeToStr, exp.Collate, exp.Anonymous):
            inner = isinstance(node.parent, exp.Window) and node.arg_key == "this"
            if isinstance(node, exp.Window):
                yield f"the window gives {_bare(self.output(node, grouped))}"
            elif isinstance(node, exp.AggFunc) and not inner and (words := self._of_some(node)):
                yield f"{type(node).__name__.lower()} gives {_bare(words)}"
            elif isinstance(node, exp.Cast) and isinstance(node.parent, exp.Div):
                yield "the cast keeps the decimals"
            elif isinstance(node, exp.TimeToStr) and (time := _TIMES.get(node.args["format"].name)):
                yield f"{self.text(node.args['format'])} is the {time}"
            elif isinstance(node, exp.Collate) and node.expression.name.lower() == "nocase":
                yield "capitals count as small letters"
            elif isinstance(node, exp.Anonymous):
                yield from _date_words(node)

    def _kind(self, tree: exp.Expr) -> str:
        """Return what an order goes by: "number", "text", "date", or "" where that is not known."""
        tree = unwrap(tree)
        if isinstance(tree, exp.Max | exp.Min):
            return self._kind(tree.this)
        if isinstance(tree, exp.Column):
            source = self.found.sources.get(tree.table)
            return self._column_kind(source, tree.name) if source else ""
        return "number" if isinstance(tree, _NUMBERS) and not isinstance(tree, exp.DPipe | exp.Collate) else ""

    def _column_kind(self, source: Source, name: str) -> str:
        for table in self.found.schema.tables:
            if table.name == source.table:
                return next((_kind_of(column) for column in table.columns if column.name == name), "")
        return ""


def _bare(words: str) -> str:
    """Return words without the remark at their end."""
    return re.sub(r" \([^()]*(\(\)[^()]*)?\)$", "", words)


def _kind_of(column: Column) -> str:
    """Return what values a column holds, by its type and its examples."""
    kind = column.type.upper()
    texts = [str(value) for value in column.examples]
    if re.search("DATE|TIME", kind) or (texts and all(re.match(r"\d{4}-\d\d", text) for text in texts)):
        return "date"
    if re.search("INT|REAL|FLOA|DOUB|NUM|DEC", kind):
        return "date" if re.search("year$|date", column.name, re.IGNORECASE) else "number"
    is_text = re.search("CHAR|CLOB|TEXT", kind) and all(text[:1].isalpha() for text in texts)
    return "text" if is_text else ""


def _branches(tree: exp.Case | exp.If) -> list[tuple[exp.Expr, exp.Expr]]:
    """Return the conditions of a CASE with their values; CASE x WHEN 1 means x = 1."""
    ifs = [tree] if isinstance(tree, exp.If) else tree.args["ifs"]
    subject = tree.this if isinstance(tree, exp.Case) else None
    return [
        (exp.EQ(this=subject.copy(), expression=part.this.copy()) if subject else part.this, part.args["true"])
        for part in ifs
    ]


def _one_case(tree: exp.Expr | None) -> tuple[exp.Expr, exp.Expr, exp.Expr | None] | None:
    """Return the condition, the value and the other value of a CASE that has one condition."""
    tree = unwrap(tree) if tree else tree
    if not isinstance(tree, exp.Case | exp.If) or len(_branches(tree)) > 1:
        return None
    return (*_branches(tree)[0], tree.args.get("default") or tree.args.get("false"))


def _like(pattern: str, negated: bool) -> list[str]:
    """Return where a pattern's text is to stand, nothing where it has wildcards inside.

    >>> _like("%tea%", False), _like("O%", True), _like("a_b%", False)
    (['anywhere in it'], ['not at its start'], [])
    """
    if re.search("[%_]", pattern.strip("%")) or not pattern.strip("%"):
        return []
    match pattern.startswith("%"), pattern.endswith("%"):
        case True, True:
            return ["nowhere in it" if negated else "anywhere in it"]
        case False, False:
            return []
        case at_end, _:
            return [("not " if negated else "") + ("at its end" if at_end else "at its start")]


def _date_words(node: exp.Anonymous) -> Iterator[str]:
    """Yield what a date function means: "today" for date('now'), and how far from it."""
    name, words = node.name.lower(), [word.name for word in node.expressions if isinstance(word, exp.Literal)]
    if name == "julianday":
        yield "julianday counts in days"
    elif name in ("date", "datetime") and words[:1] == ["now"] and len(words) == len(node.expressions):
        moved = re.fullmatch(r"([-+])(\d+) (\w+?)s?", words[1]) if len(words) == 2 else None
        if moved:
            yield f"{moved[2]} {moved[3]}{'s' * (moved[2] != '1')} {'before' if moved[1] == '-' else 'after'} today"
        elif len(words) == 1:
            yield "today" if name == "date" else "this moment"
