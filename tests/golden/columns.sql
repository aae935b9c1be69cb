-- The judge and columns: their order, number and names.  tests/golden/order.sql says what a case looks like.
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country TEXT, people INTEGER);
INSERT INTO city VALUES (1, 'Ulm', 'DE', 126000), (2, 'Bonn', 'DE', 331000), (3, 'Graz', 'AT', 292000),
    (4, 'Linz', 'AT', 212000), (5, 'Bern', 'CH', 134000), (6, 'Chur', 'CH', 40000);
CREATE TABLE flight (start TEXT, goal TEXT, hours REAL);
INSERT INTO flight VALUES ('Bonn', 'Bern', 1.5), ('Bern', 'Graz', 1.5), ('Graz', 'Bonn', 2.0);

-- column names don't count
-- ordered yes, multiset yes, bird yes, spider yes
SELECT name AS n, people AS p FROM city;
SELECT name, people FROM city;

-- columns in another order
-- ordered no, multiset no, bird no, spider yes
SELECT name, country FROM city;
SELECT country, name FROM city;

-- columns and rows in another order
-- ordered no, multiset no, bird no, spider yes
SELECT people, name, country FROM city ORDER BY people;
SELECT name, country, people FROM city;

-- columns in another order, rows in the order that gold asks for
-- ordered no, multiset no, bird no, spider yes
SELECT people, name FROM city ORDER BY people;
SELECT name, people FROM city ORDER BY people;

-- columns in another order, rows not in the order that gold asks for
-- ordered no, multiset no, bird no, spider no
SELECT people, name FROM city ORDER BY people DESC;
SELECT name, people FROM city ORDER BY people;

-- two columns of the same values, one taken for the other
-- ordered no, multiset no, bird no, spider yes
SELECT goal, start, hours FROM flight;
SELECT start, goal, hours FROM flight;

-- the same values in each column, but beside other partners
-- ordered no, multiset no, bird no, spider no
SELECT 'Bonn', 'Bern', 1.5 UNION ALL SELECT 'Bern', 'Graz', 2.0 UNION ALL SELECT 'Graz', 'Bonn', 1.5;
SELECT start, goal, hours FROM flight;

-- one order of columns for all rows, not one for each
-- ordered no, multiset no, bird no, spider no
SELECT 1, 2 UNION ALL SELECT 4, 3;
SELECT 1, 2 UNION ALL SELECT 3, 4;

-- a column too many
-- ordered no, multiset no, bird no, spider no
SELECT name, id FROM city;
SELECT name FROM city;

-- a column too few
-- ordered no, multiset no, bird no, spider no
SELECT name FROM city;
SELECT name, country FROM city;

-- a column twice in place of another
-- ordered no, multiset no, bird no, spider no
SELECT name, name, country FROM city;
SELECT name, country, country FROM city;

-- every column, named or not
-- ordered yes, multiset yes, bird yes, spider yes
SELECT id, name, country, people FROM city;
SELECT * FROM city;

-- every column of a join written the other way round
-- ordered no, multiset no, bird no, spider yes
SELECT * FROM flight JOIN city ON name = goal;
SELECT * FROM city JOIN flight ON goal = name;

-- columns put together into one
-- ordered no, multiset no, bird no, spider no
SELECT name || ' ' || country FROM city;
SELECT name, country FROM city;

-- twelve columns of ones and zeros in another order
-- ordered no, multiset no, bird no, spider yes
SELECT id=1, id=2, id=3, id=4, id=5, id=6, id<2, id<3, id<4, id<5, id<6, id<7 FROM city;
SELECT id<7, id<2, id=3, id<3, id=2, id<5, id=4, id<6, id=5, id<4, id=6, id=1 FROM city;

-- twelve columns of ones and zeros, one of them wrong
-- ordered no, multiset no, bird no, spider no
SELECT id=1, id=2, id=3, id=4, id=5, id=6, id<2, id<3, id<4, id<5, id<6, id<7 FROM city;
SELECT id<7, id<2, id=3, id<3, id=2, id<5, id=4, id<6, id=5, id>3, id=6, id=1 FROM city;

-- float noise in columns of another order
-- ordered no, multiset no, bird no, spider no
SELECT 0.1 + 0.2, 'x';
SELECT 'x', 0.3;
