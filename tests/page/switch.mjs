// Alerts off and on, by mouse, by keyboard, for a time; with script and without.
import assert from "node:assert/strict";
import { given, inBrowser, open, picture } from "./browser.mjs";

const { url } = given;

await inBrowser(async (browser) => {
  for (const javaScriptEnabled of [true, false]) {
    const { page, complaints } = await open(browser, { javaScriptEnabled });
    const button = (name) => page.getByRole("button", { name, exact: true });
    const done = (text) => page.getByRole("region", { name: "Result" }).filter({ hasText: text }).waitFor();
    await page.goto(url);
    assert.equal((await status()).enabled, true);

    await button("until enabled").click();
    await page.locator("#state", { hasText: "DISABLED" }).waitFor();
    await done("Done. Alerts are disabled until somebody enables them.");
    assert.deepEqual([(await status()).enabled, (await status()).disabled_until], [false, null]);

    // What was done has the focus, so that it is read out; the button comes soon after.
    if (javaScriptEnabled) {
      await page.waitForFunction(() => document.activeElement.id === "done");
      assert.equal(new URL(page.url()).search, "", "a reload would say it again");
    }
    await reach(page, "Enable alerts");
    await page.keyboard.press("Enter");
    await done("Done. Alerts are enabled.");
    assert.equal((await status()).enabled, true);

    await reach(page, "4 hours");
    await page.keyboard.press("Space");
    await done("Done. Alerts are disabled until ");
    await page.locator("#state", { hasText: "DISABLED" }).waitFor();
    const { enabled, disabled_until } = await status();
    const left = (Date.parse(disabled_until) - Date.now()) / 1000;
    assert.ok(!enabled && left > 3.9 * 3600 && left <= 4 * 3600 + 1, disabled_until);
    await picture(page, javaScriptEnabled ? "done" : "done-without-script");

    await button("Enable alerts").click();
    await done("Done. Alerts are enabled.");
    assert.equal((await status()).enabled, true);
    assert.deepEqual(complaints, []);
  }
});

async function status() {
  return (await fetch(`${url}/status`)).json();
}

/** By Tab alone. */
async function reach(page, name) {
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press("Tab");
    if ((await page.locator(":focus").innerText()).trim() === name) return;
  }
  assert.fail(`no way by Tab to ${name}`);
}
