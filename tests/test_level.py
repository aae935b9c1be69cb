"""The level of a query is read off its tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot.errors import ParseError

from tasks.level import level


@pytest.mark.parametrize(
    ("expected", "sql"),
    [
        ("L1", "SELECT name FROM city WHERE name = 'a JOIN b UNION (SELECT 1)'"),
        ("L1", "SELECT count(*) FROM city GROUP BY country HAVING count(*) > 1 ORDER BY 1 LIMIT 3;"),
        ("L1", "(SELECT name FROM city)"),
        ("L1", 'SELECT "select", [join] FROM city -- JOIN other (SELECT 1)'),
        ("L2", "SELECT name FROM city WHERE id IN (SELECT city FROM river)"),
        ("L2", "SELECT name FROM city c WHERE EXISTS (SELECT 1 FROM river WHERE city = c.id)"),
        ("L2", "SELECT name, (SELECT max(size) FROM river) FROM city"),
        ("L2", "SELECT max(n) FROM (SELECT count(*) AS n FROM city GROUP BY country)"),
        ("L2", "WITH big AS (SELECT * FROM city WHERE size > 9) SELECT name FROM big"),
        ("L3", "SELECT a.x FROM a JOIN b ON a.id = b.id"),
        ("L3", "SELECT a.x FROM a, b WHERE a.id = b.id"),
        ("L3", "SELECT a.x FROM a LEFT JOIN b USING (id) CROSS JOIN c"),
        ("L3", "SELECT x FROM a UNION ALL SELECT x FROM b EXCEPT SELECT x FROM c"),
        ("L3", "SELECT x FROM a INTERSECT SELECT x FROM b ORDER BY x LIMIT 2"),
        ("L4", "SELECT x FROM a UNION SELECT x FROM b WHERE y = (SELECT max(y) FROM b)"),
        ("L4", "SELECT x FROM (SELECT x FROM a UNION SELECT x FROM b)"),
        ("L4", "SELECT a.x FROM a JOIN (SELECT id FROM b) AS c ON a.id = c.id"),
        ("L4", "SELECT x FROM a WHERE id NOT IN (SELECT a.id FROM a JOIN b USING (id))"),
    ],
)
def test_level_of(expected, sql):
    assert level(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "", "  ;", "how many cities?", "SELECT FROM WHERE", "SELECT 'open", "DROP TABLE city", "SELECT 1; SELECT 2",
        "CREATE TABLE t (a INT, b IN ENUM (YEAR 'x'))", "PRAGMA table_info(city)", "INSERT INTO a SELECT * FROM b",
        "SELECT " + "(" * 3000 + "1" + ")" * 3000, "SELECT * FROM a" + " JOIN a" * 40,
    ],
)  # fmt: skip
def test_what_is_not_one_select_is_a_parse_error(sql):
    with pytest.raises(ParseError):
        level(sql)


def test_joins_that_have_their_condition_may_be_many():
    assert level("SELECT * FROM a" + " JOIN a ON a.x = a.x" * 40) == "L3"


@given(st.text(alphabet="SELECT FROMab,()'\"*;1=\n-/", max_size=60))
def test_level_raises_nothing_but_parse_errors(text):
    try:
        assert level(text) in {"L1", "L2", "L3", "L4"}
    except ParseError as error:
        assert str(error)
