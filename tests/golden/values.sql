-- The judge and single values: NULL, whole numbers and floats, texts, dates, blobs.  tests/golden/order.sql says
-- what a case looks like.
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, people INTEGER, area REAL, mayor TEXT);
INSERT INTO city VALUES (1, 'Ulm', 126000, 118.7, 'Ansbacher'), (2, 'Bonn', 331000, 141.1, 'Dörner'),
    (3, 'Graz', 292000, 127.6, NULL), (4, 'Linz', 212000, 96.0, NULL),
    (5, 'Bern', 134000, 51.6, 'von Graffenried'), (6, 'Chur', 40000, 54.3, NULL);
CREATE TABLE visit (city INTEGER, day TEXT, price REAL, note TEXT, photo BLOB);
INSERT INTO visit VALUES (1, '2024-05-01', 0.1, '7', x'00ff'), (1, '2024-05-02', 0.2, '7', x'00fe'),
    (2, '2024-05-01', 0.3, 'é', x''), (2, '2024-05-01', 0.3, 'é', x''),
    (3, '2024-06-01', 10.0, NULL, NULL), (5, '2024-07-01', 1e9, '', x'37');

-- NULL equals NULL
-- ordered yes, multiset yes, bird yes, spider yes
SELECT mayor, name FROM city;
SELECT c.mayor, c.name FROM city AS c WHERE c.id IS NOT NULL;

-- NULL is not an empty text
-- ordered no, multiset no, bird no, spider no
SELECT coalesce(mayor, '') FROM city;
SELECT mayor FROM city;

-- NULL is not zero
-- ordered no, multiset no, bird no, spider no
SELECT coalesce(max(people), 0) FROM city WHERE people < 0;
SELECT max(people) FROM city WHERE people < 0;

-- NULL is not the text NULL
-- ordered no, multiset no, bird no, spider no
SELECT 'NULL';
SELECT NULL;

-- 3 equals 3.0
-- ordered yes, multiset yes, bird yes, spider yes
SELECT count(*) * 1.0 FROM city;
SELECT count(*) FROM city;

-- true is 1
-- ordered yes, multiset yes, bird yes, spider yes
SELECT people > 200000 FROM city;
SELECT CASE WHEN people > 200000 THEN 1 ELSE 0 END FROM city;

-- a text is never a number
-- ordered no, multiset no, bird no, spider no
SELECT note FROM visit WHERE note = '7';
SELECT CAST(note AS INTEGER) FROM visit WHERE note = '7';

-- a text is never a blob
-- ordered no, multiset no, bird no, spider no
SELECT CAST(name AS BLOB) FROM city;
SELECT name FROM city;

-- a blob equals its bytes
-- ordered yes, multiset yes, bird yes, spider yes
SELECT photo FROM visit WHERE length(photo) = 2;
SELECT x'00fe' UNION ALL SELECT x'00ff';

-- a blob is not its hexadecimal text
-- ordered no, multiset no, bird no, spider no
SELECT hex(photo) FROM visit WHERE city = 1;
SELECT photo FROM visit WHERE city = 1;

-- letter case counts
-- ordered no, multiset no, bird no, spider no
SELECT upper(name) FROM city;
SELECT name FROM city;

-- blanks count
-- ordered no, multiset no, bird no, spider no
SELECT name || ' ' FROM city;
SELECT name FROM city;

-- accents survive
-- ordered yes, multiset yes, bird yes, spider yes
SELECT 'é' WHERE 1;
SELECT DISTINCT note FROM visit WHERE price = 0.3;

-- a letter with its accent apart is another text
-- ordered no, multiset no, bird no, spider no
SELECT 'e' || char(769);
SELECT DISTINCT note FROM visit WHERE price = 0.3;

-- the same day by two ways
-- ordered yes, multiset yes, bird yes, spider yes
SELECT date('2024-04-30', '+1 day');
SELECT min(day) FROM visit;

-- a date is a text: with a time it is another
-- ordered no, multiset no, bird no, spider no
SELECT datetime(min(day)) FROM visit;
SELECT min(day) FROM visit;

-- a date without its zeros is another text
-- ordered no, multiset no, bird no, spider no
SELECT '2024-5-1';
SELECT min(day) FROM visit;

-- a year as a text is not a year as a number
-- ordered no, multiset no, bird no, spider no
SELECT CAST(substr(day, 1, 4) AS INTEGER) FROM visit;
SELECT strftime('%Y', day) FROM visit;

-- a sum of floats in another order differs in the last digit
-- ordered yes, multiset yes, bird no, spider no
SELECT 0.3 + 0.2 + 0.1;
SELECT 0.1 + 0.2 + 0.3;

-- rounding noise in several columns, with rows in another order
-- ordered yes, multiset yes, bird no, spider no
SELECT price * 3 / 3 + 1e-12, area * 1.0000000001 FROM visit JOIN city ON id = city ORDER BY area DESC;
SELECT price, area FROM visit JOIN city ON id = city;

-- rounding noise in rows that gold orders
-- ordered yes, multiset yes, bird no, spider no
SELECT area * 1.0000000001 FROM city ORDER BY area;
SELECT area FROM city ORDER BY area;

-- noise must not change which rows are paired
-- ordered yes, multiset yes, bird no, spider no
SELECT 0.1 + 0.2, 'b' UNION ALL SELECT 0.3, 'a';
SELECT 0.3, 'b' UNION ALL SELECT 0.1 + 0.2, 'a';

-- noise does not hide a swapped partner
-- ordered no, multiset no, bird no, spider no
SELECT 0.1 + 0.2, 'b' UNION ALL SELECT 0.4, 'a';
SELECT 0.3, 'a' UNION ALL SELECT 0.4, 'b';

-- a float that went through a text of 15 digits
-- ordered yes, multiset yes, bird no, spider no
SELECT CAST(printf('%.15g', 1.0 / 3) AS REAL);
SELECT 1.0 / 3;

-- a rounded answer is another answer
-- ordered no, multiset no, bird no, spider no
SELECT round(avg(area), 1) FROM city;
SELECT avg(area) FROM city;

-- a share is not a percentage
-- ordered no, multiset no, bird no, spider no
SELECT avg(people > 200000) FROM city;
SELECT 100 * avg(people > 200000) FROM city;

-- a percentage multiplied before or after the division
-- ordered yes, multiset yes, bird no, spider no
SELECT 0.07 * 100;
SELECT 7.0;

-- an hour later is another Julian day
-- ordered no, multiset no, bird no, spider no
SELECT julianday('2024-05-01 13:00');
SELECT julianday('2024-05-01 12:00');

-- a price in cents is not its neighbour, however dear
-- ordered no, multiset no, bird no, spider no
SELECT 1000000.01;
SELECT 1000000.02;

-- whole numbers are compared exactly, however large
-- ordered no, multiset no, bird no, spider no
SELECT 9007199254740993;
SELECT 9007199254740992;

-- neighbouring ids are not the same id
-- ordered no, multiset no, bird no, spider no
SELECT 1000001;
SELECT 1000002;

-- infinity equals infinity
-- ordered yes, multiset yes, bird yes, spider yes
SELECT 9e999, -9e999;
SELECT 1e308 * 10, -1e308 * 10;

-- infinity is not a large number
-- ordered no, multiset no, bird no, spider no
SELECT 9e999;
SELECT 1e308;

-- there is no minus zero
-- ordered yes, multiset yes, bird yes, spider yes
SELECT -0.0;
SELECT 0;
