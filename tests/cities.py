"""Two tables of cities and countries, for tests of rewards."""

DATABASE = """
CREATE TABLE country (name TEXT PRIMARY KEY, continent TEXT);
CREATE TABLE city (name TEXT PRIMARY KEY, country TEXT REFERENCES country(name), population INTEGER);
INSERT INTO country VALUES ('Italy', 'Europe'), ('Egypt', 'Africa');
INSERT INTO city VALUES ('Turin', 'Italy', 860), ('Rome', 'Italy', 2870), ('Cairo', 'Egypt', 10100);
"""
GOLD = "SELECT name FROM city WHERE country = 'Italy'"


def columns(size: int, gold_sql: str = GOLD) -> dict[str, list]:
    """Return the columns of a batch of answers to one question."""
    return {"gold_sql": [gold_sql] * size, "database": [DATABASE] * size, "task_id": ["t"] * size}
