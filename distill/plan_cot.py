"""Reasoning in no set form, as one writes it down for a query that one knows: what is asked, then what that takes.

It says what a plan says, but as prose from the question's end: without steps, without the order of the database's work.
"""

from sqlglot import exp

from distill.plan_block import Block, Part, Step
from distill.plan_full import listed, set_words
from distill.plan_words import Words


def free_thought(blocks: list[Block], words: Words) -> str:
    """Return the reasoning as one paragraph: the main query first, then each subquery that it mentions."""
    return " ".join(sentence for block in reversed(blocks) for sentence in _sentences(block, words))


def _sentences(block: Block, words: Words) -> list[str]:
    steps = sorted(block.steps, key=lambda step: "join" not in step.kind and step.kind != "cross")
    said = [_wanted(block, words), *(text for step in steps for text in _taken(step, block, words))]
    joined = " and ".join(part.text for step in steps if step.kind == "join" for part in step.parts)
    return [*said[:1], *([f"They belong together where {joined}."] if joined else []), *said[1:]]


def _wanted(block: Block, words: Words) -> str:
    """Return what a block gives, and the tables for it."""
    subject = f"By {block.name} I mean" if block.name else "The question asks for"
    each = f", for each row of {listed(list(block.per_row))}" if block.per_row else ""
    opened = (one.text for step in block.steps if step.kind not in ("combine", "repeat") for one in step.opened)
    tables = list(dict.fromkeys(opened))
    source = (" from " if block.name else ". For that I need ") + listed(tables) if tables else ""
    return f"{subject} {_given(block, words)}{each}{source}."


def _given(block: Block, words: Words) -> str:
    deliver, combine, repeat = (block.step(kind) for kind in ("deliver", "combine", "repeat"))
    if combine:
        return ", and ".join(set_words(combine))
    if repeat:
        first, *others = (one.text for one in repeat.opened)
        return f"the rows of {first} and then, again and again, those that {listed(others)} finds from them"
    parts = deliver.parts if deliver else ()
    if block.role == "exists" and isinstance(parts[0].tree, exp.Literal | exp.Star):
        return "the rows"
    grouped = block.step("group") is not None
    what = listed([words.output(part.tree, grouped) + (f" as {part.note}" if part.note else "") for part in parts])
    return what + (", each only once" if deliver and deliver.distinct else "")


def _taken(step: Step, block: Block, words: Words) -> list[str]:
    """Return one clause of the query in sentences."""
    texts = " and ".join(part.text for part in step.parts)
    match step.kind:
        case "cross":
            return [f"Every row goes with every row of {step.opened[0].label}."]
        case "left join" | "right join" | "full join":
            return [f"With a {step.kind}, they belong together where {texts}."]
        case "filter" | "having":
            what = "rows" if step.kind == "filter" else "groups"
            return [_condition(part, f"only {what} count where {words.condition(part.tree)}") for part in step.parts]
        case "group":
            keys = listed([words.output(part.tree, grouped=True) for part in step.parts])
            return [f"This is needed for each {keys}."]
        case "sort":
            grouped = block.step("group") is not None
            return [f"It must be ordered by {listed([_key(part, words, grouped) for part in step.parts])}."]
        case "limit":
            return [_limit(step)]
        case _:
            return []


def _condition(part: Part, told: str) -> str:
    if not part.quote:
        return f"{told[0].upper()}{told[1:]}."
    verb = "mean" if '" and "' in part.quote else "means"
    return f'"{part.quote}" {verb} that {told}.'


def _key(part: Part, words: Words, grouped: bool) -> str:
    descending, _, nulls = part.note.partition(" ")
    first = words.first(part.tree, descending == "desc")
    return f"{words.output(part.tree, grouped)}, {first}" + (f" with {nulls}" if nulls else "")


def _limit(step: Step) -> str:
    rows, *skipped = (part.text for part in step.parts)
    after = f", after skipping {skipped[0]}" if skipped else ""
    return f"Of these only the first {'row' if rows == '1' else f'{rows} rows'} count{'s' * (rows == '1')}{after}."
