"""Does a plan tell the same story as the SQL beside it?  Both as sets: tables, joins, filters, groups, order."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from sqlglot import exp
from sqlglot.errors import ParseError

from tasks.level import read_query
from tasks.schema import Schema
from tasks.scope import CannotPlan
from tasks.story_plan import PlanStory, bare, read_plan
from tasks.story_sql import SqlStory, read_sql
from tasks.trace import Kind

CORRECTED = "Corrected plan:"
"""The line in the <think> of a repair trace after which the right query's plan stands."""

_EXTREME = r"\w+est\b|\b(most|least|first|last|top|best|worst|max(imum)?|min(imum)?)\b"
_DOWN = r"\bdesc(ending)?\b|(high|larg|bigg|great|lat|new|long)est first|most first|high to low|large to small|Z to A"
_UP = r"\basc(ending)?\b|(low|small|earli|short|few)est first|low to high|small to large|A to Z|alphabetical"
_HIGH = r"\b(?!low|small|few|short|earli|cheap)\w+est\b|\b(most|last|top|best|max(imum)?)\b"
_GROUPING = r"\bgroup|\b(each|every|per)\b"
_SORTING = rf"\b(sort|order|rank|arrang)|{_DOWN}|{_UP}|{_EXTREME}"
_DELIVERING = r"\b(deliver|answer|return|output|select|show|giv|list|report|project|count|fetch|read|take|result)"
_BESIDE = {
    "groups by": re.compile(rf"{_GROUPING}|\b(by|by the|for)\b", re.IGNORECASE),
    "sorts by": re.compile(_SORTING, re.IGNORECASE),
    "delivers": re.compile(_DELIVERING, re.IGNORECASE),
}


class _Clause(NamedTuple):
    """What a plan for a clause says in some way, what one without it never says, and whether case counts there.

    within: the clause is looked for only where the SQL has this other one.
    without: saying it is all right where the SQL has this other one.
    """

    needs: str
    means: str = ""
    within: str = ""
    without: str = ""
    flags: re.RegexFlag = re.IGNORECASE | re.MULTILINE


_CASE = re.MULTILINE
_CLAUSES = {
    "ORDER BY": _Clause(_SORTING, r"\bsort(s|ed|ing)?\b|\border(ed|s|ing)? (the rows )?by\b"),
    "descending order": _Clause(rf"{_DOWN}|{_HIGH}", _DOWN, within="ORDER BY"),
    "ascending order": _Clause("", _UP, within="ORDER BY"),
    "LIMIT": _Clause(rf"\b(limit|only|one|single|cut)\b|{_EXTREME}", r"\blimit \d|\bfirst (\d+ )?rows?\b"),
    "GROUP BY": _Clause(rf"{_GROUPING}|\bby\b", r"\bgroup(s|ed|ing)? (the rows |them )?by\b|^group[ :]+\S+\.\S"),
    "DISTINCT": _Clause(
        r"distinct|differen|unique|duplicat|\bonce\b|repeat",
        r"\bdistinct\b|\bdifferent (values?|rows?) of\b|\beach (different )?(row|value|one) once\b|de-?duplicat",
        without="a set",
    ),
    "outer join": _Clause(
        r"\b(left|right|full|outer|all|also)\b|without|even|match", r"\b(left|right|full|outer) join\b"
    ),
    "UNION": _Clause(
        r"union|either|combin|both|together|all rows|append|\b(or|and|plus)\b",
        r"\b[A-Z] union( all)? [A-Z]\b",
        flags=_CASE,
    ),
    "UNION ALL": _Clause("", r"\bunion all\b|\ball rows of [A-Z] and then all rows of [A-Z]\b", within="UNION"),
    "UNION without ALL": _Clause(
        "", r"\b[A-Z] union [A-Z]\b|\brows of [A-Z] and of [A-Z], each different row once", within="UNION", flags=_CASE
    ),
    "INTERSECT": _Clause(
        r"intersect|both|common|also|as well",
        r"\b[A-Z] intersect [A-Z]\b|\bin both [A-Z] and [A-Z]\b",
        without="a query in a condition",
        flags=_CASE,
    ),
    "EXCEPT": _Clause(
        r"except|\b(not|no)\b|without|minus|remov|exclud|subtract|n't",
        r"\b[A-Z] except [A-Z]\b|\bnot in [A-Z]\b",
        without="a query in a condition",
        flags=_CASE,
    ),
    "OR": _Clause(r"\b(or|OR|either|any|one of|union|in|IN)\b", r"\S OR \S", flags=_CASE),
    "AVG": _Clause(r"average|avg|mean"),
    "SUM": _Clause(r"\b(sum|total|add|combine|altogether|overall)"),
    "MAX": _Clause(_EXTREME),
    "MIN": _Clause(_EXTREME),
    "COUNT": _Clause(r"count|number|how many|size|times|frequen"),
}

_IN_WINDOWS = {"ORDER BY", "descending order", "ascending order", "GROUP BY", "LIMIT"}
"""What a plan may say of a window, and a window's frame, where the query itself has no such clause."""


def plan_part(think: str) -> str:
    """Return the plan in a <think>: what stands after CORRECTED in a repair trace, else all of it.

    >>> plan_part("First try: ...\\nCorrected plan:\\nopen city"), plan_part("open city")
    ('open city', 'open city')
    """
    return think[mark.end() :].strip() if (mark := _CORRECTED.search(think)) else think


def is_repair(think: str) -> bool:
    """Return whether a <think> goes through a wrong query first."""
    return _CORRECTED.search(think) is not None


_CORRECTED = re.compile(rf"^{CORRECTED}$", re.MULTILINE)


def contradictions(think: str, sql: str, schema: Schema, kind: Kind = "plan") -> list[str]:
    """Return where a <think> tells another story than the SQL, each in words; none where the two agree.

    Free reasoning (cot) must only speak of the tables that the SQL reads.  A plan must name all that the SQL joins,
    filters, groups and sorts by and compares with, and name no column nor comparison that the SQL does not have;
    letter case, quotes, aliases and the spelling of numbers don't count.
    """
    if kind == "sql_only":
        return []
    if kind == "cot":
        return _missing_tables(plan_part(think), _tables(sql), frozenset())
    try:
        story = read_sql(sql, schema)
    except CannotPlan as error:
        return [f"the SQL cannot be compared with the plan: {error}"]
    plan = read_plan(plan_part(think), schema)
    return [*_untold(plan, story), *_untrue(plan, story)]


def faithfulness(think: str, sql: str, schema: Schema) -> float:
    """Return which share of what the SQL does its plan tells, less what the plan says and the SQL does not do.

    Each table, joined, filtered, grouped, sorted, delivered or otherwise read column, constant, limit, join and clause
    is one fact of the SQL: (facts − facts that are not told − untrue statements) / facts, at least 0.0; 1.0 where
    `contradictions` finds none.  0.0 for SQL without tables, of which there is nothing to tell; CannotPlan where names
    in the SQL lead nowhere.
    """
    story = read_sql(sql, schema)
    plan = read_plan(plan_part(think), schema)
    wrong = len(_untold(plan, story)) + len(_untrue(plan, story))
    return max(0.0, 1 - wrong / _facts(story)) if story.tables else 0.0


def _untold(plan: PlanStory, story: SqlStory) -> list[str]:
    """Return what the SQL does and the plan does not say."""
    links = story.links - plan.compared.keys() if story.links & plan.compared.keys() else set()
    return [
        *_missing_tables(plan.text, story.tables, plan.tables),
        *_missing_columns(plan, story),
        *_missing_constants(plan, story),
        *_said((" ".join(link) for link in links), "the SQL has {}, the plan joins in another way"),
        *_missing_clauses(plan, story),
    ]


def _untrue(plan: PlanStory, story: SqlStory) -> list[str]:
    """Return what the plan says and the SQL does not do."""
    return [
        *_said(plan.tables - story.tables, "the plan opens {}, which the SQL does not read"),
        *_said(plan.columns - story.used, "the plan names {}, which the SQL does not use"),
        *_other_expressions(plan, story),
        *_other_clauses(plan, story),
    ]


def _facts(story: SqlStory) -> int:
    """Return how many lines `_untold` could have, at most."""
    places = (story.joined, story.filtered, story.grouped, story.ordered, story.delivered)
    clauses = {name for name in _told_clauses(story) if name in story.clauses and _CLAUSES[name].needs}
    sets = (story.tables, *places, story.read.difference(*places), story.constants, story.counts, story.links, clauses)
    return sum(map(len, sets)) + len(story.limits - {"1"})


def _said(names: Iterable[str], text: str) -> list[str]:
    return [text.format(name) for name in sorted(names)]


def _tables(sql: str) -> set[str]:
    """Return the tables that a query names, as it writes them."""
    try:
        query = read_query(sql)
    except ParseError:
        return set()
    withs = {part.alias.lower() for part in query.find_all(exp.CTE)}
    return {table.name for table in query.find_all(exp.Table) if table.name.lower() not in withs}


def _missing_tables(text: str, wanted: Iterable[str], named: frozenset[str]) -> list[str]:
    missing = {table for table in wanted if table not in named and not _speaks_of(text, table)}
    return _said(missing, "the SQL reads {}, which the plan never names")


def _speaks_of(text: str, name: str) -> bool:
    """Return whether a name stands in a text, also with blanks for underscores and in its plural.

    >>> _speaks_of("All Flight records", "flight_record"), _speaks_of("a singer's pet", "sing")
    (True, False)
    """
    spelled = r"[ _]?".join(re.escape(part) for part in re.split(r"[ _]+", name) if part)
    return re.search(rf"(?<!\w){spelled}(e?s)?(?!\w)", text, re.IGNORECASE) is not None


def _missing_columns(plan: PlanStory, story: SqlStory) -> list[str]:
    """What is only delivered or counted may be named without its table."""
    strict = {
        "joins on": story.joined,
        "filters on": story.filtered,
        "groups by": story.grouped,
        "sorts by": story.ordered,
    }
    lines = []
    for place, columns in strict.items():
        lines += _said(columns - plan.columns, f"the SQL {place} {{}}, which the plan does not name")
    spoken = {name for name in story.read - plan.columns if _speaks_of(plan.text, name.partition(".")[2])}
    unnamed = story.read - plan.columns - spoken - frozenset().union(*strict.values())
    lines += _said(unnamed, "the SQL reads {}, which the plan does not name")
    for place, columns in {"groups by": story.grouped, "sorts by": story.ordered, "delivers": story.delivered}.items():
        beside = plan.named_beside(_BESIDE[place])
        if beside is not None:
            elsewhere = {name for name in columns & plan.columns if bare(_written(name)) not in beside}
            lines += _said(elsewhere, f"the SQL {place} {{}}, the plan names it for something else")
    return lines


def _written(column: str) -> str:
    table, _, name = column.partition(".")
    return f"`{table}`.`{name}`"


def _missing_constants(plan: PlanStory, story: SqlStory) -> list[str]:
    """A count is met by its neighbours too: more than one is at least two."""
    missing = {constant for constant in story.constants if not _is_told(constant, plan)}
    missing |= {limit for limit in story.limits - {"1"} if limit not in plan.numbers}
    for count in filter(_is_number, story.counts):
        near = {str(int(float(count)) + step) for step in (-1, 0, 1)} | {"0"}
        missing |= {count} if not near & (plan.numbers | {"0"}) else set()
    return _said(missing, "the SQL has the constant {}, which the plan does not tell")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", text) is not None


def _is_told(constant: str, plan: PlanStory) -> bool:
    if _is_number(constant):
        return bool({constant, constant.removeprefix("-")} & plan.numbers)
    if date := re.match(r"(\d{4})-\d\d?(-\d|$)", constant):
        return date[1] in plan.text
    pieces = (re.escape(piece.strip()) for piece in re.split("[%_]", constant))
    return all(re.search(rf"(?<![^\W_]){piece}(?![^\W_])", plan.text) for piece in pieces if piece)


def _other_expressions(plan: PlanStory, story: SqlStory) -> list[str]:
    """What the plan writes as SQL does, and the SQL has otherwise.

    An aggregate counts where the SQL takes another one of the same column: max may be ORDER BY with LIMIT.
    """
    compared = {text for one, text in plan.compared.items() if one not in story.compared}
    taken = {of: {name for name, what in story.aggregates if what == of} - {"count"} for _, of in plan.aggregates}
    aggregates = {text for (name, of), text in plan.aggregates.items() if taken[of] and name not in taken[of]}
    groups = plan.grouped - {bare(_written(column)) for column in story.grouped} if story.plain_groups else set()
    return [
        *_said(compared, "the plan says {}, which the SQL does not compare"),
        *_said(aggregates, "the plan takes {}, the SQL another aggregate of it"),
        *_said(groups, "the plan groups by {}, the SQL does not"),
        *_said(plan.limits - story.limits if story.limits else (), "the plan cuts at row {}, the SQL does not"),
    ]


def _told_clauses(story: SqlStory) -> list[str]:
    """Return the clauses that a plan must or must not speak of, whether the SQL has them or not."""
    return [name for name in _CLAUSES if "a window" not in story.clauses or name not in _IN_WINDOWS]


def _missing_clauses(plan: PlanStory, story: SqlStory) -> list[str]:
    return [
        f"the SQL has {name}, of which the plan says nothing"
        for name in _told_clauses(story)
        if name in story.clauses and not re.search(_CLAUSES[name].needs, plan.text, re.IGNORECASE)
    ]


def _other_clauses(plan: PlanStory, story: SqlStory) -> list[str]:
    lines = []
    for name in _told_clauses(story):
        clause = _CLAUSES[name]
        allowed = name in story.clauses or clause.without in story.clauses
        if clause.means and not allowed and clause.within in {"", *story.clauses}:
            hit = re.search(clause.means, plan.said, clause.flags)
            lines += [f"the plan says {hit.group()!r}, the SQL has no {name}"] if hit else []
    return lines
