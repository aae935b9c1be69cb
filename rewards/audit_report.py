"""An audit as tables for people, and as JSON for programs."""

import math
from collections.abc import Iterator
from statistics import fmean

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.screen import printable
from rewards.audit import EQUAL, HACK, Audit, Pair
from rewards.hacks import HACKS, Hack
from rewards.ladder import RUNGS

EARNS = {"wrong": "≤ wrong", "right": "< right", "tie": "≤ right"}
"""What a hack may earn: at most what an honest wrong answer does; less than the right one; at most as much."""
WIDE = 110
"""Columns of a terminal on which every hack is explained; on a narrower one only those that pay."""
SHOWN = 10
"""Pairs that are told one by one."""


def report(audit: Audit, width: int) -> RenderableType:
    """Return what the audit found: honest answers, hacks, the pairs out of order, and the verdict."""
    parts = [
        Text(f"{printable(audit.title)}\n{len(audit.paid)} answers to {audit.questions} questions over "
             f"{audit.databases} databases of the sample corpus\n"),
        _honest(audit),
        _hacks(audit, width >= WIDE),
    ]  # fmt: skip
    failing = [pair for pair in audit.pairs if pair.fails]
    worst = sorted(failing, key=lambda pair: pair.pays_better - pair.pays_worse)[:SHOWN]
    if worst:
        parts.append(Text(f"\n{len(failing)} pairs out of order; the worst:", style="bold"))
        parts += [Text(f"  {_told(pair)}", style="red") for pair in worst]
    if not audit.tells_right_from_wrong:
        parts.append(Text("\nwrong answers earn as much as right ones: use it beside sql_execution", style="yellow"))
    parts.append(_verdict(failing))
    return Group(*parts)


def as_json(audit: Audit) -> dict:
    """Return the audit as JSON can hold it: every rung, every hack, every pair, every answer with its scores."""
    return {
        "title": audit.title,
        "clean": audit.clean,
        "questions": audit.questions,
        "databases": audit.databases,
        "honest": {rung: _summary(audit, rung) for rung in RUNGS},
        "hacks": {
            hack.name: {"exploits": hack.exploits, "may_earn": EARNS[hack.limit], **_summary(audit, HACK, hack.name)}
            for hack in HACKS
        },
        "pairs": [
            {
                "task_id": pair.task_id,
                "better": f"{pair.better.rung}: {pair.better.name}",
                "worse": f"{pair.worse.rung}: {pair.worse.name}",
                "pays_better": pair.pays_better,
                "pays_worse": pair.pays_worse,
                "fails": pair.fails,
            }
            for pair in audit.pairs
        ],
        "answers": [
            {"task_id": p.task_id, "rung": p.answer.rung, "name": p.answer.name, "pay": p.pay, "scores": p.scores}
            for p in audit.paid
        ],
    }


def _summary(audit: Audit, rung: str, name: str | None = None) -> dict[str, float | None]:
    pays = audit.pays(rung, name)
    bad = list(_against(audit, rung, name))
    return {
        "answers": len(pays),
        "mean": fmean(pays) if pays else None,
        "max": max(pays, default=None),
        "out_of_order": len({(pair.task_id, pair.worse) for pair in bad}),
        "over": max((pair.pays_worse - pair.pays_better for pair in bad), default=0.0),
    }


def _against(audit: Audit, rung: str, name: str | None = None) -> Iterator[Pair]:
    """Yield the pairs in which an answer of this rung stands too high."""
    return (p for p in audit.pairs if p.worse.rung == rung and name in (None, p.worse.name))


def _honest(audit: Audit) -> Table:
    table = _table("honest answers, the best first", "answer")
    table.add_column("earns as much as a better one, or more")
    before = math.inf
    for rung in RUNGS:
        found = _summary(audit, rung)
        by_rung = {r: sum(p.better.rung == r for p in _against(audit, rung)) for r in RUNGS}
        told = ", ".join(f"{count} × {r}" for r, count in by_rung.items() if count)
        fails = any(pair.fails for pair in _against(audit, rung))
        mean = found["mean"]
        swapped = mean is not None and mean > before + EQUAL
        style = "red" if fails else "yellow" if swapped else ""
        table.add_row(rung, *_numbers(found), told, style=style)
        before = mean if mean is not None else before
    return table


def _hacks(audit: Audit, explained: bool) -> Table:
    rows = [(hack, _summary(audit, HACK, hack.name)) for hack in HACKS]
    rows = [(hack, found) for hack, found in rows if found["answers"]]
    table = _table(f"{len(rows)} hacks, those out of order first", "hack")
    table.add_column("out of order", justify="right")
    table.add_column("over by", justify="right")
    table.add_column("may earn")
    if explained:
        table.add_column("exploits")
    rows.sort(key=lambda row: (-row[1]["out_of_order"], -(row[1]["mean"] or 0.0)))
    for hack, found in rows:
        cells = _hack_row(hack, found)
        table.add_row(*cells, *[hack.exploits] * explained, style="red" if found["out_of_order"] else "")
    return table


def _hack_row(hack: Hack, found: dict[str, float | None]) -> list[str]:
    bad = found["out_of_order"]
    share = f"{bad} of {found['answers']}" if bad else ""
    over = f"{found['over']:+.3f}" if bad else ""
    return [hack.name, *_numbers(found), share, over, EARNS[hack.limit]]


def _table(title: str, first: str) -> Table:
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="dim")
    table.add_column(first)
    table.add_column("mean", justify="right")
    table.add_column("max", justify="right")
    return table


def _numbers(found: dict[str, float | None]) -> list[str]:
    return ["–" if found[key] is None else f"{found[key]:.3f}" for key in ("mean", "max")]


def _told(pair: Pair) -> str:
    return (
        f"{pair.task_id}: {pair.worse.rung} {pair.worse.name!r} earns {pair.pays_worse:.3f}, "
        f"{pair.better.rung} {pair.better.name!r} {pair.pays_better:.3f}"
    )


def _verdict(failing: list[Pair]) -> Text:
    if not failing:
        return Text("\nclean: the right answer is first, and no hack pays more than it may", style="green")
    names = {pair.worse.name for pair in failing if pair.worse.rung == HACK}
    rungs = {pair.worse.rung for pair in failing} - {HACK}
    lines = [f"  {rung} answers: as much as a better one" for rung in RUNGS if rung in rungs]
    lines += [f"  {hack.name}: {hack.exploits}" for hack in HACKS if hack.name in names]
    return Text("\n".join(["\nnot clean; what pays:", *lines]), style="bold red")


def wide_console() -> Console:
    """Return a console for stdout that takes nothing for markup and does not fold tables in a log file."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 200
    return console
