// The three kinds of chart: lines over time, intervals, dots over seeds.
function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
function alpha(hex, share) {
  const n = parseInt(hex.slice(1), 16);
  return `rgba(${n >> 16}, ${(n >> 8) & 255}, ${n & 255}, ${share})`;
}
function blend(from, to, share) {
  const parts = [1, 3, 5].map((i) => {
    const a = parseInt(from.slice(i, i + 2), 16);
    const b = parseInt(to.slice(i, i + 2), 16);
    return Math.round(a + (b - a) * share).toString(16).padStart(2, "0");
  });
  return "#" + parts.join("");
}

function baseLayout(height, margin) {
  const axis = {
    fixedrange: true, zeroline: false, showgrid: true, gridcolor: css("--grid"),
    gridwidth: 1, linecolor: css("--rule"), tickcolor: css("--rule"), ticks: "",
    tickfont: { size: 11.5, color: css("--soft") }, ticklabeloverflow: "allow",
  };
  return {
    height, margin, autosize: true, showlegend: false, dragmode: false,
    paper_bgcolor: css("--paper"), plot_bgcolor: css("--paper"),
    font: { family: css("--sans"), size: 12, color: css("--ink") },
    hoverlabel: {
      bgcolor: css("--raised"), bordercolor: css("--rule"),
      font: { family: css("--sans"), size: 12, color: css("--ink") }, align: "left",
    },
    xaxis: { ...axis }, yaxis: { ...axis }, shapes: [], annotations: [],
  };
}
function plot(node, traces, layout) {
  return Plotly.react(node, traces, layout, { displayModeBar: false, responsive: true });
}
const TIMES = [[172800, 86400, "d"], [10800, 3600, "h"], [240, 60, "min"], [0, 1, "s"]];
function timeScale(times) {
  const last = times[times.length - 1] || 1;
  const [, size, suffix] = TIMES.find(([from]) => last >= from);
  return { size, suffix, last: last / size };
}
function finiteRange(lists) {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low > high ? [0, 1] : [low, high];
}
function padded([low, high], zero) {
  if (zero) {
    low = Math.min(low, 0);
    high = Math.max(high, 0);
  }
  if (low === high) return zero ? [0, high * 1.25 || 1] : [low * 0.99, high * 1.01];
  const room = (high - low) * 0.06;
  return [zero && low === 0 ? 0 : low - room, high + room];
}
// Labels at the ends of lines, moved apart so that none covers another.
function spreadLabels(labels, range, pixels) {
  const gap = (14 / pixels) * (range[1] - range[0]);
  labels.sort((a, b) => a.y - b.y);
  for (let i = 1; i < labels.length; i += 1) {
    labels[i].y = Math.max(labels[i].y, labels[i - 1].y + gap);
  }
  const over = labels.length ? labels[labels.length - 1].y - range[1] : 0;
  if (over > 0) labels.forEach((label) => { label.y -= over; });
}

// chart: {times, lines: [{label, color, q, band, dash, width}], windows, unit, zero,
//         range, height, labelWindows}
function drawLines(node, chart) {
  const narrow = node.clientWidth < 330;
  const labelled = chart.lines.some((line) => line.label);
  const margin = { l: 54, r: labelled ? 66 : 24, t: chart.labelWindows ? 20 : 8, b: 24 };
  const layout = baseLayout(chart.height, margin);
  const scale = timeScale(chart.times);
  const x = chart.times.map((t) => t / scale.size);
  const traces = [];
  for (const line of chart.lines) {
    if (!line.band || line.q.length < 3) continue;
    const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", type: "scatter" };
    traces.push({ ...edge, y: line.q[0] });
    traces.push({
      ...edge, y: line.q[2], fill: "tonexty",
      fillcolor: alpha(line.color, Number(css("--band"))),
    });
  }
  const labels = [];
  for (const line of chart.lines) {
    const middle = line.q.length < 3 ? line.q[0] : line.q[1];
    traces.push({
      x, y: middle, type: "scatter", mode: "lines", name: line.name || "",
      line: { color: line.color, width: line.width || 2, dash: line.dash || "solid" },
      customdata: middle.map((v, i) => {
        const ends = line.q.length < 3 || !line.band ? ""
          : ` (${number(line.q[0][i], chart.unit)} – ${number(line.q[2][i], chart.unit)})`;
        return number(v, chart.unit) + ends;
      }),
      hovertemplate: "%{customdata}<extra>" + (line.name || "") + "</extra>",
    });
    const last = middle.findLastIndex((v) => v !== null);
    if (line.label && last >= 0) {
      labels.push({ y: middle[last], text: line.label, color: line.color });
    }
  }
  const range = chart.range
    || padded(finiteRange(chart.lines.flatMap((l) => (l.band ? l.q : [l.q[l.q.length >> 1]]))),
      chart.zero);
  spreadLabels(labels, range, chart.height - margin.t - margin.b);
  for (const label of labels) {
    layout.annotations.push({
      x: 1, xref: "paper", xanchor: "left", xshift: 6, y: label.y, yanchor: "middle",
      text: label.text, showarrow: false, font: { size: 12, color: label.color },
    });
  }
  for (const [kind, start, end, color] of chart.windows) {
    const x0 = Math.max(start / scale.size, 0);
    const x1 = Math.min(end / scale.size, scale.last);
    layout.shapes.push({
      type: "rect", x0, x1, y0: 0, y1: 1, yref: "paper", layer: "below",
      line: { width: 0 }, fillcolor: alpha(color, Number(css("--shade"))),
    });
    if (chart.labelWindows) {
      layout.annotations.push({
        x: (x0 + x1) / 2, y: 1, yref: "paper", yanchor: "bottom", text: kind,
        showarrow: false, font: { size: 11.5, color },
      });
    }
  }
  const at = roundNumbers(0, scale.last, narrow ? 3 : 6);
  Object.assign(layout.xaxis, {
    showspikes: true, spikemode: "across", spikethickness: 1, spikedash: "solid",
    spikecolor: css("--faint"), spikesnap: "data",
    range: [0, scale.last], showgrid: false, ticks: "outside", ticklen: 4,
    showline: true, tickvals: at,
    ticktext: at.map((t, i) => (i === at.length - 1 ? `${t}${THIN}${scale.suffix}` : `${t}`)),
    unifiedhovertitle: { text: `%{x:.1f} ${scale.suffix}` },
  });
  Object.assign(layout.yaxis, { range, ...ticksOf(range[0], range[1], 4, chart.unit) });
  layout.hovermode = "x unified";
  return plot(node, traces, layout);
}

// Rows of a chart, grouped: positions from the top, and the labels at the left.
const ROW = 21;
function placeRows(groups) {
  const grouped = groups.some((group) => group.rows.length > 1);
  let y = 0;
  const heads = [];
  for (const group of groups) {
    if (grouped) {
      heads.push({ y: y + 0.45, group });
      y += 1;
    }
    for (const row of group.rows) {
      row.y = y + 0.4;
      row.name = grouped ? row.label : group.label;
      row.ink = group.color;
      y += 1;
    }
    if (grouped) y += 0.25;
  }
  const rows = groups.flatMap((group) => group.rows);
  const longest = Math.max(...rows.map((row) => row.name.length), 4);
  return { grouped, heads, rows, bottom: y, left: Math.min(longest * 6.4 + 14, 150) };
}
function rowLayout(placed, range, unit, asChange) {
  const margin = { l: placed.left, r: 66, t: 4, b: 26 };
  const layout = baseLayout(placed.bottom * ROW + margin.t + margin.b, margin);
  Object.assign(layout.xaxis, {
    range, tickangle: 0, ...ticksOf(range[0], range[1], unit === "microblocks" ? 2 : 4, unit, asChange),
  });
  Object.assign(layout.yaxis, {
    range: [placed.bottom, -0.1], showgrid: false,
    tickvals: placed.rows.map((row) => row.y),
    ticktext: placed.rows.map((row) => row.name),
    tickfont: { size: 12, color: css("--soft") },
  });
  for (const head of placed.heads) {
    layout.annotations.push({
      x: 0, xref: "paper", xanchor: "left", xshift: -placed.left, y: head.y,
      yanchor: "middle", text: `<b>${head.group.label}</b>`, showarrow: false,
      font: { size: 12.5, color: head.group.color }, bgcolor: css("--paper"),
    });
  }
  layout.hovermode = "closest";
  return layout;
}
function endLabel(row, text, strong) {
  return {
    x: 1, xref: "paper", xanchor: "left", xshift: 8, y: row.y, yanchor: "middle",
    text, showarrow: false,
    font: { size: 12, color: strong ? css("--ink") : css("--faint") },
  };
}

// groups: [{label, color, rows: [{label, found}]}]; found as payload._figures
function drawIntervals(node, groups, unit, base) {
  const placed = placeRows(groups);
  const ends = placed.rows.flatMap(({ found }) => [found[0], found[1], found[2], 0]);
  const [low, high] = finiteRange([ends]);
  const room = (high - low || 1) * 0.06;
  const layout = rowLayout(placed, [low - room, high + room], unit, true);
  Object.assign(layout.xaxis, { zeroline: true, zerolinecolor: css("--soft") });
  const traces = placed.rows.map((row) => {
    const [mean, from, to, before, after, n, higher, lower, beyond, size, ends] = row.found;
    const settled = beyond === 1;
    const still = higher === 0 && lower === 0;
    layout.annotations.push(endLabel(row, still ? "same" : size, settled));
    const words = [
      `<b>${size}</b>`,
      from === null ? "one pair, no interval" : `95 %: ${ends}`,
      still ? "the same in every pair" : settled ? "beyond chance" : "may be chance",
      `${base}: ${number(before, unit)}; here: ${number(after, unit)}`,
      `higher in ${higher}, lower in ${lower} of ${n} seeds`,
    ];
    return {
      x: [mean], y: [row.y], type: "scatter", mode: "markers", cliponaxis: false,
      marker: {
        size: 9, color: settled ? row.ink : css("--paper"),
        line: { color: row.ink, width: 1.8 },
      },
      error_x: from === null ? undefined : {
        type: "data", symmetric: false, array: [to - mean], arrayminus: [mean - from],
        color: row.ink, thickness: 2, width: 0,
      },
      hovertemplate: words.join("<br>") + "<extra></extra>",
    };
  });
  return plot(node, traces, layout);
}

function middleOf(sorted) {
  const half = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(half)]
    : (sorted[half - 1] + sorted[half]) / 2;
}
// groups: [{label, color, rows: [{label, values}]}]; values sorted
function drawDots(node, groups, unit) {
  const placed = placeRows(groups);
  const all = finiteRange(placed.rows.map((row) => row.values));
  const range = padded(all, all[0] >= 0 && all[0] < all[1] / 2);
  if (range[0] === 0) range[0] = -0.04 * range[1];
  const layout = rowLayout(placed, range, unit);
  const traces = [];
  for (const row of placed.rows) {
    if (!row.values.length) continue;
    const middle = middleOf(row.values);
    layout.annotations.push(endLabel(row, number(middle, unit), true));
    traces.push({
      x: row.values, type: "scatter", mode: "markers", cliponaxis: false,
      y: row.values.map((_, i) => row.y + (((i * 7) % 5) - 2) * 0.07),
      marker: { size: 6.5, color: alpha(row.ink, 0.5), line: { width: 0 } },
      hovertemplate: row.values.map((v) => number(v, unit) + "<extra></extra>"),
    });
    traces.push({
      x: [middle], y: [row.y], type: "scatter", mode: "markers", cliponaxis: false,
      marker: { symbol: "line-ns", size: 15, line: { color: css("--ink"), width: 2 } },
      hovertemplate: `median ${number(middle, unit)}<extra></extra>`,
    });
  }
  return plot(node, traces, layout);
}
