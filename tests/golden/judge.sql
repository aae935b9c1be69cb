-- database
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country TEXT, people INTEGER, area REAL, mayor TEXT);
INSERT INTO city VALUES
    (1, 'Ulm', 'DE', 126000, 118.7, 'Ansbacher'), (2, 'Bonn', 'DE', 331000, 141.1, 'Dörner'),
    (3, 'Graz', 'AT', 292000, 127.6, NULL),       (4, 'Linz', 'AT', 212000, 96.0, NULL),
    (5, 'Bern', 'CH', 134000, 51.6, 'von Graffenried'), (6, 'Chur', 'CH', 40000, 54.3, NULL);
CREATE TABLE visit (city INTEGER, day TEXT, price REAL, note TEXT);
INSERT INTO visit VALUES (1, '2024-05-01', 0.1, '7'), (1, '2024-05-02', 0.2, '7'), (2, '2024-05-01', 0.3, 'é'),
    (2, '2024-05-01', 0.3, 'é'), (3, '2024-06-01', 10.0, NULL), (5, '2024-07-01', 1e9, '');

-- multiset: true  bird: true  row order is free without ORDER BY
SELECT name FROM city ORDER BY name;
SELECT name FROM city;

-- multiset: false  bird: true  row order counts where gold has ORDER BY
SELECT name FROM city ORDER BY name DESC;
SELECT name FROM city ORDER BY name;

-- multiset: true  bird: true  the same order by another key
SELECT name FROM city ORDER BY people DESC LIMIT 3;
SELECT name FROM city ORDER BY -people LIMIT 3;

-- multiset: true  bird: true  ORDER BY inside a subquery binds nothing
SELECT name FROM city WHERE people > 200000 ORDER BY name DESC;
SELECT name FROM (SELECT * FROM city ORDER BY name) WHERE people > 200000;

-- multiset: true  bird: true  ORDER BY inside a window binds nothing
SELECT name, rank() OVER (ORDER BY people) FROM city ORDER BY name;
SELECT name, rank() OVER (ORDER BY people) FROM city;

-- multiset: false  bird: true  a missing DISTINCT shows in the number of rows
SELECT country FROM city;
SELECT DISTINCT country FROM city;

-- multiset: false  bird: true  the same rows, but not as often
SELECT country FROM city UNION ALL SELECT 'DE';
SELECT country FROM city UNION ALL SELECT 'AT';

-- multiset: false  bird: false  columns in another order
SELECT name, country FROM city;
SELECT country, name FROM city;

-- multiset: false  bird: false  a column too many
SELECT name, id FROM city;
SELECT name FROM city;

-- multiset: false  bird: true  no rows on both sides, but not as many columns
SELECT name, id FROM city WHERE people < 0;
SELECT name FROM city WHERE people < 0;

-- multiset: true  bird: true  no rows on both sides
SELECT name FROM city WHERE people < 0;
SELECT mayor FROM city WHERE country = 'FR';

-- multiset: false  bird: false  no rows against one row
SELECT name FROM city WHERE people < 0;
SELECT name FROM city WHERE id = 1;

-- multiset: false  bird: false  no rows are not one NULL
SELECT max(people) FROM city WHERE people < 0;
SELECT people FROM city WHERE people < 0;

-- multiset: true  bird: true  column names don't count
SELECT name AS n, people AS p FROM city;
SELECT name, people FROM city;

-- multiset: true  bird: true  NULL equals NULL
SELECT mayor, name FROM city;
SELECT c.mayor, c.name FROM city AS c WHERE c.id IS NOT NULL;

-- multiset: false  bird: false  NULL is not an empty text
SELECT coalesce(mayor, '') FROM city;
SELECT mayor FROM city;

-- multiset: false  bird: false  NULL is not zero
SELECT coalesce(max(people), 0) FROM city WHERE people < 0;
SELECT max(people) FROM city WHERE people < 0;

-- multiset: true  bird: true  3 equals 3.0
SELECT count(*) * 1.0 FROM city;
SELECT count(*) FROM city;

-- multiset: false  bird: false  a text is never a number
SELECT note FROM visit WHERE note = '7';
SELECT CAST(note AS INTEGER) FROM visit WHERE note = '7';

-- multiset: false  bird: false  a text is never a blob
SELECT CAST(name AS BLOB) FROM city;
SELECT name FROM city;

-- multiset: false  bird: false  letter case counts
SELECT upper(name) FROM city;
SELECT name FROM city;

-- multiset: false  bird: false  blanks count
SELECT name || ' ' FROM city;
SELECT name FROM city;

-- multiset: true  bird: false  a sum of floats in another order differs in the last digit
SELECT 0.3 + 0.2 + 0.1;
SELECT 0.1 + 0.2 + 0.3;

-- multiset: true  bird: false  rounding noise in several columns, with rows in another order
SELECT price * 3 / 3 + 1e-12, area * 1.0000000001 FROM visit JOIN city ON id = city ORDER BY area DESC;
SELECT price, area FROM visit JOIN city ON id = city;

-- multiset: true  bird: false  noise must not change which rows are paired
SELECT 0.1 + 0.2, 'b' UNION ALL SELECT 0.3, 'a';
SELECT 0.3, 'b' UNION ALL SELECT 0.1 + 0.2, 'a';

-- multiset: false  bird: false  noise does not hide a swapped partner
SELECT 0.1 + 0.2, 'b' UNION ALL SELECT 0.4, 'a';
SELECT 0.3, 'a' UNION ALL SELECT 0.4, 'b';

-- multiset: false  bird: false  a rounded answer is another answer
SELECT round(avg(area), 1) FROM city;
SELECT avg(area) FROM city;

-- multiset: false  bird: false  a share is not a percentage
SELECT avg(people > 200000) FROM city;
SELECT 100 * avg(people > 200000) FROM city;

-- multiset: false  bird: false  whole numbers are compared exactly, however large
SELECT 9007199254740993;
SELECT 9007199254740992;

-- multiset: false  bird: false  neighbouring ids are not the same id
SELECT 1000001;
SELECT 1000002;

-- multiset: true  bird: true  infinity equals infinity
SELECT 9e999, -9e999;
SELECT 1e308 * 10, -1e308 * 10;

-- multiset: false  bird: false  infinity is not a large number
SELECT 9e999;
SELECT 1e308;

-- multiset: true  bird: true  IN and EXISTS
SELECT name FROM city WHERE EXISTS (SELECT 1 FROM visit WHERE city = id);
SELECT name FROM city WHERE id IN (SELECT city FROM visit);

-- multiset: false  bird: true  a join repeats what IN does not
SELECT name FROM city JOIN visit ON city = id;
SELECT name FROM city WHERE id IN (SELECT city FROM visit);

-- multiset: false  bird: false  a predicted query that does not run
SELECT nme FROM city;
SELECT name FROM city;

-- multiset: false  bird: false  a gold query that does not run is never a match
SELECT nme FROM city;
SELECT nme FROM city;

-- multiset: false  bird: false  a denied statement is never a match
DELETE FROM city WHERE id < 0;
SELECT name FROM city WHERE id < 0;

-- multiset: true  bird: true  accents survive
SELECT 'é' WHERE 1;
SELECT DISTINCT note FROM visit WHERE price = 0.3;
