// The page: unpack the data, fill the sections, answer the controls.
(() => {
const root = document.documentElement;
const find = (selector) => document.querySelector(selector);
let data = null;

async function inflate(id) {
  const bytes = Uint8Array.from(atob(find(`#${id}`).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// The curves come as differences in whole steps, see curves.packed.
function unpackCurves() {
  const unpack = ({ places, q }) => q.map((steps) => {
    const size = 10 ** Math.abs(places);
    let level = 0;
    return steps.map((step) => {
      if (step === null) return null;
      level += step;
      return places > 0 ? level / size : level * size;
    });
  });
  for (const curves of Object.values(data.curves)) {
    for (const name of Object.keys(curves)) curves[name] = unpack(curves[name]);
  }
}

// ---- colours: one for each value of the fault axis, grey for the untouched one
function colorOf(place) {
  if (data.faultAxis === null || place === data.base) return css("--base");
  const count = data.axes[data.faultAxis].labels.length;
  const rank = place > data.base ? place - 1 : place;
  if (count <= 8) return css(`--c${rank % 7}`);
  return blend(css("--c3"), css("--c1"), rank / Math.max(count - 2, 1));
}
function colorAlong(axis, place, base) {
  if (axis === data.faultAxis) return colorOf(place);
  if (place === base) return css("--base");
  return css(`--c${((place > base ? place - 1 : place) + 6) % 7}`);
}
function pointColor(point) {
  return data.faultAxis === null ? css("--c2") : colorOf(point.place[data.faultAxis]);
}
function windowsOf(point) {
  const own = data.faultAxis === null || point.place[data.faultAxis] === data.base
    ? css("--c0") : pointColor(point);
  return point.windows.map(([kind, start, end]) => [kind, start, end, own]);
}

// ---- small builders
function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}
function figure(container, { kicker, title, note, wide }) {
  const chart = element("div", { className: "chart" });
  const parts = [];
  if (kicker) parts.push(element("p", { className: "kicker", textContent: kicker }));
  if (title) parts.push(element("h3", { textContent: title }));
  if (note) parts.push(element("p", { className: "note", textContent: note }));
  const box = element("figure", { className: wide ? "wide" : "" }, ...parts, chart);
  box.style.gridRow = `span ${parts.length + 1}`;
  container.append(box);
  return chart;
}
function clear(container) {
  for (const chart of container.querySelectorAll(".js-plotly-plot")) Plotly.purge(chart);
  container.replaceChildren();
}
function choice(container, label, options, chosen, onChange) {
  const select = element("select");
  options.forEach((text, i) => select.append(element("option", { value: i, textContent: text })));
  select.value = chosen;
  select.addEventListener("change", () => onChange(Number(select.value)));
  container.append(element("label", {}, label, select));
}
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const without = (place, axis) => place.filter((_, i) => i !== axis);
const pointAt = (place) => data.points.find((p) => p.place.every((v, i) => v === place[i]));

// ---- paired differences
const MOST_ROWS = 24;
const chosenStratum = {};
function intervals(index) {
  const comparison = data.comparisons[index];
  const container = find(`[data-intervals="${index}"]`);
  const controls = find(`[data-strata="${index}"]`);
  if (!(index in chosenStratum)) {
    chosenStratum[index] = comparison.rows.length > MOST_ROWS ? 1 : 0;
  }
  controls.replaceChildren();
  if (comparison.strata.length > 1) {
    choice(controls, "Under", ["all", ...comparison.strata], chosenStratum[index], (i) => {
      chosenStratum[index] = i;
      intervals(index);
    });
  }
  const chosen = chosenStratum[index];
  const rows = comparison.rows.filter((r) => chosen === 0 || r.stratum === chosen - 1);
  drawMeasures(container, data.metrics, comparison, rows, chosen);
  const profits = find(`[data-profits="${index}"]`);
  if (profits) drawMeasures(profits, data.profits, comparison, rows, chosen);
}
function drawMeasures(container, metrics, comparison, rows, chosen) {
  const axis = data.axes[comparison.axis];
  clear(container);
  const unmoved = [];
  for (const metric of Object.values(metrics)) {
    const still = rows.every(({ found }) => !found[metric.name]
      || found[metric.name][6] + found[metric.name][7] === 0);
    if (still) {
      unmoved.push(metric.label);
      continue;
    }
    const groups = axis.labels.map((label, value) => ({
      label: capital(label),
      color: colorAlong(comparison.axis, value, comparison.base),
      rows: rows.filter((r) => r.value === value && r.found[metric.name]).map((r) => ({
        label: comparison.strata[r.stratum], found: r.found[metric.name],
      })),
    })).filter((group) => group.rows.length);
    if (!groups.length) continue;
    const title = comparison.titles[metric.name][chosen];
    const note = [metric.meaning, ...metric.bounds].filter(Boolean).join(". ");
    const chart = figure(container, { title, note });
    drawIntervals(chart, groups, metric.unit, axis.labels[comparison.base]);
  }
  if (unmoved.length) {
    container.append(element("p", { className: "note wide",
      textContent: `The same in every pair: ${unmoved.join(", ")}.` }));
  }
}

// ---- series side by side
const seriesKey = (name, panel, market) =>
  (panel.perMarket && market ? `${name}.${market}` : name);
const titleKey = (panel, market) =>
  (panel.perMarket && market ? `${panel.key}.${market}` : panel.key);
const side = { panel: 0, market: 0, place: null };
function preferredPanel() {
  const wanted = ["bad_debt", "liquidations", "insurance"];
  const found = wanted.map((key) => data.panels.findIndex((p) => p.key === key));
  return Math.max(found.find((i) => i >= 0) ?? 0, 0);
}
function sideBySide() {
  const container = find("#side");
  if (!container) return;
  const axis = data.faultAxis;
  if (side.place === null) {
    side.place = [...data.points[0].place];
    side.panel = preferredPanel();
  }
  const controls = find("#side-controls");
  controls.replaceChildren();
  choice(controls, "Show", data.panels.map((p) => p.noun), side.panel, (i) => {
    side.panel = i;
    sideBySide();
  });
  axisChoices(controls, side, sideBySide, axis);
  const panel = data.panels[side.panel];
  if (panel.perMarket) marketChoice(controls, side, sideBySide);
  const market = data.markets[side.market];
  const name = seriesKey(panel.series[0][0], panel, market);
  const members = data.axes[axis].labels.map((label, value) => {
    const point = pointAt(side.place.map((v, i) => (i === axis ? value : v)));
    const curve = point && data.curves[point.id] && data.curves[point.id][name];
    return curve ? { label, value, point, curve } : null;
  }).filter(Boolean);
  clear(container);
  const stratum = without(side.place, axis).join(",");
  const titles = data.sideBySide[stratum] || {};
  find("#side-finding").textContent = titles[titleKey(panel, market)] || "";
  const untouched = members.find((m) => m.value === data.base);
  const range = padded(finiteRange(members.flatMap((m) => m.curve)), panel.zero);
  for (const member of members) {
    const color = colorOf(member.value);
    const chart = figure(container, { title: capital(member.label),
      note: panel.bounds.join(". ") });
    chart.previousSibling.style.color = color;
    const lines = [];
    if (untouched && member !== untouched) {
      lines.push({ color: css("--base"), q: [untouched.curve[untouched.curve.length >> 1]],
        dash: "dot", width: 1.4, name: untouched.label });
    }
    lines.push({ color, q: member.curve, band: true, name: member.label });
    drawLines(chart, {
      times: data.times[data.grid[member.point.id]], lines, unit: panel.unit, range,
      windows: windowsOf(member.point), height: 190, zero: panel.zero,
    });
  }
}
function axisChoices(controls, state, redraw, except = null) {
  data.axes.forEach((axis, i) => {
    if (i === except || axis.labels.length < 2) return;
    choice(controls, capital(axis.label), axis.labels, state.place[i], (value) => {
      state.place[i] = value;
      redraw();
    });
  });
}
function marketChoice(controls, state, redraw) {
  if (data.markets.length < 2) return;
  choice(controls, "Market", data.markets, state.market, (i) => {
    state.market = i;
    redraw();
  });
}

// ---- one point in detail
const detail = { market: 0, place: null };
function startingPlace() {
  const axis = data.faultAxis;
  const withFault = data.points.find((p) => axis !== null && p.place[axis] !== data.base
    && data.curves[p.id]);
  return [...(withFault || data.points[0]).place];
}
function details() {
  const container = find("#detail");
  if (!container) return;
  if (detail.place === null) detail.place = startingPlace();
  const controls = find("#detail-controls");
  controls.replaceChildren();
  axisChoices(controls, detail, details);
  marketChoice(controls, detail, details);
  controls.hidden = !controls.childElementCount;
  clear(container);
  const point = pointAt(detail.place);
  const curves = point && data.curves[point.id];
  if (!curves) {
    container.append(element("p", { className: "note",
      textContent: "No series were kept for this point." }));
    return;
  }
  const market = data.markets[detail.market];
  const roles = { ink: css("--ink"), first: pointColor(point), second: css("--second"),
    third: css("--third") };
  for (const panel of data.panels) {
    const lines = panel.series.map(([name, label, role]) => ({
      label, name: label, color: roles[role], q: curves[seriesKey(name, panel, market)],
      band: panel.band.length ? panel.band.includes(name) : panel.series.length === 1,
      width: role === "first" ? 2 : 1.5,
    })).filter((line) => line.q);
    if (!lines.length) continue;
    const wide = panel.key === "price";
    const chart = figure(container, {
      kicker: panel.question, title: data.titles[point.id][titleKey(panel, market)],
      note: [panel.note, ...panel.bounds].join(". "), wide,
    });
    drawLines(chart, {
      times: data.times[data.grid[point.id]], lines, unit: panel.unit, zero: panel.zero,
      windows: windowsOf(point), labelWindows: wide, height: wide ? 340 : 220,
    });
  }
}

// ---- dots over seeds
const dots = { stratum: null };
function distributions() {
  const container = find("#distributions");
  if (!container) return;
  const axis = data.faultAxis;
  const strata = [...new Set(data.points.map((p) => without(p.place, axis).join(",")))];
  if (dots.stratum === null) dots.stratum = data.points.length > MOST_ROWS ? 1 : 0;
  const label = (place) => data.axes.map((a, i) => (i === axis ? null : a.labels[place[i]]))
    .filter((text) => text !== null).join(", ");
  const named = strata.map((s) => label(data.points.find(
    (p) => without(p.place, axis).join(",") === s).place));
  const controls = find("#seed-controls");
  controls.replaceChildren();
  if (axis !== null && strata.length > 1) {
    choice(controls, "Under", ["all", ...named], dots.stratum, (i) => {
      dots.stratum = i;
      distributions();
    });
  }
  const shown = data.points.filter((p) => dots.stratum === 0
    || without(p.place, axis).join(",") === strata[dots.stratum - 1]);
  clear(container);
  for (const metric of data.distributions) {
    const labels = axis === null ? ["all seeds"] : data.axes[axis].labels;
    const groups = labels.map((text, value) => ({
      label: capital(text), color: axis === null ? css("--c2") : colorOf(value),
      rows: shown.filter((p) => axis === null || p.place[axis] === value).map((p) => ({
        label: label(p.place), values: metric.values[p.id] || [],
      })),
    })).filter((group) => group.rows.length);
    drawDots(figure(container, { title: metric.title }), groups, metric.unit);
  }
}

// ---- tables
function sortable(table) {
  const body = table.tBodies[0];
  table.querySelectorAll("th button").forEach((button) => {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const column = head.cellIndex;
      const down = head.getAttribute("aria-sort") !== "descending";
      table.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = [...body.rows].map((row) => [row.cells[column].dataset.v, row]);
      const order = (a, b) => (Number.isNaN(a - b) ? a.localeCompare(b) : a - b);
      keyed.sort((a, b) => (down ? -1 : 1) * order(a[0], b[0]));
      body.append(...keyed.map(([, row]) => row));
    });
  });
}

// ---- theme, print, start
function drawAll() {
  data.comparisons.forEach((_, i) => {
    const box = find(`[data-intervals="${i}"]`).closest("details");
    if (!box || box.open) intervals(i);
  });
  sideBySide();
  details();
  distributions();
}
function setTheme(theme) {
  root.dataset.theme = theme;
  find("#theme").textContent = theme === "dark" ? "Light" : "Dark";
  if (data) drawAll();
}
function themeControls() {
  setTheme(root.dataset.theme);
  find("#theme").addEventListener("click", () => {
    const next = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("shakeout-theme", next); } catch (error) { /* file: */ }
    setTheme(next);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
    let kept = null;
    try { kept = localStorage.getItem("shakeout-theme"); } catch (error) { /* file: */ }
    if (!kept) setTheme(event.matches ? "dark" : "light");
  });
}
function printing() {
  let before = null;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.classList.add("printing");
    setTheme("light");
  });
  addEventListener("afterprint", () => {
    root.classList.remove("printing");
    setTheme(before || "light");
  });
}
async function start() {
  themeControls();
  document.querySelectorAll("table.sortable").forEach(sortable);
  if (typeof DecompressionStream === "undefined") {
    const note = find("#no-charts");
    note.textContent = "The charts need a browser of 2023 or later; every table is here.";
    note.hidden = false;
    return;
  }
  const [code, text] = await Promise.all([inflate("plotly"), inflate("data")]);
  document.head.append(element("script", { textContent: code }));
  data = JSON.parse(text);
  unpackCurves();
  document.querySelectorAll("details[data-lazy]").forEach((box) => {
    box.addEventListener("toggle", () => box.open && intervals(Number(box.dataset.lazy)));
  });
  drawAll();
  printing();
  root.dataset.ready = "yes";
}
start();
})();
