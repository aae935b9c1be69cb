"""What a plan says, read from its text: the side of the words when plan and SQL are compared."""

import re
from collections.abc import Set
from dataclasses import dataclass

from tasks.plan_names import names_in_plan
from tasks.schema import Schema
from tasks.story_sql import A_QUERY, AGGREGATES, Compared, constant_text, plain_subject, turned

_NAME = r"(?:[^\W\d]\w*|`[^`\n]+`)"
_COLUMN = rf"{_NAME}\.(?:{_NAME}|\"[^\"\n]+\"|\[[^\]\n]+\])"
_NUMBER = r"-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w%])"
_CONSTANT = rf"(?:'(?:[^'\n]|'')*'|{_NUMBER})"
_COMPARISON = re.compile(
    rf"(?<![\w.`'\")/%|*+-])(?<![-+*/%|] )(?P<what>\w+\([^()]*\)|{_COLUMN}) ?"
    rf"(?:(?P<sign>!=|<>|==?|<=|>=|<|>|(?:not )?like\b) ?(?P<one>{_CONSTANT}|{_COLUMN}(?!\w|\()|(?-i:[A-Z])\b(?!\.\w))"
    rf"|(?P<not>not )?between (?P<low>{_CONSTANT}) and (?P<high>{_CONSTANT})"
    rf"|(?P<out>not )?in ?(?:\((?P<many>{_CONSTANT}(?:, ?{_CONSTANT})*)\)|(?-i:[A-Z])\b(?!\.\w)))"
    r"(?! ?[*/+|%]| - ?\d)",
    re.IGNORECASE,
)
_SIGNS = {"<>": "!=", "==": "="}
_QUOTE = re.compile(r'(?<![.\w])"[^"\n]*"')
_STEP_NUMBER = re.compile(r"^\s*(?:\W*step )?\d+[.):]", re.IGNORECASE | re.MULTILINE)
_SENTENCE = re.compile(r"\n|; |(?<=[^\d\W])\. |\. (?=[A-Z])")
_WORDS = {
    "no": 0, "none": 0, "zero": 0, "any": 0, "without": 0, "one": 1, "once": 1, "single": 1, "only": 1, "a": 1,
    "two": 2, "twice": 2, "both": 2, "pair": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "fifty": 50,
    "hundred": 100, "thousand": 1000, "million": 1_000_000,
}  # fmt: skip
_MEANS = {"average": "avg", "sum": "sum", "maximum": "max", "minimum": "min"}
_AGGREGATE = re.compile(
    rf"\b(?P<name>{'|'.join(AGGREGATES.values())})\((?P<of>{_COLUMN})\)"
    rf"|\bthe (?P<word>{'|'.join(_MEANS)}) of (?P<column>{_COLUMN})",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"\blimit (\d+)\b|\bfirst (\d+) rows?\b|\b(?:only|just) the first (row)\b", re.IGNORECASE)
_GROUPED = re.compile(
    rf"\bgroup(?:ed|ing|s)?[ :]+(?:(?:the rows|them|it) )?(?:by )?({_COLUMN}(?:(?:,| and|, and) {_COLUMN})*)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class PlanStory:
    """What a plan says.

    text: all of it.  said: what is left without step numbers and "words of the question".  tables, columns: in the
    schema's spelling.  numbers: as constants, those in words too.  compared, aggregates: as in the SQL's story, each
    with how the plan writes it.  limits: row counts that it cuts at.  grouped: bare names of the columns that follow
    "group by".
    """

    text: str
    said: str
    tables: frozenset[str]
    columns: frozenset[str]
    numbers: frozenset[str]
    compared: dict[Compared, str]
    aggregates: dict[tuple[str, str], str]
    limits: frozenset[str]
    grouped: frozenset[str]

    def named_beside(self, words: re.Pattern[str]) -> Set[str] | None:
        """Return the bare names of the columns in sentences with one of `words`; None where there is none."""
        sentences = [sentence for sentence in _SENTENCE.split(self.said) if words.search(sentence)]
        return {bare(name) for one in sentences for name in re.findall(_COLUMN, one)} if sentences else None


def read_plan(plan: str, schema: Schema) -> PlanStory:
    """Return what a plan says, whoever wrote it; what it writes in no form that is known here is not heard."""
    tables, columns, _ = names_in_plan(plan, schema)
    said = _QUOTE.sub("", _STEP_NUMBER.sub("", plan))
    return PlanStory(
        text=" ".join(plan.casefold().replace("''", "'").replace("’", "'").split()),
        said=said,
        tables=frozenset(tables),
        columns=frozenset(columns),
        numbers=frozenset(_numbers(_STEP_NUMBER.sub("", plan))),
        compared=_comparisons(said),
        aggregates=_aggregates(said),
        limits=frozenset("1" if hit[2] else hit[0] or hit[1] for hit in _LIMIT.findall(said)),
        grouped=frozenset(bare(name) for hit in _GROUPED.findall(said) for name in re.findall(_COLUMN, hit)),
    )


def bare(text: str) -> str:
    """Return an expression without the tables of its columns, as the SQL's `subject` writes it.

    >>> bare("count(T1.id)"), bare('city."Head Count"')
    ('count(*)', 'headcount')
    """
    return plain_subject(re.sub(rf"{_NAME}\.(?=[^\W\d]|[`\"\[])", "", text))


def _numbers(plan: str) -> set[str]:
    numbers = {constant_text(number) for number in re.findall(rf"(?<![\w.]){_NUMBER}|(?<=-)\d+\b", plan)}
    words = re.findall(r"[a-z]+", plan.lower())
    return numbers | {str(_WORDS[word]) for word in words if word in _WORDS}


def _comparisons(plan: str) -> dict[Compared, str]:
    found: dict[Compared, str] = {}
    for hit in _COMPARISON.finditer(plan):
        what, text = bare(hit["what"]), hit.group()
        if hit["one"]:
            sign = " ".join(hit["sign"].lower().split())
            found[_pair(what, _SIGNS.get(sign, sign), hit["one"])] = text
        elif hit["low"]:
            found[_pair(what, ">=", hit["low"])] = found[_pair(what, "<=", hit["high"])] = text
        else:
            constants = re.findall(_CONSTANT, hit["many"]) if hit["many"] else [A_QUERY]
            for constant in constants:
                found[_pair(what, "!=" if hit["out"] else "=", constant)] = text
    return found


def _pair(what: str, sign: str, other: str) -> Compared:
    if other == A_QUERY or re.fullmatch("[A-Z]", other):
        return what, sign, A_QUERY
    if re.fullmatch(_COLUMN, other):
        return turned(what, sign, bare(other))
    return what, sign, constant_text(other[1:-1].replace("''", "'") if other.startswith("'") else other)


def _aggregates(plan: str) -> dict[tuple[str, str], str]:
    hits = _AGGREGATE.finditer(plan)
    return {(_function(hit), bare(hit["of"] or hit["column"])): hit.group() for hit in hits}


def _function(hit: re.Match[str]) -> str:
    return hit["name"].lower() if hit["name"] else _MEANS[hit["word"].lower()]
