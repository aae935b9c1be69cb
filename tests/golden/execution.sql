-- 1.0 the gold query itself
SELECT name FROM city WHERE country = 'Italy' ORDER BY name;
SELECT name FROM city WHERE country = 'Italy' ORDER BY name;

-- 1.0 other words, same rows
SELECT c.name FROM city AS c WHERE c.country IN ('Italy');
SELECT name FROM city WHERE country = 'Italy';

-- 1.0 other order where the gold query asks for none
SELECT name FROM city ORDER BY population DESC;
SELECT name FROM city;

-- 1.0 other column name
SELECT COUNT(*) AS how_many FROM city;
SELECT COUNT(*) FROM city;

-- none no rows, and none wanted, which rows cannot tell from luck
SELECT name FROM city WHERE population < 0;
SELECT name FROM city WHERE country = 'Mars';

-- 1.0 a condition written as a join
SELECT c.name FROM city AS c JOIN country AS k ON k.name = c.country WHERE k.continent = 'Africa';
SELECT name FROM city WHERE country IN (SELECT name FROM country WHERE continent = 'Africa');

-- 1.0 ended by a semicolon and a comment
SELECT name FROM country -- all of them
;
SELECT name FROM country;

-- 0.1 order ignored where the gold query asks for one
SELECT name FROM city ORDER BY population;
SELECT name FROM city ORDER BY population DESC;

-- 0.1 each row once, where the gold query repeats
SELECT DISTINCT country FROM city;
SELECT country FROM city;

-- 0.1 a column more
SELECT name, population FROM city;
SELECT name FROM city;

-- 0.1 columns the other way round
SELECT population, name FROM city;
SELECT name, population FROM city;

-- 0.1 no rows, but some wanted
SELECT name FROM city WHERE country = 'italy';
SELECT name FROM city WHERE country = 'Italy';

-- 0.1 a constant that happens to run
SELECT 1;
SELECT COUNT(*) FROM city;

-- 0.0 no such column
SELECT title FROM city;
SELECT name FROM city;

-- 0.0 no such table
SELECT name FROM town;
SELECT name FROM city;

-- 0.0 not SQL
SELECT FROM WHERE;
SELECT name FROM city;

-- 0.0 a statement that writes
DELETE FROM city;
SELECT name FROM city;

-- 0.0 two statements
SELECT name FROM city; SELECT name FROM city;
SELECT name FROM city;

-- -0.1 no SQL at all
;
SELECT name FROM city;

-- none the gold query does not run
SELECT name FROM city;
SELECT nam FROM city;
