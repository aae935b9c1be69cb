"""Scores of prediction files in the forms that BIRD and Spider publish: `judge_files(…) → summary`.

Gold, one of:  a JSON list of objects with `db_id` and `SQL` (BIRD: dev.json, mini_dev_sqlite.json) or `query`
(Spider: dev.json);  or lines `SQL<tab>DB` (BIRD: dev.sql; Spider: dev_gold.sql).
Predictions, one of:  a JSON object `{"0": "SQL<tab>----- bird -----<tab>DB", …}` (BIRD: predict_dev.json), its
keys the questions' places from 0, or their `question_id`;  or one SQL a line (Spider), `<tab>DB` behind it or not.

A blank line in a gold file parts interactions (SParC, CoSQL); it stands in the predictions too, and is counted as
no question.  Any other blank line of the predictions, and a null or a number in place of BIRD's text, is a query
that was not given: wrong.  The database is the gold file's; a prediction that names another one is an error, as
the two files then don't belong together.

Unlike Spider's own script this neither drops DISTINCT nor changes a query in any other way, and `ordered` and
`spider` heed only an ORDER BY that binds the gold query's rows, not one in a part of it.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from configs.errors import ConfigError
from sandbox.execution import DEFAULT, judge_many
from sandbox.judge import Rule
from sandbox.misplaced import misplaced
from sandbox.result import Limits, Verdict
from sandbox.text_file import is_json, read_json_text, read_text

BIRD_MARK = "\t----- bird -----\t"
NO_QUERY = "SELECT no_query_was_given"
"""What stands for a query that was not given where a text must stand: it runs over no database."""
NAMED = 3
"""Of many that are wrong, those that an error names."""
FORMS = 'a JSON object {"0": "SQL\\t----- bird -----\\tDB", …} or one SQL a line'


@dataclass(frozen=True)
class Gold:
    """One question's gold query; `place` is where it stands, as errors name it."""

    place: str
    database: str
    sql: str
    question_id: str = ""
    question: str = ""
    evidence: str = ""
    difficulty: str = ""


@dataclass(frozen=True)
class Pair:
    """One question's two queries over one database; `sql` is empty where none was given."""

    gold: Gold
    database: Path
    sql: str


def judge_files(
    predictions: Path,
    gold: Path,
    databases: Path,
    how: Rule = "ordered",
    limits: Limits = DEFAULT,
    workers: int = 2,
) -> dict:
    """Return what the predictions add up to: `questions`, `correct`, `ex` (in 0–1), `rule`, `statuses`, `seconds`.

    databases: the folder with NAME/NAME.sqlite or NAME.sqlite.
    `statuses` counts what came of the predicted queries (sandbox.Result).  `verdicts` has an object for each
    question, in the gold file's order: its `place` there, `database`, `status`, `correct`, `message`.
    `warning` tells where the predictions look as if they were in another order.
    Files that cannot be read or don't belong together, and a gold query that does not run, are a ConfigError.
    """
    begun = time.monotonic()
    pairs = read_pairs(Path(predictions), Path(gold), Path(databases))
    judged = judge_many([(pair.database, pair.gold.sql, pair.sql) for pair in pairs], how, limits, workers)
    _demand_gold(Path(gold), pairs, judged)
    verdicts = [
        {"place": pair.gold.place, "database": pair.gold.database}
        | {"status": one.status, "correct": one.correct, "message": one.message}
        for pair, one in zip(pairs, judged, strict=True)
    ]
    correct = sum(verdict["correct"] for verdict in verdicts)
    ran = [(pair.gold.place, pair.database, one.status, one.message) for pair, one in zip(pairs, judged, strict=True)]
    return {
        "questions": len(verdicts),
        "correct": correct,
        "ex": correct / len(verdicts),
        "rule": how,
        "statuses": dict(Counter(verdict["status"] for verdict in verdicts).most_common()),
        "warning": misplaced(ran, limits, workers),
        "seconds": round(time.monotonic() - begun, 3),
        "verdicts": verdicts,
    }


def _demand_gold(file: Path, pairs: Sequence[Pair], judged: Sequence[Verdict]) -> None:
    """Raise ConfigError where a gold query did not run; it names the first few."""
    broken = [(pair.gold, one) for pair, one in zip(pairs, judged, strict=True) if one.correct is None]
    if broken:
        named = "; ".join(f"{gold.place} on {gold.database}: {one.gold}, {one.message}" for gold, one in broken[:NAMED])
        raise ConfigError(
            f"{file}: {len(broken)} of {len(pairs)} gold queries did not run ({named}); "
            "mend or leave out these questions, or raise the limits of time and rows"
        )


def read_pairs(predictions: Path, gold: Path, databases: Path) -> list[Pair]:
    """Return the questions of the gold file, each with its prediction and its database's file."""
    slots = _read_gold(gold)
    found = _databases(databases, list(dict.fromkeys(one.database for one in slots if one)), gold)
    text = read_text(predictions)
    answers = _answers(predictions, text, slots) if is_json(text) else _lines(predictions, text, slots)
    return [
        Pair(one, found[one.database], "" if sql.strip() in ("", NO_QUERY) else sql)
        for one, sql in zip(slots, answers, strict=True)
        if one
    ]


def _read_gold(file: Path) -> list[Gold | None]:
    """Return the gold queries in order, None for a blank line between them."""
    text = read_text(file)
    if is_json(text):
        items = read_json_text(file, text)
        if not isinstance(items, list):
            raise ConfigError(f"{file} is a JSON object; gold is a JSON list of questions, or lines SQL<tab>DB")
        slots = [_gold_item(file, number, item) for number, item in enumerate(items)]
    else:
        lines = list(enumerate(text.rstrip().split("\n"), start=1))
        slots = [_gold_line(number, line) for number, line in lines]
        wrong = [
            f"{number} is not SQL<tab>DB but {_shown(line)}"
            for (number, line), slot in zip(lines, slots, strict=True)
            if line.strip() and not slot
        ]
        if wrong:
            raise ConfigError(f"{file}: line {_some(wrong)}; put the database behind a tab")
    if not any(slots):
        raise ConfigError(f"{file} holds no question; give a JSON list of questions, or lines SQL<tab>DB")
    return slots


def _gold_item(file: Path, number: int, item: object) -> Gold:
    place = f"question {number}"
    if not isinstance(item, dict):
        raise ConfigError(f"{file}: {place} is no object; each has 'db_id' and 'SQL' (or 'query')")
    sql = item.get("SQL", item.get("query"))
    if not (isinstance(sql, str) and isinstance(item.get("db_id"), str) and sql.strip()):
        there = ", ".join(map(str, item)) or "nothing"
        raise ConfigError(f"{file}: {place} lacks a text 'db_id' or 'SQL' (or 'query'); it has {there}")
    said = {
        name: str(item[name])
        for name in ("question_id", "question", "evidence", "difficulty")
        if item.get(name) is not None
    }
    return Gold(place, item["db_id"], sql, **said)


def _gold_line(number: int, line: str) -> Gold | None:
    """Return the gold query of a line; None for a blank line, and for one that holds none."""
    sql, _, database = line.rpartition("\t")
    return Gold(f"line {number}", database.strip(), sql.strip()) if sql.strip() and database.strip() else None


def _answers(file: Path, text: str, slots: Sequence[Gold | None]) -> list[str]:
    """Return the predicted queries of BIRD's form, one for each slot."""
    answers = read_json_text(file, text)
    if not isinstance(answers, dict):
        raise ConfigError(f"{file} is a JSON list; predictions are {FORMS}")
    golds = [gold for gold in slots if gold]
    keys = _keys(file, answers.keys(), golds)
    wrong = [
        f"{key!r} is {_shown(json.dumps(answers[key]))}"
        for key in keys
        if not (answers[key] is None or isinstance(answers[key], (str, int, float)))
    ]
    if wrong:
        raise ConfigError(f"{file}: answer {_some(wrong)}; predictions are {FORMS}")
    parts = [(answers[key] if isinstance(answers[key], str) else "").rpartition(BIRD_MARK) for key in keys]
    _demand_databases(
        file,
        [
            (f"answer {key!r}", database, gold)
            for key, (_, mark, database), gold in zip(keys, parts, golds, strict=True)
            if mark
        ],
    )
    sqls = iter([sql if mark else whole for sql, mark, whole in parts])
    return [next(sqls) if gold else "" for gold in slots]


def _keys(file: Path, there: Set[str], golds: Sequence[Gold]) -> list[str]:
    """Return the key of each question's answer: the question's place, or its question_id where these are the keys."""
    places = [str(number) for number in range(len(golds))]
    ids = [gold.question_id for gold in golds]
    if len(set(ids)) == len(ids) and there != set(places) and len(there & set(ids)) > len(there & set(places)):
        places = ids
    if there != set(places):
        raise ConfigError(f"{file}: {_mismatch(there, places)}; give one answer to each question, by its key")
    return places


def _mismatch(there: Iterable[str], wanted: Sequence[str]) -> str:
    """Return what is wrong with the keys of a JSON object.

    >>> _mismatch(["0", "2"], ["0", "1", "2"]), _mismatch(["0", "x"], ["0"])
    ("it has no answer to 1 of 3 questions ('1')", "it has 1 answer to no question ('x')")
    """
    known, given = set(wanted), set(there)
    missing = [repr(key) for key in wanted if key not in given]
    surplus = [repr(key) for key in there if key not in known]
    told = []
    if missing:
        told.append(f"no answer to {len(missing)} of {len(wanted)} questions ({_some(missing)})")
    if surplus:
        told.append(f"{len(surplus)} answer{'s' if len(surplus) > 1 else ''} to no question ({_some(surplus)})")
    return f"it has {' and '.join(told)}"


def _lines(file: Path, text: str, slots: Sequence[Gold | None]) -> list[str]:
    """Return the predicted queries of Spider's form, one for each slot: line by line with the gold file."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < len(slots) or any(line.strip() for line in lines[len(slots) :]):
        raise ConfigError(
            f"{file} has {len(lines)} lines where the gold file has {len(slots)}; predictions are {FORMS}, "
            "with a blank line where there is no answer"
        )
    rows = list(enumerate(zip(lines, slots, strict=False), start=1))
    between = [f"line {number} is {_shown(line)}" for number, (line, gold) in rows if gold is None and line.strip()]
    if between:
        raise ConfigError(f"{file}: {_some(between)} where the gold file has a blank line; align the two")
    parts = [(number, line.partition("\t"), gold) for number, (line, gold) in rows]
    _demand_databases(
        file, [(f"line {number}", database, gold) for number, (_, tab, database), gold in parts if gold and tab]
    )
    return [sql for _, (sql, _, _), _ in parts]


def _demand_databases(file: Path, named: Iterable[tuple[str, str, Gold]]) -> None:
    """Raise ConfigError where predictions name other databases than the gold file does for their questions."""
    strangers = [
        f"{place} has {_shown(database)} behind its SQL, but the gold file's {gold.place} is about {gold.database!r}"
        for place, database, gold in named
        if database.strip() != gold.database
    ]
    if strangers:
        raise ConfigError(
            f"{file}: {_some(strangers)}; give files of the same questions in the same order, and queries without tabs"
        )


def _databases(folder: Path, names: Sequence[str], gold: Path) -> dict[str, Path]:
    """Return the file of each database."""
    places = {name: (folder / name / f"{name}.sqlite", folder / f"{name}.sqlite") for name in names}
    found = {
        name: next((file for file in files if "/" not in name and os.path.isfile(file)), None)
        for name, files in places.items()
    }
    if missing := [repr(name) for name, file in found.items() if file is None]:
        raise ConfigError(
            f"{gold}: of {len(names)} databases {len(missing)} are not in {folder} ({_some(missing)}); "
            f"it must have NAME/NAME.sqlite or NAME.sqlite of each"
        )
    return found


def _some(many: Sequence[str]) -> str:
    """Return the first few of many, and how many there are.

    >>> _some(["a", "b"]), _some(list("abcde"))
    ('a, b', 'a, b, c and 2 more')
    """
    more = f" and {len(many) - NAMED} more" if len(many) > NAMED else ""
    return ", ".join(many[:NAMED]) + more


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
