// The page without script: all of it is there, and nothing stands there that only script makes
// true.
import assert from "node:assert/strict";
import { fits, given, inBrowser, open, picture } from "./browser.mjs";

await inBrowser(async (browser) => {
  const { page, complaints } = await open(browser, { javaScriptEnabled: false });
  const scripted = await open(browser);
  for (const { name, word, url } of given) {
    await page.goto(url);
    assert.equal(await page.title(), `${word} · LCO internet`);
    assert.equal((await page.locator("#state").innerText()).trim(), word);
    await fits(page, name);
    assert.match(await page.locator("#contact").innerText(), /^As of .+ UTC.*Reload$/s);
    assert.equal(await page.locator("#lost").isVisible(), false);

    // Script makes nothing that is not there without it.
    await scripted.page.goto(url);
    await scripted.page.locator("#fresh", { hasText: "Live" }).waitFor();
    // Ages go on while both are read.
    const shown = async (page) => (await page.locator("main").innerText()).replace(/\d+ (s|min|h)\b/g, "N $1");
    assert.equal(await shown(page), await shown(scripted.page), name);

    const folded = page.locator("#periods");
    if (await folded.count()) {
      await folded.locator("summary").click();
      await folded.getByRole("table").waitFor();
    }
  }
  await picture(page, "without-script");
  assert.deepEqual([...complaints, ...scripted.complaints], []);
});
