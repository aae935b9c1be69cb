"""Questions that need a subquery and no join (L2)."""

from tasks.sample.asking import Draft, ask_count, ask_list, ask_measure
from tasks.sample.domain import Column, Link, Table
from tasks.sample.filters import NotHere, Scene
from tasks.sample.phrase import Mod, Subject
from tasks.sample.query import Query
from tasks.sample.rows import literal
from tasks.sample.words import fill, finite, sentence


def list_or_count(scene: Scene, subject: Subject, style: str = "T") -> Draft:
    """Return a question for the labels, or for the number, of rows of one table."""
    if scene.chance(0.65) and subject.table.label:
        return Draft(ask_list(scene, subject), subject.label_query(style), subject.evidence)
    return Draft(ask_count(scene, subject), subject.query("COUNT(*)", style=style), subject.evidence)


def above(scene: Scene, table: Table, column: Column) -> Mod:
    """Return "more than the average"."""
    way, sign = scene.pick([("than", ">"), ("than", ">"), ("less", "<")])
    inner = Query(table.name, (f"AVG({column.ref})",)).sql()
    said = fill(scene.pick(column.say(way)), f"the average {table.one}")
    return Mod(said, (f"{column.ref} {sign} ({inner})",), columns=(column.name,))


def beyond_named(scene: Scene, table: Table, column: Column) -> Mod:
    """Return "more than a row that is named"."""
    said, label = scene.named(table)
    way, sign = scene.pick([("than", ">"), ("less", "<")])
    inner = Query(table.name, (column.ref,), where=(f"{table.label.ref} = {literal(label)}",)).sql()
    return Mod(fill(scene.pick(column.say(way)), said), (f"{column.ref} {sign} ({inner})",), columns=(column.name,))


def than_average(scene: Scene) -> Draft:
    table = scene.table("measure")
    column = scene.column(table, "measure", says="than", full=True)
    if column.year:
        raise NotHere
    mods = [scene.filter(table, besides=(column.name,), short=True)] if scene.chance(0.3) else []
    subject = Subject(table, (*mods, above(scene, table, column)))
    return list_or_count(scene, subject)


def than_named(scene: Scene) -> Draft:
    table = scene.table("measure")
    column = scene.column(table, "measure", says="than", full=True)
    mods = [scene.filter(table, besides=(column.name,), short=True)] if scene.chance(0.25) else []
    return list_or_count(scene, Subject(table, (*mods, beyond_named(scene, table, column))))


def same_as(scene: Scene) -> Draft:
    """Rows that share a value with a row that is named."""
    table = scene.table("category")
    column = scene.column(table, "category", says="same", full=True)
    said, label = scene.named(table)
    own = f"{table.label.ref} = {literal(label)}"
    inner = Query(table.name, (column.ref,), where=(own,)).sql()
    where = f"{column.ref} = ({inner})"
    clause, other = finite(fill(scene.pick(column.say("same")), said)), f"{table.label.ref} <> {literal(label)}"
    query = Query(table.name, (table.label.ref,), where=(where, other))
    if scene.chance(0.3):
        return Draft(f"How many other {table.many} {clause}?", query.but(items=("COUNT(*)",)))
    heads = [
        f"Which other {table.many} {clause}?",
        f"Are there other {table.many} that {clause}? Which ones?".replace("that", "who" if table.who else "that", 1),
        f"List the {table.label.nouns} of all other {table.many} that {clause}.".replace(
            "that", "who" if table.who else "that"
        ),
    ]
    return Draft(scene.pick(heads), query)


def extremes(scene: Scene) -> Draft:
    """All rows that share the largest or smallest value."""
    table = scene.table("measure")
    column = scene.column(table, "measure", full=True)
    way, end = scene.pick([("MAX", column.ends[0]), ("MIN", column.ends[1])])
    inner = Query(table.name, (f"{way}({column.ref})",)).sql()
    many = table.many
    heads = [
        f"Which {many} have the {end} {column.noun}? Include ties.",
        f"Find every {table.one} with the {end} {column.noun}, ties included.",
        f"List the {table.label.nouns} of all {many} that share the {end} {column.noun}.".replace(
            "that share", "who share" if table.who else "that share"
        ),
    ]
    return Draft(scene.pick(heads), Query(table.name, (table.label.ref,), where=(f"{column.ref} = ({inner})",)))


def in_linked(scene: Scene) -> Draft:
    """Rows whose linked row satisfies a filter, by IN or EXISTS."""
    link = scene.pick(link for link in scene.domain.links if link.say and len(link.path) == 1)
    table, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    seen = (
        None
        if target.label and link.single and scene.chance(0.3)
        else Subject(target, (scene.filter(target, short=True),))
    )
    mod = scene.within(link, seen, correlated=scene.chance(0.3))
    subject = Subject(table, (mod,))
    correlated = "EXISTS" in mod.where[0]
    if link.single and scene.chance(0.3) and not correlated:
        column = scene.column(table, "measure", full=True)
        way = "AVG" if not column.year else scene.pick(["MAX", "MIN"])
        return Draft(ask_measure(scene, way, column, subject), subject.query(f"{way}({column.ref})"), subject.evidence)
    draft = list_or_count(scene, subject)
    if correlated:
        return Draft(draft.question, draft.query.but(qualify=True, style="name"), draft.evidence)
    return draft


def never(scene: Scene) -> Draft:
    """Rows without any linked row, by NOT IN or NOT EXISTS."""
    link = scene.link(single=False, says="none", labelled=True)
    correlated = scene.chance(0.35)
    mod = scene.within(link, None, present=False, correlated=correlated)
    table = scene.domain.tables[link.source]
    mods = [scene.filter(table, short=True)] if scene.chance(0.25) else []
    subject = Subject(table, (*mods, mod))
    draft = list_or_count(scene, subject)
    if correlated:
        return Draft(draft.question, draft.query.but(qualify=True, style="name"), draft.evidence)
    return draft


def owner_of_best(scene: Scene) -> Draft:
    """The linked row of the row that leads, found by its key."""
    link, question, column, order = owner_question(scene)
    target = scene.domain.tables[link.target]
    ((left, right),) = link.path
    inner = Query(link.source, (f"{{{left}}}",), order=order, limit=1).sql()
    check_decided(scene, column)
    return Draft(question, Query(link.target, (target.label.ref,), where=(f"{{{right}}} = ({inner})",)))


def owner_question(scene: Scene) -> tuple[Link, str, Column, str]:
    """Return a link, a question for the target of the source row that leads, and what puts that row first."""
    link = scene.pick(link for link in scene.domain.links if link.ask and link.single and len(link.path) == 1)
    table = scene.domain.tables[link.source]
    way = scene.pick(["most", "least"])
    column = scene.column(table, "measure", says=way, full=True)
    phrase = scene.pick(p for p in column.say(way) if " the " not in p)
    question = sentence(f"{fill(scene.pick(link.ask), f'the {phrase} {table.one}')}?")
    return link, question, column, column.ref + (" DESC" if way == "most" else "")


def check_decided(scene: Scene, column: Column) -> None:
    """Give the draw up where two rows share the largest or the smallest value."""
    values = sorted(scene.values(column))
    if len(values) > 1 and (values[0] == values[1] or values[-1] == values[-2]):
        raise NotHere
