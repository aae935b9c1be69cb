"""Questions that need a join or a set operation and no subquery (L3)."""

from tasks.sample.asking import Draft, ask_count, ask_list, ask_measure, ask_value
from tasks.sample.domain import Link, Table
from tasks.sample.filters import NotHere, Scene, join_path
from tasks.sample.groups import grouping
from tasks.sample.phrase import Mod, Subject
from tasks.sample.query import Query
from tasks.sample.ranked import extreme_one
from tasks.sample.rows import literal
from tasks.sample.subqueries import owner_question
from tasks.sample.words import fill, finite, sentence


def target_subject(scene: Scene, link: Link) -> Subject | None:
    """Return filtered target rows, or None for one named row; never a row without a name."""
    target = scene.domain.tables[link.target]
    alone = not link.single and len(link.path) == 1  # the named row would belong to one row only
    if target.label and not alone and scene.chance(0.45 if link.single else 0.3):
        return None
    return Subject(target, (scene.filter(target, short=True),))


def joined_subject(scene: Scene, link: Link, own: float = 0.0) -> Subject:
    """Return the source rows of a link whose target is restricted, perhaps with a restriction of their own."""
    table = scene.domain.tables[link.source]
    mods = [scene.filter(table, short=True)] if scene.chance(own) else []
    return Subject(table, (*mods, scene.linked(link, target_subject(scene, link))))


def list_joined(scene: Scene) -> Draft:
    link = scene.link(labelled=True)
    subject = joined_subject(scene, link, own=0.25)
    return Draft(ask_list(scene, subject), subject.label_query(scene.style()), subject.evidence)


def count_joined(scene: Scene) -> Draft:
    link = scene.link()
    subject = joined_subject(scene, link, own=0.25)
    table = subject.table
    item = f"COUNT(DISTINCT {table.key.ref if table.key else table.label.ref})" if subject.repeats else "COUNT(*)"
    return Draft(ask_count(scene, subject), subject.query(item, style=scene.style()), subject.evidence)


def measure_joined(scene: Scene) -> Draft:
    link = scene.link(single=True)
    subject = joined_subject(scene, link)
    column = scene.column(subject.table, "measure", full=True)
    way = scene.pick(["MAX", "MIN"] if column.year else ["AVG", "AVG", "MAX", "MIN", *(["SUM"] if column.sum else [])])
    query = subject.query(f"{way}({column.ref})", style=scene.style())
    return Draft(ask_measure(scene, way, column, subject), query, subject.evidence)


def best_joined(scene: Scene) -> Draft:
    link = scene.link(single=True, labelled=True)
    subject = joined_subject(scene, link)
    way = scene.pick(["most", "least"])
    column = scene.column(subject.table, "measure", "date", says=way, full=True)
    phrase = scene.pick(p for p in column.say(way) if " the " not in p)
    one, label = extreme_one(subject, phrase), subject.table.label.noun
    heads = [
        f"What is the {label} of {one}?",
        f"{'Who' if subject.table.who else 'What'} is {one}?",
        f"Find the {label} of {one}.",
    ]
    order = column.ref + (" DESC" if way == "most" else "")
    query = subject.query(subject.table.label.ref, style=scene.style()).but(order=order, limit=1)
    return Draft(scene.pick(heads), query, subject.evidence, decisive=1)


def owner(scene: Scene) -> Draft:
    """The linked row of a named row, or another of its columns."""
    link = scene.link(single=True, says="ask", labelled=True)
    table, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    said, label = scene.named(table)
    query = Query(
        link.target,
        (target.label.ref,),
        back_path(link),
        (f"{table.label.ref} = {literal(label)}",),
        style=scene.style(),
    )
    if scene.chance(0.5):
        return Draft(f"{sentence(fill(scene.pick(link.ask), said))}?", query)
    column = scene.column(target, "category", "measure", full=True)
    if column.codes or not link.single:
        raise NotHere
    whose = f"the {target.one} of {said}" if not link.say[0].startswith(("were ", "are by")) else ""
    if not whose:
        raise NotHere
    return Draft(ask_value(scene, column, whose), query.but(items=(column.ref,)))


def back_path(link: Link) -> tuple[tuple[str, str], ...]:
    """Return the joins from a link's target back to its source."""
    return tuple((left.split(".")[0], f"{{{left}}} = {{{right}}}") for left, right in reversed(link.path))


def owner_of_best_joined(scene: Scene) -> Draft:
    link, question, _, order = owner_question(scene)
    target = scene.domain.tables[link.target]
    query = Query(link.source, (target.label.ref,), join_path(link), order=order, limit=1, style=scene.style())
    return Draft(question, query, decisive=1)


def pairs(scene: Scene) -> Draft:
    """Labels of the source beside labels of the target."""
    link = scene.link(single=True, labelled=True)
    table, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    if not target.label:
        raise NotHere
    mods = (scene.filter(table, short=True),) if scene.chance(0.7) else ()
    subject = Subject(table, mods)
    label, other = (
        table.label.noun,
        f"{target.one}'s {target.label.noun}" if target.who else f"{target.label.noun} of its {target.one}",
    )
    if table.who:
        other = other.replace("its", "their")
    heads = [
        f"Show the {label} of every {subject.one} along with the {other}.",
        f"For each {subject.one}, give the {label} and the {other}.",
        f"List all {subject.many} by {label}, each with the {other}.",
    ]
    query = subject.query(table.label.ref, target.label.ref, style=scene.style())
    return Draft(scene.pick(heads), query.but(joins=join_path(link)), subject.evidence)


def groups_joined(scene: Scene) -> Draft:
    """Rows of one table counted by a column of the table they belong to."""
    link = scene.link(single=True)
    table, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    column = scene.column(target, "category", full=True)
    if column.codes or len(set(scene.values(column))) < 3:
        raise NotHere
    query = Query(link.source, (column.ref, "COUNT(*)"), join_path(link), style=scene.style(), group=column.ref)
    of = f"{target.one} {column.noun}"
    its = f"the {column.noun} of the {target.one}"
    heads = [
        f"Count the {table.many} by {its}.",
        f"Break the {table.many} down by {its}: how many are there for each {column.noun}?",
    ]
    heads += (
        []
        if target.who or " " in column.noun
        else [f"How many {table.many} are there for each {of}?", f"Show the number of {table.many} per {of}."]
    )
    if scene.chance(0.4):
        heads = [f"Group the {table.many} by {its}. Which {column.noun} has the most?"]
        heads += (
            []
            if target.who or " " in column.noun
            else [f"Which {of} has the most {table.many}?", f"Which {of} comes up most often among the {table.many}?"]
        )
        return Draft(scene.pick(heads), query.but(items=(column.ref,), order="COUNT(*) DESC", limit=1), decisive=1)
    return Draft(scene.pick(heads), query)


def never_joined(scene: Scene) -> Draft:
    """Rows without any linked row, by an outer join or EXCEPT."""
    link = scene.link(single=False, says="none", labelled=True)
    table = scene.domain.tables[link.source]
    subject = Subject(table, (Mod(scene.pick(link.none)),))
    left, right = link.path[0]
    other = right.split(".")[0]
    query = Query(table.name, (table.label.ref,), ((other, f"{{{left}}} = {{{right}}}"),), style=scene.style())
    if scene.chance(0.6):
        query = query.but(where=(f"{{{right}}} IS NULL",), outer=True)
        return Draft(ask_list(scene, subject), query)
    plain = Query(table.name, (table.label.ref,)).sql()
    return Draft(ask_list(scene, subject), f"{plain} EXCEPT {query.sql()}")


def two_values(scene: Scene, table: Table) -> tuple[Subject, Subject]:
    """Return the table's rows with one value and with another value of the same column."""
    column = scene.pick(c for c in table.of("category") if c.say("is") or c.say("pre"))
    values = sorted(set(scene.values(column)))
    if len(values) < 2:
        raise NotHere
    one, other = scene.rng.sample(values, 2)
    return Subject(table, (scene.equals(column, one),)), Subject(table, (scene.equals(column, other),))


def both_linked(scene: Scene) -> Draft:
    """Rows linked with both kinds of rows (INTERSECT), or with one and not the other (EXCEPT)."""
    link = scene.link(single=False, labelled=True)
    source = scene.domain.tables[link.source]
    one, other = two_values(scene, scene.domain.tables[link.target])
    phrase, style = scene.pick(link.say), scene.style()
    phrase, said_one, said_other, no = parallel(phrase, one.many, other.many)
    word, said = scene.pick(
        [("INTERSECT", f"both {said_one} and {said_other}"), ("EXCEPT", f"{said_one} but {no} {said_other}")]
    )
    sql = f" {word} ".join(
        Subject(source, (scene.linked(link, part),)).query(source.label.ref, style=style).sql() for part in (one, other)
    )
    return Draft(ask_clause(scene, source, finite(fill(phrase, said))), sql, join_notes(one, other))


def parallel(phrase: str, one: str, other: str) -> tuple[str, str, str, str]:
    """Return the phrase, its two complements, and the word that denies the second.

    >>> parallel("were treated by _", "surgeons", "dentists")
    ('were treated _', 'by surgeons', 'by dentists', 'not')
    >>> parallel("make _", "red wines", "white wines")
    ('make _', 'red wines', 'white wines', 'no')
    """
    word = phrase.removesuffix(" _").rpartition(" ")[2]
    if (
        phrase == "with _"
        or not phrase.endswith(" _")
        or word not in {"by", "at", "in", "with", "for", "from", "on", "to", "of"}
    ):
        return phrase, one, other, "no"
    return phrase.removesuffix(f"{word} _") + "_", f"{word} {one}", f"{word} {other}", "not"


def ask_clause(scene: Scene, table: Table, clause: str) -> str:
    """Return a question for the labels of the rows that a predicate holds for."""
    that = "who" if table.who else "that"
    heads = [
        f"Which {table.many} {clause}?",
        f"Find the {table.label.nouns} of {table.many} {that} {clause}.",
        f"Are there {table.many} {that} {clause}? Give me their {table.label.nouns}.",
        f"Can you tell me which {table.many} {clause}?",
    ]
    return scene.pick(heads)


def join_notes(*subjects: Subject) -> str:
    return "; ".join(dict.fromkeys(s.evidence for s in subjects if s.evidence))


def both_groups(scene: Scene) -> Draft:
    """Values that are found among both kinds of rows, or among one kind only."""
    table, column = grouping(scene)
    one, other = (Subject(table, (scene.filter(table, besides=(column.name,), short=True),)) for _ in range(2))
    if one.mods[0].columns != other.mods[0].columns or one.mods == other.mods or not opposite(one, other):
        raise NotHere
    word, said = scene.pick(
        [("INTERSECT", f"both {one.many} and {other.many}"), ("EXCEPT", f"{one.many} but no {other.many}")]
    )
    heads = [
        f"Which {column.nouns} have {said}?",
        f"List the {column.nouns} that have {said}.",
        f"Are there {column.nouns} with {said}? Which ones?",
    ]
    sql = f" {word} ".join(part.query(column.ref).sql() for part in (one, other))
    return Draft(scene.pick(heads), sql, join_notes(one, other))


def opposite(one: Subject, other: Subject) -> bool:
    """Return whether two conditions on a column name two values, or a lower and a higher part."""
    signs = {subject.mods[0].where[0].partition("} ")[2].split(" ")[0] for subject in (one, other)}
    return signs == {"="} or signs == {"<", ">"}


def either_linked(scene: Scene) -> Draft:
    """Rows that a link singles out, together with rows that a filter singles out (UNION)."""
    link = scene.link(labelled=True)
    table = scene.domain.tables[link.source]
    linked = joined_subject(scene, link)
    plain = Subject(table, (scene.filter(table),))
    sql = f"{linked.query(table.label.ref, style=scene.style()).sql()} UNION {plain.query(table.label.ref).sql()}"
    labels = table.label.nouns
    heads = [
        f"List the {labels} of {linked.many}, plus those of {plain.many}.",
        f"I need one list with the {labels} of {linked.many} and of {plain.many}, no repeats.",
        f"Give me the {labels} of {linked.many} together with the {labels} of {plain.many}.",
    ]
    return Draft(scene.pick(heads), sql, join_notes(linked, plain))


def three_tables(scene: Scene) -> Draft:
    """Rows restricted through a chain of two links."""
    first = scene.link()
    second = scene.pick(
        link for link in scene.domain.links if link.say and link.source == first.target and link.target != first.source
    )
    middle = Subject(scene.domain.tables[first.target], (scene.linked(second, target_subject(scene, second)),))
    subject = Subject(scene.domain.tables[first.source], (scene.linked(first, middle),))
    style = scene.style()
    if subject.table.label and scene.chance(0.6):
        return Draft(ask_list(scene, subject), subject.label_query(style), subject.evidence)
    key = subject.table.key or subject.table.label
    item = f"COUNT(DISTINCT {key.ref})" if subject.repeats else "COUNT(*)"
    return Draft(ask_count(scene, subject), subject.query(item, style=style), subject.evidence)
