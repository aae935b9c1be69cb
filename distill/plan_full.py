"""A plan in sentences that a person accepts as an explanation; the wording varies, the steps do not."""

from dataclasses import dataclass
from random import Random

from sqlglot import exp

from distill.plan_block import Block, Opened, Part, Step
from distill.plan_short import in_order

_MEANS = {exp.Avg: "the average of", exp.Sum: "the sum of", exp.Max: "the maximum of", exp.Min: "the minimum of"}
_SETS = {
    "intersect": "the rows that are in both {} and {}",
    "except": "the rows of {} that are not in {}",
    "union": "the rows of {} and of {}, each different row once",
    "union all": "all rows of {} and then all rows of {}",
}


@dataclass(frozen=True)
class _Place:
    """Where a step is worded: the kinds of step in its block, and whether the block is a subquery."""

    rng: Random
    kinds: frozenset[str]
    inner: bool

    @property
    def grouped(self) -> bool:
        return "group" in self.kinds


def full_plan(blocks: list[Block], rng: Random) -> str:
    """Return the plan as numbered steps: one for each subquery, then those of the main query."""
    steps = [f"{_heading(block, rng)}: {'; '.join(_sentences(block, rng))}" for block in blocks[:-1]]
    steps += [_capital(sentence) for sentence in _sentences(blocks[-1], rng)]
    return "\n".join(f"{number}. {step}." for number, step in enumerate(steps, 1))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _heading(block: Block, rng: Random) -> str:
    name = f"{block.name} (with {block.with_name})" if block.with_name else block.name
    if block.per_row:
        return f"Work out {name} for each row of {_listed(list(block.per_row))}"
    return rng.choice(("", "Work out ")) + name


def _sentences(block: Block, rng: Random) -> list[str]:
    place = _Place(rng, frozenset(step.kind for step in block.steps), inner=bool(block.name))
    return [sentence for step in in_order(block.steps) for sentence in _step(step, place)]


def _step(step: Step, place: _Place) -> list[str]:
    match step.kind:
        case "open":
            return [_open(step.opened, place)]
        case "filter" | "having":
            return [_keep(part, "rows" if step.kind == "filter" else "groups", place.rng) for part in step.parts]
        case "group":
            return [_group(step, place.rng)]
        case "sort":
            return [_sort(step, place)]
        case "limit":
            return [_limit(step)]
        case "deliver":
            return [_deliver(step, place)]
        case "combine":
            return [_combine(step)]
        case _:
            return [_join(step, place.rng)]


def _open(opened: tuple[Opened, ...], place: _Place) -> str:
    if len(opened) > 1:
        return "open " + ", then ".join(entry.text + _beside(entry.quote) for entry in opened)
    text, quote = opened[0].text, opened[0].quote
    if not quote or place.inner:
        return f"open {text}" + _beside(quote)
    ways = (
        'open {t}: "{q}" is what the question is about',
        'open {t}, since the question speaks of "{q}"',
        'open {t} for "{q}"',
    )
    return place.rng.choice(ways).format(t=text, q=quote)


def _keep(part: Part, what: str, rng: Random) -> str:
    if not part.quote:
        return rng.choice(("keep {w} where {c}", "keep only {w} where {c}")).format(w=what, c=part.text)
    ways = (
        'keep {w} where {c}, since the question says "{q}"',
        '"{q}" asks for {c}: keep only those {w}',
        'the question says "{q}", so keep {w} where {c}',
    )
    return rng.choice(ways).format(w=what, c=part.text, q=part.quote)


def _join(step: Step, rng: Random) -> str:
    conditions = " and ".join(part.text for part in step.parts)
    opened = step.opened[0]
    if step.kind == "cross":
        return f"pair every row with every row of {opened.label}"
    if step.kind != "join":
        kept = {"left join": "", "right join": f" of {opened.label}", "full join": " of both sides"}[step.kind]
        return f"{step.kind} {opened.label} on {conditions}, keeping also the rows{kept} without a match"
    if opened.how == "search":
        return rng.choice(("for each row, look up {t} where {c}", "look up the rows of {t} where {c}")).format(
            t=opened.label, c=conditions
        )
    return rng.choice(("join {t} on {c}", "match the rows with {t} where {c}")).format(t=opened.label, c=conditions)


def _group(step: Step, rng: Random) -> str:
    columns = _listed([part.text for part in step.parts])
    if not step.quote:
        return f"group the rows by {columns}"
    ways = ('group the rows by {c}, for "{q}"', '"{q}" asks for groups: group by {c}', 'group by {c}, as "{q}" asks')
    return rng.choice(ways).format(c=columns, q=step.quote)


def _sort(step: Step, place: _Place) -> str:
    first = {"desc": ("highest first", "from high to low"), "asc": ("lowest first", "from low to high")}
    way = place.rng.randrange(2)
    keys = ", then by ".join(f"{_means(part, place.grouped)}, {first[part.note][way]}" for part in step.parts)
    return f"sort by {keys}" + (f', for "{step.quote}"' if step.quote else "")


def _limit(step: Step) -> str:
    rows = step.parts[0].text
    text = "keep only the first row" if rows == "1" else f"keep only the first {rows} rows"
    if len(step.parts) == 1:
        return text
    skipped = step.parts[1].text
    return f"skip {'the first row' if skipped == '1' else f'the first {skipped} rows'}, then {text}"


def _combine(step: Step) -> str:
    words, names = step.parts[0].note.split(", "), step.opened
    if len(words) > 1:
        return f"deliver {step.parts[0].text}"
    text = _SETS[words[0]].format(names[0].text, names[1].text)
    return f"deliver {text}" + (f', for "{step.quote}"' if step.quote else "")


def _deliver(step: Step, place: _Place) -> str:
    only = step.parts[0]
    if len(step.parts) == 1 and not place.grouped and not only.note and _is_count(only):
        what = (
            "the different values of " + only.text[len("count(DISTINCT ") : -1] if _of_different(only) else "the rows"
        )
        left = " that are left" if place.kinds - {"open", "deliver"} else ""
        return f"count {what}{left} and deliver that number" + _beside(only.quote)
    named = [
        _means(part, place.grouped) + (f" as {part.note}" if part.note else "") + _beside(part.quote)
        for part in step.parts
    ]
    verb = "deliver " if place.inner else place.rng.choice(("deliver ", "the answer is "))
    return verb + _listed(named) + (", each different row once" + _beside(step.quote) if step.distinct else "")


def _is_count(part: Part) -> bool:
    return isinstance(part.tree, exp.Count) and (isinstance(part.tree.this, exp.Star) or _of_different(part))


def _of_different(part: Part) -> bool:
    return part.text.startswith("count(DISTINCT ")


def _means(part: Part, grouped: bool) -> str:
    """Return an output in words where they say all that the SQL says, else its SQL."""
    if isinstance(part.tree, exp.Star):
        return "all columns"
    if isinstance(part.tree, exp.Count) and isinstance(part.tree.this, exp.Star):
        return "the number of rows in each group" if grouped else "the number of rows"
    if _of_different(part):
        return "the number of different " + part.text[len("count(DISTINCT ") : -1]
    means = next((words for kind, words in _MEANS.items() if isinstance(part.tree, kind)), None)
    if means and isinstance(part.tree.this, exp.Column):
        return f"{means} {part.text[part.text.index('(') + 1 : -1]}"
    return part.text


def _listed(texts: list[str]) -> str:
    return ", ".join(texts[:-1]) + (" and " if len(texts) > 1 else "") + texts[-1]


def _beside(quote: str) -> str:
    return f' ("{quote}")' if quote else ""
