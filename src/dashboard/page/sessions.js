// Recordings: the list, a report, two beside each other, and any moment of one as the desk shows it.

import { el, fill, panel, put, show } from "./dom.js";
import { bytes, count, lasting, minus, moment, sig, words } from "./format.js";
import { Past } from "./charts.js";
import { view } from "./view.js";

const get = async path => {
  const r = await fetch(path).catch(() => null), body = await r?.json().catch(() => null);
  if (!r?.ok) throw new Error(body?.error ?? (r ? "HTTP " + r.status : "the bot is out of reach"));
  return body;
};
const path = (session, what) => `/api/sessions/${encodeURIComponent(session)}/${what}`;
const failed = (where, error) => put(where, String(error.message ?? error), "sell");

export function sessions(host) {
  const list = async () => {
    const said = el("p", "reading the store…", { className: "soft", role: "status" }), table = el("table.list"), compare = el("button", "Compare the two chosen", { type: "button", disabled: true });
    host.replaceChildren(panel("Recordings", "", el("div.bar", compare, said), el("div.scroll", table, { tabIndex: 0, role: "region", "aria-label": "Recordings" })));
    try {
      const { sessions: found } = await get("/api/sessions"), chosen = new Set();
      put(said, found.length ? "" : "none yet");
      table.append(el("tr", ...["", "session", "began, UTC", "lasted", "inputs", "fills", "gaps", "refused", "size", ""].map(t => el("th", t, { scope: "col" }))));
      for (const s of found.reverse()) {
        const box = el("input", { type: "checkbox", disabled: !!s.error, "aria-label": "compare " + s.id, onchange: () => {
          box.checked ? chosen.add(s.id) : chosen.delete(s.id);
          compare.disabled = chosen.size !== 2;
        } });
        if (s.error) { table.append(el("tr", el("td", box), el("td", s.id), el("td.warn", s.error, { colSpan: 8 }))); continue; }
        const ended = s.ended_ns ? lasting((s.ended_ns - s.started_ns) / 1e9) : s.live ? "runs now" : "its process died";
        table.append(el("tr", el("td", box), el("td", el("b", s.id), el("br"), el("span.soft", `${s.venue_instruments.join(" ")} · ${s.strategy.map(n => n ?? "recording only").join(", ")}`)),
          ...[moment(s.started_ns), ended, ...[s.inputs, s.fills, s.gaps, s.refusals].map(n => n == null ? "…" : count(n)), bytes(s.bytes)].map(t => el("td", t)),
          el("td", el("a", "Replay", { href: `#sessions/${encodeURIComponent(s.id)}` }), " ", el("a", "Report", { href: path(s.id, "report"), target: "_blank", rel: "noopener" }))));
      }
      compare.onclick = () => { location.hash = "#compare/" + [...chosen].map(encodeURIComponent).join("/"); };
    } catch (error) { failed(said, error); }
  };

  // Numbers of both side by side; an object of the summary is a section, a number with an interval one line.
  const compare = async (a, b) => {
    const said = el("p", "measuring both…", { className: "soft", role: "status" }), table = el("table.compare"), box = panel("Two recordings", "", said, el("div.scroll", table, { tabIndex: 0, role: "region", "aria-label": "Comparison" }));
    host.replaceChildren(el("p", el("a", "← all recordings", { href: "#sessions" })), box);
    try {
      const both = [await get(path(a, "metrics")), await get(path(b, "metrics"))].map(one => one.metrics.instruments);
      put(said, "");
      table.append(el("tr", ...["", a, b, "second less first"].map(t => el("th", t, { scope: "col" }))));
      const number = v => v == null ? null : typeof v === "object" ? (v.value == null ? null : +v.value) : Number.isFinite(+v) ? +v : null;
      const text = v => v == null ? "—" : typeof v === "object" ? v.value == null ? "—" : `${sig(v.value)} (${sig(v.low)} to ${sig(v.high)})` : Number.isFinite(+v) ? sig(v, 6) : String(v);
      for (let i = 0; i < Math.max(both[0].length, both[1].length); i++) {
        const [x, y] = both.map(all => all[i] ?? {});
        table.append(el("tr.part", el("th", [...new Set([x.instrument, y.instrument].filter(Boolean))].join(" / ") + ", " + (x.currency ?? y.currency), { colSpan: 4 })));
        for (const section of ["attribution", "risk", "trading", "quoting", "inventory", "market"]) {
          const names = [...new Set([...Object.keys(x[section] ?? {}), ...Object.keys(y[section] ?? {})])].filter(n => [x, y].some(s => number(s[section]?.[n]) != null));
          if (names.length) table.append(el("tr.part", el("td.soft", section, { colSpan: 4 })));
          for (const name of names) {
            const [p, q] = [x, y].map(s => s[section]?.[name]), [m, n] = [number(p), number(q)];
            table.append(el("tr", el("td", words(name)), ...[text(p), text(q), m == null || n == null ? "—" : sig(n - m, 5)].map(t => el("td", minus(t)))));
          }
        }
      }
    } catch (error) { failed(said, error); }
  };

  // A slider over time, and the desk as it was.
  const replay = async session => {
    const slider = el("input", { type: "range", min: 0, max: 10000, value: 10000, id: "when", "aria-label": "Moment of the recording" }), at = el("output", { id: "at", htmlFor: "when" });
    const said = el("span.soft", "bringing the session back…", { role: "status" }), desk = el("div"), told = el("pre.told", { tabIndex: 0 });
    const step = (text, name, does) => el("button", text, { type: "button", title: name, "aria-label": name, onclick: does });
    const past = new Past(), drawn = view(desk, past), why = el("button", "Why?", { type: "button", title: "What was seen, believed and wanted at this input" });
    let now = null, wanted = null, busy = false;
    const bar = panel("Replay of " + session, "replay", slider, el("div.bar", step("Start", "Beginning", () => ask("seq=1")), step("−10 s", "Ten seconds back", () => move(-10e9)), step("−1", "One input back", () => to(-1)), at, step("+1", "One input on", () => to(1)),
      step("+10 s", "Ten seconds on", () => move(10e9)), step("End", "The last input", () => ask("seq=" + now.inputs)), why, said), told);
    host.replaceChildren(el("p", el("a", "← all recordings", { href: "#sessions" }), " · ", el("a", "report", { href: path(session, "report"), target: "_blank", rel: "noopener" })), bar, desk);
    show(desk, false); told.hidden = true;
    const to = by => now && ask("seq=" + Math.min(now.inputs, Math.max(1, now.status.seq + by)));
    const move = ns => now && ask("at_ns=" + Math.round(now.status.at_ns + ns));
    // One question at a time; of those that came meanwhile only the last counts.
    async function ask(what) {
      wanted = what;
      if (busy) return;
      busy = true;
      while (wanted) {
        const next = wanted;
        wanted = null;
        put(said, "…", "soft");
        try { take(await get(path(session, "moment?" + next))); put(said, "", "soft"); } catch (error) { failed(said, error); }
      }
      busy = false;
    }
    function take(found) {
      now = found;
      const s = found.status;
      past.forget(); past.take(found.past); past.picture(s);
      drawn.events.forget(); drawn.events.take(found.past.events, found.past.fills); drawn.events.take(s.events, s.last_fills);
      drawn.chart.again();
      show(desk, true); told.hidden = true;
      drawn.draw(s);
      put(at, `${moment(s.at_ns)} UTC, input ${count(s.seq)} of ${count(found.inputs)}`);
      const share = (s.at_ns - found.started_ns) / Math.max(1, found.ended_ns - found.started_ns);
      if (document.activeElement !== slider) slider.value = Math.round(10000 * Math.min(1, Math.max(0, share)));
      slider.setAttribute("aria-valuetext", at.textContent);
    }
    slider.oninput = () => now && ask("at_ns=" + Math.round(now.started_ns + (now.ended_ns - now.started_ns) * slider.value / 10000));
    why.onclick = async () => {
      put(said, "replaying around it…", "soft");
      try {
        const all = await get(path(session, "explain?seq=" + now.status.seq)), lines = all.decisions.flatMap(d => [`${d.instrument}: ${d.wanted}`, ...d.quotes.flatMap(q => [`  ${q.side} ${q.qty} @ ${q.price}`, ...q.steps.map(t => "    " + t)]),
          ...d.requests.flatMap(r => ["  " + r.request + (r.refused ? ": refused, " + r.refused : ""), ...r.came_back.map(c => `    input ${c.seq}: ${c.said}`)]), ...d.standing.map(t => "  standing: " + t)]);
        const near = all.nearest.filter(n => n != null).map(n => "input " + n).join(" and ");
        told.textContent = [...(lines.length ? lines : [`No strategy was asked at this input; the nearest were ${near || "none"}.`]), "", ...all.inputs.map(i => `${i.seq === all.seq ? "→" : " "} ${i.seq} ${i.input}` + i.replayed.map(r => "\n      " + r).join(""))].join("\n");
        told.hidden = false;
        put(said, "", "soft");
      } catch (error) { failed(said, error); }
    };
    await ask("at_ns=9000000000000000000");
  };

  return route => {
    const [what, ...names] = route.split("/").map(decodeURIComponent);
    if (what === "compare" && names.length === 2) compare(...names);
    else if (names.length) replay(names[0]);
    else list();
  };
}
