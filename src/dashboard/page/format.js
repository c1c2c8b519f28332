// Numbers and times for eyes. The JSON has every digit; nothing here is calculated with.

export const two = n => String(Math.floor(n)).padStart(2, "0");
export const clock = ms => new Date(ms).toLocaleTimeString("en-GB");
export const moment = ns => { const d = new Date(ns / 1e6); return d.toISOString().slice(0, 10) + " " + d.toISOString().slice(11, 19); };
export const ago = ms => ms == null ? "never" : ms < 1000 ? "< 1 s" : ms < 120e3 ? Math.round(ms / 1000) + " s" : Math.round(ms / 60e3) + " min";
export const lasting = s => s >= 86400 ? Math.floor(s / 86400) + " d " + two(s / 3600 % 24) + ":" + two(s / 60 % 60) : two(s / 3600) + ":" + two(s / 60 % 60) + ":" + two(s % 60);
export const count = n => n.toLocaleString("en");
export const sig = (x, digits = 4) => x == null || !Number.isFinite(+x) ? "—" : Math.abs(x) >= 1e5 ? (+x).toFixed(0) : String(+(+x).toPrecision(digits));
export const ms = x => x == null ? "—" : Math.abs(x) >= 1000 ? (x / 1000).toFixed(1) + " s" : x.toFixed(Math.abs(x) < 10 ? 2 : 0) + " ms";
export const bytes = n => n >= 1e9 ? (n / 1e9).toFixed(2) + " GB" : n >= 1e6 ? (n / 1e6).toFixed(1) + " MB" : (n / 1e3).toFixed(1) + " kB";

// Money of one table: as many decimals in each row, so that points stand under points; the minus is a minus.
export const places = texts => texts.some(t => Math.abs(t) >= 100) ? 2 : 4;
export const money = digits => t => t == null ? "—" : minus((+t).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative" }));
export const minus = text => text.replace("-", "−");
export const decimals = text => (text?.split(".")[1] ?? "").length;

// Words of codes and states.
export const WHY = { traded_through: "a print went through our price", queue_front: "a print at our price, the queue before us was gone",
  crossed: "the other side came to rest at our price", took: "our order crossed the spread" };
export const words = code => code.replaceAll("_", " ");
// A limit's key without its unit, and the unit.
const UNITS = [["_per_s", "/s"], ["_bps", "bps"], ["_ms", "ms"], ["_s", "s"]];
export function limitName(key, it) {
  const [name, ...of] = key.split(" "), unit = name.endsWith("_base") ? it?.base ?? "base" : name.endsWith("_quote") ? it?.quote ?? "" : UNITS.find(([end]) => name.endsWith(end))?.[1] ?? "";
  const bare = name.replace(/(_base|_quote|_per_s|_bps|_ms|_s)$/, "").replace(/_max$/, "").replace(/_min$/, " at least");
  return words(bare) + (unit ? ", " + unit : "") + (of.length ? " " + of.join(" ") : "");
}
