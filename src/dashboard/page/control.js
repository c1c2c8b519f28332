// Writes: who may, what they are asked first, and what the bot said to it.

import { $, el, put, show } from "./dom.js";
import { minus } from "./format.js";

let token = sessionStorage.getItem("token"), status = null, answered;
export const hasToken = () => !!token;
export const now = picture => { status = picture; };
export const who = () => localStorage.getItem("who") || "dashboard";

export function takeToken(given) {
  token = given || null;
  show($("controls"), !!token);
  show($("key"), !token);
  if (token) { sessionStorage.setItem("token", token); put($("refused"), ""); } else sessionStorage.removeItem("token");
}
function fromAddress() {
  if (!location.hash.startsWith("#token=")) return;
  const given = location.hash.slice(7);
  history.replaceState(null, "", location.pathname);
  takeToken(given);
}

export function say(text, cls = "soft") {
  put($("answer"), text, cls);
  clearTimeout(answered);
  if (cls === "soft") answered = setTimeout(() => put($("answer"), ""), 5000);
}

// Sends, and returns what was answered: { ok, status, body }.
export async function send(path, body) {
  const r = await fetch(path, { method: "POST", headers: { Authorization: "Bearer " + token }, body: JSON.stringify(body) }).catch(() => null);
  if (!r) return { ok: false, status: 0, body: { error: "not sent: the bot is out of reach" } };
  const said = await r.json().catch(() => ({ error: "HTTP " + r.status }));
  if (r.status === 401) { takeToken(null); put($("refused"), "refused: this is not the running bot's token"); }
  return { ok: r.ok, status: r.status, body: said };
}

// What cannot be taken back is asked twice. Pause never is.
const held = () => (status?.instruments ?? []).map(it => `${minus(it.position)} ${it.unit} of ${it.label}`).join(", ") || "nothing is known of positions";
const doubt = {
  flatten: () => ["Flatten", "Cancels every quote and closes every position at the market, whatever the spread costs. That cannot be had back.", "Now held: " + held()],
  halt: () => ["Halt", "Cancels everything and sends nothing more: positions stay as they are, over a restart too, until somebody resumes.", "Now held: " + held()],
  stop: () => ["Stop", "Cancels every quote and ends this session. The page ends with it.", "Now held: " + held()],
  resume: () => status?.state === "halted" && ["Resume", "Lifts the halt and quotes again.", "Halted because: " + status.reason],
};

// A dialog with who and why; resolves to { by, reason }, or null.
export function confirmed([title, ...words], more = null, danger = true) {
  const dialog = $("ask"), by = el("input", { id: "by", value: who(), maxLength: 80, autocomplete: "off" }), why = el("input", { id: "why", maxLength: 150, autocomplete: "off", placeholder: "recorded with it" });
  const go = el("button" + (danger ? ".stop" : ""), title, { type: "submit" }), no = el("button", "Cancel", { type: "button" });
  const form = el("form", { method: "dialog" }, el("h2", title + "?", { id: "ask-title" }), ...words.map(w => el("p", w)), more ?? "",
    el("label", "Who", by), el("label", "Why", why), el("div.bar", go, no));
  dialog.replaceChildren(form);
  return new Promise(done => {
    const answer = said => { dialog.close(); done(said); };
    form.onsubmit = e => {
      e.preventDefault();
      if (by.value.trim()) localStorage.setItem("who", by.value.trim());
      answer({ by: by.value.trim() || "dashboard", reason: why.value.trim() || undefined });
    };
    no.onclick = () => answer(null);
    // Escape. The event comes late: that of the question before must not answer this one.
    dialog.onclose = () => { if (!dialog.open) done(null); };
    dialog.showModal();
    go.focus();
  });
}

export async function command(verb) {
  if (!token) { $("token").focus(); return; }
  const ask = doubt[verb]?.();
  const words = ask ? await confirmed(ask) : { by: who() };
  if (!words) return;
  const { ok, status: code, body } = await send("/api/" + verb, words);
  if (code === 401) return;
  say(ok ? verb + " accepted" : verb + " refused: " + body.error, ok ? "soft" : "sell");
}

export function controls() {
  takeToken(token);
  fromAddress();
  addEventListener("hashchange", fromAddress);
  $("key").onsubmit = e => { e.preventDefault(); takeToken($("token").value.trim()); $("token").value = ""; };
  for (const b of document.querySelectorAll("[data-verb]")) b.onclick = () => command(b.dataset.verb);
}
