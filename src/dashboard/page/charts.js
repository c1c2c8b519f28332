// What moves, drawn by uPlot: prices with our quotes and fills, the position within its limits, equity within its band.

import { css, el, panel, put } from "./dom.js";
import { clock, decimals, minus, money, places } from "./format.js";

const ink = name => () => css(name), SPANS = [["1 min", 60], ["5 min", 300], ["10 min", 600], ["all", Infinity]];
const font = "11px system-ui, sans-serif";
const stepped = (u, ...more) => uPlot.paths.stepped({ align: 1 })(u, ...more);
const axis = more => ({ stroke: ink("--soft"), grid: { stroke: ink("--line"), width: 1 }, ticks: { show: false }, font, ...more });
const timeAxis = () => axis({ space: 80, size: 22, values: (u, splits) => splits.map(s => clock(s * 1e3)) });
const column = (label, colour, more = {}) => ({ label, stroke: ink(colour), width: 1.4, paths: stepped, points: { show: false }, spanGaps: false, ...more });

// What the charts are drawn from: columns per instrument, the same names and order as GET /api/history says.
export class Past {
  constructor() { this.forget(); }
  forget() { this.of = new Map(); this.fills = []; this.seq = 0; }
  take(history) {
    const at = Object.fromEntries(history.columns.map((name, i) => [name, i]));
    for (const it of history.instruments) for (const [ns, seq, values] of it.points) {
      const value = name => values[at[name] - 2];
      this.add(it.label, { t: ns / 1e9, seq, mid: value("mid"), reservation: value("reservation") || null, bid: value("bid"), ask: value("ask"), position: value("position"),
        equity: value("equity"), low: value("equity_pessimistic"), high: value("equity_optimistic") });
    }
    this.filled(history.fills);
  }
  picture(status) {
    const number = text => text == null || text === "" ? null : +text;
    for (const [index, it] of status.instruments.entries()) {
      const ours = side => it.quotes.filter(q => q.side === side).map(q => +q.price);
      const bound = name => number(status.bracket?.find(b => b.bound === name)?.instruments[index]?.equity);
      const [buys, sells] = [ours("buy"), ours("sell")];
      this.add(it.label, { t: status.at_ns / 1e9, seq: status.seq, mid: number(it.mid), reservation: it.terms?.reservation ? it.terms.reservation * +it.tick : null,
        bid: buys.length ? Math.max(...buys) : null, ask: sells.length ? Math.min(...sells) : null, position: number(it.position),
        equity: number(it.pnl?.equity), low: bound("pessimistic"), high: bound("optimistic") });
    }
    this.filled(status.last_fills ?? []);
    this.seq = status.seq;
  }
  add(label, point) {
    const points = this.of.get(label) ?? [];
    this.of.set(label, points);
    if (points.length && point.t <= points.at(-1).t) return;
    points.push(point);
    // Old moments are thinned, never cut: of the first half every second goes.
    if (points.length > 6000) this.of.set(label, points.filter((_, i) => i >= 3000 || i % 2 === 0));
  }
  filled(fills) {
    const known = this.fills.at(-1)?.n ?? 0;
    this.fills.push(...fills.filter(f => f.n > known));
    if (this.fills.length > 4000) this.fills.splice(0, this.fills.length - 4000);
  }
}

function triangles(box) {
  return u => {
    const { ctx, bbox } = u, px = devicePixelRatio, r = 4 * px;
    ctx.save(); ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip();
    for (const f of box.fills) {
      const t = f.at_ns / 1e9;
      if (t < u.scales.x.min || t > u.scales.x.max) continue;
      const x = u.valToPos(t, "x", true), y = u.valToPos(+f.price, "y", true), up = f.side === "buy" ? 1 : -1;
      ctx.beginPath(); ctx.moveTo(x, y - up * r); ctx.lineTo(x + r, y + up * r); ctx.lineTo(x - r, y + up * r); ctx.closePath();
      ctx.fillStyle = css(up > 0 ? "--buy" : "--sell"); ctx.strokeStyle = css("--card"); ctx.lineWidth = px; ctx.fill(); ctx.stroke();
    }
    ctx.restore();
  };
}

function levels(box) {
  return u => {
    const { ctx, bbox } = u;
    ctx.save(); ctx.strokeStyle = css("--sell"); ctx.setLineDash([6, 4]); ctx.lineWidth = devicePixelRatio;
    for (const level of box.levels ?? []) {
      const y = u.valToPos(level, "y", true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
    }
    ctx.restore();
  };
}

function plot(host, label, height, series, side, more = {}) {
  const box = el("div.chart", { role: "img", "aria-label": label });
  box.style.height = height + "px";
  host.append(box);
  const state = Object.assign(box, { fills: [], levels: [] });
  const u = new uPlot({ width: 300, height, padding: [6, 10, 0, 0], series: [{}, ...series], axes: [timeAxis(), side],
    scales: { x: { time: true }, ...more.scales }, bands: more.bands, legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { show: false }, sync: { key: "desk" } },
    hooks: { drawAxes: [levels(state)], draw: [triangles(state)] } }, series.reduce(all => [...all, []], [[]]), box);
  new ResizeObserver(() => { if (box.clientWidth) u.setSize({ width: box.clientWidth, height }); }).observe(box);
  return Object.assign(state, { u });
}

const key = (...lines) => el("p.key", ...lines.map(([name, cls]) => el("span." + cls, name)));
const wide = 64;

export function charts() {
  const said = el("output.readout"), choose = el("div.choose", { role: "group", "aria-label": "Time shown" });
  const box = panel("Mid, reservation price, our quotes and fills", "at-chart");
  box.head.append(choose);
  const prices = plot(box, "Prices over time", 250, [column("mid", "--mid", { width: 1.2 }), column("reservation", "--third", { dash: [3, 3] }), column("our bid", "--buy"), column("our ask", "--sell", { dash: [7, 3] })],
    axis({ size: wide, values: (u, s) => s.map(v => v.toFixed(prices?.digits ?? 2)) }));
  box.append(key(["mid", "l-mid"], ["reservation", "l-res"], ["our bid", "l-bid"], ["our ask", "l-ask"], ["▲ bought", "buy"], ["▼ sold", "sell"]), said);
  const bounds = box.appendChild(el("h3", "Position"));
  const held = plot(box, "Position over time", 90, [column("position", "--main")], axis({ size: wide, values: (u, s) => s.map(v => minus(String(+v.toPrecision(4)))) }),
    { scales: { y: { range: (u, min, max) => { const seen = Math.max(Math.abs(min ?? 0), Math.abs(max ?? 0), 1e-9);
      // Far from its limits the position is looked at closely; from a fifth of them on the limits are in the picture.
      const limit = Math.max(0, ...(held?.levels ?? []).map(Math.abs)), far = 1.15 * (seen * 5 > limit ? Math.max(limit, seen) : seen); return [-far, far]; } } } });
  box.append(el("h3", "Equity, within the band of the queue model"));
  const worth = plot(box, "Equity over time", 110, [column("equity", "--main", { width: 1.8 }), column("low", "--none", { width: 0 }), column("high", "--none", { width: 0 })],
    axis({ size: wide, values: (u, s) => s.map(v => minus(String(+v.toPrecision(4)))) }), { bands: [{ series: [3, 2], fill: ink("--shade") }, { series: [2, 3], fill: ink("--shade") }] });
  let span = 300, drawn = 0;
  const buttons = SPANS.map(([name, s]) => el("button", name, { type: "button", onclick: () => choosing(s) }));
  choose.append(...buttons);
  const choosing = s => { span = s; buttons.forEach((b, i) => b.setAttribute("aria-pressed", SPANS[i][1] === s)); drawn = 0; };
  choosing(300);
  box.span = by => { const i = Math.max(0, Math.min(SPANS.length - 1, SPANS.findIndex(([, s]) => s === span) + by)); choosing(SPANS[i][1]); };
  box.restyle = () => { if (drawn) [prices, held, worth].forEach(c => c.u.redraw(false)); };
  box.draw = (it, status, past) => {
    // Charts follow twice a second; numbers are quicker.
    if (performance.now() - drawn < 450 && box.now === it.label) return;
    drawn = performance.now(); box.now = it.label;
    const all = past.of.get(it.label) ?? [];
    if (!all.length) return;
    const to = all.at(-1).t, from = Math.max(all[0].t, to - span), points = all.filter(p => p.t >= from - 1);
    const x = points.map(p => p.t), of = name => points.map(p => p[name] ?? null);
    const range = { min: Math.min(from, to - 30), max: to };
    prices.digits = decimals(it.ask?.price ?? it.bid?.price ?? it.tick);
    prices.fills = past.fills.filter(f => f.of === it.label);
    const use = name => it.limits.find(l => l.limit.startsWith(name))?.max;
    held.levels = [use("position_max"), use("short_max") != null ? -use("short_max") : null].filter(v => v != null);
    put(bounds, "Position, " + it.unit + (held.levels.length ? ", limits " + held.levels.map(v => minus(String(v))).join(" and ") : ""));
    const banded = points.some(p => p.low != null && p.high != null);
    for (const [c, data] of [[prices, [x, of("mid"), of("reservation"), of("bid"), of("ask")]], [held, [x, of("position")]],
      [worth, [x, of("equity"), banded ? points.map(p => p.low == null ? null : Math.min(p.low, p.high)) : x.map(() => null), banded ? points.map(p => p.low == null ? null : Math.max(p.low, p.high)) : x.map(() => null)]]]) {
      c.u.batch(() => { c.u.setData(data, false); c.u.setScale("x", range); });
    }
    const f = prices.fills.at(-1), m = money(places([it.pnl?.equity ?? 0]));
    const text = `fills ${prices.fills.length}${f ? `, the last ${f.side === "buy" ? "bought" : "sold"} ${f.qty} at ${f.price}, ${clock(f.at_ns / 1e6)}` : ""} · equity ${m(it.pnl?.equity)}`;
    if (said.textContent !== text) said.textContent = text;
  };
  return box;
}
