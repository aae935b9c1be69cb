-- The judge and the order of rows.  A case has no blank line: its title, the verdict under each rule, the
-- predicted query, the gold query.  What stands before the first case makes the database.
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country TEXT, people INTEGER);
INSERT INTO city VALUES (1, 'Ulm', 'DE', 126000), (2, 'Bonn', 'DE', 331000), (3, 'Graz', 'AT', 292000),
    (4, 'Linz', 'AT', 212000), (5, 'Bern', 'CH', 134000), (6, 'Chur', 'CH', 40000);

-- row order is free without ORDER BY
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city ORDER BY name;
SELECT name FROM city;

-- row order counts where gold has ORDER BY
-- ordered no, multiset yes, bird yes, spider no
SELECT name FROM city ORDER BY name DESC;
SELECT name FROM city ORDER BY name;

-- the same order by another key
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city ORDER BY people DESC LIMIT 3;
SELECT name FROM city ORDER BY -people LIMIT 3;

-- the order that a UNION happens to make is the order that gold asks for
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city UNION SELECT name FROM city;
SELECT name FROM city ORDER BY name;

-- ORDER BY behind a UNION binds all of it
-- ordered no, multiset yes, bird yes, spider no
SELECT name FROM city WHERE country = 'DE' UNION SELECT name FROM city WHERE country = 'AT' ORDER BY name DESC;
SELECT name FROM city WHERE country = 'DE' UNION SELECT name FROM city WHERE country = 'AT' ORDER BY name;

-- ORDER BY inside a subquery binds nothing
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city WHERE people > 200000 ORDER BY name DESC;
SELECT name FROM (SELECT * FROM city ORDER BY name) WHERE people > 200000;

-- ORDER BY inside a common table expression binds nothing
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city WHERE people > 200000 ORDER BY people;
WITH large AS (SELECT name FROM city ORDER BY people DESC LIMIT 3) SELECT name FROM large;

-- ORDER BY inside a window binds nothing
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name, rank() OVER (ORDER BY people) FROM city ORDER BY name;
SELECT name, rank() OVER (ORDER BY people) FROM city;

-- ORDER BY in a text or a comment binds nothing
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city WHERE country <> 'ORDER BY name' ORDER BY name DESC;
SELECT name FROM city WHERE country <> 'ORDER BY name' /* ORDER BY name */;

-- a key that gold has, and the prediction turns round
-- ordered no, multiset yes, bird yes, spider no
SELECT name FROM city ORDER BY country, name DESC;
SELECT name FROM city ORDER BY country, name;

-- rows that gold leaves tied may come in any order; to spider, as published, they may not
-- ordered yes, multiset yes, bird yes, spider no
SELECT name, country FROM city ORDER BY country, id DESC;
SELECT name, country FROM city ORDER BY country;

-- tied rows that don't show their key
-- ordered yes, multiset yes, bird yes, spider no
SELECT name FROM city ORDER BY country, id DESC;
SELECT name FROM city ORDER BY country;

-- free among themselves, but not across the ties
-- ordered no, multiset yes, bird yes, spider no
SELECT name FROM city ORDER BY country DESC, id;
SELECT name FROM city ORDER BY country;

-- no order at all happens to be one of gold's
-- ordered yes, multiset yes, bird yes, spider no
SELECT name FROM city ORDER BY id DESC;
SELECT name FROM city ORDER BY people > 0;

-- the name of a column and of an alias: the alias is the key
-- ordered no, multiset yes, bird yes, spider no
SELECT country, name FROM city ORDER BY country, name DESC;
SELECT country AS name, name AS country FROM city ORDER BY country;

-- ties in an expression
-- ordered yes, multiset yes, bird yes, spider no
SELECT name FROM city ORDER BY length(name), name DESC;
SELECT name FROM city ORDER BY length(name) /* , name */;

-- ties of a collation
-- ordered yes, multiset yes, bird yes, spider no
SELECT lower(name) FROM city UNION ALL SELECT name FROM city ORDER BY 1 COLLATE NOCASE, 1;
SELECT lower(name) FROM city UNION ALL SELECT name FROM city ORDER BY 1 COLLATE NOCASE;

-- ties behind a UNION
-- ordered yes, multiset yes, bird yes, spider no
SELECT country, name FROM city ORDER BY country, name DESC;
SELECT country, name FROM city WHERE id < 4 UNION SELECT country, name FROM city WHERE id > 2 ORDER BY 1;

-- ties among groups
-- ordered yes, multiset yes, bird yes, spider no
SELECT country, count(*) FROM city GROUP BY country ORDER BY country <> 'CH', country;
SELECT country, count(*) FROM city GROUP BY country ORDER BY count(*) DESC;

-- ties at NULL, which are still to be first
-- ordered yes, multiset yes, bird yes, spider no
SELECT nullif(country, 'DE'), name FROM city ORDER BY country <> 'DE', country, id DESC;
SELECT nullif(country, 'DE'), name FROM city ORDER BY 1;

-- ties above a LIMIT that cuts none
-- ordered yes, multiset yes, bird yes, spider no
SELECT name FROM city ORDER BY country, id DESC LIMIT 4;
SELECT name FROM city ORDER BY country LIMIT 4;

-- ties above a LIMIT that cuts another one, of which the same row is kept
-- ordered yes, multiset yes, bird yes, spider no
SELECT name FROM city WHERE id <> 6 ORDER BY country DESC, name LIMIT 3;
SELECT name FROM city ORDER BY country DESC LIMIT 3;

-- ties that cannot be told apart have no order
-- ordered yes, multiset yes, bird yes, spider yes
SELECT country FROM city ORDER BY country, id DESC;
SELECT country FROM city ORDER BY country;

-- NULL first is not NULL last
-- ordered no, multiset yes, bird yes, spider no
SELECT nullif(name, 'Ulm') FROM city ORDER BY 1 NULLS LAST;
SELECT nullif(name, 'Ulm') FROM city ORDER BY 1;

-- the largest by LIMIT and by max
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city WHERE people = (SELECT max(people) FROM city);
SELECT name FROM city ORDER BY people DESC LIMIT 1;

-- a LIMIT that cuts through a tie is held to the row that it kept
-- ordered no, multiset no, bird no, spider no
SELECT name FROM city ORDER BY country, id DESC LIMIT 1;
SELECT name FROM city ORDER BY country LIMIT 1;

-- all of a tie are not one of it
-- ordered no, multiset no, bird no, spider no
SELECT country FROM city GROUP BY country HAVING count(*) = 2;
SELECT country FROM city GROUP BY country ORDER BY count(*) DESC LIMIT 1;

-- LIMIT and OFFSET that keep the same rows
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name FROM city WHERE people < 300000 ORDER BY people DESC LIMIT 2;
SELECT name FROM city ORDER BY people DESC LIMIT 2 OFFSET 1;

-- one row more than LIMIT asks for
-- ordered no, multiset no, bird no, spider no
SELECT name FROM city ORDER BY people DESC LIMIT 4;
SELECT name FROM city ORDER BY people DESC LIMIT 3;
