// The dashboard in a real browser, on a real bot: `node page.mjs PAPERMAKER [FOLDER]`, pictures go to FOLDER.
//
// Nothing here sleeps to wait for something; `until` asks until it is so, or fails with what it was waiting for.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
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
const bot = spawn(binary, ["run", "--session", "page", "--for", "300s", ...sets], { stdio: ["ignore", "ignore", "pipe"] });
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

  const context = await browser.newContext({ viewport: { width: 1180, height: 900 }, colorScheme: "light", timezoneId: "UTC" });
  const page = await context.newPage();
  const complaints = [], elsewhere = [];
  page.on("console", said => { if (["error", "warning"].includes(said.type())) complaints.push(said.text()); });
  page.on("pageerror", error => complaints.push(String(error)));
  page.on("request", request => { if (new URL(request.url()).host !== address && !request.url().startsWith("data:")) elsewhere.push(request.url()); });
  page.on("dialog", dialog => dialog.accept());
  const text = selector => page.locator(selector).innerText();
  const state = word => until(`the page says ${word}`, async () => (await text("#state")).startsWith(word));
  const ourPrices = async () => (await page.locator("tr.ours td:nth-child(2)").allInnerTexts()).filter(t => t !== "—");
  const quotes = () => until("quotes on the page", async () => (await ourPrices()).length >= 2);
  const noQuotes = ms => until("no quotes on the page, and none in the status", async () =>
    (await ourPrices()).length === 0 && (await status()).instruments[0].quotes.length === 0, ms);
  const press = name => page.getByRole("button", { name, exact: true }).press("Enter");

  await claim("the page says PAPER, and that its book is live", async () => {
    await page.goto(`${url}#token=${token}`);
    assert.equal(await text(".badge"), "PAPER");
    await until("book live", async () => (await text("#instruments")).includes("book live"));
    assert.match(await page.title(), /^PAPER · /);
    assert.ok(!page.url().includes(token), "the token must not stay in the address");
  });
  await claim("quotes appear on both sides, and follow the market", async () => {
    await quotes();
    const seen = new Set();
    await until("a quote that moved", async () => { for (const p of await ourPrices()) seen.add(p); return seen.size > 3; });
    await state("QUOTING");
  });
  await claim("fills happen and are counted", () =>
    until("a fill", async () => Number((await text("#clock")).match(/(\d+) fills/)[1]) > 0, 60_000));
  await claim("nothing jumps while it quotes", async () => {
    // Where every line of the page begins, on each picture of 4 seconds; that is the length of the measurement.
    const layouts = await page.evaluate(() => new Promise(done => {
      const seen = new Set(), end = performance.now() + 4000, lines = "section, h2, h3, tr, button";
      const look = () => {
        seen.add([...document.querySelectorAll(lines)].map(e => Math.round(e.getBoundingClientRect().top)).join(" "));
        if (performance.now() < end) requestAnimationFrame(look); else done([...seen]);
      };
      look();
    }));
    assert.equal(layouts.length, 1, `lines moved:\n${layouts.join("\n")}`);
  });
  await claim("Pause, by keyboard, and nothing rests within two seconds", async () => {
    await press("Pause");
    await noQuotes(2_000);
    await state("PAUSED");
  });
  await claim("Resume, and it quotes again", async () => {
    await press("Resume");
    await quotes();
    await state("QUOTING");
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
    await other.goto(`http://localhost:${new URL(url).port}/`);
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
      if (pictures) await page.screenshot({ path: path.join(pictures, `page-${name}.png`), fullPage: true });
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name}: ${wide} px wider than the window`);
    };
    await draw("phone", 390, 844, "light");
    await draw("phone-dark", 390, 844, "dark");
    await draw("dark", 1180, 760, "dark");
    await draw("light", 1180, 760, "light");
  });
  await claim("Halt says HALTED and why, and nothing rests", async () => {
    await press("Halt");
    await state("HALTED");
    assert.match(await text("#state"), /dashboard/);
    await noQuotes(2_000);
    if (pictures) await page.screenshot({ path: path.join(pictures, "page-halted.png"), fullPage: true });
  });
  await claim("Resume lifts the halt", async () => {
    await press("Resume");
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
    await press("Stop");
    assert.equal(await ended, 0, `the bot did not end well:\n${log}`);
    await state("NOT CONNECTED");
    assert.match(await text("#lost"), /the bot has stopped or is out of reach.*What stands below is from \d\d:\d\d:\d\d/);
    assert.equal(await page.title(), "PAPER · not connected");
    const pale = await page.evaluate(() => getComputedStyle(document.querySelector("main")).opacity);
    assert.ok(Number(pale) < 0.5, "what stands below must look old");
    if (pictures) await page.screenshot({ path: path.join(pictures, "page-lost.png"), fullPage: true });
    await press("Halt");
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
