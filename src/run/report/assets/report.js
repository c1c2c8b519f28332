"use strict";
(() => {
const root = document.documentElement, $ = id => document.getElementById(id);
const el = (tag, cls = "", ...inner) => { const e = document.createElement(tag); e.className = cls; e.append(...inner); return e; };
const data = JSON.parse($("data").textContent), charts = [], fillCharts = [];
const css = name => getComputedStyle(root).getPropertyValue(name).trim();
const ink = name => () => css(name);
const MICRO = 1e6, WHY = ["a print went through our price", "a print at our price, and the queue before us was gone",
  "the other side came to rest at or beyond our price, without a print", "our order crossed the spread"];

// -- light, dark, paper ---------------------------------------------------------------------------
const system = matchMedia("(prefers-color-scheme: dark)");
let chosen = null;
function dress(printing = false) {
  const dark = !printing && (chosen ?? system.matches);
  root.classList.toggle("dark", dark);
  $("theme").textContent = dark ? "Light" : "Dark";
  $("theme").setAttribute("aria-pressed", dark);
  charts.forEach(c => c.u.redraw(false));
}
const fit = wide => charts.forEach(c => c.u.setSize({ width: Math.max(240, Math.floor(wide ?? c.box.clientWidth)), height: c.height }));
$("theme").hidden = false;
$("theme").onclick = () => { chosen = !root.classList.contains("dark"); dress(); };
system.addEventListener("change", () => dress());
let folded = [];
addEventListener("beforeprint", () => { dress(true); fit(680); folded = [...document.querySelectorAll("details:not([open]):not(.fills)")]; folded.forEach(d => { d.open = true; }); });
addEventListener("afterprint", () => { dress(); fit(); folded.forEach(d => { d.open = false; }); });

// -- numbers and times ----------------------------------------------------------------------------
const short = v => v == null || Number.isNaN(v) ? "–" : Math.abs(v) >= 1e5 ? v.toFixed(0) : String(+v.toPrecision(6));
const two = n => String(n).padStart(2, "0");
// A backtest's recordings follow each other: its charts count from the start of the first.
const elapsed = data.kind === "backtest";
function clock(s, finer = 3) {
  if (elapsed && s >= 86400) return Math.floor(s / 86400) + " d " + clock(s % 86400, finer);
  const d = new Date(s * 1e3), f = finer && (d.getUTCMilliseconds() / 1e3).toFixed(finer).slice(1);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}${f || ""}`;
}
const day = s => new Date(s * 1e3).toISOString().slice(0, 10);
const utc = { tzDate: s => uPlot.tzDate(new Date(s * 1e3), "Etc/UTC") };

// -- data -----------------------------------------------------------------------------------------
// A trace back from its distances (src/run/report/columns.rs): x, and per line last, low, high.
function read(trace, start) {
  let at = 0;
  const x = trace.index.map(d => start + (at += d) * trace.every_s), lines = {};
  for (const [name, line] of Object.entries(trace.lines)) {
    const last = new Array(x.length).fill(null), low = last.slice(), high = last.slice();
    let now = 0;
    if (line) line.last.forEach((d, i) => {
      if (d != null) { now += d; last[i] = line.base + line.step * now; }
      const up = line.up ? line.up[i] : 0, down = line.down ? line.down[i] : 0;
      if (d == null && !up && !down) return;
      high[i] = line.base + line.step * (now + up); low[i] = line.base + line.step * (now - down);
    });
    lines[name] = { last, low, high, any: !!line };
  }
  // The last state holds until the end.
  const end = data.started_s + data.seconds;
  if (x.length && x.at(-1) < end) {
    x.push(end);
    for (const l of Object.values(lines)) { const v = l.last.at(-1); l.last.push(v); l.low.push(v); l.high.push(v); }
  }
  return { x, lines };
}

// -- charts ---------------------------------------------------------------------------------------
const axis = more => ({ stroke: ink("--soft"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line"), width: 1 },
  font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", ...more });
const numbers = (u, splits) => splits.map(v => v == null ? "" : short(+v.toPrecision(10)));
const stepped = uPlot.paths.stepped({ align: 1 });
// Last value as a line, and between its lowest and highest a shade; those two have no place in the legend.
function ranged(label, line, colour, more = {}) {
  const edge = { class: "quiet", stroke: "transparent", width: 0, points: { show: false }, paths: stepped, scale: more.scale };
  return { series: [{ label, tint: colour, stroke: ink(colour), width: 1.5, paths: stepped, points: { show: false }, value: (u, v) => short(v), ...more }, edge, { ...edge }],
    data: [line.last, line.high, line.low] };
}
function chart(box, { height, lines, x, axes, hooks = {}, shade = "--shade", time = true, cursor = {}, scales = {}, label }) {
  const series = [{ label: time ? elapsed ? "after" : "UTC" : label ?? "", value: (u, v) => v == null ? "–" : time ? clock(v) : axes[0].values(u, [v])[0] }], columns = [x], bands = [];
  for (const line of lines) {
    const first = series.length;
    series.push(...line.series); columns.push(...line.data);
    if (line.series.length === 3) bands.push({ series: [first + 1, first + 2], fill: () => css(line.shade ?? shade) });
  }
  const u = new uPlot({ width: Math.max(240, box.clientWidth), height, series, bands, axes, hooks, ...(time ? utc : {}),
    scales: { x: { time }, ...scales }, padding: [10, 26, 0, 0], legend: { live: true, markers: { width: 0, fill: (u, i) => series[i].tint ? `var(${series[i].tint})` : "transparent", stroke: "transparent" } },
    cursor: { drag: { x: time, y: false, uni: 20 }, points: { show: false }, ...(time ? { sync: { key: "time", setSeries: false } } : {}), ...cursor } }, columns, box);
  const c = { u, box, height, time };
  charts.push(c);
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  return c;
}
// The time axis: dates only where they change.
const timeAxis = () => axis({ space: 90, size: 30, values: (u, splits, i, space, step) => splits.map((s, k) =>
  !elapsed && s % 86400 === 0 ? day(s) : clock(s, step >= 1 ? 0 : step >= .01 ? 2 : 3)) });

// -- one stretch of time for all ------------------------------------------------------------------
const whole = { min: data.started_s ?? 0, max: (data.started_s ?? 0) + (data.seconds || 1) };
let view = { ...whole }, moving = false;
function show(min, max) {
  const length = Math.min(Math.max(max - min, .02), whole.max - whole.min);
  min = Math.min(Math.max(min, whole.min), whole.max - length);
  view = { min, max: min + length };
  moving = true;
  charts.filter(c => c.time).forEach(c => c.u.setScale("x", view));
  moving = false;
  const all = length >= (whole.max - whole.min) * .9999;
  if ($("range")) $("range").textContent = `${elapsed ? "" : day(min) + " "}${clock(min, length < 60 ? 3 : 0)} – ${clock(max, length < 60 ? 3 : 0)}${elapsed ? "" : " UTC"}${all ? " (all)" : ""}`;
  fillCharts.forEach(list);
}
const follow = { setScale: [(u, key) => {
  if (key !== "x" || moving || u.scales.x.min == null) return;
  const { min, max } = u.scales.x;
  if (Math.abs(min - view.min) > 1e-9 || Math.abs(max - view.max) > 1e-9) show(min, max);
}] };
const acts = {
  whole: () => show(whole.min, whole.max),
  zoom: by => { const mid = (view.min + view.max) / 2, half = (view.max - view.min) / 2 * by; show(mid - half, mid + half); },
  in: () => acts.zoom(.5), out: () => acts.zoom(2),
  move: by => { const d = (view.max - view.min) * by; show(view.min + d, view.max + d); },
  left: () => acts.move(-.25), right: () => acts.move(.25),
  before: () => stepFill(-1), after: () => stepFill(1),
};
const KEYS = { "+": "in", "=": "in", "-": "out", "0": "whole", Home: "whole", ArrowLeft: "left", ArrowRight: "right", p: "before", n: "after" };
document.addEventListener("keydown", e => {
  if (e.key === "Escape") $("tip").hidden = true;
  const box = e.target.closest?.(".chart"), act = KEYS[e.key];
  if (!box || !act || e.ctrlKey || e.metaKey || e.altKey || !charts.find(c => c.box === box)?.time) return;
  e.preventDefault();
  acts[act]();
});

// -- what lies behind: times without a book, and events -------------------------------------------
function spells(it) {
  return u => {
    const { ctx, bbox } = u, px = devicePixelRatio;
    ctx.save();
    ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip();
    for (const [from, to] of it.spells.kept) {
      const [a, b] = [from, to].map(t => u.valToPos(data.started_s + t / MICRO, "x", true));
      if (b < bbox.left || a > bbox.left + bbox.width) continue;
      const wide = Math.max(px, b - a);
      ctx.fillStyle = css("--gap"); ctx.fillRect(a, bbox.top, wide, bbox.height);
      ctx.fillStyle = css("--gapline"); ctx.fillRect(a, bbox.top, wide, 3 * px);
      // Hatched as well, for eyes and printers without colour.
      ctx.strokeStyle = css("--gapline"); ctx.lineWidth = .5 * px; ctx.beginPath();
      const l = Math.max(a, bbox.left), r = Math.min(a + wide, bbox.left + bbox.width);
      if (r - l > 3) {
        ctx.save(); ctx.beginPath(); ctx.rect(l, bbox.top, r - l, bbox.height); ctx.clip(); ctx.beginPath();
        for (let x = l - bbox.height; x < r; x += 9 * px) { ctx.moveTo(x, bbox.top + bbox.height); ctx.lineTo(x + bbox.height, bbox.top); }
        ctx.stroke(); ctx.restore();
      }
    }
    ctx.strokeStyle = css("--soft"); ctx.setLineDash([4 * px, 4 * px]); ctx.lineWidth = px; ctx.beginPath();
    for (const [at] of data.events) {
      const x = u.valToPos(data.started_s + at / MICRO, "x", true);
      ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height);
    }
    ctx.stroke();
    ctx.restore();
  };
}

// -- fills ----------------------------------------------------------------------------------------
const fillAt = row => data.started_s + row[0] / MICRO;
function marks(it) {
  return u => {
    const { ctx, bbox } = u, px = devicePixelRatio, shown = it.fills.rows.filter(row => fillAt(row) >= u.scales.x.min && fillAt(row) <= u.scales.x.max);
    const r = Math.min(5, Math.max(2.5, bbox.width / px / shown.length * 2)) * px;
    ctx.save();
    ctx.beginPath(); ctx.rect(bbox.left - r, bbox.top, bbox.width + 2 * r, bbox.height); ctx.clip();
    for (const row of shown) {
      const x = u.valToPos(fillAt(row), "x", true), y = u.valToPos(row[5], "y", true), up = row[3] === 0 ? 1 : -1;
      ctx.beginPath(); ctx.moveTo(x, y - up * r); ctx.lineTo(x + r, y + up * r); ctx.lineTo(x - r, y + up * r); ctx.closePath();
      ctx.strokeStyle = css("--card"); ctx.fillStyle = css(up > 0 ? "--buy" : "--sell"); ctx.lineWidth = px;
      if (row[4]) { ctx.strokeStyle = ctx.fillStyle; ctx.fillStyle = css("--card"); ctx.lineWidth = 2 * px; }
      ctx.fill();
      // Where they crowd, an outline would be all there is to see.
      if (r > 4 * px || row[4]) ctx.stroke();
    }
    ctx.restore();
  };
}
function words(it, row) {
  const [heard, happened, order, side, taken, price, qty, fee, why, ahead, mid, rested] = row;
  const gain = mid == null ? "–" : short((side ? 1 : -1) * (price - mid));
  return [`${side ? "Sold" : "Bought"} ${short(qty)} ${it.asset} at ${price.toFixed(it.price_decimals)} ${it.quote}`, [
    `Why: ${WHY[why]}`, `Ahead of us just before: ${short(ahead)} ${it.asset}`,
    rested == null ? "It never rested" : `Rested ${short(+rested.toPrecision(4))} s`, `${taken ? "Taker" : "Maker"}, order ${order}, fee ${short(fee)} ${it.currency}`,
    `From the mid: ${gain} ${it.quote}`, `Happened ${clock(data.started_s + happened / MICRO)}, heard ${clock(data.started_s + heard / MICRO)} UTC`]];
}
function tip(left, top, title, lines) {
  const box = $("tip");
  box.replaceChildren(el("b", "", title), ...lines.map(l => el("div", "", l)));
  box.hidden = false;
  const wide = box.offsetWidth, high = box.offsetHeight;
  box.style.left = Math.max(8, Math.min(left + 14, scrollX + root.clientWidth - wide - 8)) + "px";
  box.style.top = (top + 14 + high > scrollY + innerHeight ? top - high - 14 : top + 14) + "px";
}
function place(u, left, top) { const r = u.over.getBoundingClientRect(); return [r.left + scrollX + left, r.top + scrollY + top]; }
function point(it) {
  return u => {
    const { left, top } = u.cursor;
    if (u.cursor.event == null || left == null || left < 0) { return; }
    let best = null, near = 14;
    for (const row of it.fills.rows) {
      const x = u.valToPos(fillAt(row), "x"), y = u.valToPos(row[5], "y"), far = Math.hypot(x - left, y - top);
      if (far < near) { near = far; best = row; }
    }
    if (best) return tip(...place(u, left, top), ...words(it, best));
    const at = (u.posToVal(left, "x") - data.started_s) * MICRO, spell = it.spells.kept.find(s => s[0] <= at && at <= s[1]);
    if (spell) return tip(...place(u, left, top), `Book ${spell[2].replace("_", " ")}`, [`for ${short((spell[1] - spell[0]) / MICRO)} s: nothing may be traded on it`]);
    $("tip").hidden = true;
  };
}
let current = -1;
function stepFill(by) {
  const c = fillCharts.find(c => c.box === document.activeElement) ?? fillCharts[0];
  if (!c || !c.it.fills.rows.length) return;
  const rows = c.it.fills.rows, inside = i => { const at = rows[i] && fillAt(rows[i]); return at >= view.min && at <= view.max; };
  if (inside(current)) current += by; else current = by > 0 ? rows.findIndex(r => fillAt(r) >= view.min) : rows.findLastIndex(r => fillAt(r) <= view.max);
  current = Math.min(Math.max(current, 0), rows.length - 1);
  const at = fillAt(rows[current]);
  if (!inside(current)) { const half = (view.max - view.min) / 2; show(at - half, at + half); }
  requestAnimationFrame(() => tip(...place(c.u, c.u.valToPos(at, "x"), c.u.valToPos(rows[current][5], "y")), ...words(c.it, rows[current])));
}
const LIST = 200;
function list(c) {
  const fold = document.querySelector(`details.fills[data-of="${c.of}"]`);
  const rows = c.it.fills.rows.filter(r => fillAt(r) >= view.min && fillAt(r) <= view.max);
  fold.querySelector("summary").textContent = `Fills in view: ${rows.length}`;
  if (!fold.open) return;
  const table = el("table", "numbers"), head = el("tr");
  for (const name of ["heard, UTC", "side", "price", c.it.asset, "why", "ahead", "rested, s", "from mid", "fee"]) head.append(el("th", "", name));
  const body = el("tbody");
  table.append(el("thead", "", head), body);
  for (const r of rows.slice(0, LIST)) {
    const tr = body.insertRow();
    for (const t of [clock(fillAt(r)), (r[3] ? "▼ sold" : "▲ bought") + (r[4] ? ", took" : ""), r[5].toFixed(c.it.price_decimals), short(r[6]),
      ["through", "queue front", "crossed", "took"][r[8]], short(r[9]), r[11] == null ? "–" : short(+r[11].toPrecision(4)), r[10] == null ? "–" : short((r[3] ? 1 : -1) * (r[5] - r[10])), short(r[7])]) tr.insertCell().textContent = t;
  }
  fold.querySelector("div").replaceChildren(el("div", "scroll", table), rows.length > LIST ? el("p", "note", `The first ${LIST} of ${rows.length} in view: zoom in for the rest.`) : "");
}

// -- what each chart shows ------------------------------------------------------------------------
const traces = new Map(), traceOf = i => traces.get(i) ?? traces.set(i, read(data.instruments[i].trace, data.started_s)).get(i);
const idle = i => !data.instruments[i].fills.total && ![data.instruments[i].trace.lines.position].some(held => held && (held.base || held.last.some(d => d)));
const empty = (box, why) => { box.append(el("p", "empty", why)); };
const side = unit => axis({ size: 76, values: numbers, label: unit, labelSize: 18 });
const kinds = {
  market(box, i) {
    const it = data.instruments[i], { x, lines } = traceOf(i);
    if (!lines.mid.any) return empty(box, "The book was never live.");
    const price = (u, v) => v == null ? "–" : v.toFixed(it.price_decimals);
    const c = chart(box, { height: 380, x, lines: [ranged("mid", lines.mid, "--mid", { value: (u, v) => v == null ? "–" : v.toFixed(it.price_decimals + 1) }),
      { ...ranged("our bid", lines.bid, "--buy", { value: price }), shade: "--none" }, { ...ranged("our ask", lines.ask, "--sell", { value: price, dash: [6, 3] }), shade: "--none" }],
      axes: [timeAxis(), axis({ size: 76, label: it.quote, labelSize: 18, values: (u, s) => s.map(v => v.toFixed(it.price_decimals)) })],
      hooks: { drawClear: [], drawAxes: [spells(it)], draw: [marks(it)], setCursor: [point(it)], ...follow } });
    fillCharts.push(Object.assign(c, { it, of: i }));
    box.addEventListener("mouseleave", () => { $("tip").hidden = true; });
    document.querySelector(`details.fills[data-of="${i}"]`).addEventListener("toggle", () => list(c));
  },
  equity(box, i) {
    if (idle(i)) return empty(box, "Nothing was traded, and nothing held.");
    const it = data.instruments[i], { x, lines } = traceOf(i);
    worth(box, it.currency, x, lines, [spells(it)]);
  },
  total(box, i) {
    const { x, lines } = read(data.totals[i].trace, data.started_s);
    worth(box, data.totals[i].currency, x, lines, []);
  },
  position(box, i) {
    if (idle(i)) return empty(box, "Nothing was held.");
    const it = data.instruments[i], { x, lines } = traceOf(i);
    chart(box, { height: 180, x, lines: [ranged("held", lines.position, "--main")], axes: [timeAxis(), side(it.asset)], hooks: { drawAxes: [spells(it)], ...follow } });
  },
  sources(box, i) {
    if (idle(i)) return empty(box, "There was no profit and no loss.");
    const it = data.instruments[i], { x, lines } = traceOf(i);
    chart(box, { height: 220, x, shade: "--none", lines: [ranged("spread", lines.spread, "--buy"), ranged("inventory", lines.inventory, "--second", { dash: [8, 3] }),
      ranged("− fees", minus(lines.fees), "--fourth", { dash: [3, 3] }), ranged("− funding", minus(lines.funding), "--third", { dash: [1, 3] }),
      ranged("profit", lines.equity, "--ink", { width: 2 })], axes: [timeAxis(), side(it.currency)], hooks: { drawAxes: [spells(it)], ...follow } });
  },
  curves(box, i) {
    const { currency, x, drawn } = data.curves[i];
    if (!drawn.length || x.length < 2) return empty(box, "Nothing was run.");
    const fallen = equity => { let top = -Infinity; return equity.map(v => v - (top = Math.max(top, v))); };
    const more = { axes: [timeAxis(), side(currency)], hooks: { drawAxes: [spells({ spells: { kept: [] } })], ...follow } };
    chart(box, { ...more, height: 320, x, lines: drawn.map((d, k) => plain(d.name, d.equity, k)) });
    chart(below(box, "Drawdown of each strategy"), { ...more, height: 180, x, lines: drawn.map((d, k) => plain(d.name, fallen(d.equity), k)) });
  },
  sides(box, i) {
    const { unit, drawn } = data.sides[i], x = [...new Set(drawn.flatMap(d => d.x))].sort((a, b) => a - b);
    if (x.length < 2) return empty(box, "Nothing was held, and nothing traded.");
    chart(box, { height: 280, x: x.map(t => data.started_s + t), lines: drawn.map((d, k) => plain(d.name, along(x, d), k)),
      axes: [timeAxis(), side(unit)], hooks: { drawAxes: [bands(drawn)], ...follow } });
  },
  markouts(box) { markout(box, data.markouts.map((m, i) => ({ name: m.name + look(i).also, rows: m.rows, colour: look(i).tint, dash: look(i).dash }))); },
  markout(box, i) { markout(box, [{ name: "mean", rows: data.metrics.instruments[i].markouts, colour: "--main" }]); },
};
// Values at other moments than their own: the last one before.
function along(x, d) { let k = -1; return x.map(t => { while (d.x[k + 1] <= t) k++; return k < 0 ? null : d.values[k]; }); }
// A strip per side along the upper edge, while it was not Active.
function bands(drawn) {
  return u => {
    const { ctx, bbox } = u, px = devicePixelRatio;
    ctx.save();
    ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip();
    drawn.forEach((d, k) => d.states.forEach(([from, to, state]) => {
      const [a, b] = [from, to].map(t => u.valToPos(data.started_s + t / MICRO, "x", true));
      ctx.fillStyle = css(look(k).tint); ctx.globalAlpha = state === "halted" ? .9 : .4;
      ctx.fillRect(a, bbox.top + 9 * k * px, Math.max(px, b - a), 7 * px);
    }));
    ctx.restore();
  };
}
const minus = l => { const not = list => list.map(v => v == null ? v : -v); return { last: not(l.last), high: not(l.low), low: not(l.high), any: l.any }; };
function below(box, label) {
  const under = el("div", "chart");
  under.setAttribute("aria-label", label);
  box.after(under);
  return under;
}
function worth(box, currency, x, lines, behind) {
  const more = { axes: [timeAxis(), side(currency)], hooks: { drawAxes: behind, ...follow } };
  chart(box, { ...more, height: 220, x, lines: [ranged("equity", lines.equity, "--main")] });
  chart(below(box, "Drawdown"), { ...more, height: 130, x, lines: [ranged("drawdown", minus(lines.drawdown), "--sell", { fill: ink("--fall") })] });
}
// Several strategies: colours repeat, dashes then differ.
const TINTS = ["--main", "--sell", "--third", "--second", "--fourth", "--mid"], DASHES = [undefined, [7, 3], [2, 3]];
const look = i => { const k = Math.floor(i / TINTS.length) % DASHES.length; return { tint: TINTS[i % TINTS.length], dash: DASHES[k], also: ["", " (dashed)", " (dotted)"][k] }; };
function plain(name, values, i) {
  const { tint, dash, also } = look(i);
  return { series: [{ label: name + also, tint, dash, stroke: ink(tint), width: 1.5, paths: stepped, points: { show: false }, value: (u, v) => short(v) }], data: [values] };
}
// Horizons are as good as logarithmic: each has a place of its own.
function markout(box, all) {
  const known = all.filter(one => one.rows.some(m => m.mean_bps != null));
  if (!known.length) return empty(box, "No fill whose markout is known.");
  const horizons = known[0].rows.map(m => m.after_s), x = horizons.map((_, i) => i), single = known.length === 1;
  const lines = known.map(({ name, rows, colour, dash }) => {
    const at = pick => rows.map(m => m.mean_bps == null || m.error_bps == null ? null : pick(m));
    const edge = { class: "quiet", stroke: "transparent", width: 0, points: { show: false } };
    return { series: [{ label: name, tint: colour, stroke: ink(colour), width: 2, dash, value: (u, v) => v == null ? "–" : short(+v.toPrecision(4)) + " bps", points: { show: true, size: 7, fill: ink(colour) } }, ...(single ? [edge, { ...edge }] : [])],
      data: [rows.map(m => m.mean_bps), ...(single ? [at(m => m.mean_bps + 1.96 * m.error_bps), at(m => m.mean_bps - 1.96 * m.error_bps)] : [])] };
  });
  chart(box, { height: 220, x, time: false, label: "after", lines, scales: { x: { time: false, range: [-.3, horizons.length - .7] } },
    axes: [axis({ size: 30, splits: () => x, values: (u, s) => s.map(v => horizons[v] == null ? "" : horizons[v] + " s") }), side("bps")],
    hooks: { drawAxes: [u => {
      const y = u.valToPos(0, "y", true);
      if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) return;
      u.ctx.save(); u.ctx.strokeStyle = css("--soft"); u.ctx.lineWidth = devicePixelRatio; u.ctx.beginPath();
      u.ctx.moveTo(u.bbox.left, y); u.ctx.lineTo(u.bbox.left + u.bbox.width, y); u.ctx.stroke(); u.ctx.restore();
    }] } });
}

root.classList.toggle("dark", system.matches);
for (const box of document.querySelectorAll(".chart")) kinds[box.dataset.chart](box, +box.dataset.of);
dress();
const bar = $("bar");
if (bar) {
  bar.hidden = false;
  for (const button of bar.querySelectorAll("[data-act]")) button.onclick = () => acts[button.dataset.act]();
  show(whole.min, whole.max);
}
let settle;
addEventListener("resize", () => { clearTimeout(settle); settle = setTimeout(() => fit(), 100); });
})();
