// The stream: pictures as they come, what was missed while nobody listened, and the truth about being out of reach.

import { $, put, show } from "./dom.js";
import { clock } from "./format.js";

const SILENT_MS = 3000, AGAIN_MS = 1000;

// `see(status)` for every picture, `fill(history)` for what lies before it, `forget()` when another session begins.
export function listen({ see, fill, forget }) {
  let last = null, heard = 0, gone = false, asked = false;
  const past = async since => {
    if (asked) return;
    asked = true;
    try {
      const answer = await fetch("/api/history" + (since ? "?since=" + since : ""));
      if (answer.ok) fill(await answer.json());
    } catch { /* the stream says that nobody is there */ }
    asked = false;
  };
  const lost = why => {
    const since = last ? " What stands below is from " + clock(last.at_ns / 1e6) + "." : "";
    const told = last?.state === "stopping" ? " The session had been told to stop." : "";
    show($("lost"), true);
    put($("lost"), why + told + since + " Trying again…");
    if (gone) return;
    gone = true;
    document.body.classList.add("lost");
    document.title = "PAPER · not connected";
    put($("state"), "NOT CONNECTED", "sell");
  };
  const found = () => { gone = false; document.body.classList.remove("lost"); show($("lost"), false); };
  async function take(text) {
    const status = JSON.parse(text), other = last && (last.session !== status.session || status.seq < last.seq), first = !last || other;
    if (other) forget();
    const since = first ? 0 : last.seq;
    heard = performance.now();
    if (first) await past(0);
    else if (gone) await past(since);
    if (gone) found();
    last = status;
    if (see(status)) past(since);
  }
  let stream;
  const open = () => {
    stream = new EventSource("/api/stream");
    let turn = Promise.resolve();
    stream.onmessage = e => { turn = turn.then(() => take(e.data)); };
    stream.onerror = () => {
      lost("Not connected: the bot has stopped or is out of reach.");
      if (stream.readyState === EventSource.CLOSED) setTimeout(open, AGAIN_MS);
    };
  };
  setInterval(() => {
    if (last && !gone && performance.now() - heard > SILENT_MS) lost("Connected, but the bot has said nothing for over 3 seconds.");
  }, 500);
  open();
}
