// A page that the monitor does not answer any more must not look as if it were true.
import assert from "node:assert/strict";
import { ask, given, inBrowser, open, picture, showsState, suitsAxe } from "./browser.mjs";

const { url } = given;

await inBrowser(async (browser) => {
  const { page } = await open(browser);
  await page.goto(url);
  await showsState(page, "WAITING");
  await page.locator("#fresh", { hasText: "Live" }).waitFor();
  await page.evaluate(() => (window.stays = "the same document"));

  ask("kill the monitor");
  const lost = page.locator("#lost", { hasText: "No contact with the monitor. This page is" });
  await lost.waitFor();
  assert.match(await page.locator("#fresh").innerText(), /^\d+ s old\.$/);
  assert.equal(await page.title(), "NO CONTACT · LCO internet");
  await page.getByRole("link", { name: "Reload" }).waitFor();
  await page.getByRole("status").filter({ hasText: "No contact with the monitor." }).waitFor({ state: "attached" });
  await suitsAxe(page, "lost");
  await picture(page, "lost");

  ask("start the monitor");
  await lost.waitFor({ state: "hidden" });
  await showsState(page, "WAITING");
  await page.locator("#fresh", { hasText: "Live" }).waitFor();
  await page.getByRole("status").filter({ hasText: "LCO internet: WAITING" }).waitFor({ state: "attached" });
  assert.equal(await page.evaluate(() => window.stays), "the same document", "there was no reload");
});
