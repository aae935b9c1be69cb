-- The judge and queries that do not run: never a match.  tests/golden/order.sql says what a case looks like.
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO city VALUES (1, 'Ulm'), (2, 'Bonn');

-- a predicted query with a column that is not there
-- ordered no, multiset no, bird no, spider no
SELECT nme FROM city;
SELECT name FROM city;

-- a predicted query that is none
-- ordered no, multiset no, bird no, spider no
I think the answer is Ulm;
SELECT name FROM city;

-- a predicted query cut short
-- ordered no, multiset no, bird no, spider no
SELECT name FROM city WHERE;
SELECT name FROM city;

-- a gold query that does not run is never a match, not even for itself
-- ordered no, multiset no, bird no, spider no
SELECT nme FROM city;
SELECT nme FROM city;

-- a gold query that does not run does not match no rows
-- ordered no, multiset no, bird no, spider no
SELECT name FROM city WHERE id < 0;
SELECT nme FROM city WHERE id < 0;

-- a statement that writes
-- ordered no, multiset no, bird no, spider no
DELETE FROM city WHERE id < 0;
SELECT name FROM city WHERE id < 0;

-- a statement that describes
-- ordered no, multiset no, bird no, spider no
PRAGMA table_info(city);
SELECT * FROM pragma_table_info('city');

-- more rows than are read
-- ordered no, multiset no, bird no, spider no
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT i FROM n;
