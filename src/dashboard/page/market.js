// The ladder: the market's levels with our quotes among them, and what is believed ahead of each.

import { el, fill, panel } from "./dom.js";
import { decimals, minus, money, places } from "./format.js";

const RUNGS = 8;

// Half a tick is one decimal finer than a price; written with it always, so that the figure keeps its width.
export const midText = it => it.mid == null ? "—" : (+it.mid).toFixed(decimals(it.ask?.price ?? it.bid?.price) + 1);

export function ladder() {
  const table = el("table.ladder", { "aria-label": "Ladder" }), box = panel("Ladder", "at-ladder", table);
  box.draw = it => {
    const widest = Math.max(...[...it.bids, ...it.asks].map(r => +r.qty), 1e-12);
    const row = (rung, side) => rung == null ? { cells: ["", "—", "", ""], cls: "rung" } : {
      cells: [[rung.ours ? (side === "buy" ? "▲ " : "▼ ") + rung.ours : "", side], [rung.price, rung.ours ? side : ""], rung.qty, [rung.ours ? rung.ahead || "sent" : "", rung.ahead ? "" : "soft"]],
      cls: "rung " + side + (rung.ours ? " ours" : ""), use: +rung.qty / widest, good: true,
      title: rung.ours ? `ours: ${rung.ours}, ahead of us: ${rung.ahead || "not known yet"}` : "" };
    // A quote of ours that rests deeper takes the last rung.
    const side = rungs => {
      const top = rungs.slice(0, RUNGS), deep = rungs.slice(RUNGS).filter(r => r.ours);
      if (deep.length && !top.some(r => r.ours)) top[RUNGS - 1] = deep[0];
      while (top.length < RUNGS) top.push(null);
      return top;
    };
    const spread = it.bid && it.ask ? "spread " + sig(+it.ask.price - +it.bid.price) : "";
    const reservation = it.terms?.reservation ? (it.terms.reservation * +it.tick).toFixed(decimals(it.ask?.price) + 1) : "";
    fill(table, [{ head: true, cells: ["ours, " + it.unit, "price", "displayed", "ahead of us"] },
      ...side(it.asks).reverse().map(r => row(r, "sell")),
      { cls: "mid", cells: ["mid", midText(it), spread, ""] },
      ...side(it.bids).map(r => row(r, "buy")),
      { cls: "mid", cells: ["reservation", reservation || "—", "", it.book === "live" ? "" : ["book " + it.book, "warn"]] }]);
  };
  return box;
}
const sig = x => String(+x.toPrecision(4));

// Our orders as they are, with what the ladder has no room for.
export function quotes() {
  const table = el("table", { "aria-label": "Our quotes" }), box = panel("Our quotes", "at-quotes", table);
  const rows = 4;
  box.draw = it => {
    const shown = it.quotes.slice(0, rows).map(q => ({ cls: "quote", cells: [[(q.side === "buy" ? "▲ " : "▼ ") + q.side, q.side], [q.price, q.side], q.qty, q.state === "working" ? q.queue_ahead ?? "—" : [q.state, "soft"]] }));
    while (shown.length < rows) shown.push({ cells: [shown.length ? "" : ["nothing rests", "soft"], "", "", ""] });
    fill(table, [{ head: true, cells: ["side", "price", it.unit, "ahead"] }, ...shown]);
  };
  return box;
}

// Where the money came from, and where it would be under the other bounds of the queue model.
export function purse() {
  const table = el("table.sums", { "aria-label": "Profit and loss" }), band = el("table.band", { "aria-label": "Fill-model band" });
  const box = panel("Money", "at-money", table, el("h3", "If the queue had been … (● is this session)"), band);
  box.draw = (it, status) => {
    box.label.textContent = "Money, " + it.settle;
    const p = it.pnl;
    if (!p) return fill(table, [{ cells: ["nothing is marked yet", ""] }]);
    const m = money(places(Object.values(p))), line = (name, value) => ({ cells: [name, [m(value), value < 0 ? "loss" : ""]] });
    const bars = [["spread earned", p.spread], ["inventory moved", p.inventory], ["fees", 0 - p.fees], ["funding", 0 - p.funding]];
    const most = Math.max(...bars.map(([, v]) => Math.abs(v)), 1e-12);
    fill(table, [...bars.map(([name, v]) => ({ ...line(name, v), use: Math.abs(v) / most, good: true, cls: v < 0 ? "minus" : "plus" })),
      { ...line("equity", p.equity), cls: "sum" }, line("realised", p.realised), line("unrealised", p.unrealised), line("drawdown", 0 - p.drawdown)]);
    const bounds = (status.bracket ?? []).map(b => [b, b.instruments.find(i => i.label === it.label)]).filter(([, i]) => i);
    fill(band, bounds.length ? [{ head: true, cells: ["bound", "equity", "held", "fills"] }, ...bounds.map(([b, i]) => ({ cells:
      [[(b.is_session ? "● " : "") + b.bound, b.risk === "active" ? "" : "warn"], m(i.equity), minus(i.position), String(b.fills)] }))]
      : [{ cells: ["no band: paper.bracket is off, or the orders rest in a market's own book"] }]);
  };
  return box;
}
