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
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.errors import ConfigError
from sandbox.execution import DEFAULT, judge_many
from sandbox.judge import Rule
from sandbox.result import Limits, Verdict

BIRD_MARK = "\t----- bird -----\t"
FORMS = 'a JSON object {"0": "SQL\\t----- bird -----\\tDB", …} or one SQL a line'


@dataclass(frozen=True)
class Gold:
    """One question's gold query; `place` is where it stands, as errors name it."""

    place: str
    database: str
    sql: str
    question_id: str = ""


@dataclass(frozen=True)
class Pair:
    """One question's two queries over one database."""

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
    return {
        "questions": len(verdicts),
        "correct": correct,
        "ex": correct / len(verdicts),
        "rule": how,
        "statuses": dict(Counter(verdict["status"] for verdict in verdicts).most_common()),
        "seconds": round(time.monotonic() - begun, 3),
        "verdicts": verdicts,
    }


def _demand_gold(file: Path, pairs: Sequence[Pair], judged: Sequence[Verdict]) -> None:
    """Raise ConfigError where a gold query did not run; it names the first few."""
    broken = [(pair.gold, one) for pair, one in zip(pairs, judged, strict=True) if one.correct is None]
    if broken:
        named = "; ".join(f"{gold.place} on {gold.database}: {one.gold}, {one.message}" for gold, one in broken[:3])
        raise ConfigError(
            f"{file}: {len(broken)} of {len(pairs)} gold queries did not run ({named}); "
            "mend or leave out these questions, or raise the limits of time and rows"
        )


def read_pairs(predictions: Path, gold: Path, databases: Path) -> list[Pair]:
    """Return the questions of the gold file, each with its prediction and its database's file."""
    slots = _read_gold(gold)
    text = _text(predictions)
    answers = _answers(predictions, text, slots) if _is_json(text) else _lines(predictions, text, slots)
    found = {name: _database(databases, name, gold) for name in dict.fromkeys(one.database for one in slots if one)}
    return [Pair(one, found[one.database], sql) for one, sql in zip(slots, answers, strict=True) if one]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}; give the path of a text file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text ({error.reason} at byte {error.start}); save it as such") from None


def _is_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "["))


def _json(file: Path, text: str) -> object:
    def once(items: list[tuple[str, object]]) -> dict:
        twice = [key for key, times in Counter(key for key, _ in items).items() if times > 1]
        if twice:
            raise ConfigError(f"{file}: the key {twice[0]!r} is there twice; keep one of the two")
        return dict(items)

    try:
        return json.loads(text, object_pairs_hook=once)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{file} is not JSON ({error}); write the file again") from None


def _read_gold(file: Path) -> list[Gold | None]:
    """Return the gold queries in order, None for a blank line between them."""
    text = _text(file)
    if _is_json(text):
        items = _json(file, text)
        if not isinstance(items, list):
            raise ConfigError(f"{file} is a JSON object; gold is a JSON list of questions, or lines SQL<tab>DB")
        slots = [_gold_item(file, number, item) for number, item in enumerate(items)]
    else:
        lines = text.rstrip().split("\n")
        slots = [_gold_line(file, number, line) for number, line in enumerate(lines, start=1)]
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
    return Gold(place, item["db_id"], sql, str(item.get("question_id", "")))


def _gold_line(file: Path, number: int, line: str) -> Gold | None:
    if not line.strip():
        return None
    sql, tab, database = line.rpartition("\t")
    if not (tab and sql.strip() and database.strip()):
        raise ConfigError(f"{file}: line {number} is not SQL<tab>DB but {_shown(line)}; put the database behind a tab")
    return Gold(f"line {number}", database.strip(), sql.strip())


def _answers(file: Path, text: str, slots: Sequence[Gold | None]) -> list[str]:
    """Return the predicted queries of BIRD's form, one for each slot."""
    answers = _json(file, text)
    if not isinstance(answers, dict):
        raise ConfigError(f"{file} is a JSON list; predictions are {FORMS}")
    golds = [gold for gold in slots if gold]
    keys = [str(number) for number in range(len(golds))]
    if answers.keys() != set(keys):
        ids = [gold.question_id for gold in golds]
        if answers.keys() != set(ids) or len(set(ids)) < len(ids):
            raise ConfigError(
                f"{file}: {_mismatch(answers.keys(), keys)}; give one answer to each question, by its key"
            )
        keys = ids
    sqls = (_answer(file, key, answers[key], gold) for key, gold in zip(keys, golds, strict=True))
    return [next(sqls) if gold else "" for gold in slots]


def _mismatch(there: Sequence[str] | set[str], wanted: Sequence[str]) -> str:
    """Return what is wrong with the keys of a JSON object.

    >>> _mismatch(["0", "2"], ["0", "1", "2"]), _mismatch(["0", "x"], ["0"])
    ("it has no answer '1' (2 answers, 3 questions)", "it has an answer 'x' to no question (2 answers, 1 questions)")
    """
    counts = f"({len(there)} answers, {len(wanted)} questions)"
    for key in wanted:
        if key not in there:
            return f"it has no answer {key!r} {counts}"
    surplus = next(key for key in there if key not in wanted)
    return f"it has an answer {surplus!r} to no question {counts}"


def _answer(file: Path, key: str, value: object, gold: Gold) -> str:
    if value is None or isinstance(value, (int, float)):
        return ""
    if not isinstance(value, str):
        raise ConfigError(f"{file}: answer {key!r} is {_shown(json.dumps(value))}; predictions are {FORMS}")
    sql, mark, database = value.rpartition(BIRD_MARK)
    if mark and database.strip() != gold.database:
        raise _stranger(file, f"answer {key!r}", database, gold)
    return sql if mark else value


def _lines(file: Path, text: str, slots: Sequence[Gold | None]) -> list[str]:
    """Return the predicted queries of Spider's form, one for each slot: line by line with the gold file."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < len(slots) or any(line.strip() for line in lines[len(slots) :]):
        raise ConfigError(
            f"{file} has {len(lines)} lines where the gold file has {len(slots)}; predictions are {FORMS}, "
            "with a blank line where there is no answer"
        )
    return [_line(file, number, *one) for number, one in enumerate(zip(lines, slots, strict=False), start=1)]


def _line(file: Path, number: int, line: str, gold: Gold | None) -> str:
    sql, tab, database = line.partition("\t")
    if gold is None and line.strip():
        raise ConfigError(
            f"{file}: line {number} is {_shown(line)} where the gold file has a blank line; align the two"
        )
    if gold and tab and database.strip() != gold.database:
        raise _stranger(file, f"line {number}", database, gold)
    return sql


def _stranger(file: Path, place: str, database: str, gold: Gold) -> ConfigError:
    return ConfigError(
        f"{file}: {place} has {_shown(database)} behind its SQL, but the gold file's {gold.place} is about "
        f"{gold.database!r}; give files of the same questions in the same order, and queries without tabs"
    )


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _database(folder: Path, name: str, gold: Path) -> Path:
    """Return the file of the database called `name`."""
    for file in (folder / name / f"{name}.sqlite", folder / f"{name}.sqlite"):
        if "/" not in name and file.is_file():
            return file
    raise ConfigError(f"{gold}: no database {name!r} in {folder}; {folder}/NAME/NAME.sqlite or {folder}/NAME.sqlite")
