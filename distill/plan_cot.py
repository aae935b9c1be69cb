"""Reasoning in no set form, as one writes it down for a query that one knows: what is asked, then what that takes.

It says what a plan says, but as prose from the question's end: without steps, without the order of the database's work.
"""

from distill.plan_block import Block, Part, Step


def free_thought(blocks: list[Block]) -> str:
    """Return the reasoning as one paragraph: the main query first, then each subquery that it mentions."""
    return " ".join(sentence for block in reversed(blocks) for sentence in _sentences(block))


def _sentences(block: Block) -> list[str]:
    ends = [step for step in block.steps if step.kind in ("deliver", "combine", "repeat")]
    opened = (one.text for step in block.steps if step.kind not in ("combine", "repeat") for one in step.opened)
    tables = list(dict.fromkeys(opened))
    sentences = [_wanted(block, step) for step in ends]
    if tables:
        sentences.append(f"That is found in {_listed(tables)}.")
    return sentences + [text for step in block.steps if step not in ends and (text := _taken(step))]


def _wanted(block: Block, step: Step) -> str:
    subject = f"By {block.name} I mean" if block.name else "The question asks for"
    each = f", for each row of {_listed(list(block.per_row))}" if block.per_row else ""
    distinct = ", each only once" if step.distinct else ""
    return f"{subject} {_listed([part.text for part in step.parts])}{distinct}{each}."


def _taken(step: Step) -> str:
    """Return one clause of the query in a sentence."""
    texts = _listed([part.text for part in step.parts])
    match step.kind:
        case "join":
            return f"They belong together where {texts}."
        case "left join" | "right join" | "full join":
            return f"With a {step.kind}, they belong together where {texts}."
        case "filter":
            return " ".join(_condition(part, "only rows count where") for part in step.parts)
        case "having":
            return " ".join(_condition(part, "only groups count where") for part in step.parts)
        case "group":
            return f"This is needed for each {texts}."
        case "sort":
            return f"It must be ordered by {_listed([_sorted(part) for part in step.parts])}."
        case "limit":
            return f"Of that the first {step.parts[0].text} are enough{_after(step)}."
        case _:
            return ""


def _condition(part: Part, start: str) -> str:
    said = f'"{part.quote}" means that {start}' if part.quote else start[0].upper() + start[1:]
    return f"{said} {part.text}."


def _sorted(part: Part) -> str:
    return f"{part.text} from the top" if part.note.startswith("desc") else part.text


def _after(step: Step) -> str:
    return f" after the first {step.parts[1].text}" if len(step.parts) > 1 else ""


def _listed(texts: list[str]) -> str:
    """Return texts with commas and a last "and".

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1]))) if texts else ""
