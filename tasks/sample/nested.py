"""Questions that need a join and a subquery (L4)."""

from tasks.sample.asking import Draft, ask_count, ask_list
from tasks.sample.filters import NotHere, Scene, join_path
from tasks.sample.groups import all_linked, linked_query
from tasks.sample.joins import ask_clause, target_subject
from tasks.sample.phrase import Mod, Subject
from tasks.sample.query import Query
from tasks.sample.ranked import extreme_one
from tasks.sample.subqueries import above, beyond_named, check_decided
from tasks.sample.words import fill, finite, singular


def list_or_count(scene: Scene, subject: Subject) -> Draft:
    """Return a question for the labels, or for the number, of rows found with joins."""
    table, style = subject.table, scene.style()
    if table.label and scene.chance(0.65):
        return Draft(ask_list(scene, subject), subject.label_query(style), subject.evidence)
    item = f"COUNT(DISTINCT {(table.key or table.label).ref})" if subject.repeats else "COUNT(*)"
    return Draft(ask_count(scene, subject), subject.query(item, style=style), subject.evidence)


def joined_than_average(scene: Scene) -> Draft:
    """Rows of a linked kind that are above or below the average of all."""
    link = scene.link(single=True)
    table = scene.domain.tables[link.source]
    column = scene.column(table, "measure", says="than", full=True)
    if column.year:
        raise NotHere
    further = (
        above(scene, table, column) if not table.label or scene.chance(0.6) else beyond_named(scene, table, column)
    )
    return list_or_count(scene, Subject(table, (scene.linked(link, target_subject(scene, link)), further)))


def linked_to_large(scene: Scene) -> Draft:
    """Rows linked with a row above the average of its kind."""
    link = scene.link()
    target = scene.domain.tables[link.target]
    column = scene.column(target, "measure", says="than", full=True)
    if column.year:
        raise NotHere
    mod = scene.linked(link, Subject(target, (above(scene, target, column),)))
    return list_or_count(scene, Subject(scene.domain.tables[link.source], (mod,)))


def of_the_extreme(scene: Scene) -> Draft:
    """Rows linked with the row that leads its kind."""
    link = scene.link(labelled=True)
    target = scene.domain.tables[link.target]
    way = scene.pick(["most", "least"])
    column = scene.column(target, "measure", says=way, full=True)
    check_decided(scene, column)
    inner = Query(target.name, (f"{'MAX' if way == 'most' else 'MIN'}({column.ref})",)).sql()
    said = fill(scene.pick(link.say), extreme_one(Subject(target), scene.pick(column.say(way))))
    mod = Mod(said, (f"{column.ref} = ({inner})",), joins=join_path(link), repeats=not link.single)
    source = scene.domain.tables[link.source]
    if not link.single and len(link.path) == 1:  # the leading row belongs to one row only
        subject = Subject(source, (mod,))
        heads = [
            f"Which {subject.clause_one}?",
            f"Can you tell me which {subject.clause_one}?",
            *([f"Who {singular(said)}?"] * 2 if source.who else []),
        ]
        return Draft(scene.pick(heads), subject.query(source.label.ref, style=scene.style()))
    return list_or_count(scene, Subject(scene.domain.tables[link.source], (mod,)))


def never_kind(scene: Scene) -> Draft:
    """Rows that were never linked with a certain kind of row, three tables or two."""
    link = scene.link(single=False, labelled=True)
    source, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    further = [
        other
        for other in scene.domain.links
        if other.say and other.single and other.source == link.target and other.target != link.source
    ]
    if len(link.path) > 1:
        seen = Subject(target, (scene.filter(target, short=True),))
    else:
        second = scene.pick(further)
        seen = Subject(target, (scene.linked(second, target_subject(scene, second)),))
    key = source.key or source.label
    inner = Query(source.name, (key.ref,), style=scene.style())
    mod = scene.linked(link, seen)
    if len(link.path) > 1 and scene.chance(0.6):
        start = link.path[0][1]
        inner = Query(start.split(".")[0], (f"{{{start}}}",), mod.joins[1:], mod.where, style=scene.style())
    else:
        inner = inner.but(joins=mod.joins, where=mod.where)
    said = negated(scene.pick(link.say), seen.many)
    query = Query(source.name, (source.label.ref,), where=(f"{link_key(link, inner, key)} NOT IN ({inner.sql()})",))
    return Draft(ask_clause(scene, source, said), query, seen.evidence)


def link_key(link, inner: Query, key) -> str:
    return key.ref if inner.source == link.source else f"{{{link.path[0][0]}}}"


def negated(phrase: str, many: str) -> str:
    """Return the predicate that none of these rows is linked.

    >>> negated("have written _", "crime books"), negated("play for _", "clubs")
    ('have never written any crime books', 'do not play for any clubs')
    """
    verb, _, rest = phrase.partition(" ")
    start = {"have": "have never", "were": "were never", "are": "are not", "with": "do not have"}.get(verb)
    words = f"{start} {rest}" if start else f"do not {phrase}"
    return fill(words, f"any {many}")


def more_than_usual(scene: Scene) -> Draft:
    """Rows with more linked rows than the average row has."""
    link = scene.link(single=False, labelled=True)
    source, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    if len(link.path) > 1 or not all_linked(scene, link):
        raise NotHere
    other = link.path[0][1]
    table = other.split(".")[0]
    counts = Query(table, ("COUNT(*) AS n",), group=f"{{{other}}}").sql()
    query = linked_query(scene, link, (source.label.ref,)).but(having=f"COUNT(*) > (SELECT AVG(n) FROM ({counts}))")
    clause = finite(fill(scene.pick(link.say), f"more {target.many} than the average {source.one}"))
    return Draft(ask_clause(scene, source, clause), query)


def best_of_each(scene: Scene) -> Draft:
    """For every linked row, its own leading row."""
    link = scene.link(single=False, labelled=True)
    source, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    if len(link.path) > 1 or not target.label:
        raise NotHere
    way = scene.pick(["most", "most", "least"])
    column = scene.column(target, "measure", says=way, full=True)
    phrase = scene.pick(p for p in column.say(way) if " the " not in p)
    left, right = link.path[0]
    table, name = right.split(".")
    seen = [(row[name], row[column.name]) for row in scene.rows[table]]
    if len(set(seen)) < len(seen):  # two rows may lead
        raise NotHere
    function = "MAX" if way == "most" else "MIN"
    inner = f"SELECT {function}({column.name}) FROM {table} WHERE {name} = {{{left}}}"
    query = Query(source.name, (source.label.ref, target.label.ref), join_path(link), (f"{column.ref} = ({inner})",),
                  style=scene.style())  # fmt: skip
    its = "their" if source.who else "its"
    heads = [
        f"What is the {phrase} {target.one} of each {source.one}? Show both the {source.one} and the {target.one}.",
        f"For each {source.one}, show {its} {source.label.noun} and {its} {phrase} {target.one}.",
        f"Pair every {source.one} with {its} {phrase} {target.one}.",
    ]
    return Draft(scene.pick(heads), query)


def linked_not_large(scene: Scene) -> Draft:
    """Rows that a link singles out without those above their average (EXCEPT), or only those (INTERSECT)."""
    link = scene.link(labelled=True)
    table = scene.domain.tables[link.source]
    column = scene.column(table, "measure", says="than", full=True)
    linked = scene.linked(link, target_subject(scene, link))
    further = above(scene, table, column)
    word, but = scene.pick([("EXCEPT", "leaving out those that"), ("INTERSECT", "keeping only those that")])
    if column.year:
        raise NotHere
    but = but.replace("that", "who") if table.who else but
    style = scene.style()
    sql = f" {word} ".join(
        Subject(table, (mod,)).query(table.label.ref, style=style).sql() for mod in (linked, further)
    )
    many, labels = Subject(table, (linked,)).many, table.label.nouns
    heads = [f"List the {labels} of {many}, {but} {finite(further.vp)}."]
    heads += [f"Give me the {labels} of {many}, {but} {finite(further.vp)}."]
    return Draft(scene.pick(heads), sql, Subject(table, (linked,)).evidence)
