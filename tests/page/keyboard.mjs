// By keyboard and by screen reader: each control is reached in the order of the page, seen to have the focus, and has a name;
// each part has a name and a role.
import assert from "node:assert/strict";
import { given, inBrowser, open } from "./browser.mjs";

const CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex='0']";

await inBrowser(async (browser) => {
  for (const colorScheme of ["light", "dark"]) {
    const { page } = await open(browser, { colorScheme });
    for (const { name, url } of given) {
      await page.goto(url);
      await page.locator("#fresh", { hasText: "Live" }).waitFor();
      await page.evaluate((controls) => {
        window.controls = [...document.querySelectorAll(controls)].filter((control) => control.checkVisibility());
      }, CONTROLS);
      const all = await page.evaluate(() => window.controls.length);
      assert.ok(all >= 8, `${name}: only ${all} controls`);
      for (let next = 0; next < all; next += 1) {
        await page.keyboard.press("Tab");
        const focused = await page.evaluate(focus);
        assert.equal(focused.index, next, `${name}: after ${next} steps the focus is at ${focused.html}`);
        assert.ok(focused.seen, `${name}: the focus cannot be seen at ${focused.html}: ${JSON.stringify(focused)}`);
      }
    }
    await page.goto(given[0].url);
    await skips(page);
  }
  const { page } = await open(browser);
  await parts(page, Object.fromEntries(given.map(({ name, url }) => [name, url])));
});

// In the page: what has the focus, and whether a person sees that.
function focus() {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  const inside = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return {
    index: window.controls.indexOf(at),
    html: at.outerHTML.slice(0, 120),
    seen: inside && outline,
    outline: style.outline,
    box,
  };
}

async function skips(page) {
  await page.keyboard.press("Tab");
  await page.getByRole("link", { name: "Skip to the state" }).press("Enter");
  await page.waitForFunction(() => document.activeElement.id === "live");
}

// What a screen reader makes of it.
async function parts(page, samples) {
  const there = (role, name, options = {}) => page.getByRole(role, { name, exact: true, ...options }).first().waitFor();
  await page.goto(samples.undelivered);
  await there("heading", "DOWN", { level: 1 });
  for (const landmark of ["banner", "main", "contentinfo"]) await page.getByRole(landmark).waitFor();
  for (const region of ["Last report from the observatory", "Alerts on and off", "Channels", "Alerts"]) {
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
  assert.deepEqual(mute, []);
  await page.goto(samples["disabled-for-a-time"]);
  await there("group", "Disable alerts again, from now, for");
  await there("button", "Enable alerts");
}
