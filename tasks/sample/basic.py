"""Questions about one table that filter, count and measure, without a subquery (L1)."""

from tasks.sample.asking import Draft, ask_count, ask_list, ask_measure, ask_value
from tasks.sample.domain import Table
from tasks.sample.filters import NotHere, Scene
from tasks.sample.phrase import Subject, either
from tasks.sample.rows import literal


def some_subject(scene: Scene, table: Table, most: int = 1) -> Subject:
    """Return the table's rows with up to `most` restrictions."""
    subject = Subject(table)
    for _ in range(scene.rng.randint(0, most)):
        used = tuple(c for mod in subject.mods for c in mod.columns)
        subject = subject.and_(scene.filter(table, besides=used, short=True))
    return in_order(subject)


def in_order(subject: Subject) -> Subject:
    """Return the subject with its restrictions in the order in which they read best: short ones first."""
    rank = {"who": 2, "that": 2, "with": 1}
    order = sorted(
        subject.mods, key=lambda m: rank.get(m.after_noun(subject.table.who, False).split(" ")[0], 0) if m.vp else -1
    )
    return Subject(subject.table, tuple(order))


def list_one(scene: Scene) -> Draft:
    table = scene.table()
    subject = Subject(table, (scene.filter(table),))
    return Draft(ask_list(scene, subject), subject.label_query(), subject.evidence)


def list_two(scene: Scene) -> Draft:
    table = scene.table()
    first = scene.filter(table, short=True)
    second = scene.filter(table, besides=first.columns, short=True)
    subject = in_order(Subject(table, (first, second)))
    if sum(bool(mod.pre) for mod in subject.mods) > 1:
        raise NotHere
    return Draft(ask_list(scene, subject), subject.label_query(), subject.evidence)


def list_either(scene: Scene) -> Draft:
    table = scene.table()
    if scene.chance(0.5):
        subject = Subject(table, (scene.one_of(scene.column(table, "category", says="is")),))
    else:
        first = scene.filter(table)
        second = scene.filter(table, besides=first.columns)
        if not (first.vp and second.vp):
            raise NotHere
        subject = Subject(table, (either(first, second),))
    ask = ask_list if scene.chance(0.6) else ask_count
    query = subject.label_query() if ask is ask_list else subject.query("COUNT(*)")
    return Draft(ask(scene, subject), query, subject.evidence)


def list_special(scene: Scene) -> Draft:
    """Letters of the label, "not", and missing values."""
    table = scene.table()
    nullable = [c for c in table.of("category", "measure", "date") if c.say("missing") or c.say("present")]
    way = scene.pick(["letters", "not", *(["null"] * 3 if nullable else [])])
    if way == "letters":
        mod = scene.worded(table)
    elif way == "not":
        mod = scene.unlike(scene.column(table, "category", says="is"))
    else:
        column = scene.pick(nullable)
        present = bool(column.say("present")) and (not column.say("missing") or scene.chance(0.4))
        mod = scene.missing(column, present)
    subject = Subject(table, (mod,))
    ask = ask_list if scene.chance(0.6) else ask_count
    query = subject.label_query() if ask is ask_list else subject.query("COUNT(*)")
    return Draft(ask(scene, subject), query, subject.evidence)


def list_columns(scene: Scene) -> Draft:
    """Two columns of the rows."""
    table = scene.table()
    column = scene.column(table, "category", "measure", "date")
    subject = Subject(table, (scene.filter(table, besides=(column.name,)),))
    label, noun = table.label.noun, column.noun
    heads = [
        f"Show the {label} and {noun} of every {subject.one}.",
        f"List the {label} and {noun} of each {subject.one}.",
        f"For every {subject.one}, give the {label} and the {noun}.",
        f"What are the {table.label.nouns} and {column.nouns} of {subject.many}?",
        f"I want a list of {subject.many} with their {table.label.nouns} and {column.nouns}.",
    ]
    return Draft(scene.pick(heads), subject.query(table.label.ref, column.ref), subject.evidence)


def count_rows(scene: Scene) -> Draft:
    table = scene.any_table()
    subject = some_subject(scene, table, 2)
    if not subject.mods and scene.chance(0.6):
        raise NotHere
    return Draft(ask_count(scene, subject), subject.query("COUNT(*)"), subject.evidence)


def different(scene: Scene) -> Draft:
    """The different values of a column, or how many there are."""
    table = scene.any_table("category")
    column = scene.column(table, "category", full=True)
    if column.codes:
        raise NotHere
    mods = (scene.filter(table, besides=(column.name,), short=True),) if scene.chance(0.5) else ()
    subject = Subject(table, mods)
    if scene.chance(0.5):
        heads = [
            f"How many different {column.nouns} are there among {subject.all}?",
            f"Count the different {column.nouns} of {subject.all}.",
            f"How many distinct {column.nouns} appear among the {subject.many}?",
        ]
        return Draft(scene.pick(heads), subject.query(f"COUNT(DISTINCT {column.ref})"), subject.evidence)
    heads = [
        f"What are the different {column.nouns} of {subject.all}?",
        f"Which {column.nouns} are represented among {subject.all}?",
        f"List every {column.noun} found among the {subject.many}, without repeats.",
        f"Which different {column.nouns} do we see among the {subject.many}?",
    ]
    return Draft(scene.pick(heads), subject.query(column.ref).but(distinct=True), subject.evidence)


def look_up(scene: Scene) -> Draft:
    """One value of one row."""
    table = scene.table()
    column = scene.column(table, "category", "measure", "date")
    if column.codes:
        raise NotHere
    said, label = scene.named(table)
    row = next(row for row in scene.rows[table.name] if row[table.label.name] == label)
    if row[column.name] is None:
        raise NotHere
    query = Subject(table).query(column.ref).but(where=(f"{table.label.ref} = {literal(label)}",))
    return Draft(ask_value(scene, column, said), query)


def measure(scene: Scene) -> Draft:
    """Average, total, largest or smallest value."""
    table = scene.any_table("measure")
    column = scene.column(table, "measure", full=True)
    ways = (
        ["MAX", "MIN"] if column.year else ["AVG", "AVG", "AVG", "MAX", "MIN", *(["SUM", "SUM"] if column.sum else [])]
    )
    way = scene.pick(ways)
    used = (column.name,)
    mods = (scene.filter(table, besides=used, short=True),) if scene.chance(0.7) else ()
    subject = Subject(table, mods)
    question, item = ask_measure(scene, way, column, subject), f"{way}({column.ref})"
    if way == "AVG" and scene.chance(0.2):
        question, item = f"{question[:-1]}, rounded to two decimals{question[-1]}", f"ROUND({item}, 2)"
    return Draft(question, subject.query(item), subject.evidence)


def both_ends(scene: Scene) -> Draft:
    """Largest and smallest value, or the gap between them."""
    table = scene.any_table("measure")
    column = scene.column(table, "measure", full=True)
    subject = some_subject(scene, table)
    high, low = column.ends
    if any(column.name in mod.columns for mod in subject.mods):
        raise NotHere
    if scene.chance(0.35) and not column.year:
        heads = [
            f"How big is the gap between the {high} and the {low} {column.noun} among {subject.all}?",
            f"What is the difference between the {high} and the {low} {column.noun} among {subject.all}?",
        ]
        return Draft(scene.pick(heads), subject.query(f"MAX({column.ref}) - MIN({column.ref})"), subject.evidence)
    heads = [
        f"What are the {high} and the {low} {column.noun} among {subject.all}?",
        f"Give me the {high} and {low} {column.noun} among {subject.all}.",
        f"Show both the {high} and the {low} {column.noun} among {subject.all}.",
    ]
    return Draft(scene.pick(heads), subject.query(f"MAX({column.ref})", f"MIN({column.ref})"), subject.evidence)
