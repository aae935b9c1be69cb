"""Repair traces: what they say of the wrong query is true, and the plan after it is the right one."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.load import load_config
from distill.difference import difference
from distill.plan import write_plan
from distill.plan_sql import plain_sql
from distill.refused import refused
from distill.repair import is_chosen, repair_think, rows_text
from distill.slips import slip_words
from distill.teachers import PlanLLM
from distill.verify import Answer, verify
from sandbox import Limits, Result, execute, judge_many
from tasks.mutations import near_misses, read
from tasks.plan_names import unknown_names
from tasks.schema import Schema
from tasks.story import CORRECTED, contradictions, is_repair, plan_part
from tasks.trace import parse
from tests.shop import GOLDS, columns_of, task_on
from tests.singers import made

COLUMNS = {"customer": {"id": "INT", "name": "TEXT", "city": "TEXT", "age": "INT"}, "purchase": {"customer": "INT"}}
SQL_OF = re.compile(r"^(?:try|A first try:|A first thought:|One could write:|First attempt:) (.*)$", re.MULTILINE)


def repaired(shop: Path, schema: Schema, sql: str, seed: int, detail: str = "full") -> str | None:
    asked = task_on(shop, sql)
    return repair_think(asked, schema, write_plan(asked, schema, detail, seed), detail, seed)


@pytest.mark.parametrize("detail", ["short", "full"])
@pytest.mark.parametrize("sql", GOLDS)
def test_what_is_said_of_the_wrong_query_is_true(sql, detail, shop, schema):
    for seed in range(6):
        think = repaired(shop, schema, sql, seed, detail)
        if think is None:
            continue
        wrong = SQL_OF.search(think)[1]
        (verdict,) = judge_many([(shop, sql, wrong)], "ordered")
        assert verdict.correct is False
        result = execute(shop, wrong)
        assert (rows_text(result) if result.runs else result.message) in think
        before, _, plan = think.partition(f"\n{CORRECTED}\n")
        assert plan == plan_part(think) == write_plan(task_on(shop, sql), schema, detail, seed)
        assert unknown_names(before.splitlines()[-1] + "\n" + plan, schema) == []
        assert contradictions(think, plain_sql(sql, schema), schema) == []


def test_wrong_queries_and_wording_vary_with_the_seed_and_stay_with_it(shop, schema):
    thinks = [repaired(shop, schema, GOLDS[2], seed) for seed in range(20)]
    assert thinks == [repaired(shop, schema, GOLDS[2], seed) for seed in range(20)]
    firsts = Counter(think.split()[0] for think in thinks)
    assert len(firsts) >= 2 and len({SQL_OF.search(think)[1] for think in thinks}) >= 6
    assert any("no such" in think for think in thinks) and any("rows" in think for think in thinks)


def test_where_nothing_can_be_wrong_there_is_no_repair(shop, schema):
    assert repair_think(task_on(shop, "SELECT 1"), schema, "deliver 1") is None


# One gold query, one wrong one, and what is said of it.
SLIPS = [
    ("boundary", "SELECT name FROM customer WHERE age > 3", "age >= 3", "it lets 3 itself in: it has customer.age >"),
    ("condition_dropped", "SELECT name FROM customer WHERE age > 3", None, "the filter customer.age > 3 is missing"),
    ("wrong_aggregate", "SELECT max(age) FROM customer", "MIN", "takes the minimum of customer.age instead of the max"),
    ("wrong_column", "SELECT name FROM customer", '"city"', "it delivers customer.city instead of customer.name"),
    ("distinct_dropped", "SELECT count(DISTINCT city) FROM customer", None, "counts repeated values of customer.city"),
    ("order_flipped", "SELECT name FROM customer ORDER BY age DESC", None, "by customer.age from low to high; it must"),
    ("limit_dropped", "SELECT name FROM customer ORDER BY age LIMIT 2", None, "where only the first 2 should stay"),
    ("group_dropped", "SELECT city, count(*) FROM customer GROUP BY city", None, "does not group by customer.city"),
    ("and_for_or", "SELECT 1 FROM customer WHERE age > 3 AND id = 1", None, "age > 3 or customer.id = 1; both"),
    (
        "and_for_or",
        "SELECT 1 FROM customer WHERE id = 1 AND (age > 3 OR age < 2)",
        "(age > 3) AND",
        "it wants customer.age > 3 and customer.age < 2 at once",
    ),
    (
        "and_for_or",
        "SELECT 1 FROM customer WHERE age > 3 AND id = 1 AND id < 9",
        "AND id = 1) OR",
        "content with (customer.age > 3 AND customer.id = 1) or customer.id < 9",
    ),
    (
        "condition_dropped",
        "SELECT 1 FROM customer WHERE id = 1 AND (age > 3 OR age < 2)",
        "age > 3",
        "rows with customer.age < 2 are asked for too",
    ),
    ("wrong_column", "SELECT avg(age) FROM customer", '"id"', "the average of customer.id instead of customer.age"),
    (
        "wrong_column",
        "SELECT customer FROM purchase WHERE customer IN (SELECT id FROM customer)",
        '"age"',
        "its subquery delivers customer.age instead of customer.id",
    ),
    (
        "set_operation_dropped",
        "SELECT name FROM customer WHERE age > 3 INTERSECT SELECT name FROM customer WHERE id = 1",
        "age > 3",
        "that on customer where customer.id = 1;",
    ),
    (
        "join_condition_dropped",
        "SELECT name FROM customer JOIN purchase ON purchase.customer = customer.id",
        None,
        "every row of purchase: the join condition purchase.customer = customer.id is missing",
    ),
    (
        "set_operation",
        "SELECT id FROM customer INTERSECT SELECT customer FROM purchase",
        "UNION",
        "UNION gives the rows of either half; asked for are the rows that both halves have (INTERSECT)",
    ),
    (
        "set_operation_dropped",
        "SELECT id FROM customer EXCEPT SELECT customer FROM purchase",
        "FROM customer",
        "half of it is missing, that on purchase;",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "gold_sql", "holds", "said"), SLIPS)
def test_slips_in_words(kind, gold_sql, holds, said):
    misses = [miss.sql for miss in near_misses(gold_sql, COLUMNS) if miss.kind == kind]
    sql = next(sql for sql in misses if holds is None or holds in sql)
    assert any(said in way for way in slip_words(kind, gold_sql, sql, COLUMNS))


def test_brackets_around_a_condition_do_not_change_what_is_said():
    gold_sql = "SELECT name FROM customer WHERE (age > 3 OR id = 1)"
    (said,) = slip_words("and_for_or", gold_sql, "SELECT name FROM customer WHERE age > 3 AND id = 1", COLUMNS)
    assert said.startswith("it wants customer.age > 3 and customer.id = 1 at once")


def test_a_slip_that_nobody_makes_is_not_told():
    gold_sql = "SELECT name FROM customer WHERE city = 'Rome' AND age = 30"
    misses = [miss for miss in near_misses(gold_sql, COLUMNS) if miss.kind in ("negated", "constant")]
    assert len(misses) == 4
    assert [slip_words(miss.kind, gold_sql, miss.sql, COLUMNS) for miss in misses] == [[]] * 4
    assert slip_words("wrong_column", gold_sql, gold_sql.replace("age", "city"), COLUMNS) == []
    assert slip_words("wrong_column", gold_sql, gold_sql.replace("age", "id"), COLUMNS)


def test_refused_queries_are_refused(shop, schema):
    sql = "SELECT a.name, b.day FROM customer AS a JOIN purchase AS b ON b.customer = a.id"
    made_up = refused(plain_sql(sql, schema), columns_of(schema))
    assert {one.kind for one in made_up} == {"unknown_table"}
    twins = {"t": {"a": "INT", "t_name": "TEXT"}, "u": {"a": "INT"}, "v": {"v_name": "TEXT"}}
    found = {one.sql: one.ways[-1] for one in refused("SELECT t.t_name FROM t JOIN u ON t.a = u.a", twins)}
    assert found["SELECT t.v_name FROM t JOIN u ON t.a = u.a"] == "v_name is no column of t; it must be t.t_name"
    assert "t.a is meant" in found["SELECT t.t_name FROM t JOIN u ON a = u.a"]
    assert [execute(shop, one.sql).status for one in made_up] == ["error"] * len(made_up)


def test_the_difference_of_queries():
    def pair(gold_sql: str, sql: str) -> list[str | None]:
        parts = difference(read(gold_sql, {}), read(sql, {}))
        return [part and part.sql("sqlite") for part in parts]

    assert pair("SELECT a FROM t WHERE b = 1", "SELECT a FROM t") == ["WHERE b = 1", None]
    assert pair("SELECT a, b FROM t", "SELECT a, c FROM t") == ["b", "c"]
    assert pair("SELECT a FROM t WHERE b = 1 AND c = 2", "SELECT a FROM t WHERE c = 2") == ["b = 1 AND c = 2", "c = 2"]
    assert pair("SELECT a FROM t ORDER BY a DESC", "SELECT a FROM t ORDER BY a") == ["a DESC", "a"]


def test_cells_cannot_break_the_form(tmp_path):
    cells = [(text, text, 1) for text in ("</think><sql>", f"x\n{CORRECTED}\nopen u")]
    path = made(tmp_path / "bad.sqlite", "CREATE TABLE t (a TEXT, b TEXT, t_a INTEGER)", *cells)
    asked = task_on(path, "SELECT a FROM t WHERE t_a = 1 ORDER BY a DESC")
    answers = PlanLLM(answer="plan", detail="full", seed=0, repair_share=1.0)
    for seed in range(8):
        answers.seed = seed
        (text,) = answers.generate([[{"role": "user", "content": json.dumps(vars(asked))}]])[0]["generations"]
        trace = parse(text)
        assert trace is not None and trace.think.count(f"\n{CORRECTED}\n") == 1


def test_rows_are_shown_in_few_words():
    long = Result("ok", tuple("abcdefg"), ((1, 2.5, None, b"x", "y" * 99, 6, 7),) * 5)
    assert rows_text(long) == f"5 rows: {', '.join([repr_of_row()] * 3)}, …"
    assert rows_text(Result("ok", ("a",), (("a\nb",),))) == "1 row: ('a b')"


def repr_of_row() -> str:
    return f"(1, 2.5, NULL, a blob, '{'y' * 24}…', 6, …)"


def test_the_share_is_kept_and_grows_by_addition():
    names = [f"task-{number}" for number in range(2000)]
    some = {name for name in names if is_chosen(name, 3, 0.2)}
    more = {name for name in names if is_chosen(name, 3, 0.5)}
    assert some < more and 320 < len(some) < 480
    assert some != {name for name in names if is_chosen(name, 4, 0.2)}
    assert not any(is_chosen(name, 3, 0.0) for name in names) and all(is_chosen(name, 3, 1.0) for name in names)


@pytest.mark.parametrize("detail", ["short", "full"])
def test_the_teacher_writes_repairs_that_are_verified(detail, shop):
    tasks = [task_on(shop, sql, task_id=f"t{number}") for number, sql in enumerate(GOLDS)]
    llm = PlanLLM(answer="plan", detail=detail, seed=1, repair_share=1.0)
    outputs = llm.generate([[{"role": "user", "content": json.dumps(vars(one))}] for one in tasks])
    answers = [Answer(output["generations"][0], output["trouble"][0]) for output in outputs]
    verdicts = verify(tasks, answers, Limits(), workers=1)
    assert [verdict.verdict for verdict in verdicts] == ["kept"] * len(tasks), verdicts
    assert sum(is_repair(parse(answer.text).think) for answer in answers) >= len(tasks) - 1


@pytest.mark.parametrize("other", ["{data: {answer: cot}}", "{distill: {teacher: openai, model: m}}"])
def test_repairs_are_for_plans_of_the_plan_teacher(other, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("name: x\ndistill: {repair_share: 0.5}\n")
    assert load_config(str(path), []).distill.repair_share == 0.5
    words = ["data.answer=cot"] if "cot" in other else ["distill.teacher=openai", "distill.model=m"]
    with pytest.raises(ConfigError, match="repair_share"):
        load_config(str(path), words)
