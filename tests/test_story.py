"""A plan and its SQL tell the same story, or it is said where they part."""

import pytest

from distill.plan import write_plan
from distill.plan_sql import plain_sql
from tasks.mutations import near_misses
from tasks.story import CORRECTED, contradictions, is_repair, plan_part
from tests.shop import GOLDS, columns_of, task_on

NOT_TOLD = {"union_all", "set_operation_swapped"}
"""Slips that change no set: which rows UNION ALL keeps, and which side of EXCEPT comes first."""


@pytest.mark.parametrize("detail", ["short", "full"])
@pytest.mark.parametrize("sql", GOLDS)
def test_our_plans_tell_the_story_of_their_query(sql, detail, shop, schema):
    plan = write_plan(task_on(shop, sql), schema, detail)
    assert contradictions(plan, sql, schema) == []
    assert contradictions(plan, plain_sql(sql, schema), schema) == []


@pytest.mark.parametrize("detail", ["short", "full"])
def test_nearly_all_near_misses_tell_another_story(detail, shop, schema):
    found, missed = 0, []
    for sql in GOLDS:
        plan = write_plan(task_on(shop, sql), schema, detail)
        for miss in near_misses(plain_sql(sql, schema), columns_of(schema)):
            if contradictions(plan, miss.sql, schema):
                found += 1
            elif miss.kind not in NOT_TOLD:
                missed.append((miss.kind, miss.sql))
    assert found > 150
    assert len(missed) <= found * 0.05, missed


LLM_PLAN = """Step 1: Scan the table customer as T1.
Step 2: Join it with purchase as T2 on T1.id = T2.customer.
Step 3: "more than 1,000" asks for purchases with T2.Amount > 1,000; keep only customers whose T1.city starts with 'ro'.
Step 4: For each T1.city, count the rows, and keep cities with more than one of them.
Step 5: Return T1.city and the count, the largest count first, and take the top three."""
LLM_SQL = (
    "SELECT c.city, COUNT(p.customer) FROM customer c INNER JOIN purchase p ON c.id = p.customer WHERE p.amount > 1000 "
    'AND c.city LIKE "Ro%" GROUP BY c.city HAVING COUNT(*) >= 2 ORDER BY COUNT(*) DESC LIMIT 3'
)


def test_the_wording_is_free(schema):
    assert contradictions(LLM_PLAN, LLM_SQL, schema) == []


@pytest.mark.parametrize(
    ("plan", "sql", "told"),
    [
        (("customer as T1", "customer"), None, "joins on customer.id"),
        (("T2.Amount > 1,000", "T2.Amount > 100"), None, "says T2.Amount > 100, which"),
        (("'ro'", "'os'"), None, "the constant ro%"),
        (("T2.Amount > 1,000", "T2.day"), None, "filters on purchase.amount"),
        (("Step 4", "Look at T1.age too.\nStep 4"), None, "names customer.age, which the SQL does not use"),
        (("T2.Amount > 1,000", "T2.Amount >= 1,000"), None, "says T2.Amount >= 1,000"),
        (("top three", "top of them"), None, "the constant 3"),
        (("the largest count first", "the count from low to high"), None, "'low to high'"),
        (None, ("GROUP BY c.city", "GROUP BY c.name"), "groups by customer.name"),
        (None, ("> 1000", "> 1000 AND c.email = 'x'"), "filters on customer.email"),
        (None, (" HAVING", " HAVING avg(p.amount) > 2 AND"), "has AVG"),
        (None, ("SELECT c", "SELECT DISTINCT c"), "has DISTINCT"),
        (None, ("INNER JOIN", "JOIN product x ON x.code = p.product JOIN"), "reads product, which the plan never"),
    ],
)  # fmt: skip
def test_what_tells_another_story(plan, sql, told, schema):
    changed = LLM_PLAN.replace(*plan) if plan else LLM_PLAN
    query = LLM_SQL.replace(*sql) if sql else LLM_SQL
    assert (changed, query) != (LLM_PLAN, LLM_SQL)
    assert told in "; ".join(contradictions(changed, query, schema))


def test_a_column_must_be_named_for_what_it_does(schema):
    plan = "open customer\nfilter customer.age > 3\nsort customer.city\ndeliver customer.name"
    assert contradictions(plan, "SELECT name FROM customer WHERE age > 3 ORDER BY city", schema) == []
    assert contradictions(plan, "SELECT age, name FROM customer WHERE age > 3 ORDER BY city", schema) == [
        "the SQL delivers customer.age, the plan names it for something else"
    ]
    assert contradictions(plan, "SELECT name, city FROM customer WHERE age > 3 ORDER BY name", schema)


def test_an_opened_table_that_the_query_does_not_read(schema):
    plan, sql = "open customer, product\ndeliver customer.name", "SELECT name FROM customer"
    assert contradictions(plan, sql, schema) == ["the plan opens product, which the SQL does not read"]


def test_free_reasoning_must_only_speak_of_the_tables(schema):
    sql = "SELECT name FROM customer JOIN purchase ON customer = id"
    assert contradictions("All customers who made purchases are asked for.", sql, schema, "cot") == []
    assert contradictions("All customers are asked for.", sql, schema, "cot") == [
        "the SQL reads purchase, which the plan never names"
    ]
    assert contradictions("", sql, schema, "sql_only") == []


def test_what_cannot_be_compared_is_no_match(schema):
    assert "cannot be compared" in contradictions("open customer", "SELECT name FROM nowhere", schema)[0]
    assert contradictions("open customer", "SELECT (", schema, "cot") == []


def test_only_the_plan_after_a_repair_counts(schema):
    sql = "SELECT name FROM customer"
    think = (
        f"try SELECT age FROM customer\ncustomer.age = 5 is wrong\n{CORRECTED}\nopen customer\ndeliver customer.name"
    )
    assert is_repair(think) and not is_repair(f"It says {CORRECTED} nothing")
    assert plan_part(think) == "open customer\ndeliver customer.name"
    assert contradictions(think, sql, schema) == [] != contradictions(think.replace(CORRECTED, ""), sql, schema)


HOSTILE = ["", "((((" * 500, "'" * 999, "a.b " * 3000, "= > <", "x.y in (" + "1, " * 5000, '\x00` ` . "[', "A " * 9999]


@pytest.mark.parametrize("plan", HOSTILE)
def test_hostile_plans_are_judged_in_time(plan, schema):
    assert contradictions(plan, LLM_SQL, schema)


@pytest.mark.parametrize("detail", ["short", "full"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name, rank() OVER (ORDER BY age DESC) FROM customer",
        "SELECT name, age * 1.0 / sum(age) OVER () FROM customer",
        "SELECT name, row_number() OVER (PARTITION BY city ORDER BY age) FROM customer ORDER BY name LIMIT 3",
        "SELECT name, CASE city WHEN 'Rome' THEN 'here' ELSE 'there' END FROM customer",
        "SELECT name, (SELECT max(p.amount) FROM purchase AS p WHERE p.customer = customer.id) FROM customer",
        "WITH old AS (SELECT * FROM customer WHERE age > 40) SELECT city, count(*) FROM old GROUP BY city",
    ],
)
def test_rarer_forms_are_one_story_with_their_plans(shop, schema, sql, detail):
    plan = write_plan(task_on(shop, sql), schema, detail)
    assert contradictions(plan, plain_sql(sql, schema), schema) == []
