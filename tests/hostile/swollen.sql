--- too_large: a gigabyte of noise
SELECT randomblob(1000000000)
--- too_large or ok: two gigabytes of nothing
SELECT zeroblob(2000000000)
--- too_large: two gigabytes of nothing, looked at
SELECT hex(zeroblob(2000000000)) = ''
--- too_large: a length beyond all numbers
SELECT zeroblob(9223372036854775807), randomblob(9223372036854775807)
--- ok: a length below zero
SELECT zeroblob(-9223372036854775808), length(randomblob(-1)), substr('abc', -9223372036854775808, 9223372036854775807)
--- too_large: hex of hex of hex
SELECT hex(hex(hex(hex(hex(hex(zeroblob(1000000)))))))
--- too_large: quote of quote of quote
SELECT quote(quote(quote(zeroblob(9000000))))
--- too_large or timeout or ok: printf that pads a number
SELECT printf('%2000000000d', 1)
--- too_large or timeout or ok: printf that pads by an argument
SELECT printf('%*s%*s%*s', 900000000, 'x', 900000000, 'y', 900000000, 'z')
--- too_large or timeout or ok: printf with a billion digits
SELECT length(printf('%.999999999f', 1e300)), length(printf('%!.999999999g', 0.1))
--- too_large or timeout or ok: printf of everything at once
SELECT printf('%,d %#x %q %Q %w %s %c %99999999.99999999e', -9223372036854775808, -1, '''', NULL, '"', x'00', '', 1e-308)
--- too_large: replace that doubles and doubles
WITH a(s) AS (SELECT replace('xxxxxxxxxx', 'x', 'xxxxxxxxxxxxxxxxxxxx')), b(s) AS (SELECT replace(s, 'x', s) FROM a),
  c(s) AS (SELECT replace(s, 'x', s) FROM b), d(s) AS (SELECT replace(s, 'x', s) FROM c) SELECT length(s) FROM d
--- too_large or timeout: a text that doubles at each step of a recursion
WITH RECURSIVE c(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM c) SELECT max(length(s)) FROM c
--- too_large or timeout: a blob that grows by itself
WITH RECURSIVE c(b) AS (SELECT zeroblob(1) UNION ALL SELECT CAST(b || b || b AS BLOB) FROM c) SELECT count(b) FROM c
--- too_large or timeout: group_concat without end
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT group_concat(x, 'a separator of some length') FROM c
--- too_large or timeout: group_concat of megabytes
SELECT group_concat(hex(zeroblob(1000000))) FROM song a, song b, song c, song d
--- too_large or timeout: group_concat with a separator of megabytes
SELECT group_concat(a.id, hex(zeroblob(1000000))) FROM song a, song b, song c, song d
--- too_large or timeout: an array without end
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT json_group_array(x) FROM c
--- too_large or timeout: an object without end
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT json_group_object(x, 'value ' || x) FROM c
--- too_large or timeout: an array of arrays of arrays
WITH a(j) AS (SELECT json_array(1,2,3,4,5,6,7,8,9,10)), b(j) AS (SELECT json_array(j,j,j,j,j,j,j,j,j,j) FROM a),
  c(j) AS (SELECT json_array(j,j,j,j,j,j,j,j,j,j) FROM b), d(j) AS (SELECT json_array(j,j,j,j,j,j,j,j,j,j) FROM c),
  e(j) AS (SELECT json_array(j,j,j,j,j,j,j,j,j,j) FROM d), f(j) AS (SELECT json_array(j,j,j,j,j,j,j,j,j,j) FROM e),
  g(j) AS (SELECT json_array(j,j,j,j,j,j,j,j,j,j) FROM f) SELECT length(j) FROM g
--- too_large or timeout or error: an array of millions, parsed
SELECT count(*) FROM json_tree('[' || replace(hex(zeroblob(4000000)), '0', '0,') || '0]')
--- error or ok: an array as deep as a well
SELECT json(replace(hex(zeroblob(50000)), '0', '[') || replace(hex(zeroblob(50000)), '0', ']'))
--- error or ok or crashed: a path as deep as a well
SELECT json_extract('{}', '$' || replace(hex(zeroblob(100000)), '00', '.a')),
  json_set('{}', '$' || replace(hex(zeroblob(100000)), '00', '.a'), 1)
--- too_large: a million rows
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000) SELECT x FROM c
--- too_large or timeout: rows without end
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, x, x FROM c
--- too_large: few rows, each of megabytes
SELECT hex(zeroblob(4000000)) FROM song a, song b
--- too_large: one row, many megabytes wide
WITH b(v) AS (SELECT zeroblob(9000000)) SELECT v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v FROM b
--- too_large or timeout: sorted megabytes
SELECT max(noise) FROM (SELECT randomblob(8000000) AS noise FROM song a, song b, song c, song d ORDER BY noise)
--- too_large or timeout: megabytes kept to tell them apart
SELECT count(DISTINCT randomblob(8000000)) FROM song a, song b, song c, song d, song e
--- too_large or timeout: megabytes kept for a window
SELECT max(length(later)) FROM (SELECT lead(noise, 200) OVER (ORDER BY id) AS later FROM (
  SELECT a.id AS id, randomblob(8000000) AS noise FROM song a, song b, song c, song d, song e))
--- too_large or timeout: megabytes kept in a table on the side
WITH kept AS MATERIALIZED (SELECT randomblob(8000000) AS noise FROM song a, song b, song c, song d, song e)
SELECT sum(length(a.noise)) FROM kept AS a JOIN kept AS b ON a.noise = b.noise
--- too_large or error: megabytes through every function of text
SELECT soundex(hex(zeroblob(8000000))), upper(hex(zeroblob(8000000))), lower(hex(zeroblob(8000000))) || hex(zeroblob(8000000))
