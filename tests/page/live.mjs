// What changes at the monitor is seen on an open page, which stays as the reader has it.
import assert from "node:assert/strict";
import { given, inBrowser, open, showsState } from "./browser.mjs";

const { url } = given;

await inBrowser(async (browser) => {
  const { page, complaints } = await open(browser);
  await page.goto(url);
  await showsState(page, "WAITING");
  await page.evaluate(() => (window.stays = "the same document"));

  await tell("/heartbeat");
  await showsState(page, "UP");
  await announced(page, "UP");

  // Nobody beats any more.
  await showsState(page, "DOWN");
  await announced(page, "DOWN");
  await page.getByRole("table", { name: "Alerts and their delivery" }).getByRole("row", { name: /^Down/ }).waitFor();

  // The reader has a list open, is at a button, and has scrolled there.
  await page.locator("#periods summary").click();
  await page.getByRole("table", { name: "Outages and blind stretches" }).waitFor();
  const button = page.getByRole("button", { name: "12 hours", exact: true });
  await button.focus();
  const scrolled = await page.evaluate(() => Math.round(scrollY));

  await tell("/heartbeat");
  await page.getByRole("row", { name: /^Up again/ }).waitFor();
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

  assert.equal(await page.evaluate(() => window.stays), "the same document", "there was no reload");
  assert.deepEqual(complaints, []);
});

async function tell(path) {
  const response = await fetch(url + path, { method: "POST" });
  assert.ok(response.ok, `${path}: ${response.status}`);
}

const announced = (page, word) => page.getByRole("status").filter({ hasText: `LCO internet: ${word}` }).waitFor({ state: "attached" });
