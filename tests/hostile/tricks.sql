--- denied: two statements
SELECT 1; SELECT 2
--- denied: the second one in a comment's shadow
SELECT 1 -- ;
; DROP TABLE singer
--- denied: a comment that ends early
SELECT 1 /* ; */ ; DELETE FROM singer /* ; */
--- ok: a comment that does not end early
SELECT 1 /* ; DELETE FROM singer
--- ok: semicolons and nothing
SELECT 1 ;;;;; ; ;; ;
--- denied or error: semicolons first
;;; ; SELECT 1; DELETE FROM singer
--- denied: a statement after an empty one
SELECT 1;; /* */ ;; DELETE FROM singer
--- error: a comment alone
/* DELETE FROM singer */
--- error: a nested comment, which SQLite does not know
/* /* */ */ SELECT 1
--- error: a comment that eats itself
/*/ SELECT 1
--- error: MySQL's comment that runs
/*!50000 SELECT */ 1
--- ok: a line that only looks like a comment
SELECT 1 --1
--- ok: quotes within quotes
SELECT 'it''s; DROP TABLE singer; --', "singer"."name", [name], `name` FROM "singer"
--- ok: a backslash that escapes nothing
SELECT name FROM singer WHERE name = 'Ada' OR name LIKE 'x%' ESCAPE '\'
--- error: a quote left open
SELECT 'DROP TABLE singer; --
--- error: a name left open
SELECT * FROM "singer WHERE 1; DELETE FROM singer
--- error: a bracket left open
SELECT [name FROM singer; DELETE FROM singer
--- error: a blob cut off
SELECT x'0
--- error: a blob that is none
SELECT x'evil', 0x, 0xzz
--- error: a parenthesis too many
SELECT 1) ; DELETE FROM singer
--- error: parameters that nobody bound
SELECT ?, ?1, :name, @name, $name, $a::b(c)
--- error: a parameter beyond all numbers
SELECT ?999999999999
--- ok or error: a column named like the statement
SELECT 1 AS "DELETE", 2 AS [ATTACH 'x' AS y], 3 AS "", 4 AS '--', 5 AS "'; DROP TABLE singer"
--- ok or denied: a plan that is asked for in pieces
EXPLAIN/**/QUERY--
PLAN SELECT * FROM singer
--- denied: a plan asked for in pieces, of a write
EXPLAIN/**/QUERY--
PLAN DELETE FROM singer
--- denied or error: EXPLAIN of EXPLAIN
EXPLAIN EXPLAIN QUERY PLAN SELECT 1
--- denied or error: EXPLAIN of nothing
EXPLAIN QUERY PLAN
--- denied: the program of a query
EXPLAIN SELECT * FROM singer
--- ok: VALUES alone
VALUES (1, 'one'), (NULL, x'02')
--- error: VALUES that would return
VALUES (1) RETURNING *
--- error: rows of different width
VALUES (1), (2, 3)
--- error: a CTE that calls itself by another
WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM a
--- error: a CTE with nothing to recur to
WITH RECURSIVE a(x) AS (SELECT x FROM a) SELECT * FROM a
--- error: a CTE that takes the schema's name
WITH sqlite_master AS (SELECT 1) SELECT name FROM sqlite_master
--- ok: a CTE that takes a table's name
WITH singer AS (SELECT 666 AS id) SELECT id FROM singer
--- ok: numbers at the edge
SELECT -9223372036854775808, 9223372036854775807 + 1, 1 / 0, 1 % 0, 0x7fffffffffffffff, 1e999, -1e999 * 0, 1 << 99, -1 >> 99
--- error: a sum beyond all numbers
SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) AS v(x)
--- error: a sum beyond all numbers, with its columns named
WITH v(x) AS (VALUES (9223372036854775807), (1)) SELECT sum(x) FROM v
--- error: the smallest number without its sign
SELECT abs(-9223372036854775808)
--- error: a function with the wrong number of arguments
SELECT substr(), count(1, 2), max(), coalesce(1)
--- error: an aggregate where none may be
SELECT name FROM singer WHERE count(*) > 1
--- error: a window where none may be
SELECT name FROM singer WHERE row_number() OVER () > 1
--- error: RAISE outside of a trigger
SELECT RAISE(ABORT, 'words')
--- error: a collation that does not exist
SELECT name FROM singer ORDER BY name COLLATE evil
--- error: an index that does not exist
SELECT name FROM singer INDEXED BY evil
--- error: MATCH on a plain table
SELECT name FROM singer WHERE singer MATCH 'x' OR name REGEXP '(a+)+$'
