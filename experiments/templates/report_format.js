// Numbers as text, the same way as experiments/report/formats.py.
"use strict";
const THIN = "\u202f";
const MINUS = "\u2212";

function significant(value, digits = 3, keep = false) {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(digits));
  const places = digits - 1 - Math.floor(Math.log10(Math.abs(rounded)));
  const shown = Number.isInteger(rounded) && !keep ? 0 : Math.max(places, 0);
  return rounded.toLocaleString("en-US", {
    minimumFractionDigits: shown, maximumFractionDigits: shown,
  });
}
const MAGNITUDES = [[1e9, "bn"], [1e6, "M"], [1e3, "k"], [1, ""]];
function scaled(value, keep = true) {
  for (const [size, suffix] of MAGNITUDES) {
    if (value >= size * 0.9995) {
      return significant(value / size, 3, keep && size > 1) + suffix;
    }
  }
  return significant(value);
}
// [smallest shown so, microseconds, suffix]
const DURATIONS = [
  [172800e6, 86400e6, "d"], [7200e6, 3600e6, "h"], [120e6, 60e6, "min"],
  [1e6, 1e6, "s"], [1e3, 1e3, "ms"], [0, 1, "µs"],
];
function duration(us) {
  if (us === 0) return `0${THIN}s`;
  const [, size, suffix] = DURATIONS.find(([from]) => us >= from * 0.9995);
  return `${significant(us / size)}${THIN}${suffix}`;
}
function count(value) {
  if (value >= 9999.5) return scaled(value);
  return value >= 100 ? Math.floor(value + 0.5).toLocaleString("en-US") : significant(value);
}
const FORMATS = {
  USD: (v) => (v < 0.005 ? "$0" : v < 100 ? `$${v.toFixed(2).replace(/\.00$/, "")}`
    : `$${scaled(v)}`),
  price: (v) => "$" + v.toLocaleString("en-US", {
    minimumFractionDigits: v >= 10000 ? 0 : 2, maximumFractionDigits: v >= 10000 ? 0 : 2,
  }),
  us: duration,
  bp: (v) => `${significant(v / 100)}${THIN}bp`,
  ppm: (v) => `${significant(v / 1e4)}${THIN}%`,
  microblocks: (v) => `${count(v / 1e6)}${THIN}blocks`,
  blocks: (v) => `${count(v)}${THIN}blocks`,
  ticks: (v) => `${count(v)}${THIN}ticks`,
  count,
};
function number(value, unit) {
  if (value === null || value === undefined) return "–";
  const text = (FORMATS[unit] || count)(Math.abs(value));
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}
function change(value, unit) {
  const text = number(value, unit);
  return value > 0 && /[1-9]/.test(text) ? "+" + text : text;
}

// Round numbers that cover [low, high], about `wanted` of them.
function roundNumbers(low, high, wanted) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((k) => k * power >= rough * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) {
    ticks.push(Number((k * step).toPrecision(12)));
  }
  return ticks;
}
// Ticks that are round in the unit shown: 30 s, not 33.3 s; 5 min, not 300 s.
function ticksOf(low, high, wanted, unit, asChange = false) {
  let size = 1;
  if (unit === "us") {
    const most = Math.max(Math.abs(low), Math.abs(high));
    size = DURATIONS.find(([from]) => most >= from)[1];
  }
  const at = roundNumbers(low / size, high / size, wanted).map((t) => t * size);
  const text = at.map((t) => {
    if (unit === "us" && t !== 0) {
      const suffix = DURATIONS.find(([, s]) => s === size)[2];
      const sign = t < 0 ? MINUS : asChange ? "+" : "";
      return `${sign}${significant(Math.abs(t) / size)}${THIN}${suffix}`;
    }
    if (t === 0) return unit === "USD" || unit === "price" ? "$0" : "0";
    const short = asChange ? change(t, unit) : number(t, unit);
    return short.replace(/(\.\d*?)0+(?=\D*$)/, "$1").replace(/\.(?=\D*$)/, "");
  });
  return { tickvals: at, ticktext: text };
}
