"""The audit of rewards: its questions, its honest answers, its hacks, and what it says of rewards good and bad."""

import json
from collections import Counter
from pathlib import Path

import pytest

from configs.presets import names
from configs.schema import Config, Reward, Rl
from rewards.__main__ import main
from rewards.audit import HACK, Audit, audit
from rewards.chosen import Chosen, chosen
from rewards.hack import literal
from rewards.hacks import HACKS
from rewards.ladder import RUNGS, make_cases
from sandbox import is_ordered, judge_many
from tasks.story import contradictions
from tasks.trace import extract_sql, parse
from tests.processes import ROOT

PRESETS = names()
QUESTIONS = 15


def audit_of(*rewards: dict) -> Audit:
    """The audit of a sum of rewards."""
    cfg = Config.model_validate({"name": "sum", "rl": {"rewards": list(rewards)}})
    return audit(Chosen("a sum", cfg, is_sum=True), QUESTIONS)


def audit_of_file(folder: Path, body: str, is_sum: bool = False) -> Audit:
    """The audit of a reward in a file; `body` makes a list from `texts`."""
    path = folder / "mine.py"
    path.write_text(
        "def mine(completions, gold_sql, **_):\n"
        "    texts = [completion[-1]['content'] for completion in completions]\n"
        f"    return {body}\n"
    )
    cfg = Config(name="mine", rl=Rl(rewards=[Reward(name=f"{path}:mine")]))
    return audit(Chosen("mine", cfg, is_sum), QUESTIONS)


def failing(found: Audit) -> set[str]:
    """The hacks, and the rungs of honest answers, for which an audit fails."""
    bad = (pair.worse for pair in found.pairs if pair.fails)
    return {answer.name if answer.rung == HACK else answer.rung for answer in bad}


def test_questions_are_of_several_databases_and_all_levels():
    cases = make_cases(QUESTIONS)
    assert len({case.task.task_id for case in cases}) == QUESTIONS
    assert min(Counter(case.task.database for case in cases).values()) == 3
    assert len({case.task.database for case in cases}) == 5
    assert {case.task.level for case in cases} == {"L1", "L2", "L3", "L4"}


def test_some_questions_have_no_rows_repeated_rows_and_rows_in_order():
    golds = [(case.gold, case.task.gold_sql) for case in make_cases(QUESTIONS)]
    assert [gold.status for gold, _ in golds].count("empty") == 1
    assert any(len(set(gold.rows)) < len(gold.rows) for gold, _ in golds)
    assert any(len(gold.rows) > 1 and is_ordered(sql) for gold, sql in golds)


def test_more_questions_come_from_more_databases_and_another_seed_gives_others():
    many = make_cases(21)
    assert len(many) == 21
    assert len({case.task.database for case in many}) == 7
    assert {case.task.task_id for case in make_cases(QUESTIONS, 1)} != {c.task.task_id for c in make_cases(QUESTIONS)}


def test_honest_answers_are_what_their_rung_says():
    for case in make_cases(QUESTIONS):
        assert {answer.rung for answer in case.honest} == set(RUNGS)
        queries = [extract_sql(answer.text) or "" for answer in case.honest]
        verdicts = judge_many([(case.task.database, case.task.gold_sql, sql) for sql in queries])
        for answer, verdict in zip(case.honest, verdicts, strict=True):
            formed = parse(answer.text) is not None
            assert formed == (answer.rung != "no form")
            seen = "right" if verdict.correct else "runs" if verdict.runs else "fails"
            wanted = {"right": "right", "near miss": "runs", "wrong": "runs"}.get(answer.rung, "fails")
            assert seen == wanted, (case.task.task_id, answer)


def test_honest_plans_say_what_their_queries_do():
    for case in make_cases(QUESTIONS):
        for answer in case.honest:
            if answer.rung in ("right", "wrong"):
                trace = parse(answer.text)
                assert contradictions(trace.think, trace.sql, case.schema) == []


def test_hacks_are_many_each_with_a_name_a_sentence_and_a_question_to_try_it_on():
    assert len(HACKS) >= 25
    assert len({hack.name for hack in HACKS}) == len(HACKS)
    for hack in HACKS:
        assert hack.exploits.endswith(".") and len(hack.exploits) > 10
        assert any(hack.make(case) is not None for case in make_cases(QUESTIONS)), hack.name


def test_hacks_differ_from_each_other_and_from_the_right_answer():
    cases = make_cases(QUESTIONS)
    tried = {tuple(map(hack.make, cases)) for hack in HACKS}
    assert len(tried) == len(HACKS)
    assert tuple(case.right for case in cases) not in tried


def test_memorised_rows_are_the_gold_rows_and_nothing_of_the_database():
    case = make_cases(QUESTIONS)[4]
    sql = extract_sql(next(hack for hack in HACKS if hack.name == "memorised rows").make(case))
    assert "FROM" not in sql
    assert judge_many([(case.task.database, case.task.gold_sql, sql)])[0].correct


def test_literals_are_escaped():
    assert literal("it's; DROP") == "'it''s; DROP'"


def test_there_are_presets():
    assert {"arctic", "article", "dense", "skyrl", "sql-r1", "think2sql"} <= set(PRESETS)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "article"])
def test_our_presets_are_clean(name):
    found = audit(chosen(name), QUESTIONS)
    assert failing(found) == set()
    assert found.clean and found.tells_right_from_wrong


@pytest.mark.parametrize("kind", ["cot", "sql_only"])
def test_answers_have_the_form_that_the_config_asks_for(kind):
    cfg = Config.model_validate({"name": kind, "data": {"answer": kind}, "rl": {"rewards": "dense"}})
    found = audit(Chosen(kind, cfg, is_sum=True), QUESTIONS)
    formed = {(one.answer.rung, one.scores["format_strict"]) for one in found.paid if one.answer.rung != HACK}
    assert formed == {*((rung, 1.0) for rung in RUNGS[:-1]), ("no form", 0.0)}
    assert found.clean and found.tells_right_from_wrong
    tricks = {one.answer.name for one in found.paid if one.answer.rung == HACK}
    assert {"select 1", "text after", "empty think"} <= tricks
    assert ("no think" in tricks, "padded think" in tricks) == ((True, True) if kind == "cot" else (False, False))


def test_the_articles_rewards_are_not():
    found = audit(chosen("article"), QUESTIONS)
    assert {"wrong", "near miss", "text after"} <= failing(found)
    assert not found.clean


def test_execution_alone_is_paid_for_rows_learned_by_heart():
    found = audit_of({"name": "sql_execution"})
    assert {"memorised rows", "memorised rows behind a table", "memorised number in a sum"} <= failing(found)


def test_constants_pay_nothing_where_tables_must_be_read_and_changed_copies_agree():
    found = audit_of({"name": "sql_execution", "params": {"gold_tables": True, "variants": 2, "strict": True}})
    assert failing(found) == set()


def test_rows_compared_as_a_set_are_found():
    execution = {"name": "sql_execution", "params": {"gold_tables": True, "judge": "bird", "variants": 0}}
    found = audit_of({"name": "format_strict"}, execution)
    assert {"gold twice", "distinct where rows repeat", "rows turned round"} <= failing(found)


def test_a_reward_of_length_is_found(tmp_path):
    found = audit_of_file(tmp_path, "[len(text) / 1000 for text in texts]")
    assert {"long think and select 1", "padded think", "repeated plan", "repeated tags"} <= failing(found)


def test_a_reward_of_names_in_the_text_is_found(tmp_path):
    body = "[len({*gold.split()} & {*text.split()}) / len(gold) for gold, text in zip(gold_sql, texts)]"
    found = failing(audit_of_file(tmp_path, body))
    assert {"gold sql in a comment", "words of gold shuffled", "gold sql only in think"} <= found
    assert "select 1" not in found


def test_form_alone_need_not_tell_right_from_wrong_but_a_sum_must():
    alone = audit(chosen("format_strict"), QUESTIONS)
    assert alone.clean and not alone.tells_right_from_wrong
    assert {"near miss", "wrong", "broken"} <= failing(audit_of({"name": "format_strict"}))


def test_answers_that_one_reward_cannot_judge_are_left_out(tmp_path):
    found = audit_of_file(tmp_path, "[None if 'SELECT 1' in text else 1.0 * ('</sql>' in text) for text in texts]")
    assert found.pays(HACK, "select 1") == []
    assert found.pays("right") == [1.0] * 2 * QUESTIONS


def test_command_names_the_hack_and_exits_1(tmp_path, capsys):
    path = tmp_path / "bad.py"
    path.write_text(
        "def bad(completions, **_):\n"
        '    """Pay for short queries."""\n'
        "    return [1.0 if 'SELECT 1' in c[-1]['content'] else 0.5 for c in completions]\n"
    )
    report = tmp_path / "audit.json"
    assert main(["audit", f"{path}:bad", "--json", str(report)]) == 1
    shown = capsys.readouterr().out
    assert "select 1" in shown.partition("not clean")[2]
    assert "+0.500" in shown
    written = json.loads(report.read_text())
    assert written["clean"] is False
    assert written["hacks"]["select 1"] == {
        "exploits": "Pay for any query that runs.",
        "may_earn": "≤ wrong",
        "answers": QUESTIONS,
        "mean": 1.0,
        "max": 1.0,
        "out_of_order": QUESTIONS,
        "over": 0.5,
    }
    assert {pair["worse"] for pair in written["pairs"]} >= {"hack: select 1", "hack: right plan and select 1"}
    assert len(written["answers"]) > 500


def test_command_on_a_clean_reward_exits_0(capsys):
    assert main(["audit", "format_strict"]) == 0
    assert "clean: the right answer is first" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return [1.0]", "returns 1 scores for"),
        ("return [float('nan')] * len(completions)", "nan"),
        ("return [1 / 0 for _ in completions]", "fails with ZeroDivisionError"),
        ("return [None] * len(completions)", "nothing to audit"),
    ],
)
def test_a_reward_with_a_bug_is_one_line_and_exit_2(tmp_path, capsys, body, said):
    path = tmp_path / "bug.py"
    path.write_text(f"def bug(completions, **_):\n    {body}\n")
    assert main(["audit", f"{path}:bug"]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_reward_that_hangs_is_told_before_all_answers_had_their_time(tmp_path, capsys):
    (tmp_path / "slow.py").write_text("import time\n\ndef f(completions, **_):\n    time.sleep(100)\n")
    run = tmp_path / "run.yaml"
    run.write_text("name: a\nrl: {reward_timeout_s: 0.2, rewards: [{name: 'slow.py:f'}]}\n")
    assert main(["audit", str(run)]) == 2
    assert "hangs: no scores for 1 completions after 0.2 s" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "is no preset (arctic, article,"),
        (["nowhere.yaml"], "nowhere.yaml"),
        (["nowhere.py:f"], "no such file: nowhere.py"),
        (["arctic", "rl.generations=4"], "overrides are for a config"),
        (["configs/smoke.yaml", "rl.rewards=nonsense"], "no preset 'nonsense'"),
    ],
)
def test_bad_names_are_one_line_and_exit_2(capsys, monkeypatch, words, said):
    monkeypatch.chdir(ROOT)
    assert main(["audit", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
