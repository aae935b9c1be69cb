-- The judge and how often a row comes: repeats, joins, aggregates, no rows at all.  tests/golden/order.sql says
-- what a case looks like.
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country TEXT, people INTEGER, mayor TEXT);
INSERT INTO city VALUES (1, 'Ulm', 'DE', 126000, 'Ansbacher'), (2, 'Bonn', 'DE', 331000, 'Dörner'),
    (3, 'Graz', 'AT', 292000, NULL), (4, 'Linz', 'AT', 212000, NULL),
    (5, 'Bern', 'CH', 134000, 'von Graffenried'), (6, 'Chur', 'CH', 40000, NULL);
CREATE TABLE visit (city INTEGER, day TEXT);
INSERT INTO visit VALUES (1, '2024-05-01'), (1, '2024-05-02'), (2, '2024-05-01'), (3, '2024-06-01'), (5, NULL);

-- a missing DISTINCT shows in the number of rows
-- ordered no, multiset no, bird yes, spider no
SELECT country FROM city;
SELECT DISTINCT country FROM city;

-- a DISTINCT too many
-- ordered no, multiset no, bird yes, spider no
SELECT DISTINCT country FROM city;
SELECT country FROM city;

-- the same rows, but not as often
-- ordered no, multiset no, bird yes, spider no
SELECT country FROM city UNION ALL SELECT 'DE';
SELECT country FROM city UNION ALL SELECT 'AT';

-- UNION where UNION ALL was meant
-- ordered no, multiset no, bird yes, spider no
SELECT country FROM city UNION SELECT country FROM city;
SELECT country FROM city UNION ALL SELECT country FROM city;

-- DISTINCT and GROUP BY
-- ordered yes, multiset yes, bird yes, spider yes
SELECT country FROM city GROUP BY country;
SELECT DISTINCT country FROM city;

-- IN and EXISTS
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city WHERE EXISTS (SELECT 1 FROM visit WHERE city = id);
SELECT name FROM city WHERE id IN (SELECT city FROM visit);

-- NOT IN and an outer join
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city LEFT JOIN visit ON city = id WHERE city IS NULL;
SELECT name FROM city WHERE id NOT IN (SELECT city FROM visit);

-- a join repeats what IN does not
-- ordered no, multiset no, bird yes, spider no
SELECT name FROM city JOIN visit ON city = id;
SELECT name FROM city WHERE id IN (SELECT city FROM visit);

-- a join condition forgotten
-- ordered no, multiset no, bird no, spider no
SELECT name, day FROM city, visit;
SELECT name, day FROM city JOIN visit ON city = id;

-- an outer join keeps a row more
-- ordered no, multiset no, bird no, spider no
SELECT name, count(day) FROM city LEFT JOIN visit ON city = id GROUP BY id;
SELECT name, count(day) FROM city JOIN visit ON city = id GROUP BY id;

-- no rows on both sides
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city WHERE people < 0;
SELECT mayor FROM city WHERE country = 'FR';

-- no rows on both sides, but not as many columns
-- ordered no, multiset no, bird yes, spider yes
SELECT name, id FROM city WHERE people < 0;
SELECT name FROM city WHERE people < 0;

-- no rows against one row
-- ordered no, multiset no, bird no, spider no
SELECT name FROM city WHERE people < 0;
SELECT name FROM city WHERE id = 1;

-- no rows are not one NULL
-- ordered no, multiset no, bird no, spider no
SELECT max(people) FROM city WHERE people < 0;
SELECT people FROM city WHERE people < 0;

-- counting rows and counting values that are there
-- ordered no, multiset no, bird no, spider no
SELECT count(mayor) FROM city;
SELECT count(*) FROM city;

-- counting rows and counting a key
-- ordered yes, multiset yes, bird yes, spider yes
SELECT count(id) FROM city;
SELECT count(*) FROM city;

-- counting rows and counting different values
-- ordered no, multiset no, bird no, spider no
SELECT count(city) FROM visit;
SELECT count(DISTINCT city) FROM visit;

-- a sum over nothing is NULL, a total is 0
-- ordered no, multiset no, bird no, spider no
SELECT total(people) FROM city WHERE country = 'FR';
SELECT sum(people) FROM city WHERE country = 'FR';

-- an average of whole numbers and a whole division
-- ordered no, multiset no, bird no, spider no
SELECT sum(people) / count(*) FROM city WHERE id < 4;
SELECT avg(people) FROM city WHERE id < 4;

-- HAVING and a filter outside
-- ordered yes, multiset yes, bird yes, spider yes
SELECT country, many FROM (SELECT country, sum(people) AS many FROM city GROUP BY country) WHERE many > 400000;
SELECT country, sum(people) FROM city GROUP BY country HAVING sum(people) > 400000;

-- > is not >=
-- ordered no, multiset no, bird no, spider no
SELECT name FROM city WHERE people > 134000;
SELECT name FROM city WHERE people >= 134000;

-- > is >= where no row tells them apart
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city WHERE people > 130000;
SELECT name FROM city WHERE people >= 130000;
