// What changes at the monitor is seen on an open page, which stays as the reader has it.
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { given, inBrowser, open, showsState } from "./browser.mjs";

const { url } = given;

await inBrowser(async (browser) => {
  const { page, complaints } = await open(browser);
  await page.goto(url);
  await page.locator("#fresh", { hasText: "Live" }).waitFor();
  await page.evaluate(() => (window.stays = "the same document"));

  let beats = beating();
  await showsState(page, "UP");
  await announced(page, "UP");

  await beats.stop();
  await showsState(page, "DOWN");
  await announced(page, "DOWN");
  await page.getByRole("table", { name: "Alerts and their delivery" }).getByRole("row", { name: /^Down/ }).first().waitFor();

  // The reader has a list open, is at a button, and has scrolled there.
  await page.locator("#periods summary").click();
  await page.getByRole("table", { name: "Outages and blind stretches" }).waitFor();
  const button = page.getByRole("button", { name: "12 hours", exact: true });
  await button.focus();
  const scrolled = await page.evaluate(() => Math.round(scrollY));

  beats = beating();
  await showsState(page, "UP");
  await page.getByRole("row", { name: /^Up again/ }).first().waitFor();
  await tell("/disable");
  await showsState(page, "DISABLED");
  await announced(page, "DISABLED");
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "12 hours", "the focus stays");
  assert.equal(await page.locator("#periods").evaluate((details) => details.open), true, "what is open stays open");
  assert.ok(Math.abs((await page.evaluate(() => scrollY)) - scrolled) < 400, "the place stays");

  // A button that has gone leaves the focus at the state, not nowhere.
  const enable = page.locator(".hero").getByRole("button", { name: "Enable alerts" });
  await enable.focus();
  await tell("/enable");
  await enable.waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "live", "the focus goes on at the state");

  await beats.stop();
  assert.equal(await page.evaluate(() => window.stays), "the same document", "there was no reload");
  assert.deepEqual(complaints, []);
});

// Beats until it is told to stop, well within the silence that is an alarm.
function beating() {
  let stopped = false;
  const all = (async () => {
    while (!stopped) {
      await tell("/heartbeat");
      await setTimeout(300);
    }
  })();
  return {
    stop() {
      stopped = true;
      return all;
    },
  };
}

async function tell(path) {
  const response = await fetch(url + path, { method: "POST" });
  assert.ok(response.ok, `${path}: ${response.status}`);
}

async function announced(page, word) {
  await page.getByRole("status").filter({ hasText: `LCO internet: ${word}` }).waitFor({ state: "attached" });
}
