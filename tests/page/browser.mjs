// What the scripts share: the browser, what is looked at, and pictures for people.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const LIMIT = 60_000; // Of each wait, in ms, on a machine that is busy.
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What the test has to say to the script. */
export const given = JSON.parse(process.argv[2]);

/** Asks the test for something. */
export const ask = (what) => console.log(what);

export async function inBrowser(script) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, timeout: LIMIT });
  try {
    await script(browser);
  } finally {
    await browser.close();
  }
}

/** A page in a profile of its own, and what it complains of. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  return { page, complaints };
}

/** The word at the top, in the headline and in the title. */
export async function showsState(page, word) {
  await page.locator("#state", { hasText: new RegExp(`^\\s*${word}\\s*$`) }).waitFor();
  await page.waitForFunction((title) => document.title === title, `${word} · LCO internet`);
}

/** Nothing is to be scrolled sideways for. */
export async function fits(page, where) {
  const [wide, room] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(wide <= room, `${where}: ${wide} px in ${room} px`);
}

/** What axe finds wrong: nothing. */
export async function suitsAxe(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  const found = violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}\n  ${html}\n  ${failureSummary}`),
  );
  assert.deepEqual(found, [], `${where}:\n${found.join("\n")}`);
}

/** A picture for people, in target/page. */
export const picture = (page, name) =>
  page.screenshot({ path: join(process.env.PICTURES, `${name}.png`), fullPage: true });
