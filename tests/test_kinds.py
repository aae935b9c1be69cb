"""The three kinds of answer: query plan, free reasoning, SQL alone; the same SQL in each."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from configs.schema import Config
from distill.instructions import again, instruction
from distill.ledger import KEPT
from distill.verify import Answer, verify
from sandbox import Limits
from tasks.prompt import messages
from tasks.sample import load_sample
from tasks.trace import parse

KINDS = ("plan", "cot", "sql_only")


def answers(kind: str, tasks) -> list[str]:
    from distill.teachers import teacher_for

    llm = teacher_for(Config(name="kinds", data={"answer": kind})).llm(Path())
    chats = [[{"role": "user", "content": json.dumps(asdict(task))}] for task in tasks]
    return [output["generations"][0] for output in llm.generate(chats)]


def test_each_kind_is_well_formed_verified_and_has_the_same_sql():
    tasks = list(load_sample())[::45]
    traces = {}
    for kind in KINDS:
        texts = answers(kind, tasks)
        verdicts = verify(tasks, [Answer(text) for text in texts], Limits(), 2, kind)
        assert {verdict.verdict for verdict in verdicts} == {KEPT}, verdicts
        traces[kind] = [parse(text, kind) for text in texts]
    for plan, free, alone in zip(*traces.values(), strict=True):
        assert plan.sql == free.sql == alone.sql
        assert alone.think == "" and plan.think != free.think
        assert "\n" not in free.think and not free.think.startswith(("1.", "open"))


@pytest.mark.parametrize("kind", KINDS)
def test_prompt_instruction_and_examples_are_of_the_kind(kind):
    task = next(iter(load_sample()))
    asked, told = messages(task, "ddl", 0, kind)[0]["content"], instruction(kind)
    assert ("<think>" in asked) == ("<think>" in told) == (kind != "sql_only")
    assert told.count("<sql>") >= 3 and ("query plan" in told) == (kind == "plan")
    shown = told.split("Example 1:")[1].split("Example 2:")
    assert all(parse(example[example.index("<") :].strip(), kind) for example in shown)


def test_asking_again_shows_the_answer_and_the_reason():
    chat = again([{"role": "user", "content": "?"}], "<sql>SELECT x</sql>", "does not run", "no such column: x")
    assert [message["role"] for message in chat] == ["user", "assistant", "user"]
    assert "does not run: no such column: x" in chat[-1]["content"]
