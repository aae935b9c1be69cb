--- denied: INSERT
INSERT INTO singer VALUES (9, 'Eve', 66)
--- denied: INSERT that returns what it wrote
INSERT INTO singer VALUES (9, 'Eve', 66) RETURNING *
--- denied: INSERT that becomes an UPDATE
INSERT INTO singer VALUES (1, 'Eve', 66) ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING id
--- denied: INSERT behind a CTE
WITH eve(id, name, age) AS (VALUES (9, 'Eve', 66)) INSERT INTO singer SELECT * FROM eve RETURNING name
--- denied: INSERT behind a recursive CTE
WITH RECURSIVE c(x) AS (SELECT 10 UNION ALL SELECT x + 1 FROM c WHERE x < 99) INSERT OR IGNORE INTO singer SELECT x, x, x FROM c
--- denied: INSERT OR REPLACE
INSERT OR REPLACE INTO singer SELECT id, 'Eve', age FROM singer
--- denied: REPLACE
REPLACE INTO singer VALUES (1, 'Eve', 66)
--- denied: UPDATE
UPDATE singer SET age = age + 1
--- denied: UPDATE from another table
UPDATE singer SET name = title FROM song WHERE song.singer = singer.id RETURNING *
--- denied: UPDATE behind a CTE
WITH s AS (SELECT 1) UPDATE OR REPLACE singer SET age = 0
--- denied: DELETE
DELETE FROM singer
--- denied: DELETE of one row
DELETE FROM singer ORDER BY id LIMIT 1
--- denied: DELETE behind a CTE, that returns
WITH s AS NOT MATERIALIZED (SELECT id FROM singer) DELETE FROM singer WHERE id IN s RETURNING *
--- denied or error: a write inside a subquery
SELECT * FROM (DELETE FROM singer RETURNING *)
--- denied or error: a write inside a CTE, as PostgreSQL has it
WITH gone AS (DELETE FROM singer RETURNING *) SELECT * FROM gone
--- denied: CREATE TABLE
CREATE TABLE evil (x)
--- denied: CREATE TABLE from a query
CREATE TABLE evil AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT * FROM c
--- denied: CREATE TEMP TABLE
CREATE TEMP TABLE singer AS SELECT 1
--- denied: CREATE VIEW
CREATE TEMPORARY VIEW IF NOT EXISTS singer AS SELECT 666
--- denied: CREATE INDEX
CREATE UNIQUE INDEX evil ON singer (name)
--- denied: CREATE TRIGGER
CREATE TRIGGER evil AFTER INSERT ON singer BEGIN DELETE FROM song; END
--- denied: CREATE VIRTUAL TABLE
CREATE VIRTUAL TABLE temp.evil USING fts5(x)
--- denied: ALTER TABLE, to a new name
ALTER TABLE singer RENAME TO eve
--- denied: ALTER TABLE, less a column
ALTER TABLE singer DROP COLUMN age
--- denied: ALTER TABLE, plus a column
ALTER TABLE singer ADD COLUMN evil DEFAULT (randomblob(1000000000))
--- denied: DROP TABLE
DROP TABLE IF EXISTS singer
--- denied: a new row in the schema
INSERT INTO sqlite_master VALUES ('table', 'evil', 'evil', 2, 'CREATE TABLE evil (x)')
--- denied: the schema rewritten
UPDATE sqlite_schema SET sql = 'CREATE TABLE singer (eve)' WHERE name = 'singer'
--- denied: the schema emptied
DELETE FROM main.sqlite_master
--- denied: the temporary schema
INSERT INTO sqlite_temp_master VALUES ('view', 'singer', 'singer', 0, 'CREATE VIEW singer AS SELECT 666')
--- denied: the counters of AUTOINCREMENT
UPDATE sqlite_sequence SET seq = 0
--- denied: the planner's statistics
ANALYZE main
--- denied: VACUUM
VACUUM
--- denied: VACUUM into a file
VACUUM main INTO 'evil.sqlite'
--- denied: REINDEX
REINDEX singer
--- denied: a transaction
BEGIN EXCLUSIVE TRANSACTION
--- denied: a savepoint
SAVEPOINT evil
--- denied: a commit
END TRANSACTION
--- denied: a write, explained
EXPLAIN INSERT INTO singer VALUES (9, 'Eve', 66)
--- denied: a write, its plan explained
EXPLAIN QUERY PLAN WITH s AS (SELECT 1) DELETE FROM singer
