"""Which questions stand too near an evaluation set to be learned from: by schema, by words, or by query."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from configs.distill_schema import EvaluationSet
from configs.schema import Data
from configs.screen import progress
from distill.sameness import Names, names_of, skeleton, words
from tasks.load import READERS
from tasks.sample import load_sample, split_of
from tasks.source import Question, Source
from tasks.task import Task

TEST = "test split"
SCHEMA, QUESTION, QUERY = "schema", "question", "sql"
RUN = 8  # words in a row that two questions share only if one was made from the other
CONTENT = 3  # different words of those that must say what is asked, not that something is
# What questions are put together from: "what are the names and ids of all the … that have more than" is no leak.
_ASKING_WORDS = """
a all also an and any are as at be been both by can could display do does did each every find for from give given
had has have how i id ids if in is it its list many me more most much name names no not number of on only or other
please return show tell than that the their them there these they this those to us was we were what when where
which who whose with you
"""
_ASKING = frozenset(_ASKING_WORDS.split())


@dataclass(frozen=True)
class Match:
    """A task, and the evaluation question that it stands too near to.

    reason: SCHEMA, QUESTION or QUERY.  against: the evaluation set.  detail: what the two share.
    """

    task: Task
    reason: str
    against: str
    question: Question
    detail: str

    def row(self) -> dict[str, str]:
        """Return the match as a line of contaminated.jsonl."""
        return {
            "task_id": self.task.task_id,
            "reason": self.reason,
            "question": self.task.question,
            "against": self.against,
            "evaluation_id": self.question.task_id,
            "evaluation_question": self.question.question,
            "detail": self.detail,
        }


Evaluated = Mapping[str, Sequence[Question]]
"""The questions of each evaluation set, by its name."""
Found = tuple[str, Question, str]
"""An evaluation set, the question of it that matches, and what is shared."""


def evaluation_questions(sets: Sequence[EvaluationSet], test: Sequence[Task]) -> Evaluated:
    """Return the questions of the given evaluation sets and of the run's own test split.

    Their gold SQL need not run: who publishes a score asks such questions too.
    """
    own = [Question(task.task_id, task.question, task.evidence, task.gold_sql, task.database) for task in test]
    given = {f"{one.source}:{one.path or 'test'}": _read(one, number) for number, one in enumerate(sets)}
    return {TEST: own} | given


def _read(one: EvaluationSet, number: int) -> list[Question]:
    if one.source == "sample":
        return list(evaluation_questions((), [task for task in load_sample() if split_of(task) == "test"])[TEST])
    source = Source(f"distill.decontaminate[{number}].path", str(one.path), "test", Data(**one.model_dump()))
    return READERS[one.source](source)[0]


def decontaminate(
    tasks: Sequence[Task], evaluated: Evaluated, overlap: float, workers: int
) -> tuple[tuple[Task, ...], list[Match]]:
    """Return the tasks that no evaluation question stands near, in their order, and the matches of the others.

    A task matches, and the first of these is its reason, where
    - its database has the name of an evaluation database and a column in common, or the Jaccard index of their
      table.column names is at least `overlap`;
    - it shares a run of RUN words with an evaluation question, CONTENT of which are different and say what is asked
      (else any two questions for "the first and last names of all the" would match), or it is the same question;
    - its query is an evaluation query over tables of the same names, but for constants.
    """
    asked = [(name, question) for name, questions in evaluated.items() for question in questions]
    names = names_of([entry.database for entry in (*tasks, *(question for _, question in asked))], workers)
    near = _near_databases({task.database for task in tasks}, asked, names, overlap)
    runs = {run: (name, question) for name, question in reversed(asked) for run in _runs(words(question.question))}
    queries = {skeleton(question.gold_sql, names[question.database]): (name, question) for name, question in asked}
    tables = {table for _, question in asked for table, _ in names[question.database]}

    def find(task: Task) -> tuple[str, Found] | None:
        if task.database in near:
            return SCHEMA, near[task.database]
        for run in _runs(words(task.question)):
            if run in runs:
                return QUESTION, (*runs[run], " ".join(run))
        if any(table in tables for table, _ in names[task.database]):
            query = skeleton(task.gold_sql, names[task.database])
            if query in queries:
                return QUERY, (*queries[query], query)
        return None

    kept, matches = [], []
    with progress("Comparing with evaluation questions", len(tasks)) as advance:
        for task in tasks:
            if found := find(task):
                matches.append(Match(task, found[0], *found[1]))
            else:
                kept.append(task)
            advance()
    return tuple(kept), matches


def _runs(said: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield what a question is recognised by: the whole of it, and each run of words that says enough.

    >>> list(_runs(("how", "many", "singers")))
    [('how', 'many', 'singers')]
    >>> [" ".join(run) for run in _runs(tuple("what are the first and last names of all singers".split()))][1:]
    ['the first and last names of all singers']
    """
    if said:
        yield said
    for start in range(len(said) - RUN + 1):
        run = said[start : start + RUN]
        if run != said and len(set(run) - _ASKING) >= CONTENT:
            yield run


def _near_databases(
    databases: set[str], asked: Sequence[tuple[str, Question]], names: Mapping[str, Names], overlap: float
) -> dict[str, Found]:
    """Return for each database that is nearly one of an evaluation set the first question over that."""
    by_stem: dict[str, tuple[str, Question]] = {}
    by_names: dict[Names, tuple[str, Question]] = {}
    for one in asked:
        by_stem.setdefault(_stem(one[1].database), one)
        by_names.setdefault(names[one[1].database], one)
    schemas = Schemas([known for known in by_names if known])
    stems = Counter(map(_stem, databases))  # where all files are called db.sqlite, the name says nothing
    near: dict[str, Found] = {}
    for database in databases:
        same = by_stem.get(_stem(database)) if stems[_stem(database)] == 1 else None
        if same and names[database] & names[same[1].database]:
            near[database] = (*same, f"database {_stem(database)}")
        elif found := schemas.nearest(names[database], overlap):
            one = by_names[found[0]]
            near[database] = (*one, f"Jaccard index {found[1]:.2f} with database {_stem(one[1].database)[:16]}")
    return near


def _stem(database: str) -> str:
    return Path(database).stem.casefold()


class Schemas:
    """Finds the schema most like a given one without comparing it with all."""

    def __init__(self, schemas: Sequence[Names]) -> None:
        self._having: dict[tuple[str, str], list[Names]] = defaultdict(list)
        for names in schemas:
            for name in names:
                self._having[name].append(names)

    def nearest(self, names: Names, overlap: float) -> tuple[Names, float] | None:
        """Return the schema with the highest Jaccard index of at least `overlap`, and the index.

        A schema that near shares so many names that one of the rarest few must be among them.
        """
        rarest = sorted(names, key=lambda name: len(self._having.get(name, ())))
        few = len(names) - ceil(overlap * len(names) - 1e-9) + 1
        candidates = {other for name in rarest[:few] for other in self._having.get(name, ())}
        shares = {other: len(names & other) / len(names | other) for other in candidates}
        best = max(shares, key=lambda other: (shares[other], sorted(other)), default=None)
        return (best, shares[best]) if best is not None and shares[best] >= overlap else None
