// The keyboard: single letters where nothing is being typed, and a list of them.

import { $, el } from "./dom.js";

export function keys(acts) {
  const on = () => localStorage.getItem("keys") !== "off";
  document.addEventListener("keydown", e => {
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]") || e.target.closest?.("input, textarea, select, [contenteditable]")) return;
    const key = e.key.length === 1 ? e.key.toLowerCase() : e.key, act = acts.find(a => a.keys.includes(key));
    if (!act || (!on() && key !== "?")) return;
    e.preventDefault();
    act.does(key);
  });
  $("help").onclick = () => help();
  function help() {
    const off = el("input", { type: "checkbox", checked: on(), onchange: () => localStorage.setItem("keys", off.checked ? "on" : "off") });
    const rows = acts.map(a => el("tr", el("td", ...a.keys.slice(0, 2).map(k => el("kbd", k === " " ? "space" : k))), el("td", a.what)));
    $("keys").replaceChildren(el("form", { method: "dialog" }, el("h2", "Keyboard", { id: "keys-title" }), el("table.keys", ...rows), el("label.check", off, " single letters are shortcuts"), el("div.bar", el("button", "Close"))));
    $("keys").showModal();
  }
  return help;
}
