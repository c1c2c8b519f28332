// Limits: what is in force, other values, what they would change, and putting them in force.

import { $, el, fill, put } from "./dom.js";
import { hasToken, say, send, who } from "./control.js";
import { minus, words } from "./format.js";

// As after `--set`: of an instrument or a venue in its own table.
function address(limit) {
  if (!limit.of) return "risk." + limit.key;
  return `risk.${limit.of.includes(":") ? "instruments" : "venues"}."${limit.of}".${limit.key}`;
}

export async function editLimits() {
  if (!hasToken()) { $("token").focus(); return; }
  const r = await fetch("/api/limits").catch(() => null), answer = r?.ok ? await r.json() : null;
  if (!answer) { say("limits: the bot does not answer", "sell"); return; }
  const dialog = $("ask");
  // A question that was asked while the bot answered stands.
  if (dialog.open) return;
  const inputs = new Map(), table = el("table.edit", el("tr", ...["limit", "of", "now", "at most", "unit"].map(t => el("th", t, { scope: "col" }))));
  for (const limit of answer.limits) {
    const input = el("input", { value: limit.value, "aria-label": `${words(limit.key)} ${limit.of}`.trim(), spellcheck: false, autocomplete: "off", inputMode: "decimal", size: 12 });
    input.dataset.key = limit.key;
    inputs.set(input, limit);
    input.oninput = stale;
    table.append(el("tr" + (limit.is_set ? "" : ".unset"), el("td", words(limit.key), { title: limit.key }), el("td.soft", limit.of || "the book"), el("td", limit.now == null ? "" : minus(String(+(+limit.now).toPrecision(6)))), el("td", input), el("td.soft", limit.unit)));
  }
  const by = el("input", { id: "by", value: who(), maxLength: 80, autocomplete: "off" }), why = el("input", { id: "why", maxLength: 150, autocomplete: "off", placeholder: "recorded with it" });
  const diff = el("table.diff", { "aria-label": "What would change" }), said = el("p", "Change a value, then preview.", { role: "status", className: "soft" });
  const agree = el("input", { type: "checkbox", id: "agree" }), agreeing = el("label.check", agree, " yes, this lets more through");
  const preview = el("button", "Preview", { type: "submit" }), apply = el("button.stop", "Put in force", { type: "button", disabled: true }), close = el("button", "Close", { type: "button", onclick: () => dialog.close() });
  agreeing.hidden = true;
  const form = el("form", { method: "dialog", className: "wide" }, el("h2", "Limits in force", { id: "ask-title" }),
    el("p.soft", "What is set here stands above config/risk.toml until that file changes. 0 is often no limit (grey)."), answer.file_refused ? el("p.warn", "risk.toml is refused: " + answer.file_refused) : "",
    el("div.scroll", table, { tabIndex: 0, role: "region", "aria-label": "Limits" }), diff, said, agreeing, el("div.pair", el("label", "Who", by), el("label", "Why", why)), el("div.bar", preview, apply, close));
  function wish(more) {
    const changed = [...inputs].filter(([input, limit]) => input.value.trim() !== limit.value);
    return { set: changed.map(([input, limit]) => `${address(limit)}=${input.value.trim()}`), by: by.value.trim() || "dashboard", reason: why.value.trim() || undefined, ...more };
  }
  function stale() { previewed = null; apply.disabled = true; agreeing.hidden = true; agree.checked = false; fill(diff, []); put(said, "Change a value, then preview.", "soft"); }
  // What was previewed is what goes into force; whatever is changed after it wants another preview.
  let previewed = null;
  function refused(body) {
    const why = (body.error ?? "refused").slice(0, 600);
    if (!form.isConnected || !dialog.open) return say("limits: " + why, "sell");
    put(said, why, "sell");
    apply.disabled = true;
  }
  form.onsubmit = async e => {
    e.preventDefault();
    const asked = wish({ dry_run: true });
    if (!asked.set.length) return put(said, "Nothing is different from what is in force.", "soft");
    previewed = asked.set;
    const { ok, body } = await send("/api/limits", asked);
    if (previewed !== asked.set) return;
    if (!ok || body.error) return refused(body);
    const looser = body.changes.some(c => c.loosens);
    fill(diff, [{ head: true, cells: ["would change", "of", "from", "to", ""] }, ...body.changes.map(c => ({ cells: [words(c.key), c.of || "the book", c.old, c.new, c.loosens ? ["▲ lets more through", "sell"] : ["▼ tighter", "buy"]] }))]);
    put(said, body.changes.length ? "" : "Nothing would change.", "soft");
    agreeing.hidden = !looser;
    apply.disabled = !body.changes.length || looser;
    agree.onchange = () => { apply.disabled = !agree.checked; };
    (looser ? agree : apply).focus();
  };
  apply.onclick = async () => {
    if (!previewed) return;
    apply.disabled = true;
    const { ok, body } = await send("/api/limits", { ...wish({ confirm: agree.checked }), set: previewed });
    if (!ok || body.error) return refused(body);
    localStorage.setItem("who", by.value.trim() || "dashboard");
    // Another question may stand in this one's place by now.
    if (form.isConnected) dialog.close();
    say(`limits in force since input ${body.seq}: ${body.changes.map(c => `${words(c.key)} ${c.old} → ${c.new}`).join(", ")}`);
  };
  dialog.onclose = null;
  dialog.replaceChildren(form);
  dialog.showModal();
  [...inputs.keys()][0]?.focus();
}
