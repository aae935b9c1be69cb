--- denied: ATTACH of a new file
ATTACH DATABASE 'evil.sqlite' AS evil
--- denied: ATTACH in other letters
aTtAcH 'file:evil.sqlite?mode=rwc' As [e v i l]
--- denied: ATTACH behind comments
/* SELECT 1 */ -- SELECT 2
/**/AttacH/**/':memory:'/**/AS/**/evil
--- denied: ATTACH of an expression
ATTACH (SELECT '/' || 'evil' || '.sqlite') AS evil
--- denied: ATTACH behind a semicolon
SELECT 1; ATTACH 'evil.sqlite' AS evil; CREATE TABLE evil.t (x)
--- denied: ATTACH explained
EXPLAIN ATTACH 'evil.sqlite' AS evil
--- denied or error: ATTACH behind a CTE
WITH s AS (SELECT 1) ATTACH 'evil.sqlite' AS evil
--- denied or error: ATTACH as a value
SELECT (ATTACH 'evil.sqlite' AS evil)
--- denied or error: ATTACH as the function behind it
SELECT sqlite_attach('evil.sqlite', 'evil', NULL), sqlite_detach('main')
--- denied: DETACH
DETACH DATABASE main
--- error: a table of a database that is not attached
SELECT * FROM evil.sqlite_master
--- denied: PRAGMA, the schema made writable
PRAGMA writable_schema = ON
--- denied: PRAGMA, written as a call
PRAGMA main.writable_schema(1)
--- denied: PRAGMA, writing allowed again
PRAGMA query_only = OFF
--- denied: PRAGMA, the schema trusted
PRAGMA trusted_schema = 1
--- denied: PRAGMA, another journal
PRAGMA journal_mode = WAL
--- denied: PRAGMA, more memory
PRAGMA hard_heap_limit = 0
--- denied: PRAGMA, the file in memory
PRAGMA mmap_size = 1099511627776
--- denied: PRAGMA, a folder for temporary files
PRAGMA temp_store_directory = '/'
--- denied: PRAGMA, temporary files again
PRAGMA temp_store = FILE
--- denied: PRAGMA, a number in the header
PRAGMA user_version = 666
--- denied: PRAGMA, a check that takes long
PRAGMA integrity_check
--- denied: PRAGMA, even a harmless one
PRAGMA table_info('singer')
--- denied: PRAGMA behind SELECT
SELECT 1; PRAGMA writable_schema = ON
--- denied or error: PRAGMA as a table, with the database's path
SELECT file FROM pragma_database_list
--- denied or error: PRAGMA as a table, that would change something
SELECT * FROM pragma_journal_mode('off'), pragma_writable_schema(1)
--- denied or error: PRAGMA as a table, that empties caches
SELECT * FROM pragma_optimize, pragma_incremental_vacuum(9), pragma_wal_checkpoint
--- denied or error: PRAGMA as a table, every function there is
SELECT name FROM pragma_function_list UNION SELECT name FROM pragma_module_list
--- denied or error: load_extension
SELECT load_extension('evil.so')
--- denied or error: load_extension with its entry
SELECT "LOAD_extension"('evil', 'sqlite3_evil_init')
--- denied or error: load_extension that is never called
SELECT CASE WHEN 0 THEN load_extension('evil.so') ELSE 1 END FROM singer WHERE 0
--- denied or error: load_extension in every corner of a query
SELECT 1 FROM singer GROUP BY id HAVING 0 ORDER BY max(load_extension('x')) OVER (PARTITION BY load_extension('y')) LIMIT load_extension('z')
--- denied or error: writefile
SELECT writefile('evil', 'words')
--- denied or error: writefile for each row
SELECT count(*) FROM singer WHERE writefile('evil' || id, name) IS NOT NULL
--- denied or error: readfile
SELECT readfile('/etc/passwd')
--- denied or error: an editor
SELECT edit('words', 'sh -c "touch evil"')
--- denied or error: a folder as a table
SELECT name, data FROM fsdir('/etc') UNION ALL SELECT name, data FROM lsdir('/')
--- denied or error: an archive as a table
SELECT name, data FROM zipfile('evil.zip')
--- denied or error: an archive, written
SELECT zipfile('evil', 1, 2, 'words')
--- denied or error: code handed to a tokenizer
SELECT fts3_tokenizer('simple', x'4141414141414141')
--- denied or error: the address of a tokenizer
SELECT hex(fts3_tokenizer('simple'))
--- denied or error: pages of the file
SELECT pgno, pageno FROM dbstat, sqlite_dbpage
--- denied or error: pages of the file, summed
SELECT sum(pgsize) FROM dbstat WHERE aggregate = 1
--- denied or error: other people's statements
SELECT sql FROM sqlite_stmt
--- denied or error: the program of a statement
SELECT * FROM bytecode('SELECT 1') UNION SELECT * FROM tables_used('DELETE FROM singer')
--- denied or error: words that complete a command
SELECT candidate FROM completion('SEL', 'SEL')
--- denied or error: rows without end from a module
SELECT count(*) FROM generate_series(1, 9223372036854775807)
--- denied or error: a file of values as a table
SELECT * FROM csv('/etc/passwd')
--- denied or error: an expression evaluated
SELECT eval('DROP TABLE singer'), sqlite_log(1, 'words'), optimize('singer')
--- denied or error: a hook into full-text search
SELECT fts5(x'00'), fts5_source_id(), rtreecheck('singer'), matchinfo(x'00'), snippet(x'00'), offsets(1)
--- denied or error: pointers made of blobs
SELECT * FROM carray(x'00000000', 99999999), json_each(x'00000000') WHERE rtreenode(2, x'ffffffffffff') = rtreedepth(x'00')
--- denied or error: SQL for another database
SELECT pg_read_file('/etc/passwd'), LOAD_FILE('/etc/passwd'), sys_eval('id'), xp_cmdshell('id')
--- denied or error: a file written as MySQL has it
SELECT 'words' INTO OUTFILE 'evil'
--- denied or error: a program run as PostgreSQL has it
COPY singer TO PROGRAM 'touch evil'
--- denied or error: a command of the sqlite3 shell
.shell touch evil
--- denied or error: another command of the sqlite3 shell, behind a query
SELECT 1;
.output evil
--- ok: what describes the database is allowed
SELECT name, (SELECT count(*) FROM pragma_table_info(m.name)) FROM sqlite_master AS m
