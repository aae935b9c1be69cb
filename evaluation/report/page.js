// Theme, figures that are drawn when they come into view, and the keyboard.

const root = document.documentElement;
const figures = JSON.parse(byId("figure-data").textContent);

function dark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setTheme(theme) {
  if (theme) root.dataset.theme = theme;
  byId("theme").textContent = dark() ? "Light" : "Dark";
  for (const plot of document.querySelectorAll(".plot.drawn")) draw(plot);
}

function switchTheme() {
  const theme = dark() ? "light" : "dark";
  try { localStorage.setItem("planql-theme", theme); } catch { /* a page from disk may have no storage */ }
  setTheme(theme);
}

function colour(name) {
  const probe = made("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

async function loadPlotly() {
  const script = made("script", "", await unpacked("plotly"));  // the page's policy knows it by its hash
  document.head.append(script);
}

let plotly = null;

async function draw(plot) {
  plot.classList.add("drawn");
  await (plotly ??= loadPlotly());
  const { data, layout } = structuredClone(figures[plot.dataset.figure]);
  const [ink, dim, line, card] = ["--ink", "--dim", "--line", "--card"].map(colour);
  layout.font.color = dim;
  layout.hoverlabel = { bgcolor: card, bordercolor: line, font: { color: ink } };
  for (const axis of ["xaxis", "yaxis"]) Object.assign(layout[axis], { gridcolor: line, linecolor: line, tickcolor: line });
  return Plotly.react(plot, data, layout, { responsive: true, displayModeBar: false, displaylogo: false });
}

function watchFigures() {
  const plots = [...document.querySelectorAll(".plot")];
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
  }, { rootMargin: "100px" });
  plots.forEach((plot) => seen.observe(plot));
  addEventListener("beforeprint", () => { root.dataset.printed = root.dataset.theme || ""; setTheme("light"); plots.forEach(draw); });
  addEventListener("afterprint", () => { root.dataset.theme = root.dataset.printed; setTheme(); });
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea");
  const inList = event.target.closest("#items");
  if (event.key === "Escape") {
    if (typing) byId("items").focus(); else leave();
    return;
  }
  if (typing) return;
  const moves = { j: 1, k: -1, ...(inList ? { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -1e9, End: 1e9 } : {}) };
  if (event.key === "t") switchTheme();
  else if (!state.traces) return;
  else if (event.key === "/") { byId("search").focus(); byId("search").select(); }
  else if (event.key in moves) select(state.at + moves[event.key]);
  else if (event.key === "Enter" && inList) read();
  else return;
  event.preventDefault();
}

try { root.dataset.theme = localStorage.getItem("planql-theme") || ""; } catch { /* as above */ }
setTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme());
byId("theme").addEventListener("click", switchTheme);
addEventListener("keydown", pressed);
startBrowser().catch((error) => {
  byId("notes").hidden = false;
  byId("notes").textContent = `The traces cannot be read here: ${error.message}`;
}).finally(() => {
  root.dataset.ready = String(Math.round(performance.now()));  // milliseconds until one can read and filter
  requestAnimationFrame(watchFigures);
});
