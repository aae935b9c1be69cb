"""A plan in sentences that a person accepts as an explanation; the wording varies, the steps do not."""

import re
from dataclasses import dataclass
from random import Random

from sqlglot import exp

from distill.plan_block import Block, Opened, Part, Step
from distill.plan_words import Words

_SETS = {
    "intersect": "the rows that are in both {} and {}",
    "except": "the rows of {} that are not in {}",
    "union": "the rows of {} and of {}, each different row once",
    "union all": "all rows of {} and then all rows of {}",
}
_THEN = {
    "intersect": "of these, keep those that are also in {}",
    "except": "of these, keep those that are not in {}",
    "union": "add the rows of {}, each different row once",
    "union all": "add all rows of {}",
}
_ROLES = {"value": ", one value", "list": ", a list", "begin": ", where {} begins", "next": ", the next rows of {}"}
_OUTER = ("left join", "right join", "full join")


@dataclass(frozen=True)
class _Place:
    """Where a step is worded: its block, the kinds of step in it, and the tables that may have found no row."""

    rng: Random
    words: Words
    block: Block
    kinds: frozenset[str]
    unmatched: frozenset[str]

    @property
    def grouped(self) -> bool:
        return "group" in self.kinds

    @property
    def inner(self) -> bool:
        return bool(self.block.name)


def full_plan(blocks: list[Block], words: Words, rng: Random) -> str:
    """Return the plan as numbered steps: one for each subquery, then those of the main query."""
    steps = [f"{_heading(block, rng)}: {'; '.join(_sentences(block, words, rng))}" for block in blocks[:-1]]
    steps += [_capital(sentence) for sentence in _sentences(blocks[-1], words, rng)]
    return "\n".join(f"{number}. {step}." for number, step in enumerate(steps, 1))


def listed(texts: list[str]) -> str:
    """Return texts with commas and a last "and"; all parted by it where one has a comma inside.

    >>> listed(["a", "b", "c"]), listed(["a", "b, c"])
    ('a, b and c', 'a, and b, c')
    """
    if any(", " in text for text in texts):
        return ", and ".join(texts)
    return ", ".join(texts[:-1]) + (" and " if len(texts) > 1 else "") + texts[-1]


def as_read(steps: tuple[Step, ...]) -> list[Step]:
    """Return the steps with each filter where its tables are first at hand; after outer joins all stay last."""
    if not steps or steps[0].kind != "open" or any(step.kind in _OUTER for step in steps):
        return list(steps)
    opened = [entry.key for entry in steps[0].opened]
    joins = [step for step in steps if step.kind in ("join", "cross")]
    reached = [0, *(opened.index(step.opened[0].key) for step in joins)]
    held: list[list[Part]] = [[] for _ in reached]
    for step in (step for step in steps if step.kind == "filter"):
        for part in step.parts:
            keys = {column.table for column in part.tree.find_all(exp.Column)}
            needed = max((opened.index(key) for key in keys if key in opened), default=0)
            held[next((n for n, end in enumerate(reached) if end >= needed), -1)].append(part)
    filters = [[Step("filter", tuple(parts))] if parts else [] for parts in held]
    start = [steps[0], *filters[0]]
    rest = [step for step in steps[1:] if step.kind not in ("join", "cross", "filter")]
    return start + [s for join, kept in zip(joins, filters[1:], strict=True) for s in (join, *kept)] + rest


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _heading(block: Block, rng: Random) -> str:
    called = f", which the query calls {block.with_name}" if block.with_name else ""
    role, _, of = block.role.partition(" ")
    name = f"{block.name}{_ROLES.get(role, '').format(of)}{called}"
    if block.per_row:
        return f"Work out {name}, for each row of {listed(list(block.per_row))}"
    return rng.choice(("", "Work out ")) + name


def _sentences(block: Block, words: Words, rng: Random) -> list[str]:
    optional = (entry.key for step in block.steps if step.kind in _OUTER for entry in step.opened)
    kinds = frozenset(step.kind for step in block.steps)
    place = _Place(rng, words, block, kinds, frozenset(optional))
    return [sentence for step in as_read(block.steps) for sentence in _step(step, place)]


def _step(step: Step, place: _Place) -> list[str]:
    match step.kind:
        case "open":
            return [_open(step.opened, place)]
        case "filter" | "having":
            return [_keep(part, "rows" if step.kind == "filter" else "groups", place) for part in step.parts]
        case "group":
            return [_group(step, place)]
        case "sort":
            return [_sort(step, place)]
        case "limit":
            return [_limit(step, place.rng) + (f', for "{step.quote}"' if step.quote else "")]
        case "deliver":
            return _deliver(step, place)
        case "combine":
            return _combine(step, place)
        case "repeat":
            return _repeat(step)
        case _:
            return [_join(step, place.rng)]


def _open(opened: tuple[Opened, ...], place: _Place) -> str:
    if len(opened) > 1:
        return "open " + ", then ".join(entry.text + _beside(entry.quote) for entry in opened)
    text, quote = opened[0].text, opened[0].quote
    if not quote or place.inner:
        return f"open {text}" + _beside(quote)
    ways = (
        'the question speaks of "{q}": open {t}',
        'open {t}, since the question speaks of "{q}"',
        'open {t} for "{q}"',
    )
    return place.rng.choice(ways).format(t=text, q=quote)


def _keep(part: Part, what: str, place: _Place) -> str:
    condition = place.words.condition(part.tree, place.unmatched)
    if not part.quote:
        return place.rng.choice(("keep {w} where {c}", "keep only {w} where {c}")).format(w=what, c=condition)
    ways = (
        'keep {w} where {c}, since the question says "{q}"',
        '"{q}" {a} for {c}: keep only those {w}',
        'the question says "{q}", so keep {w} where {c}',
        'for "{q}", keep only {w} where {c}',
    )
    asks = "ask" if '" and "' in part.quote else "asks"
    return place.rng.choice(ways).format(w=what, c=condition, q=part.quote, a=asks)


def _join(step: Step, rng: Random) -> str:
    conditions = " and ".join(part.text for part in step.parts)
    opened = step.opened[0]
    if step.kind == "cross":
        return f"pair every row with every row of {opened.label}"
    if step.kind in _OUTER:
        kept = {"left join": "", "right join": f" of {opened.label}", "full join": " of both sides"}[step.kind]
        return f"{step.kind} {opened.label} on {conditions}, keeping also the rows{kept} without a match"
    ways = {
        "row": ("for each row, look up its one row of {t} where {c}", "look up the one row of {t} where {c}"),
        "search": ("for each row, look up {t} where {c}", "look up the rows of {t} where {c}"),
    }.get(opened.how, ("join {t} on {c}", "match the rows with {t} where {c}"))
    return rng.choice(ways).format(t=opened.label, c=conditions)


def _group(step: Step, place: _Place) -> str:
    columns = listed([place.words.output(part.tree, grouped=True) for part in step.parts])
    if not step.quote:
        return f"group the rows by {columns}"
    ways = ('group the rows by {c}, for "{q}"', '"{q}" asks for groups: group by {c}', 'group by {c}, as "{q}" asks')
    return place.rng.choice(ways).format(c=columns, q=step.quote)


def _sort(step: Step, place: _Place) -> str:
    way = place.rng.randrange(2)
    if re.search(place.words.first(step.parts[0].tree, step.parts[0].note.startswith("desc"), way)[:12], step.quote):
        way = 1 - way  # its own words need not be repeated
    keys = ", then by ".join(_key(part, place, way) for part in step.parts)
    if not step.quote:
        return f"sort by {keys}"
    ways = ('sort by {k}, for "{q}"', 'for "{q}", sort by {k}', '"{q}" asks for an order: sort by {k}')
    ways = ways[:2] if "limit" in place.kinds else ways
    return place.rng.choice(ways).format(k=keys, q=step.quote)


def _key(part: Part, place: _Place, way: int) -> str:
    if isinstance(part.tree, exp.Rand):
        return f"{part.text}, that is in random order"
    descending, _, nulls = part.note.partition(" ")
    first = place.words.first(part.tree, descending == "desc", way)
    return f"{place.words.output(part.tree, place.grouped)}, {first}" + (f" with {nulls}" if nulls else "")


def _limit(step: Step, rng: Random) -> str:
    rows = step.parts[0].text
    first = "the first row" if rows == "1" else f"the first {rows} rows"
    text = rng.choice(("keep only ", "take only ")) + first
    if len(step.parts) == 1:
        return text
    skipped = step.parts[1].text
    return f"skip {'the first row' if skipped == '1' else f'the first {skipped} rows'}, then {text}"


def _combine(step: Step, place: _Place) -> list[str]:
    first, *others = set_words(step)
    verb = "take" if others or place.kinds - {"combine"} else "deliver"
    return [f"{verb} {first}" + (f', for "{step.quote}"' if step.quote else ""), *others]


def set_words(step: Step) -> list[str]:
    """Return what a combine gives: of its first two blocks, then with each further one."""
    words, names = step.parts[0].note.split(", "), [entry.text for entry in step.opened]
    further = [_THEN[word].format(name) for word, name in zip(words[1:], names[2:], strict=True)]
    return [_SETS[words[0]].format(*names[:2]), *further]


def _repeat(step: Step) -> list[str]:
    first, others = step.opened[0].text, listed([entry.text for entry in step.opened[1:]])
    once = " that are not there yet" if step.parts[0].note == "union" else ""
    return [
        f"begin with the rows of {first}",
        f"add the rows of {others}{once}, again and again, each time from the rows added last, until there are no more",
    ]


def _deliver(step: Step, place: _Place) -> list[str]:
    only = step.parts[0]
    if place.block.role == "exists" and not place.grouped and isinstance(only.tree, exp.Literal | exp.Star):
        return [] if len(place.kinds) > 2 else ["see whether there is a row"]
    if len(step.parts) == 1 and not place.grouped and not only.note and _is_count(only):
        what = place.words.output(only.tree, grouped=False).removeprefix("the number of ")
        what = what.replace("different", "the different values of", 1) if what != "rows" else "the rows"
        left = " that are left" if place.kinds - {"open", "deliver"} else ""
        return [f"count {what}{left} and deliver that number" + _beside(only.quote)]
    named = [
        place.words.output(part.tree, place.grouped) + (f" as {part.note}" if part.note else "") + _beside(part.quote)
        for part in step.parts
    ]
    verb = "deliver " if place.inner else place.rng.choice(("deliver ", "the answer is "))
    once = f", each different {'value' if len(named) == 1 else 'row'} once" + _beside(step.quote)
    return [verb + listed(named) + (once if step.distinct else "")]


def _is_count(part: Part) -> bool:
    return isinstance(part.tree, exp.Count) and isinstance(part.tree.this, exp.Star | exp.Distinct)


def _beside(quote: str) -> str:
    return f' ("{quote}")' if quote else ""
