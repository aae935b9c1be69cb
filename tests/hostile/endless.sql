--- timeout: a recursion without an end
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c
--- timeout: a recursion that waits for luck
WITH RECURSIVE c(x) AS (SELECT random() UNION ALL SELECT random() FROM c WHERE x != 7) SELECT max(x) FROM c
--- timeout: a recursion that finds no new row and goes on
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c WHERE x = 1) SELECT 1 FROM c WHERE x = 2
--- timeout: a recursion with a LIMIT too far away to help
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 9000000000000000000) SELECT sum(x % 7) FROM c
--- timeout: a recursion inside a condition
SELECT name FROM singer WHERE id NOT IN (
  WITH RECURSIVE c(x) AS (SELECT 10 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x < 0)
--- timeout: a recursion once for each row of another
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000)
SELECT sum((SELECT count(*) FROM c AS inner_c WHERE inner_c.x < outer_c.x)) FROM c AS outer_c
--- timeout: two recursions that feed a join without a match
WITH RECURSIVE a(x) AS (SELECT 0 UNION ALL SELECT x + 2 FROM a), b(x) AS (SELECT 1 UNION ALL SELECT x + 2 FROM b)
SELECT a.x FROM a, b WHERE a.x + b.x = 0
--- timeout or too_large: a recursion whose waiting rows double at each step
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT c.x + 1 FROM c, (VALUES (1), (2))) SELECT count(*) FROM c
--- timeout or too_large: a recursion that has to remember all its rows
WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT x + 1 FROM c) SELECT count(*) FROM c
--- timeout or too_large: a recursion that has to sort its waiting rows
WITH RECURSIVE c(x, r) AS (SELECT 1, 0.5 UNION ALL SELECT x + 1, random() FROM c, (VALUES (1), (2)) ORDER BY 2)
SELECT count(*) FROM c
--- timeout: one table thirty times
SELECT count(*) FROM song a, song b, song c, song d, song e, song f, song g, song h, song i, song j, song k, song l,
  song m, song n, song o, song p, song q, song r, song s, song t, song u, song v, song w, song x, song y, song z,
  song aa, song bb, song cc, song dd
--- timeout: a product with nothing in it, found out one by one
SELECT a.title FROM song a, song b, song c, song d, song e, song f, song g, song h, song i, song j, song k, song l,
  song m, song n, song o, song p, song q, song r, song s, song t WHERE a.id + b.id + c.id + t.id + s.id + r.id < 0
--- timeout: a product of arrays
WITH j(a) AS (VALUES ('[1,2,3,4,5,6,7,8,9,10]')) SELECT count(*) FROM j, json_each(j.a) b, json_each(j.a) c,
  json_each(j.a) d, json_each(j.a) e, json_each(j.a) f, json_each(j.a) g, json_each(j.a) h, json_each(j.a) i
--- timeout: a product of the schema with itself
SELECT sum(length(a.sql || b.sql || c.sql)) FROM sqlite_master a, sqlite_master b, sqlite_master c, sqlite_master d,
  sqlite_master e, sqlite_master f, sqlite_master g, sqlite_master h, sqlite_master i, sqlite_master j,
  sqlite_master k, sqlite_master l, sqlite_master m, sqlite_master n, sqlite_master o, sqlite_master p,
  sqlite_master q, sqlite_master r, sqlite_master s, sqlite_master t, sqlite_master u, sqlite_master v,
  sqlite_master w, sqlite_master x, sqlite_master y, sqlite_master z
--- timeout: a product of table descriptions
SELECT count(*) FROM pragma_table_info('song') a, pragma_table_xinfo('song') b, pragma_table_list c,
  pragma_table_list d, pragma_table_list e, pragma_table_list f, pragma_table_list g, pragma_table_list h,
  pragma_table_list i, pragma_table_list j, pragma_table_list k, pragma_table_list l
--- timeout: outer joins that keep every pair
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000)
SELECT count(*) FROM c AS a LEFT JOIN c AS b ON a.x + b.x < 0 LEFT JOIN c AS d ON d.x + a.x < 0
--- timeout: conditions nested in conditions
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 300)
SELECT count(*) FROM c a WHERE NOT EXISTS (SELECT 1 FROM c b WHERE NOT EXISTS (SELECT 1 FROM c d WHERE NOT EXISTS (
  SELECT 1 FROM c e WHERE a.x + b.x + d.x + e.x < 0) AND a.x + b.x + d.x < 0) AND a.x < 0 AND b.x < 0)
  AND EXISTS (SELECT 1 FROM c f, c g, c h, c i WHERE f.x + g.x + h.x + i.x + a.x < 0)
--- timeout: an OFFSET that is never reached
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c LIMIT 1 OFFSET 9223372036854775807
--- timeout or too_large: a sort of rows without end
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c ORDER BY x * 7919 % 104729
--- timeout or too_large: a sort that any other program would spill to disk
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
SELECT x, hex(randomblob(500)) AS noise FROM c ORDER BY noise
--- timeout or too_large: groups without end
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, count(*) FROM c GROUP BY x * 7919 % 10000019
--- timeout or too_large: DISTINCT over noise
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(DISTINCT random()) FROM c
--- timeout or too_large: EXCEPT and INTERSECT of streams
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c EXCEPT SELECT x FROM c INTERSECT SELECT -x FROM c
--- timeout: a window that reads every row for every row
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200000)
SELECT max(total) FROM (SELECT sum(x) OVER (
  ORDER BY x ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) AS total FROM c)
--- timeout or too_large: a window over rows without end
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
SELECT max(r) FROM (SELECT ntile(7) OVER (ORDER BY x DESC) AS r FROM c)
--- timeout or too_large: a window that repeats the text so far in each row
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000)
SELECT max(length(t)) FROM (SELECT group_concat('a long text ' || x) OVER (ORDER BY x) AS t FROM c)
--- timeout or too_large: a window in a window in a window
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
SELECT max(z) FROM (SELECT rank() OVER (ORDER BY y) AS z FROM (SELECT lag(x, 9000000) OVER (ORDER BY -x) AS y FROM c))
--- timeout or ok: LIKE with a wildcard between all letters
SELECT hex(zeroblob(7000000)) LIKE '%0%0%0%0%0%0%0%0%0%0%0%0%1'
--- timeout: LIKE that looks a thousand letters ahead, seven million times
SELECT replace(hex(zeroblob(7000000)), '0', 'a') LIKE '%' || replace(hex(zeroblob(498)), '0', 'a') || 'b%'
--- timeout: LIKE that goes back and looks again
SELECT replace(hex(zeroblob(3000000)), '0', 'ä') LIKE '%_ää_ää_ää_ää_b%_ää_ää_ää_b%_ää_ää_b'
  OR hex(zeroblob(7000000)) LIKE '%' || hex(zeroblob(200)) || '_' || hex(zeroblob(200)) || '_1%' ESCAPE '|'
--- timeout or ok: GLOB with a star between all letters
SELECT hex(zeroblob(7000000)) GLOB '*0*0*0*0*0*0*0*0*0*0*0*0*0*0*1'
--- timeout: GLOB with classes of letters
SELECT hex(zeroblob(7000000)) GLOB '*' || replace(hex(zeroblob(50)), '0', '[0-9a-f]') || '1*'
--- timeout: GLOB that looks ahead for each of a million songs
SELECT count(*) FROM song a, song b, song c, song d, song e, song f, song g, song h, song i, song j, song k, song l
  WHERE hex(zeroblob(5000)) GLOB '*' || hex(zeroblob(400))
  || a.id || b.id || c.id || d.id || e.id || f.id || g.id || h.id || i.id || j.id || k.id || l.id || '*'
--- timeout: a short LIKE over a product
SELECT count(*) FROM song a, song b, song c, song d, song e, song f, song g, song h, song i, song j, song k, song l,
  song m, song n, song o, song p WHERE a.title || b.title || c.title || d.title || p.title LIKE '%e%e%e%e%e%z%'
--- timeout or too_large: one call that searches eight megabytes for four
SELECT instr(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || '1')
--- timeout or too_large: one call that trims by a million letters
SELECT length(trim(hex(zeroblob(4000000)), replace(hex(zeroblob(500000)), '00', 'ab') || '0'))
--- timeout or too_large: one call that replaces what is nearly there
SELECT length(replace(hex(zeroblob(4000000)), hex(zeroblob(1000000)) || '1', ''))
--- timeout or too_large: one call that pads to two gigabytes
SELECT length(printf('%.*c', 2000000000, 'x'))
--- timeout or ok or error or too_large: a format of seven million dates
SELECT length(strftime(replace(hex(zeroblob(2000000)), '0', '%J'), 'now'))
--- timeout or ok or empty: a date moved by more than the calendar holds
SELECT date('0000-01-01', '+9e18 months', '-9e18 years', 'weekday 6', 'start of year', '+99999999999999999 days')
