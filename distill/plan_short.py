"""A plan in few words, for tiny models: one line per step, quotes of the question before what they stand for."""

from distill.plan_block import Block, Part, Step


def short_plan(blocks: list[Block]) -> str:
    """Return the plan: a line for each subquery, then a line for each step of the main query."""
    lines = [f"{_heading(block)}: {'; '.join(_lines(block))}" for block in blocks[:-1]]
    return "\n".join(lines + _lines(blocks[-1]))


def in_order(steps: tuple[Step, ...]) -> list[Step]:
    """Return the steps with the one that delivers at the end."""
    return [s for s in steps if s.kind != "combine"] + [s for s in steps if s.kind == "combine"]


def _heading(block: Block) -> str:
    name = f"{block.name} (with {block.with_name})" if block.with_name else block.name
    return f"{name} for each row of {', '.join(block.per_row)}" if block.per_row else name


def _lines(block: Block) -> list[str]:
    return [line for step in in_order(block.steps) for line in _step(step)]


def _step(step: Step) -> list[str]:
    texts = [part.text for part in step.parts]
    match step.kind:
        case "open":
            return ["open " + ", ".join(entry.text for entry in step.opened)]
        case "filter" | "having":
            return [f"{step.kind} {_quoted(part.quote)}{part.text}" for part in step.parts]
        case "join":
            return ["join " + " and ".join(texts)]
        case "cross":
            return [f"cross {step.opened[0].label}"]
        case "left join" | "right join" | "full join":
            return [f"{step.kind} {step.opened[0].label} on {' and '.join(texts)}"]
        case "sort":
            return ["sort " + _quoted(step.quote) + ", ".join(map(_sorted, step.parts))]
        case "limit":
            return ["limit " + " offset ".join(texts)]
        case "combine":
            return ["deliver " + texts[0]]
        case "repeat":
            return ["repeat " + texts[0]]
        case "deliver":
            named = [f"{part.text} as {part.note}" if part.note else part.text for part in step.parts]
            return ["deliver " + ("distinct " if step.distinct else "") + ", ".join(named)]
        case _:
            return [f"{step.kind} {_quoted(step.quote)}{', '.join(texts)}"]


def _quoted(quote: str) -> str:
    return f'"{quote}": ' if quote else ""


def _sorted(part: Part) -> str:
    way = part.note.removeprefix("asc").strip()
    return f"{part.text} {way}" if way else part.text
