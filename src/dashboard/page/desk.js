// The page: a desk of the living session, and the recordings.

import { $, el, put, show } from "./dom.js";
import { count, lasting } from "./format.js";
import { Past } from "./charts.js";
import { command, controls, now } from "./control.js";
import { editLimits } from "./limits.js";
import { keys } from "./keys.js";
import { listen } from "./listen.js";
import { sessions } from "./sessions.js";
import { view } from "./view.js";

// -- light and dark -------------------------------------------------------------------------------
const themes = ["Auto", "Light", "Dark"], system = matchMedia("(prefers-color-scheme: dark)");
function dress() {
  const chosen = localStorage.getItem("theme") ?? "Auto", dark = chosen === "Dark" || (chosen === "Auto" && system.matches);
  document.documentElement.classList.toggle("dark", dark);
  put($("theme"), chosen);
  $("theme").setAttribute("aria-label", "Colours: " + (chosen === "Auto" ? "as the system has them" : chosen.toLowerCase()));
  desk?.chart.restyle();
}
$("theme").onclick = () => { localStorage.setItem("theme", themes[(themes.indexOf(localStorage.getItem("theme") ?? "Auto") + 1) % 3]); dress(); };
system.addEventListener("change", dress);

// -- the living session ---------------------------------------------------------------------------
const past = new Past(), desk = view($("desk"), past);
dress();
function see(status) {
  now(status);
  const state = status.state.replace("_", " ").toUpperCase();
  document.title = "PAPER · " + state + " · " + status.session;
  put($("session"), status.session);
  put($("state"), state, status.state === "halted" ? "sell" : status.state === "quoting" ? "buy" : "warn");
  put($("reason"), status.reason, status.state === "halted" ? "sell" : "warn");
  put($("clock"), `${lasting(Math.floor(status.uptime_s))} · ${count(status.fills)} fills · ${count(status.refusals)} refused`);
  past.picture(status);
  const missed = desk.events.take(status.events, status.last_fills);
  if (!$("sessions").hidden) return missed;
  show($("desk"), true);
  desk.draw(status);
  return missed;
}
listen({ see, fill: history => { past.take(history); desk.events.take(history.events, history.fills); }, forget: () => { past.forget(); desk.events.forget(); } });

// -- control --------------------------------------------------------------------------------------
controls();
$("edit-limits").onclick = editLimits;
const digits = [..."123456789"];
const help = keys([
  { keys: ["p"], what: "pause: take the quotes out", does: () => command("pause") },
  { keys: ["r"], what: "resume: quote again", does: () => command("resume") },
  { keys: ["h"], what: "halt, after a question (Enter says yes)", does: () => command("halt") },
  { keys: ["f"], what: "flatten, after a question", does: () => command("flatten") },
  { keys: ["l"], what: "limits: look, change, preview", does: () => editLimits() },
  { keys: ["]", "["], what: "next instrument, the one before", does: key => desk.next(key === "]" ? 1 : -1) },
  { keys: ["1", "9", ...digits], what: "an instrument by its number", does: key => desk.choose(+key - 1) },
  { keys: ["+", "-", "="], what: "a shorter, a longer time on the charts", does: key => desk.chart.span(key === "-" ? 1 : -1) },
  { keys: ["d"], what: "desk", does: () => { location.hash = "#desk"; } },
  { keys: ["s"], what: "sessions", does: () => { location.hash = "#sessions"; } },
  { keys: ["t"], what: "light, dark, or as the system", does: () => $("theme").click() },
  { keys: ["?"], what: "this list", does: () => help() },
]);

// -- views ----------------------------------------------------------------------------------------
const archive = sessions($("sessions"));
function go() {
  const route = location.hash.slice(1), away = /^(sessions|compare)/.test(route);
  show($("sessions"), away);
  show($("desk"), !away && !!$("session").textContent);
  $("to-desk").toggleAttribute("aria-current", !away);
  $("to-sessions").toggleAttribute("aria-current", away);
  if (away) archive(route);
}
addEventListener("hashchange", go);
go();
