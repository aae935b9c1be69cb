// The browser of traces: filters → a list in pages of 50 → one question with all its answers side by side.

const PAGE = 50;
const byId = (id) => document.getElementById(id);
const CONTROLS = ["source", "model", "verdict", "level", "difficulty", "database", "least", "most", "search"];
const SIGNS = { yes: "✓", no: "✗", unknown: "·" };
const state = { traces: null, items: [], page: 0, at: 0 };

async function unpacked(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

async function startBrowser() {
  if (!byId("traces")) return;
  byId("traces").hidden = false;
  state.traces = JSON.parse(await unpacked("trace-data"));
  fill("source", state.traces.sources.map((source, place) => [source.title, place]));
  for (const id of CONTROLS) byId(id).addEventListener("input", () => { if (id === "source") fillFilters(); filter(); });
  byId("filters").addEventListener("reset", () => setTimeout(() => { fillFilters(); filter(); }));
  byId("filters").addEventListener("submit", (event) => { event.preventDefault(); byId("items").focus(); });
  byId("items").addEventListener("click", (event) => {
    const row = event.target.closest("li");
    if (row) { select(Number(row.dataset.place)); read(); }
  });
  byId("back").addEventListener("click", () => select((state.page - 1) * PAGE));
  byId("on").addEventListener("click", () => select((state.page + 1) * PAGE));
  fillFilters();
  filter();
}

function source() { return state.traces.sources[Number(byId("source").value)]; }
function meaning(verdict) { return state.traces.meanings[verdict] || verdict; }
function words(verdict) { return verdict.replaceAll("_", " ").replace("sql", "SQL"); }

function fill(id, options) {
  byId(id).replaceChildren(...options.map(([text, value]) => {
    const option = made("option", "", text);
    option.value = value;
    return option;
  }));
}

function fillFilters() {
  const { who, items, score, note, compared } = source();
  const answers = items.flatMap((item) => item.answers);
  const seen = new Set(answers.map((answer) => answer.verdict));
  const order = [...Object.keys(state.traces.meanings), ...seen].filter((verdict, place, all) => seen.has(verdict) && all.indexOf(verdict) === place);
  const verdicts = [["all", ""], ["right", "right"], ["wrong, any", "wrong"]];
  if (compared && who.length > 1)
    verdicts.push(["better than the model before", "better"], ["worse than the model before", "worse"]);
  for (const verdict of order) if (verdict && verdict !== "right") verdicts.push([`· ${words(verdict)}`, `=${verdict}`]);
  fill("verdict", verdicts);
  fill("model", [["any", ""], ...(compared ? who.map((name, place) => [name, place]) : [])]);
  const distinct = (key) => [...new Set(items.map((item) => item[key]))].filter(Boolean).sort();
  for (const key of ["level", "difficulty", "database"]) fill(key, [["all", ""], ...distinct(key).map((value) => [value, value])]);
  byId("difficulty").parentElement.hidden = byId("difficulty").options.length < 2;
  for (const key of ["model", "level", "difficulty", "database", "verdict"]) byId(key).disabled = byId(key).options.length < 3;
  byId("score-name").textContent = score;
  const notes = [...state.traces.notes, note].filter(Boolean);
  byId("notes").hidden = !notes.length;
  byId("notes").textContent = notes.join("; ");
}

function filter() {
  const asked = Object.fromEntries(CONTROLS.map((id) => [id, byId(id).value]));
  const needle = asked.search.trim().toLowerCase();
  state.items = source().items.filter((item) =>
    ["level", "difficulty", "database"].every((key) => !asked[key] || item[key] === asked[key]) &&
    (!needle || haystack(item).includes(needle)) && item.answers.some((answer) => fits(answer, item, asked)));
  byId("count").textContent = `${state.items.length.toLocaleString("en")} of ${source().items.length.toLocaleString("en")}`;
  document.body.classList.remove("reading");
  select(0);
}

function fits(answer, item, asked) {
  if (asked.model !== "" && answer.who !== Number(asked.model)) return false;
  if (asked.least !== "" && !(answer.score >= Number(asked.least))) return false;
  if (asked.most !== "" && !(answer.score <= Number(asked.most))) return false;
  const right = answer.verdict === "right";
  if (asked.verdict === "right") return right;
  if (asked.verdict === "wrong") return sign(answer.verdict) === "no";
  if (asked.verdict === "better" || asked.verdict === "worse") {
    const before = item.answers.findLast((other) => other.who < answer.who);
    return before !== undefined && (before.verdict === "right") !== right && right === (asked.verdict === "better");
  }
  return !asked.verdict || asked.verdict === `=${answer.verdict}`;
}

function haystack(item) {
  item.text ??= [item.id, item.question, item.database, item.gold, ...item.answers.flatMap((answer) =>
    [answer.text, answer.plan, answer.sql, answer.message])].filter(Boolean).join("\n").toLowerCase();
  return item.text;
}

function select(place) {
  state.at = Math.max(0, Math.min(place, state.items.length - 1));
  state.page = Math.floor(state.at / PAGE);
  const pages = Math.max(1, Math.ceil(state.items.length / PAGE));
  byId("page").textContent = `page ${state.page + 1} of ${pages}`;
  byId("back").disabled = state.page === 0;
  byId("on").disabled = state.page >= pages - 1;
  const start = state.page * PAGE;
  byId("items").replaceChildren(...state.items.slice(start, start + PAGE).map((item, n) => listed(item, start + n)));
  const chosen = byId("items").children[state.at - start];
  byId("items").setAttribute("aria-activedescendant", chosen ? chosen.id : "");
  if (chosen) byId("items").scrollTop = Math.max(0, chosen.offsetTop - byId("items").offsetTop - byId("items").clientHeight / 2);
  byId("item").replaceChildren(...(chosen ? shown(state.items[state.at]) : [made("p", "note", "No question fits these filters.")]));
}

function listed(item, place) {
  const row = made("li");
  row.id = `row-${place}`;
  row.dataset.place = place;
  row.setAttribute("role", "option");
  row.setAttribute("aria-selected", String(place === state.at));
  const marks = made("span", "marks");
  for (const answer of item.answers) marks.append(mark(answer));
  const facts = made("small");
  facts.append(...[item.step === undefined ? "" : `step ${item.step}`, item.level, item.database].filter(Boolean).map((text) => made("span", "", text)), marks);
  row.append(made("span", "asked", item.question), facts);
  return row;
}

function sign(verdict) { return verdict === "right" ? "yes" : !verdict || verdict === "gold_failed" ? "unknown" : "no"; }

function mark(answer) {
  const element = made("span", sign(answer.verdict), SIGNS[sign(answer.verdict)]);
  element.title = `${source().who[answer.who]}: ${meaning(answer.verdict)}`;
  return element;
}

function shown(item) {
  const about = made("p", "about");
  const facts = [item.step === undefined ? "" : `step ${item.step}`, item.id, item.level, item.difficulty, item.database];
  about.append(...facts.filter(Boolean).map((text) => made("span", "", text)));
  const back = made("button", "", "‹ all questions");
  back.id = "return";
  back.type = "button";
  back.addEventListener("click", leave);
  const parts = [back, made("h3", "", item.question), about];
  if (item.hint) parts.push(made("p", "about", `Hint: ${item.hint}`));
  if (item.schema !== null) {
    const schema = made("details");
    schema.append(made("summary", "", "Schema"), made("pre", "", state.traces.schemas[item.schema]));
    parts.push(schema);
  }
  const cards = made("div", "answers");
  if (item.gold) cards.append(card("gold", "", [made("p", "plan"), colouredSql(item.gold), rows(item.gold_rows, ""), made("p", "given")]));
  cards.append(...item.answers.map(answered));
  return [...parts, cards];
}

function answered(answer) {
  const given = made("p", "given");
  for (const [name, value] of Object.entries(answer.scores)) {
    const pair = made("span", "", `${name} `);
    pair.append(made("b", "", value === true ? "yes" : value === false ? "no" : value === null ? "–" : String(value)));
    given.append(pair);
  }
  const said = made("p", answer.text === undefined ? "plan" : "plan raw", answer.text ?? answer.plan);
  if (answer.text !== undefined) said.title = "the whole answer, which has not the form";
  const sql = answer.sql ? colouredSql(answer.sql) : made("p", "about", "no SQL");
  const why = answer.verdict === "right" ? "" : answer.message || (answer.verdict && meaning(answer.verdict));
  return card(source().who[answer.who], answer.verdict, [said, sql, rows(answer.rows ?? null, answer.rows_text ?? "", why), given]);
}

function card(name, verdict, parts) {
  const section = made("section", "answer");
  const head = made("h4", "", name);
  if (verdict) {
    const badge = made("span", sign(verdict), `${SIGNS[sign(verdict)]} ${words(verdict)}`);
    badge.title = meaning(verdict);
    head.append(badge);
  }
  section.append(head, ...parts);
  return section;
}

function rows(place, text, why = "") {
  const block = made("div", "rows");
  if (place !== null) {
    const result = state.traces.results[place];
    const table = made("table"), head = made("tr");
    head.append(...result.columns.map((name) => made("th", "", name)));
    table.append(head, ...result.rows.map((row) => {
      const line = made("tr");
      line.append(...row.map((value) => (value === null ? made("td", "null", "NULL") : made("td", "", value))));
      return line;
    }));
    block.append(table);
    const left = result.count - result.rows.length;
    if (left > 0) block.append(made("p", "", `and ${left.toLocaleString("en")} more row${left === 1 ? "" : "s"}`));
    if (!result.count) block.append(made("p", "", "no row"));
    if (result.more) block.append(made("p", "", `and ${result.more} more columns`));
  } else if (text) block.append(made("p", "", text));
  if (why) block.append(made("p", "", why));
  return block;
}

function read() { document.body.classList.add("reading"); byId("item").focus({ preventScroll: true }); byId("traces").scrollIntoView(); }
function leave() { document.body.classList.remove("reading"); byId("items").focus(); }
