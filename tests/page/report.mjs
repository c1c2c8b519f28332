// Reports in a real browser, opened as a file: `node report.mjs PAPERMAKER [FOLDER]`, pictures go to FOLDER.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { browserPath, claim, quiet } from "./claim.mjs";

const [binary, pictures] = process.argv.slice(2);
const here = fs.mkdtempSync(path.join(os.tmpdir(), "papermaker-report-"));
if (pictures) fs.mkdirSync(pictures, { recursive: true });
const settings = { "store.path": here, "signals.volatility_grid_ms": 250, "signals.volatility_samples_min": 4,
  "signals.intensity_orders_min": 4, "signals.intensity_refit_s": 0.5 };
const sets = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
const file = name => path.join(here, name);
let browser;

function papermaker(...args) {
  const ran = spawnSync(binary, [...args, ...sets], { encoding: "utf8" });
  assert.equal(ran.status, 0, `papermaker ${args.join(" ")}\n${ran.stdout}${ran.stderr}`);
}

async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 900 }, colorScheme: "light", ...options });
  const page = await context.newPage(), complaints = [], asked = [], url = pathToFileURL(file(name)).href;
  page.on("console", said => { if (["error", "warning"].includes(said.type())) complaints.push(said.text()); });
  page.on("pageerror", error => complaints.push(String(error)));
  page.on("request", request => { if (request.url() !== url && !request.url().startsWith("data:")) asked.push(request.url()); });
  await page.goto(url);
  await page.locator(".chart canvas").first().waitFor();
  return { page, complaints, asked };
}

// How many colours each chart shows: an empty canvas has one, axes alone a few.
const colours = page => page.evaluate(() => [...document.querySelectorAll(".chart canvas")].map(canvas => {
  // A copy is read, so that the chart's own canvas stays as it is.
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const brush = copy.getContext("2d", { willReadFrequently: true });
  brush.drawImage(canvas, 0, 0);
  const { data } = brush.getImageData(0, 0, copy.width, copy.height), seen = new Set();
  for (let i = 0; i < data.length; i += 4) seen.add(data[i] << 24 | data[i + 1] << 16 | data[i + 2] << 8 | data[i + 3]);
  return seen.size;
}));

async function looksRight(name, titles) {
  const { page, complaints, asked } = await open(name);
  assert.match(await page.title(), /^PAPER · /);
  const seen = await colours(page);
  assert.ok(seen.length >= titles && seen.every(n => n > 8), `${name}: colours of each chart: ${seen}`);
  const drawn = await page.evaluate(() => [...document.querySelectorAll(".chart")].filter(c => !c.querySelector("canvas")).length);
  assert.equal(drawn, 0, `${name}: charts that stayed empty`);
  if (pictures) await page.screenshot({ path: path.join(pictures, `${name}-light.png`), fullPage: true });
  return { page, complaints, asked };
}

async function story() {
  papermaker("run", "--session", "told", "--for", "15s", "--no-dashboard");
  papermaker("report", "told", "--out", file("session.html"));
  papermaker("backtest", "told", "--strategy", "fixed-spread", "--strategy", "avellaneda-stoikov", "--resamples", "200",
    "--report", file("backtest.html"));
  papermaker("realism", "--sim", "demo", "--for", "2h", "--out", file("realism.html"));
  browser = await chromium.launch({ executablePath: browserPath, headless: true, args: quiet });
  let shown;

  await claim("a session's report opens from a file and draws every chart", async () => { shown = await looksRight("session.html", 6); });
  const { page } = shown, range = () => page.locator("#range").innerText();
  const market = page.locator("[data-chart=market]");
  await claim("dragging over a chart zooms all of them, and 0 shows all again", async () => {
    const before = await colours(page), all = await range();
    assert.match(all, /\(all\)$/);
    const box = await market.locator(".u-over").boundingBox();
    await page.mouse.move(box.x + box.width * .3, box.y + 100);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * .6, box.y + 100, { steps: 5 });
    await page.mouse.up();
    await page.waitForFunction(text => document.querySelector("#range").textContent !== text, all);
    assert.doesNotMatch(await range(), /\(all\)$/);
    assert.notDeepEqual(await colours(page), before, "no chart looks different");
    await market.focus();
    await page.keyboard.press("0");
    assert.equal(await range(), all);
  });
  await claim("by keyboard one goes in and from fill to fill, each saying why", async () => {
    await market.focus();
    await page.keyboard.press("+");
    assert.doesNotMatch(await range(), /\(all\)$/);
    await page.keyboard.press("n");
    await page.locator("#tip").waitFor();
    const first = await page.locator("#tip").innerText();
    assert.match(first, /(Bought|Sold) [\d.]+ BTC at [\d.]+ USDT\nWhy: .+\nAhead of us just before: /);
    await page.keyboard.press("n");
    await page.waitForFunction(text => document.querySelector("#tip").innerText !== text, first);
    await page.keyboard.press("Escape");
    assert.ok(!(await page.locator("#tip").isVisible()));
    await page.keyboard.press("0");
  });
  await claim("the list of fills in view has as many as there are, up to 200", async () => {
    const total = Number((await page.locator("details.fills summary").innerText()).match(/\d+$/)[0]);
    assert.ok(total > 0, "15 seconds of demo without a fill");
    await page.locator("details.fills summary").click();
    await page.locator("details.fills td").first().waitFor();
    assert.equal(await page.locator("details.fills tbody tr").count(), Math.min(total, 200));
  });
  await claim("light and dark, as the system has it and by button", async () => {
    const ground = it => it.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground(page), lines = await colours(page);
    await page.locator("#theme").press("Enter");
    assert.notEqual(await ground(page), light);
    assert.notDeepEqual(await colours(page), lines, "the charts stayed light");
    const dark = await open("session.html", { colorScheme: "dark" });
    assert.equal(await ground(dark.page), await ground(page));
    if (pictures) await dark.page.screenshot({ path: path.join(pictures, "session.html-dark.png"), fullPage: true });
    assert.deepEqual([dark.complaints, dark.asked], [[], []]);
  });
  await claim("it fits a phone, and prints", async () => {
    for (const name of ["session.html", "backtest.html", "realism.html"]) {
      const phone = await open(name, { viewport: { width: 390, height: 844 } });
      const wide = await phone.page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name}: ${wide} px wider than a phone`);
      if (pictures) await phone.page.screenshot({ path: path.join(pictures, `${name}-phone.png`), fullPage: true });
      const paper = await phone.page.pdf({ format: "A4", path: pictures && path.join(pictures, `${name}.pdf`) });
      assert.ok(paper.length > 20_000, `${name}: ${paper.length} bytes of PDF`);
    }
  });
  let compared;
  await claim("a backtest's report draws curves, drawdowns and markouts", async () => { compared = await looksRight("backtest.html", 3); });
  let judged;
  await claim("a market's report draws what its bands were measured on", async () => { judged = await looksRight("realism.html", 10); });
  await claim("the browser had nothing to complain about, and was asked for nothing else", () => {
    for (const { complaints, asked } of [shown, compared, judged]) assert.deepEqual([complaints, asked], [[], []]);
  });
}

let failure = null;
try { await story(); } catch (error) { failure = error; }
await browser?.close();
fs.rmSync(here, { recursive: true, force: true });
if (failure) {
  console.error(`the report failed: ${failure.stack}`);
  process.exit(1);
}
