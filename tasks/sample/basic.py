"""Questions about one table, without a subquery (L1)."""

from dataclasses import dataclass

from tasks.sample.domain import Column, Table
from tasks.sample.filters import NotHere, Scene
from tasks.sample.phrase import Mod, Subject, either
from tasks.sample.query import Query
from tasks.sample.words import NUMBERS, fill, finite, relative, sentence, singular


@dataclass(frozen=True)
class Draft:
    """A question with its gold query.

    decisive: how many rows the query's ORDER BY must tell apart at its LIMIT, 0 where there is none.
    """

    question: str
    query: Query | str
    evidence: str = ""
    decisive: int = 0

    @property
    def sql(self) -> str:
        return self.query if isinstance(self.query, str) else self.query.sql()


def ask_list(scene: Scene, subject: Subject) -> str:
    """Return a question for the labels of the subject."""
    table, rng = subject.table, scene.rng
    labels, label = table.label.nouns, table.label.noun
    heads = [
        f"List the {labels} of {subject.all}.",
        f"What are the {labels} of {subject.all}?",
        f"Give me the {labels} of {subject.all}.",
        f"Show the {labels} of {subject.all}.",
        f"Find the {labels} of {subject.all}.",
        f"I need the {labels} of {subject.all}, please.",
        f"Could you pull up the {labels} of {subject.all}?",
        f"{labels} of {subject.all}",
    ]
    if subject.said_after:
        clause = subject.clause
        heads = [] if subject.deep else heads
        heads += [f"Which {clause}?"] * 4
        heads += [f"Can you tell me which {clause}?", f"Do you know which {clause}?", f"Which {clause}? Just the {labels}."]
        heads += [f"I'm trying to find out which {clause}."]
    if subject.deep:
        return sentence(rng.choice(heads))
    if table.who and subject.mods:
        heads += [f"Who are the {subject.many}?"] * 2
    if subject.mods:
        heads += [f"Show me every {subject.one}, {label} only.", f"Any {subject.many}? Give me their {labels}."]
    return sentence(rng.choice(heads))


def ask_count(scene: Scene, subject: Subject) -> str:
    """Return a question for the number of rows of the subject."""
    many = subject.many
    heads = [f"How many {many} are there?", f"Count the {many}.", f"What is the number of {many}?",
             f"Give me the number of {many}.", f"Number of {many}?"]  # fmt: skip
    if scene.domain.we:
        heads += [f"How many {many} do we have?", f"Do we have any {many}? How many?"]
    if subject.said_after:
        clause = subject.clause
        heads = [] if subject.deep else heads
        heads += [f"How many {clause}?"] * 4
        heads += [f"Can you tell me how many {clause}?", f"I'd like to know how many {clause}."]
        if len(subject.mods) == 1:
            heads += [f"How many of the {clause}?"]
    return sentence(scene.pick(heads))


def ask_measure(scene: Scene, way: str, column: Column, subject: Subject) -> str:
    """Return a question for the average, total, largest or smallest value of a column."""
    noun, all_ = column.noun, subject.all
    of = "for" if " of " in noun or " in " in noun else "of"
    high, low = column.ends
    if way == "AVG":
        heads = [f"What is the average {noun} {of} {all_}?", f"Give me the average {noun} {of} {all_}.",
                 f"Average {noun} of {all_}?", f"What's the mean {noun} {of} {all_}?",
                 f"Calculate the average {noun} for {all_}."]  # fmt: skip
        for how in column.say("how"):
            said = fill(how, subject.many)
            heads += [f"{said} on average?", f"On average, {said[0].lower()}{said[1:]}?"]
    elif way == "SUM":
        heads = [f"What is the total {noun} {of} {all_}?", f"What's the combined {noun} {of} {all_}?",
                 f"Add up the {noun} {of} {all_}.", f"Total {noun} {of} {all_}?"]  # fmt: skip
        heads += [f"{fill(how, subject.many)} in total?" for how in column.say("how")] * 2
    else:
        end = high if way == "MAX" else low
        heads = [f"What is the {end} {noun} among {all_}?", f"What's the {end} {noun} of any {subject.one}?",
                 f"Find the {end} {noun} among {all_}.", f"Tell me the {end} {noun} among {all_}."]  # fmt: skip
    return sentence(scene.pick(heads))


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
    order = sorted(subject.mods, key=lambda m: rank.get(m.after_noun(subject.table.who, False).split(" ")[0], 0) if m.vp else -1)
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
    heads = [f"Show the {label} and {noun} of every {subject.one}.", f"List the {label} and {noun} of each {subject.one}.",
             f"For every {subject.one}, give the {label} and the {noun}.",
             f"What are the {table.label.nouns} and {column.nouns} of {subject.many}?",
             f"I want a list of {subject.many} with their {table.label.nouns} and {column.nouns}."]  # fmt: skip
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
        heads = [f"How many different {column.nouns} are there among {subject.all}?",
                 f"Count the different {column.nouns} of {subject.all}.",
                 f"How many distinct {column.nouns} appear among the {subject.many}?"]  # fmt: skip
        return Draft(scene.pick(heads), subject.query(f"COUNT(DISTINCT {column.ref})"), subject.evidence)
    heads = [f"What are the different {column.nouns} of {subject.all}?",
             f"Which {column.nouns} are represented among {subject.all}?",
             f"List every {column.noun} found among the {subject.many}, without repeats.",
             f"Which different {column.nouns} do we see among the {subject.many}?"]  # fmt: skip
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
    return Draft(ask_value(scene, column, said),
                 Subject(table, (Mod("_", (f"{table.label.ref} = " + sql_text(label),)),)).query(column.ref))  # fmt: skip


def sql_text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def ask_value(scene: Scene, column: Column, said: str) -> str:
    """Return a question for one column of a row that `said` names."""
    heads = [f"{fill(ask, said)}?" for ask in column.say("ask")] * 2
    if not heads or scene.chance(0.3):
        heads += [f"What is the {column.noun} of {said}?", f"Find the {column.noun} of {said}.",
                  f"I need the {column.noun} of {said}.", f"Tell me the {column.noun} of {said}."]  # fmt: skip
    return sentence(scene.pick(heads))


def measure(scene: Scene) -> Draft:
    """Average, total, largest or smallest value."""
    table = scene.any_table("measure")
    column = scene.column(table, "measure", full=True)
    ways = ["MAX", "MIN"] if column.year else ["AVG", "AVG", "AVG", "MAX", "MIN", *(["SUM", "SUM"] if column.sum else [])]
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
        heads = [f"How big is the gap between the {high} and the {low} {column.noun} among {subject.all}?",
                 f"What is the difference between the {high} and the {low} {column.noun} among {subject.all}?"]  # fmt: skip
        return Draft(scene.pick(heads), subject.query(f"MAX({column.ref}) - MIN({column.ref})"), subject.evidence)
    heads = [f"What are the {high} and the {low} {column.noun} among {subject.all}?",
             f"Give me the {high} and {low} {column.noun} among {subject.all}.",
             f"Show both the {high} and the {low} {column.noun} among {subject.all}."]  # fmt: skip
    return Draft(scene.pick(heads), subject.query(f"MAX({column.ref})", f"MIN({column.ref})"), subject.evidence)


def superlative(scene: Scene) -> tuple[Table, Column, Subject, str, str]:
    """Return a table and column, the subject, the superlative, and the order that puts it first."""
    table = scene.table("measure") if scene.chance(0.8) else scene.table("date")
    way = scene.pick(["most", "most", "least"])
    column = scene.column(table, "measure", "date", says=way, full=True)
    subject = Subject(table)
    if scene.chance(0.4):
        subject = subject.and_(scene.filter(table, besides=(column.name,), short=True))
    order = f"{column.ref} DESC" if way == "most" else f"{column.ref}{scene.pick(['', ' ASC'])}"
    return table, column, subject, scene.pick(column.say(way)), order


def extreme_one(subject: Subject, phrase: str) -> str:
    """Return the noun phrase for the row that leads: "the longest crime book", "the player with the most goals"."""
    if " the " in phrase:
        return f"the {subject.one} {relative(phrase, subject.table.who, one=True)}"
    return f"the {phrase} {subject.one}"


def best_one(scene: Scene) -> Draft:
    table, _, subject, phrase, order = superlative(scene)
    one, label = extreme_one(subject, phrase), table.label.noun
    heads = [f"What is the {label} of {one}?", f"Give me the {label} of {one}.", f"Find the {label} of {one}."]
    if " the " in phrase:
        heads += [f"Which {subject.one} {singular(phrase)}?"] * 4
    else:
        heads += [f"Which {subject.one} is the {phrase}?"] * 3
        heads += [f"{'Who' if table.who else 'What'} is {one}?", f"Which is {one}?" if not table.who else f"Name {one}."]
    query = subject.query(table.label.ref).but(order=order, limit=1)
    return Draft(scene.pick(heads), query, subject.evidence, decisive=1)


def best_value(scene: Scene) -> Draft:
    """Another column of the row that leads."""
    table, column, subject, phrase, order = superlative(scene)
    shown = scene.column(table, "category", "measure", "date", full=True)
    if shown == column or shown.codes or any(shown.name in mod.columns for mod in subject.mods):
        raise NotHere
    question = ask_value(scene, shown, extreme_one(subject, phrase))
    return Draft(question, subject.query(shown.ref).but(order=order, limit=1), subject.evidence, decisive=1)


def best_few(scene: Scene) -> Draft:
    table, column, subject, phrase, order = superlative(scene)
    count = scene.pick([2, 3, 3, 4, 5])
    said, labels = scene.pick([NUMBERS[count], str(count)]), table.label.nouns
    if " the " in phrase:
        many = f"{said} {subject.many} {relative(phrase, table.who)}"
        heads = [f"Which {said} {subject.many} {finite(phrase)}?"] * 2
    else:
        many = f"{said} {phrase} {subject.many}"
        heads = [f"What are the {many}?" if not table.who else f"Who are the {many}?", f"Name the {many}."]
    heads += [f"List the {labels} of the {many}.", f"Show me the {labels} of the {many}.", f"What are the {labels} of the {many}?",
              f"I want the {labels} of the {many}."]  # fmt: skip
    items = [table.label.ref]
    if scene.chance(0.3) and not any(column.name in mod.columns for mod in subject.mods):
        heads = [f"Show the {labels} and {column.nouns} of the {many}.", f"List the {many}, giving {labels} and {column.nouns}."]
        items.append(column.ref)
    query = subject.query(*items).but(order=order, limit=count)
    return Draft(sentence(scene.pick(heads)), query, subject.evidence, decisive=count)


def sorted_list(scene: Scene) -> Draft:
    """All labels in an order."""
    table, column, subject, phrase, order = superlative(scene)
    labels = table.label.nouns
    if " the " in phrase or scene.chance(0.3):
        end = scene.pick(["A to Z", "Z to A"])
        heads = [f"List the {labels} of {subject.all} from {end}.", f"Show {subject.all} by {table.label.noun}, {end}."]
        order = table.label.ref + (" DESC" if end == "Z to A" else "")
        return Draft(scene.pick(heads), subject.query(table.label.ref).but(order=order), subject.evidence, decisive=99)
    heads = [f"List the {labels} of {subject.all}, {phrase} first.", f"Show me the {labels} of {subject.all} with the {phrase} first.",
             f"Can you sort {subject.all} so that the {phrase} comes first? I only need the {labels}.",
             f"Give me the {labels} of {subject.all}, starting with the {phrase}."]  # fmt: skip
    rows = len(scene.rows[table.name])
    return Draft(scene.pick(heads), subject.query(table.label.ref).but(order=order), subject.evidence, decisive=rows)
