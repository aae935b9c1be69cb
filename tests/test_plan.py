"""The offline teacher: plans say what the SQL does, in names that exist and words that the question has."""

import re

import pytest

from distill.plan import CannotPlan, read_order, write_plan
from distill.plan_sql import plain_sql
from sandbox import execute
from tasks.plan_names import facts_of_sql, names_in_plan, unknown_names
from tasks.schema import Schema, read_schema
from tasks.task import Task
from tests.singers import made

SCRIPT = """
CREATE TABLE country (id INTEGER PRIMARY KEY, name TEXT, continent TEXT);
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country_id INTEGER REFERENCES country(id),
                   "Head Count" INTEGER, founded DATE, twin_id INTEGER);
CREATE TABLE "order" (id INTEGER PRIMARY KEY, city_id INTEGER, price REAL, status TEXT);
INSERT INTO country VALUES (1, 'Norway', 'Europe'), (2, 'Japan', 'Asia');
INSERT INTO city VALUES (1, 'Oslo', 1, 700000, '1048-01-01', 2), (2, 'Kyoto', 2, 1400000, '0794-01-01', 1);
INSERT INTO "order" VALUES (1, 1, 9.5, 'open'), (2, 2, 20, 'closed');
"""

# Question, gold SQL, short plan.
GOLDEN = [
    (
        "How many orders cost more than 10?",
        "SELECT count(*) FROM 'order' WHERE price > 10",
        'open `order`\nfilter "more than 10": `order`.price > 10\ndeliver count(*)',
    ),
    (
        "Which cities lie in Europe?",
        'SELECT T1.name FROM city AS T1 JOIN country AS T2 ON T1.country_id = T2.id WHERE T2.continent = "Europe"',
        "open city, country\nfilter \"Europe\": country.continent = 'Europe'\njoin country.id = city.country_id\n"
        "deliver city.name",
    ),
    (
        "Which country has the most cities?",
        "SELECT c.name FROM country c, city WHERE city.country_id = c.id GROUP BY c.id ORDER BY count(*) DESC LIMIT 1",
        'open city, country\njoin country.id = city.country_id\ngroup country.id\nsort "most cities": count(*) desc\n'
        "limit 1\ndeliver country.name",
    ),
    (
        "Show each continent with at least two countries.",
        "SELECT DISTINCT continent FROM country GROUP BY continent HAVING count(*) >= 2",
        'open country\ngroup "each continent": country.continent\nhaving "at least two countries": count(*) >= 2\n'
        "deliver distinct country.continent",
    ),
    (
        "Which orders cost more than the average price?",
        'SELECT id FROM "order" WHERE price > (SELECT avg(price) FROM "order")',
        "A: open `order`; deliver avg(`order`.price)\nopen `order`\n"
        'filter "more than the average price": `order`.price > A\ndeliver `order`.id',
    ),
    (
        "Which cities have no orders?",
        'SELECT id FROM city EXCEPT SELECT city_id FROM "order"',
        "A: open city; deliver city.id\nB: open `order`; deliver `order`.city_id\ndeliver A except B",
    ),
    (
        "Which cities are twins?",
        "SELECT T1.name, T2.name FROM city AS T1 JOIN city AS T2 ON T1.twin_id = T2.id",
        "open city as T1, city as T2\njoin T2.id = T1.twin_id\ndeliver T1.name, T2.name",
    ),
    (
        "Which countries have no city?",
        "SELECT name FROM country WHERE NOT EXISTS (SELECT 1 FROM city WHERE country_id = country.id)",
        "A for each row of country: open city; filter city.country_id = country.id; deliver 1\nopen country\n"
        'filter "no city": NOT EXISTS A\ndeliver country.name',
    ),
    (
        "How many cities does a country have on average?",
        "SELECT avg(t.n) FROM (SELECT count(*) AS n FROM city GROUP BY country_id) AS t",
        "A: open city; group city.country_id; deliver count(*) as n\nopen A\ndeliver avg(A.n)",
    ),
    (
        "List the countries and their cities, also those without any.",
        "SELECT country.name, city.name FROM country LEFT JOIN city ON city.country_id = country.id",
        "open country, city\nleft join city on city.country_id = country.id\ndeliver country.name, city.name",
    ),
]

# A form of SQL, and lines that its short plan must hold.
FORMS = [
    (
        "WITH big AS (SELECT country_id, count(*) AS n FROM city GROUP BY 1) SELECT n FROM big WHERE n > 2 ORDER BY 1",
        ["A (with big): open city; group city.country_id; deliver city.country_id, count(*) as n", "filter A.n > 2"],
    ),
    (
        "WITH t(a, b) AS (SELECT id, name FROM city) SELECT b FROM t WHERE a = 1",
        ["A (with t): open city; deliver city.id as a, city.name as b", "deliver A.b"],
    ),
    ("WITH t AS (SELECT * FROM city) SELECT x.name FROM t x JOIN t y ON x.id = y.twin_id", ["open A as x, A as y"]),
    (
        'SELECT CASE WHEN "Head Count" > 9 THEN \'big\' ELSE "small" END FROM city',
        ["deliver CASE WHEN city.`Head Count` > 9 THEN 'big' ELSE 'small' END"],
    ),
    (
        "SELECT rank() OVER (PARTITION BY country_id ORDER BY founded DESC) FROM city",
        ["deliver rank() OVER (PARTITION BY city.country_id ORDER BY city.founded DESC)"],
    ),
    ("SELECT id FROM city WHERE id BETWEEN 1 AND 3", ["filter city.id BETWEEN 1 AND 3"]),
    ("SELECT id FROM city WHERE name NOT LIKE '%o%'", ["filter city.name NOT LIKE '%o%'"]),
    ("SELECT id FROM city WHERE id NOT IN (1, 2)", ["filter city.id NOT IN (1, 2)"]),
    ("SELECT id FROM city WHERE twin_id IS NOT NULL", ["filter city.twin_id IS NOT NULL"]),
    ("SELECT id FROM city WHERE id <> 1 AND name = 'x'", ["filter city.id != 1", "filter city.name = 'x'"]),
    ("SELECT id FROM city WHERE id = 1 OR id = 2", ["filter city.id = 1 OR city.id = 2"]),
    (
        "SELECT * FROM city ORDER BY id DESC, name LIMIT 5 OFFSET 1",
        ["sort city.id desc, city.name", "limit 5 offset 1", "deliver *"],
    ),
    (
        "SELECT max(id) - min(id), count(DISTINCT name) FROM city",
        ["deliver max(city.id) - min(city.id), count(DISTINCT city.name)"],
    ),
    ("SELECT strftime('%Y', founded) AS y FROM city GROUP BY y", ["group strftime('%Y', city.founded)"]),
    ("SELECT city.name FROM city NATURAL JOIN country", ["join country.id = city.id and country.name = city.name"]),
    ("SELECT count(*) FROM city JOIN country USING (id)", ["join country.id = city.id"]),
    ("SELECT count(*) FROM country a CROSS JOIN city b", ["cross city"]),
    (
        "SELECT name, (SELECT count(*) FROM city WHERE country_id = country.id) AS n FROM country ORDER BY n DESC",
        ["sort A desc", "deliver country.name, A"],
    ),
    (
        "SELECT name FROM city AS c WHERE id > (SELECT avg(id) FROM city WHERE country_id = c.country_id)",
        [
            "A for each row of c: open city; filter city.country_id = c.country_id; deliver avg(city.id)",
            "filter c.id > A",
        ],
    ),
    (
        "SELECT id FROM city UNION ALL SELECT id FROM country INTERSECT SELECT 1 ORDER BY id LIMIT 2",
        ["deliver A union all B intersect C", "sort city.id", "limit 2"],
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(made(tmp_path_factory.mktemp("plan") / "cities.sqlite", SCRIPT))


@pytest.fixture(scope="module")
def schema(database: str) -> Schema:
    return read_schema(database)


def _task(database: str, sql: str, question: str = "What is there?", task_id: str = "t1") -> Task:
    return Task(task_id, question, "", sql, database, "L1")


@pytest.mark.parametrize(("question", "sql", "plan"), GOLDEN)
def test_short_plan(question: str, sql: str, plan: str, database: str, schema: Schema) -> None:
    assert write_plan(_task(database, sql, question), schema, "short") == plan


@pytest.mark.parametrize(("sql", "lines"), FORMS)
def test_forms_of_sql(sql: str, lines: list[str], database: str, schema: Schema) -> None:
    plan = write_plan(_task(database, sql), schema, "short").splitlines()
    assert [line for line in lines if line not in plan] == []


def test_full_plan(database: str, schema: Schema) -> None:
    task = _task(database, GOLDEN[2][1], GOLDEN[2][0])
    full = write_plan(task, schema, seed=0)
    steps = full.splitlines()
    assert [step.split(". ")[0] for step in steps] == ["1", "2", "3", "4", "5", "6"]
    assert steps[0] == '1. Open city ("cities"), then country ("country").'
    assert "look up" in steps[1].lower() and "country.id = city.country_id" in steps[1]
    assert "number of rows in each group" in steps[3] and '"most cities"' in steps[3]
    assert steps[4] == "5. Take only the first row."


@pytest.mark.parametrize("detail", ["short", "full"])
def test_plans_and_sql_tell_the_same_story(detail: str, database: str, schema: Schema) -> None:
    for sql in [row[1] for row in GOLDEN] + [row[0] for row in FORMS]:
        plan = write_plan(_task(database, sql), schema, detail)
        tables, columns, unknown = names_in_plan(plan, schema)
        assert unknown == set()
        assert (tables, columns) == facts_of_sql(sql, schema), sql


@pytest.mark.parametrize("detail", ["short", "full"])
def test_quotes_stand_in_the_question(detail: str, database: str, schema: Schema) -> None:
    found = []
    for question, sql, _ in GOLDEN:
        quotes = re.findall(r'"([^"]*)"', write_plan(_task(database, sql, question), schema, detail))
        found += quotes
        assert [quote for quote in quotes if quote not in question] == []
    assert len(found) >= 6


def test_quotes_inside_the_question_do_not_break_the_plan(database: str, schema: Schema) -> None:
    task = _task(database, "SELECT id FROM city WHERE name = 'Oslo'", 'Which city is "Oslo", and what\'s its id?')
    assert write_plan(task, schema, "short").splitlines()[1] == "filter \"Oslo\": city.name = 'Oslo'"


def test_same_seed_same_words(database: str, schema: Schema) -> None:
    task = _task(database, GOLDEN[0][1], GOLDEN[0][0])
    assert write_plan(task, schema, seed=3) == write_plan(task, schema, seed=3)
    assert len({write_plan(task, schema, seed=seed) for seed in range(12)}) > 2
    others = {write_plan(_task(database, task.gold_sql, task.question, f"t{n}"), schema) for n in range(12)}
    assert len(others) > 2


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT name FROM nowhere", "no table 'nowhere'"),
        ("SELECT nothing FROM city", "no column 'nothing'"),
        ("SELECT city.continent FROM city", "no column 'city.continent'"),
        ("WITH RECURSIVE n(x) AS (SELECT x FROM n UNION SELECT 1) SELECT x FROM n", "a recursive WITH"),
        ("SELECT x FROM (VALUES (1), (2)) AS t", "values in FROM"),
        ("SELECT city.name FROM city JOIN (country JOIN 'order') ON 1 = 1", "joins inside brackets"),
        ("SELECT value FROM json_each('[1]')", "no table"),
        ("SELECT FROM WHERE", "not one readable SELECT"),
        ("SELECT id FROM city ORDER BY 7", "ORDER BY or GROUP BY 7"),
    ],
)
def test_what_cannot_be_planned_says_why(sql: str, reason: str, database: str, schema: Schema) -> None:
    with pytest.raises(CannotPlan, match=re.escape(reason)):
        write_plan(_task(database, sql), schema)


def test_order_is_the_databases_own(database: str) -> None:
    sql = "SELECT 1 FROM country AS a JOIN city AS b ON a.id = b.country_id"
    assert read_order(database, sql) == [("b", "scan"), ("a", "row")]
    assert read_order(database, "SELECT id FROM city WHERE id = outside.id") == []


def test_names_in_a_plan_of_any_teacher(schema: Schema) -> None:
    plan = (
        "Open the table city, then country. The question says \"towns.size\", e.g. in 'a.b'. "
        "Keep city.\"Head Count\" > 5.5 and CITY.NAME = 'x'. Join on city.continent = country.id; A.n is unnamed."
    )
    tables, columns, unknown = names_in_plan(plan, schema)
    assert tables == {"city", "country"}
    assert columns == {"city.Head Count", "city.name", "country.id"}
    assert unknown == {"city.continent", "A.n"}


def test_unknown_tables_are_found(schema: Schema) -> None:
    assert unknown_names("open city, village\ndeliver city.name", schema) == ["village"]
    assert unknown_names("1. Open town as T1, then city.\n2. Deliver T1.name.", schema) == ["T1.name", "town"]
    assert unknown_names("open city, since it has what is asked\ndeliver city.name", schema) == []


@pytest.mark.parametrize(
    ("sql", "plain"),
    [
        (
            "SELECT T2.NAME FROM city AS T1 JOIN country AS T2 ON T1.country_id = T2.id WHERE T1.name <> 'x'",
            "SELECT country.name FROM city JOIN country ON city.country_id = country.id WHERE city.name != 'x'",
        ),
        ("SELECT T1.id FROM 'order' AS T1", 'SELECT id FROM "order"'),
        (
            "SELECT a.id FROM city a JOIN city b ON a.twin_id = b.id",
            "SELECT a.id FROM city AS a JOIN city AS b ON a.twin_id = b.id",
        ),
        (
            "SELECT max(id) AS founded FROM city AS c GROUP BY name ORDER BY c.founded",
            "SELECT max(id) AS founded FROM city GROUP BY name ORDER BY city.founded",
        ),
    ],
)
def test_plain_sql_uses_the_names_of_the_plan(sql: str, plain: str, schema: Schema) -> None:
    assert plain_sql(sql, schema) == plain


def test_plain_sql_means_the_same(database: str, schema: Schema) -> None:
    for sql in [row[1] for row in GOLDEN] + [row[0] for row in FORMS]:
        plain = execute(database, plain_sql(sql, schema))
        assert plain.runs
        assert plain.rows == execute(database, sql).rows, sql
