// By screen reader: each part has a name and a role.
import assert from "node:assert/strict";
import { given, inBrowser, open } from "./browser.mjs";

await inBrowser(async (browser) => {
  const { page } = await open(browser);
  await parts(page, Object.fromEntries(given.map(({ name, url }) => [name, url])));
});

async function parts(page, samples) {
  const there = (role, name, options = {}) => page.getByRole(role, { name, exact: true, ...options }).first().waitFor();
  await page.goto(samples.undelivered);
  await there("heading", "DOWN", { level: 1 });
  for (const landmark of ["banner", "main", "contentinfo"]) await page.getByRole(landmark).waitFor();
  for (const region of ["Last report from the observatory", "Alerts on and off", "Channels", "Alerts", "Incidents"]) {
    await there("region", region);
    await there("heading", region, { level: 2 });
  }
  await there("group", "Disable alerts for");
  await there("group", "Send a test message by");
  await there("table", "Alerts and their delivery, newest first");
  for (const column of ["Alert", "Delivery"]) await there("columnheader", column);
  assert.ok((await page.locator("#alerts").getByRole("rowheader").count()) > 0);
  await page.locator("#periods summary").press("Enter");
  await there("table", "Outages and blind stretches of the last 7 days, newest first");
  assert.equal(await page.getByRole("status").count(), 1, "one live region");
  // A drawing is a picture with a name (axe sees to the name), or is not there.
  const mute = await page.evaluate(() =>
    [...document.querySelectorAll("svg")]
      .filter((svg) => !svg.closest("[aria-hidden='true']") && svg.getAttribute("role") !== "img")
      .map((svg) => svg.outerHTML.slice(0, 120)),
  );
  await there("img", "Last 24 hours");
  await there("img", "Last 7 days");
  await there("img", "Time left at the PLC, last 24 hours");
  assert.deepEqual(mute, []);
  // A link below the strip leads to its incident.
  await page.getByRole("link", { name: "held, closing, closed by watchdog" }).press("Enter");
  const target = await page.evaluate(() => document.querySelector(":target")?.innerText ?? "");
  assert.match(target, /^Held, closing, closed by watchdog/);
  await page.goto(samples["disabled-for-a-time"]);
  await there("group", "Disable alerts again, from now, for");
  await there("button", "Enable alerts");
}
