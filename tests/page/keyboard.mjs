// By keyboard: each control is reached in the order of the page, and seen to have the focus.
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
