// The dashboard in a real browser, on a real bot: `node page.mjs PAPERMAKER [FOLDER]`, pictures go to FOLDER.
//
// Nothing here sleeps to wait for something (a few measurements have a length); `until` asks until it is so, or fails with what it was waiting for.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";
import { browserPath, claim, quiet } from "./claim.mjs";

const [binary, pictures] = process.argv.slice(2);
const store = fs.mkdtempSync(path.join(os.tmpdir(), "papermaker-page-"));
if (pictures) fs.mkdirSync(pictures, { recursive: true });

const settings = { "store.path": store, "dashboard.port": 0, "signals.volatility_grid_ms": 250, "signals.volatility_samples_min": 4,
  "signals.intensity_orders_min": 4, "signals.intensity_refit_s": 0.5 };
const sets = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
// What was recorded before, to be listed, replayed and compared.
for (const session of ["monday", "tuesday"]) {
  const ran = spawnSync(binary, ["run", "--session", session, "--for", "8s", "--no-dashboard", ...sets], { encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stderr);
}
const bot = spawn(binary, ["run", "--session", "page", "--for", "300s", "--instrument", "binance-spot:BTCUSDT", "--instrument", "binance-spot:ETHUSDT", ...sets], { stdio: ["ignore", "ignore", "pipe"] });
let log = "";
bot.stderr.on("data", text => { log += text; });
const ended = new Promise(done => bot.on("exit", (code, signal) => done(code ?? signal)));
let browser;

async function until(what, ask, ms = 20_000) {
  const end = Date.now() + ms;
  let seen;
  for (;;) {
    seen = await ask();
    if (seen) return seen;
    if (Date.now() > end) assert.fail(`after ${ms} ms, still not so: ${what}`);
    await new Promise(done => setTimeout(done, 50));
  }
}

function post(address, verb, headers) {
  return new Promise((done, failed) => {
    http.request(`http://${address}/api/${verb}`, { method: "POST", headers }, answer => done(answer.resume().statusCode))
      .on("error", failed).end();
  });
}

async function story() {
  const contact = await until("the bot has written api.json", () => {
    assert.equal(bot.exitCode, null, `the bot ended at once:\n${log}`);
    try { return JSON.parse(fs.readFileSync(path.join(store, "api.json"), "utf8")); } catch { return null; }
  });
  const { address, token } = contact, url = `http://${address}/`;
  const status = async () => (await fetch(url + "api/status")).json();
  browser = await chromium.launch({ executablePath: browserPath, headless: true, args: quiet });

  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "light", timezoneId: "UTC" });
  const page = await context.newPage();
  const complaints = [], elsewhere = [];
  let listening = true;
  const attend = page => {
    page.on("console", said => { if (listening && ["error", "warning"].includes(said.type())) complaints.push(said.text()); });
    page.on("pageerror", error => complaints.push(error.stack));
    page.on("request", request => { if (new URL(request.url()).host !== address && !request.url().startsWith("data:")) elsewhere.push(request.url()); });
  };
  attend(page);
  // Every shift of the layout that nobody caused by a click or a key, from the first paint on.
  await page.addInitScript(() => {
    window.shifts = [];
    new PerformanceObserver(list => list.getEntries().forEach(e => { if (!e.hadRecentInput) window.shifts.push(`${e.value} ${e.sources.map(s => `${s.node?.nodeName}.${s.node?.className}`)}`); }))
      .observe({ type: "layout-shift", buffered: true });
  });
  const text = selector => page.locator(selector).first().innerText();
  const state = (word, ms) => until(`the page says ${word}`, async () => (await text("#state")).startsWith(word), ms);
  const ourPrices = async (of = page) => (await of.locator("#desk .ladder tr.ours td:nth-child(2)").allInnerTexts());
  const quotes = () => until("quotes on the page", async () => (await ourPrices()).length >= 1);
  const rest = async () => (await status()).instruments.reduce((n, it) => n + it.quotes.length, 0);
  const noQuotes = ms => until("no quotes on the page, and none in the status", async () => (await ourPrices()).length === 0 && await rest() === 0, ms);
  const press = name => page.getByRole("button", { name, exact: true }).press("Enter");
  const fills = async () => Number((await text("#clock")).match(/([\d,]+) fills/)[1].replace(",", ""));
  // The dialog that asks: who, why, and yes.
  const yes = async (name, why) => {
    await page.locator("dialog[open] #why").fill(why);
    await page.locator("dialog[open]").getByRole("button", { name, exact: true }).press("Enter");
  };

  await claim("the page says PAPER and paints within a second", async () => {
    await page.goto(`${url}#token=${token}`);
    assert.equal(await text(".badge"), "PAPER");
    await until("book live", async () => (await text("#desk")).includes("book live"));
    assert.match(await page.title(), /^PAPER · /);
    assert.ok(!page.url().includes(token), "the token must not stay in the address");
    const painted = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    assert.ok(painted > 0 && painted < 1000, `first paint after ${painted} ms`);
  });
  await claim("quotes appear on both sides, and follow the market", async () => {
    await state("QUOTING");
    const seen = new Set();
    await until("quotes that moved", async () => { for (const p of await ourPrices()) seen.add(p); return seen.size > 3; });
    const it = (await status()).instruments[0];
    assert.ok(it.bids.length >= 8 && it.asks.length >= 8);
  });
  await claim("fills happen, are counted, drawn and told", async () => {
    await until("a fill", async () => await fills() > 0, 60_000);
    await until("a fill in the log", async () => /▲ bought|▼ sold/.test(await text(".log")));
    await until("a fill on the chart", async () => /fills [1-9]/.test(await text(".readout")));
  });
  await claim("every number of the desk is there", async () => {
    for (const [panel, words] of [["at-money", ["spread earned", "inventory moved", "fees", "funding", "equity", "pessimistic", "optimistic"]], ["at-risk", ["active", "position", "daily loss", "nothing has tripped"]],
      ["at-mind", ["σ", "A, 1/s", "k, 1/tick", "γ", "last decision"]], ["at-feeds", ["binance-spot", "ms", "gaps", "reconnects"]], ["at-record", ["inputs", "on disk", "output digest", "nothing was refused"]]]) {
      const shown = await text("." + panel);
      for (const word of words) assert.ok(shown.includes(word), `${panel} says nothing of ${word}:\n${shown}`);
    }
  });
  await claim("nothing has jumped since the first paint, and nothing does while it quotes", async () => {
    // Four seconds are the length of the measurement.
    await page.waitForTimeout(4000);
    assert.deepEqual(await page.evaluate(() => window.shifts), []);
  });
  await claim("another instrument is one key away, and back", async () => {
    const first = await text(".tab[aria-selected=true]");
    await page.keyboard.press("]");
    await until("the other instrument", async () => (await text(".tab[aria-selected=true]")).includes("ETHUSDT"));
    await until("its prices", async () => Number(await text(".ladder tr.mid td:nth-child(2)")) < 10_000);
    await page.keyboard.press("ArrowLeft");
    await until("the first again", async () => (await text(".tab[aria-selected=true] b")) === first.split("\n")[0]);
  });
  await claim("Pause, by one key, and nothing rests within a second", async () => {
    await page.keyboard.press("p");
    await noQuotes(1_000);
    await state("PAUSED");
    assert.match(await text("#reason"), /by dashboard/);
    await until("the log says who", async () => (await text(".log")).includes("pause, by dashboard"));
  });
  await claim("a page that is loaded anew knows what was before, every fill of it", async () => {
    const all = (await status()).fills;
    await page.reload();
    await state("PAUSED");
    await until("the fills of both charts", async () => {
      let sum = 0;
      for (const key of ["1", "2"]) {
        await page.keyboard.press(key);
        await page.waitForFunction(key => document.querySelector(`.tab:nth-child(${key})`)?.getAttribute("aria-selected") === "true", key);
        sum += await page.waitForFunction(() => Number(document.querySelector(".readout").textContent.match(/fills (\d+)/)?.[1] ?? NaN)).then(h => h.jsonValue());
      }
      return sum === all;
    });
    assert.deepEqual(await page.evaluate(() => window.shifts), []);
    await page.keyboard.press("1");
  });
  await claim("Resume, and it quotes again", async () => {
    await press("Resume");
    await quotes();
    await state("QUOTING");
  });
  await claim("a limit is changed: previewed, agreed to, in force, and in the log", async () => {
    await page.keyboard.press("l");
    await page.locator("input[data-key=loss_max_quote]").fill("800");
    const apply = page.getByRole("button", { name: "Put in force" });
    await page.locator("dialog[open] #why").fill("a quiet day");
    await page.getByRole("button", { name: "Preview" }).press("Enter");
    await until("the difference", async () => (await text(".diff")).includes("lets more through"));
    assert.ok(await apply.isDisabled(), "looser limits need a yes");
    assert.ok((await status()).limits.find(l => l.limit === "loss_max_quote").max === "500", "a preview changed something");
    if (pictures) await page.screenshot({ path: path.join(pictures, "page-limits.png") });
    await page.locator("#agree").press("Space");
    await apply.press("Enter");
    await until("the new limit", async () => (await status()).limits.find(l => l.limit === "loss_max_quote").max === "800");
    await until("who and why in the log", async () => (await text(".log")).includes("other limits, by dashboard (a quiet day)"));
    await page.keyboard.press("l");
    await page.locator("input[data-key=collar_bps]").first().fill("many");
    // The browser itself reports every answer that is a refusal.
    listening = false;
    await page.getByRole("button", { name: "Preview" }).press("Enter");
    await until("a refusal with its reason", async () => (await text("dialog[open] [role=status]")).includes("collar_bps"));
    listening = true;
    await page.keyboard.press("Escape");
  });
  await claim("a connection that was lost is found again, and nothing is missing", async () => {
    listening = false;
    await context.setOffline(true);
    bot.kill("SIGSTOP");
    await state("NOT CONNECTED");
    bot.kill("SIGCONT");
    await context.setOffline(false);
    await state("QUOTING");
    listening = true;
    assert.ok(!(await page.locator("#lost").isVisible()));
    await page.keyboard.press("p");
    await noQuotes(2_000);
    const all = (await status()).fills;
    let sum = 0;
    await until("every fill on the charts", async () => {
      sum = 0;
      for (const key of ["1", "2"]) {
        await page.keyboard.press(key);
        await page.waitForTimeout(600);
        sum += Number((await text(".readout")).match(/fills (\d+)/)[1]);
      }
      return sum === all;
    });
    await page.keyboard.press("1");
    await page.keyboard.press("r");
    await quotes();
  });

  await claim("a stranger may look, cannot operate, and a wrong token is refused in words", async () => {
    const stranger = await (await browser.newContext()).newPage();
    await stranger.goto(url);
    await stranger.locator("#key").waitFor();
    assert.ok(!(await stranger.locator("#controls").isVisible()));
    await stranger.locator("#token").fill("guess");
    await stranger.keyboard.press("Enter");
    await stranger.getByRole("button", { name: "Pause" }).press("Enter");
    await until("a refusal in words", async () => (await stranger.locator("#refused").innerText()).includes("not the running bot's token"));
    assert.ok(!(await stranger.locator("#controls").isVisible()));
    await stranger.context().close();
    assert.equal(await post(address, "pause", {}), 401);
    assert.equal(await post(address, "pause", { Authorization: "Bearer guess" }), 401);
    assert.equal((await status()).state, "quoting");
  });
  await claim("a page of another origin cannot write, even with the token", async () => {
    // The same server by another name is another origin to a browser.
    const other = await (await browser.newContext()).newPage();
    await other.goto(`http://localhost:${new URL(url).port}/api/openapi.json`);
    const answer = other.waitForResponse(r => r.url().endsWith("/api/pause"));
    await other.evaluate(to => fetch(to, { method: "POST", mode: "no-cors" }), url + "api/pause");
    assert.equal((await answer).status(), 403);
    const withToken = await other.evaluate(([to, token]) => fetch(to, { method: "POST", headers: { Authorization: `Bearer ${token}` } })
      .then(r => `read ${r.status}`, () => "stopped by the browser"), [url + "api/pause", token]);
    assert.equal(withToken, "stopped by the browser");
    await other.context().close();
    assert.equal(await post(address, "pause", { Authorization: `Bearer ${token}`, Origin: "http://evil.example" }), 403);
    assert.equal((await status()).state, "quoting");
  });
  await claim("it fits a phone, and is drawn in light and in dark", async () => {
    const draw = async (name, width, height, colorScheme) => {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await quotes();
      // The charts are drawn again twice a second.
      await page.waitForTimeout(1000);
      if (pictures) await page.screenshot({ path: path.join(pictures, `page-${name}.png`), fullPage: true });
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name}: ${wide} px wider than the window`);
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(ground, colorScheme === "dark" ? "rgb(20, 24, 30)" : "rgb(244, 245, 247)");
    };
    await draw("phone", 390, 844, "light");
    await draw("phone-dark", 390, 844, "dark");
    await draw("dark", 1440, 900, "dark");
    await draw("light", 1440, 900, "light");
    await page.keyboard.press("t");
    await page.keyboard.press("t");
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(20, 24, 30)", "by key, whatever the system has");
    await page.keyboard.press("t");
  });
  await claim("recordings are listed, and two are compared", async () => {
    await page.keyboard.press("s");
    await until("the list", async () => (await text("#sessions")).includes("monday") && (await text("#sessions")).includes("runs now"));
    assert.equal(await text(".badge"), "PAPER");
    if (pictures) await page.screenshot({ path: path.join(pictures, "page-sessions.png") });
    await page.getByLabel("compare monday").press("Space");
    await page.getByLabel("compare tuesday").press("Space");
    await page.getByRole("button", { name: "Compare the two chosen" }).press("Enter");
    await until("the comparison", async () => /attribution[\s\S]*spread[\s\S]*num trades/.test(await text("#sessions")));
  });
  await claim("a recording is brought back to any moment, and says why", async () => {
    await page.evaluate(() => { location.hash = "#sessions/monday"; });
    const at = async () => { const [, seq, all] = (await text("#at")).match(/input ([\d,]+) of ([\d,]+)/) ?? []; return [seq, all].map(n => Number((n ?? "NaN").replaceAll(",", ""))); };
    await until("its end", async () => { const [seq, all] = await at(); return seq > 0 && seq === all; });
    await page.getByLabel("Ten seconds back").press("Enter");
    await until("its beginning", async () => (await at())[0] < 50);
    const slider = page.locator("#when");
    await slider.focus();
    // Home and a step: as somebody with a keyboard would drag it.
    await slider.evaluate(s => { s.value = 8000; s.dispatchEvent(new Event("input")); });
    await until("its last part", async () => { const [seq, all] = await at(); return seq > all / 2 && seq < all; });
    const [seq] = await at();
    await page.getByLabel("One input on").press("Enter");
    await until("the next input", async () => (await at())[0] === seq + 1);
    const told = (await (await fetch(`${url}api/sessions/monday/moment?seq=${seq + 1}`)).json()).status.instruments[0];
    await until("the book of that moment", async () => (await text("#sessions .ladder tr.mid td:nth-child(2)")) === Number(told.mid).toFixed(told.ask.price.split(".")[1].length + 1));
    await page.getByRole("button", { name: "Why?" }).press("Enter");
    await until("its explanation", async () => (await text(".told")).includes(`→ ${seq + 1} `));
    if (pictures) await page.screenshot({ path: path.join(pictures, "page-replay.png"), fullPage: true });
    const [report] = await Promise.all([context.waitForEvent("page"), page.locator("#sessions").getByRole("link", { name: "report" }).press("Enter")]);
    await report.locator(".chart canvas").first().waitFor();
    assert.match(await report.title(), /^PAPER · monday/);
    await report.close();
    await page.keyboard.press("d");
    await quotes();
  });
  await claim("Halt asks, then says HALTED and why, and nothing rests", async () => {
    await page.keyboard.press("h");
    await page.locator("dialog[open]").getByRole("button", { name: "Cancel" }).press("Enter");
    assert.equal((await status()).state, "quoting");
    // Asked again in the same breath: what closes the first question is no answer to the second.
    await page.keyboard.press("h");
    await page.locator("dialog[open]").waitFor();
    await page.evaluate(() => {
      [...document.querySelectorAll("dialog[open] button")].find(b => b.textContent === "Cancel").click();
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "h", bubbles: true }));
    });
    await yes("Halt", "strange fills");
    await state("HALTED");
    assert.match(await text("#reason"), /strange fills, by dashboard/);
    await noQuotes(2_000);
    if (pictures) await page.screenshot({ path: path.join(pictures, "page-halted.png"), fullPage: true });
  });
  await claim("Resume asks whether the halt is to be lifted, and lifts it", async () => {
    await press("Resume");
    assert.match(await text("dialog[open]"), /Halted because: strange fills/);
    await yes("Resume", "they were ours");
    await quotes();
  });
  await claim("Flatten asks, and closes every position", async () => {
    await press("Flatten…");
    assert.match(await text("dialog[open]"), /Now held: .*BTC of binance-spot:BTCUSDT/);
    await yes("Flatten", "end of day");
    await until("flat", async () => (await status()).instruments.every(it => Number(it.position) === 0), 30_000);
    await state("PAUSED");
    await page.keyboard.press("r");
    await quotes();
  });
  await claim("a bot that hangs does not look alive, and is believed again when it speaks", async () => {
    bot.kill("SIGSTOP");
    await state("NOT CONNECTED");
    assert.match(await text("#lost"), /said nothing for over 3 seconds/);
    bot.kill("SIGCONT");
    await state("QUOTING");
    assert.ok(!(await page.locator("#lost").isVisible()));
  });
  await claim("until here the browser had nothing to complain about, and asked nobody else", () => {
    assert.deepEqual(complaints, []);
    assert.deepEqual(elsewhere, []);
  });
  await claim("Stop ends the bot, and the page says that it is no longer true", async () => {
    await press("Stop…");
    await yes("Stop", "the test is over");
    assert.equal(await ended, 0, `the bot did not end well:\n${log}`);
    await state("NOT CONNECTED");
    assert.match(await text("#lost"), /the bot has stopped or is out of reach.*What stands below is from \d\d:\d\d:\d\d/);
    assert.equal(await page.title(), "PAPER · not connected");
    const pale = await page.evaluate(() => getComputedStyle(document.querySelector("main")).opacity);
    assert.ok(Number(pale) < 0.5, "what stands below must look old");
    if (pictures) await page.screenshot({ path: path.join(pictures, "page-lost.png"), fullPage: true });
    await press("Pause");
    await until("a command to nobody says so", async () => (await text("#answer")).includes("out of reach"));
  });
}

let failure = null;
try { await story(); } catch (error) { failure = error; }
bot.kill("SIGCONT");
bot.kill("SIGKILL");
await browser?.close();
fs.rmSync(store, { recursive: true, force: true });
if (failure) {
  console.error(`the page failed: ${failure.message}\n--- the bot said\n${log}`);
  process.exit(1);
}
