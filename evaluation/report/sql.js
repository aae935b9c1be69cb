"use strict";
// SQL → coloured text, each main clause on a line of its own.  All text goes in as text.

const SQL_TOKEN = /(--[^\n]*|\/\*[^]*?(?:\*\/|$))|('(?:[^']|'')*'?)|("(?:[^"]|"")*"?|`[^`]*`?|\[[^\]]*\]?)|(\b\d+(?:\.\d+)?\b)|([A-Za-z_]\w*)|([()])|(\s+)|([^])/g;
const SQL_KEYWORDS = new Set(("ALL AND AS ASC BETWEEN BY CASE CAST COLLATE CROSS DESC DISTINCT ELSE END ESCAPE EXCEPT EXISTS FILTER " +
  "FROM FULL GLOB GROUP HAVING IN INNER INTERSECT IS ISNULL JOIN LEFT LIKE LIMIT NATURAL NOT NOTNULL NULL OFFSET ON OR " +
  "ORDER OUTER OVER PARTITION RECURSIVE REGEXP RIGHT SELECT THEN UNION USING VALUES WHEN WHERE WITH").split(" "));
const SQL_CLAUSES = new Set("FROM WHERE GROUP HAVING ORDER LIMIT UNION INTERSECT EXCEPT JOIN LEFT INNER CROSS".split(" "));
const SQL_JOINS = new Set("LEFT INNER CROSS OUTER NATURAL FULL RIGHT".split(" "));

function colouredSql(sql) {
  const block = document.createElement("pre");
  block.className = "sql";
  const breaks = !sql.includes("\n") && sql.length > 48;
  let depth = 0, last = "";
  for (const [token, comment, string, , number, word, bracket, space] of sql.matchAll(SQL_TOKEN)) {
    const upper = word ? word.toUpperCase() : "";
    if (bracket) depth += bracket === "(" ? 1 : -1;
    const starts = SQL_CLAUSES.has(upper) && !SQL_JOINS.has(last) || upper === "SELECT" && ["UNION", "ALL", "INTERSECT", "EXCEPT"].includes(last);
    if (breaks && depth <= 0 && last && starts) {
      block.lastChild.textContent = block.lastChild.textContent.trimEnd();
      block.append("\n");
    }
    const kind = comment ? "comment" : string ? "string" : number ? "number" : SQL_KEYWORDS.has(upper) ? "keyword" : "";
    block.append(kind ? made("span", kind, token) : token);
    if (!space) last = upper || token;
  }
  return block;
}

function made(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}
