"""Pairs of queries and the verdict under each rule, read from tests/golden/*.sql; a new case needs no Python."""

import re
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from sandbox import database_file, execute, is_ordered, judge_many, same_result
from sandbox.judge import Rule
from sandbox.ties import tied_runs

FOLDER = Path(__file__).parent / "golden"
OF_A_REWARD = {"execution.sql"}
"""Golden files that other tests read, in a form of their own."""
VERDICT = re.compile("-- " + ", ".join(f"{rule} (?P<{rule}>yes|no)" for rule in get_args(Rule)))
CASE = re.compile(rf"-- (?P<title>.+)\n{VERDICT.pattern}\n(?P<sql>.+;)\n(?P<gold_sql>.+;)")


class Case(NamedTuple):
    """Two queries over the database of one file, and whether they are the same under each rule."""

    title: str
    script: str
    sql: str
    gold_sql: str
    verdicts: dict[str, bool]


def read_cases(text: str) -> list[Case]:
    """Return the cases of one golden file; a block that is no case, after the first that is one, is an error."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]
    first = next(number for number, block in enumerate(blocks) if VERDICT.search(block))
    script = "\n".join(blocks[:first])
    cases = []
    for block in blocks[first:]:
        found = CASE.fullmatch(block)
        assert found, f"this is no case of title, verdict, predicted query, gold query, a line each:\n{block}"
        verdicts = {rule: found[rule] == "yes" for rule in get_args(Rule)}
        cases.append(Case(found["title"], script, found["sql"], found["gold_sql"], verdicts))
    return cases


FILES = sorted(path for path in FOLDER.glob("*.sql") if path.name not in OF_A_REWARD)
CASES = [
    pytest.param(case, id=f"{path.stem}: {case.title}")
    for path in FILES
    for case in read_cases(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("case", CASES)
def test_golden(case):
    database = database_file(case.script)
    gold, predicted = execute(database, case.gold_sql), execute(database, case.sql)
    ordered, ties = is_ordered(case.gold_sql), tied_runs(case.gold_sql, gold, lambda sql: execute(database, sql))
    found = {rule: same_result(gold, predicted, rule, ordered, ties) for rule in get_args(Rule)}
    assert found == case.verdicts, (gold, predicted, ties)


@pytest.mark.parametrize("rule", get_args(Rule))
def test_golden_in_the_workers(rule):
    cases = [case.values[0] for case in CASES]
    verdicts = judge_many([(database_file(case.script), case.gold_sql, case.sql) for case in cases], rule)
    for case, verdict in zip(cases, verdicts, strict=True):
        assert bool(verdict.correct) is case.verdicts[rule], (case.title, verdict)


def test_every_rule_says_both_and_differs_from_every_other():
    verdicts = [case.values[0].verdicts for case in CASES]
    assert len(FILES) >= 5 and len(verdicts) >= 90
    for rule in get_args(Rule):
        assert {found[rule] for found in verdicts} == {True, False}
        for other in set(get_args(Rule)) - {rule}:
            assert any(found[rule] != found[other] for found in verdicts), (rule, other)


def test_titles_are_told_apart():
    names = [case.id for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "spoilt",
    [
        "-- a\n-- ordered yes, multiset yes\nSELECT 1;\nSELECT 1;",
        "-- a\n-- ordered yes, multiset yes, bird yes, spider perhaps\nSELECT 1;\nSELECT 1;",
        "-- a\n-- ordered yes, multiset yes, bird yes, spider yes\nSELECT 1;",
        "-- ordered yes, multiset yes, bird yes, spider yes\nSELECT 1;\nSELECT 1;",
        "SELECT 1;",
    ],
)
def test_a_block_that_is_no_case_is_an_error(spoilt):
    case = "-- a\n-- ordered yes, multiset yes, bird no, spider yes\nSELECT 1;\nSELECT 2;"
    text = f"CREATE TABLE t (a);\n\nCREATE TABLE u (a);\n\n{case}\n\n"
    assert read_cases(f"{text}{case}\n") == 2 * [
        Case(
            "a",
            "CREATE TABLE t (a);\nCREATE TABLE u (a);",
            "SELECT 1;",
            "SELECT 2;",
            {"ordered": True, "multiset": True, "bird": False, "spider": True},
        )
    ]
    with pytest.raises(AssertionError, match="no case"):
        read_cases(text + spoilt)
