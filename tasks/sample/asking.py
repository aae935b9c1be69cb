"""How a question is put: its wording for labels, numbers of rows, measures and single values."""

from dataclasses import dataclass

from tasks.sample.domain import Column
from tasks.sample.filters import Scene
from tasks.sample.phrase import Subject
from tasks.sample.query import Query
from tasks.sample.words import fill, sentence


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
        heads += [
            f"Can you tell me which {clause}?",
            f"Do you know which {clause}?",
            f"Which {clause}? Just the {labels}.",
        ]
        heads += [f"I'm trying to find out which {clause}."]
    if subject.deep:
        return sentence(rng.choice(heads))
    if table.who and subject.mods:
        heads += [f"Who are the {subject.many}?"] * 2
    if subject.mods:
        heads += [f"Any {subject.many}? Give me their {labels}."]
    if subject.mods and not any(mod.whole for mod in subject.mods):
        heads += [f"Show me every {subject.one}, {label} only."]
    return sentence(rng.choice(heads))


def ask_count(scene: Scene, subject: Subject) -> str:
    """Return a question for the number of rows of the subject."""
    many = subject.many
    heads = [
        f"How many {many} are there?",
        f"Count the {many}.",
        f"What is the number of {many}?",
        f"Give me the number of {many}.",
        f"Number of {many}?",
    ]
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
        heads = [
            f"What is the average {noun} {of} {all_}?",
            f"Give me the average {noun} {of} {all_}.",
            f"Average {noun} of {all_}?",
            f"What's the mean {noun} {of} {all_}?",
            f"Calculate the average {noun} for {all_}.",
        ]
        for how in column.say("how"):
            said = fill(how, subject.many)
            heads += [f"{said} on average?", f"On average, {said[0].lower()}{said[1:]}?"]
    elif way == "SUM":
        heads = [
            f"What is the total {noun} {of} {all_}?",
            f"What's the combined {noun} {of} {all_}?",
            f"Add up the {noun} {of} {all_}.",
            f"Total {noun} {of} {all_}?",
        ]
        heads += [f"{fill(how, subject.many)} in total?" for how in column.say("how")] * 2
    else:
        end = high if way == "MAX" else low
        heads = [
            f"What is the {end} {noun} among {all_}?",
            f"What's the {end} {noun} of any {subject.one}?",
            f"Find the {end} {noun} among {all_}.",
            f"Tell me the {end} {noun} among {all_}.",
        ]
    return sentence(scene.pick(heads))


def ask_value(scene: Scene, column: Column, said: str) -> str:
    """Return a question for one column of a row that `said` names."""
    heads = [f"{fill(ask, said)}?" for ask in column.say("ask")] * 2
    if not heads or scene.chance(0.3):
        heads += [
            f"What is the {column.noun} of {said}?",
            f"Find the {column.noun} of {said}.",
            f"I need the {column.noun} of {said}.",
            f"Tell me the {column.noun} of {said}.",
        ]
    return sentence(scene.pick(heads))
