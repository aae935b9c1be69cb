"""Questions about what comes first in one table, and lists in an order (L1)."""

from tasks.sample.asking import Draft, ask_value
from tasks.sample.domain import Column, Table
from tasks.sample.filters import NotHere, Scene
from tasks.sample.phrase import Subject
from tasks.sample.words import NUMBERS, finite, relative, sentence, singular


def superlative(scene: Scene) -> tuple[Table, Column, Subject, str, str]:
    """Return a table and column, the subject, the superlative, and the order that puts it first."""
    table = scene.table("measure") if scene.chance(0.8) else scene.table("date")
    way = scene.pick(["most", "most", "least"])
    column = scene.column(table, "measure", "date", says=way, full=True)
    subject = Subject(table)
    if scene.chance(0.4):
        subject = subject.and_(scene.filter(table, besides=(column.name,), short=True))
    order = f"{column.ref} DESC" if way == "most" else f"{column.ref}{scene.pick(['', ' ASC'])}"
    phrases = (p for p in column.say(way) if " the " not in p or not subject.said_after)  # no two clauses in a row
    return table, column, subject, scene.pick(phrases), order


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
        heads += [
            f"{'Who' if table.who else 'What'} is {one}?",
            f"Which is {one}?" if not table.who else f"Name {one}.",
        ]
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
    heads += [
        f"List the {labels} of the {many}.",
        f"Show me the {labels} of the {many}.",
        f"What are the {labels} of the {many}?",
        f"I want the {labels} of the {many}.",
    ]
    items = [table.label.ref]
    if scene.chance(0.3) and not any(column.name in mod.columns for mod in subject.mods):
        heads = [
            f"Show the {labels} and {column.nouns} of the {many}.",
            f"List the {many}, giving {labels} and {column.nouns}.",
        ]
        items.append(column.ref)
    query = subject.query(*items).but(order=order, limit=count)
    return Draft(sentence(scene.pick(heads)), query, subject.evidence, decisive=count)


def sorted_list(scene: Scene) -> Draft:
    """All labels in an order."""
    table, _, subject, phrase, order = superlative(scene)
    labels = table.label.nouns
    if " the " in phrase or scene.chance(0.3):
        end = scene.pick(["A to Z", "Z to A"])
        heads = [f"List the {labels} of {subject.all} from {end}.", f"Show {subject.all} by {table.label.noun}, {end}."]
        order = table.label.ref + (" DESC" if end == "Z to A" else "")
        return Draft(scene.pick(heads), subject.query(table.label.ref).but(order=order), subject.evidence, decisive=99)
    heads = [
        f"List the {labels} of {subject.all}, {phrase} first.",
        f"Show me the {labels} of {subject.all} with the {phrase} first.",
        f"Can you sort {subject.all} so that the {phrase} comes first? I only need the {labels}.",
        f"Give me the {labels} of {subject.all}, starting with the {phrase}.",
    ]
    rows = len(scene.rows[table.name])
    return Draft(scene.pick(heads), subject.query(table.label.ref).but(order=order), subject.evidence, decisive=rows)
