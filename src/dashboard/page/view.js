// One session on one page: a switch between its instruments, and the panels of the one that is shown. The living session and a
// moment of a recording are drawn by the same lines.

import { el, panel, put, show } from "./dom.js";
import { minus, money, places } from "./format.js";
import { charts } from "./charts.js";
import { ladder, purse, quotes } from "./market.js";
import { feeds, log, mind, record, risk } from "./panels.js";

export function view(host, past) {
  const tabs = el("div.tabs", { role: "tablist", "aria-label": "Instruments" }), about = el("p.about");
  const grid = el("div.grid", { role: "tabpanel", "aria-label": "Instrument" });
  const panels = [charts(), ladder(), quotes(), risk(), purse(), mind(), log(), feeds(), record()], [chart] = panels, events = panels[6];
  grid.append(...panels);
  host.append(tabs, about, grid);
  let shown = 0, last = null;
  const it = {
    past, chart, events, grid,
    choose(index) {
      if (!last || index < 0 || index >= last.instruments.length) return;
      shown = index;
      it.draw(last);
      tabs.children[index]?.focus();
    },
    next: by => last && it.choose((shown + by + last.instruments.length) % last.instruments.length),
    draw(status) {
      last = status;
      shown = Math.min(shown, status.instruments.length - 1);
      const now = status.instruments[shown];
      while (tabs.children.length > status.instruments.length) tabs.lastChild.remove();
      status.instruments.forEach((one, i) => {
        const tab = tabs.children[i] ?? tabs.appendChild(el("button.tab", el("b"), el("span"), { type: "button", role: "tab", onclick: () => it.choose(i) }));
        const m = money(places([one.pnl?.equity ?? 0]));
        put(tab.firstChild, one.label);
        put(tab.lastChild, `${minus(one.position)} ${one.unit} · ${m(one.pnl?.equity)} ${one.settle}` + (one.risk === "active" ? "" : " · " + one.risk.toUpperCase()));
        tab.setAttribute("aria-selected", i === shown);
        tab.tabIndex = i === shown ? 0 : -1;
      });
      put(about, `${now.strategy || "recording only"} · book ${now.book}` + (now.idle ? " · " + now.idle : ""), "about " + (now.book === "live" && !now.idle ? "soft" : "warn"));
      for (const one of panels) one.draw?.(now, status, past);
    },
  };
  tabs.onkeydown = e => { const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key]; if (by) { e.preventDefault(); it.next(by); } };
  return it;
}
