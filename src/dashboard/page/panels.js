// Everything of the desk that is a table: limits, estimates, feeds, the recording, events.

import { el, fill, panel, put } from "./dom.js";
import { WHY, ago, bytes, clock, count, limitName, minus, money, ms, places, sig, words } from "./format.js";

const line = (...cells) => ({ cells });
const figure = text => { const n = +text; return Number.isFinite(n) ? minus(Math.abs(n) >= 1000 || Number.isInteger(n) ? n.toLocaleString("en", { maximumFractionDigits: 2 }) : String(+n.toPrecision(5))) : text; };
const use = it => l => ({ cells: [limitName(l.limit, it), figure(l.value) + " of " + figure(l.max)], use: l.share, title: `${l.limit}: ${l.value} of ${l.max}` });

// State, limits and what has tripped.
export function risk() {
  const state = el("p.state"), table = el("table.uses.two", { "aria-label": "Use of limits" }), trips = el("ul.trips", { "aria-label": "Trips" });
  const refused = el("p.warn"), box = panel("Risk", "at-risk", state, table, trips, refused);
  box.draw = (it, status) => {
    const mark = { active: "● active", reducing: "◐ reducing", halted: "■ HALTED" };
    put(state, (mark[it.risk] ?? it.risk) + (it.risk_reason ? ": " + it.risk_reason : ""), "state " + (it.risk === "active" ? "" : it.risk === "halted" ? "sell" : "warn"));
    fill(table, [...it.limits.map(use(it)), ...status.limits.map(use(it))]);
    const told = (status.trips ?? []).map(t => `${t.is_soft ? "warning" : "tripped"} ${clock(t.since_ns / 1e6)} ${t.of || "whole book"}: ${t.reason}`);
    if (told.join() !== trips.dataset.told) { trips.dataset.told = told.join(); trips.replaceChildren(...(told.length ? told : ["nothing has tripped"]).map(t => el(told.length ? "li.warn" : "li.soft", t))); }
    put(refused, status.limits_refused ? "risk.toml is not in force: " + status.limits_refused : "");
  };
  return box;
}

// What the strategy believes, and how it is warming up.
export function mind() {
  const table = el("table.two", { "aria-label": "Strategy" }), warm = el("p.warm"), bar = el("progress", { max: 1, value: 0 });
  const box = panel("Strategy", "at-mind", table, warm, bar);
  box.draw = it => {
    box.label.textContent = it.strategy || "Recording only";
    const t = it.terms, shown = [line("position", minus(it.position) + " " + it.unit), line("worth, " + it.quote, it.notional_quote == null ? "—" : sig(it.notional_quote, 7))];
    const p = it.policy, away = x => minus((x < 0 ? "" : "+") + x.toFixed(3));
    if (p) shown.push({ cells: ["action, bid / ask", p.action.map(away).join(" / ")], title: "what the policy answers, -1 to 1: how far it moves GLFT's quotes, of its reach, or where between its depths it quotes; more is farther from the mid" },
      line("its quotes", { quotes: "new", keep: "keep what rests", flatten: "flatten", nothing: "none" }[p.wants] ?? p.wants), { cells: ["log-probability", p.logp == null ? "—" : minus(p.logp.toFixed(2))], title: "of a draw round the mean, by a policy that explores" });
    if (it.drift) shown.push(line("drift, PSI", `${sig(it.drift.psi)} of ${sig(it.drift.psi_limit)}, ${it.drift.column}`), line("went off", it.drift.trips + "×"));
    shown.push(line("σ, ticks/√s", sig(t?.sigma)), line("A, 1/s", sig(t?.a)), line("k, 1/tick", sig(t?.k)), line("γ, 1/(tick·lot)", t ? t.gamma.toPrecision(4) : "—"),
      line("r − mid, ticks", t?.reservation && it.mid != null ? minus((t.reservation - it.mid / it.tick).toFixed(2)) : "—"), line("last decision", ago(it.decision_age_ms) + (it.decision_age_ms == null ? "" : " ago")),
      line("largest share of a level", (100 * (it.level_share_max ?? 0)).toFixed(1) + " %"));
    fill(table, shown);
    const w = it.warm_up;
    put(warm, it.drift?.tripped ? "stepped aside: " + it.drift.words : it.idle ?? "ready: estimates are there", "warm " + (it.idle || it.drift?.tripped ? "warn" : "soft"));
    bar.hidden = false; bar.value = w ? w.have / w.need : it.idle ? 0 : 1;
    bar.setAttribute("aria-label", w ? `warming up: ${w.what}` : "warmed up");
  };
  return box;
}

// Health of each venue.
export function feeds() {
  const table = el("table.feeds", { "aria-label": "Feeds" }), box = panel("Feeds", "at-feeds", el("div.scroll", table));
  box.draw = (it, status) => fill(table, !status.feeds.length ? [{ cells: ["of the state of its sockets a recording knows nothing"] }] : [{ head: true, cells: ["venue", "last frame", "late by p50 / p90 / p99", "gaps", "reconnects", "frames"] },
    ...status.feeds.map(f => ({ cells: [[(f.connected ? "● " : "○ DISCONNECTED ") + f.venue + (status.feeds.length > 1 ? " " + f.connection : ""), f.connected ? "" : "sell"], [ago(f.age_ms) + " ago", f.age_ms > 5000 ? "warn" : ""],
      f.latency ? [f.latency.p50_ms, f.latency.p90_ms, f.latency.p99_ms].map(ms).join(" / ") : "no stamps", [String(f.gaps), f.gaps ? "warn" : ""], [String(f.reconnects), f.reconnects ? "warn" : ""], count(f.frames)],
      title: f.latency ? `our clock less the venue's stamp; the latest ${ms(f.latency.max_ms)}, of the last ${f.latency.n}` : "" }))]);
  return box;
}

// What is on disk, and what was refused.
export function record() {
  const table = el("table.two", { "aria-label": "Recording" }), codes = el("table.two", { "aria-label": "Refusals" });
  const box = panel("Recording and refusals", "at-record", table, el("h3", "Refused by the risk gate"), codes);
  box.draw = (it, status) => {
    const j = status.journal, m = money(places([status.gross_notional_quote]));
    // A moment of a recording is all on disk.
    fill(table, [line("inputs", count(status.seq)), ...(j.bytes ? [line("not yet on disk", `${j.waiting} inputs, ${j.lag_ms} ms`), line("on disk", bytes(j.bytes)), ...(j.disk_free_bytes == null ? [] : [line("free on disk", bytes(j.disk_free_bytes))])] : []), line("gross worth", m(status.gross_notional_quote)),
      line("output digest", status.output_digest.slice(0, 12) || "—"), line("state digest", status.state_digest.slice(0, 12) || "not yet"),
      ...(status.alerts ?? []).map(a => ({ cells: ["alerts to " + a.name, [`${a.sent} sent` + (a.failed + a.dropped ? `, ${a.failed + a.dropped} LOST` : a.waiting ? `, ${a.waiting} waiting` : ""), a.failed + a.dropped ? "warn" : ""]] }))]);
    const refused = Object.entries(status.refusals_by_code ?? {});
    fill(codes, refused.length ? refused.map(([code, n]) => line(code, count(n))) : [line("nothing was refused", "")]);
  };
  return box;
}

// The log: what happened and why. Fills can be left out.
const SHOWN = 200;
export function log() {
  const body = el("tbody"), table = el("table.log", { "aria-label": "Events" }, body), only = el("input", { type: "checkbox", id: "with-fills", checked: true });
  const box = panel("Events", "at-log", el("div.scroll", table, { tabIndex: 0, role: "region", "aria-label": "Events" }));
  box.head.append(el("label.soft", only, " fills too"));
  let rows = [], ns = { event: 0, fill: 0 };
  const draw = () => body.replaceChildren(...rows.filter(r => only.checked || r.kind !== "fill").slice(-SHOWN).reverse().map(r =>
    el("tr." + r.kind, el("td.soft", clock(r.at_ns / 1e6)), el("td", words(r.kind)), el("td", r.text, { title: `input ${r.seq}${r.of ? " · " + r.of : ""}${r.title ? " · " + r.title : ""}` }))));
  only.onchange = draw;
  box.forget = () => { rows = []; ns = { event: 0, fill: 0 }; body.replaceChildren(); };
  // Returns whether some are missing between those known and these.
  box.take = (events, fills) => {
    const missed = (ns.event && events.length && events[0].n > ns.event + 1) || (ns.fill && fills.length && fills[0].n > ns.fill + 1);
    const newer = [...events.filter(e => e.n > ns.event), ...fills.filter(f => f.n > ns.fill).map(f => ({ ...f, kind: "fill",
      text: `${f.side === "buy" ? "▲ bought" : "▼ sold"} ${f.qty} at ${f.price}, ${words(f.why)}`, title: `${WHY[f.why] ?? f.why}; ${f.queue_ahead} were ahead` }))];
    if (!newer.length) return false;
    ns = { event: Math.max(ns.event, events.at(-1)?.n ?? 0), fill: Math.max(ns.fill, fills.at(-1)?.n ?? 0) };
    rows = [...rows, ...newer].sort((a, b) => a.seq - b.seq).slice(-1000);
    draw();
    return missed;
  };
  return box;
}
