// With an admin token, a form needs it as the password of any user, which the browser asks for.
import assert from "node:assert/strict";
import { given, inBrowser, open, picture } from "./browser.mjs";

const { url, token } = given;

await inBrowser(async (browser) => {
  // Nobody is there whom the browser could ask, so it gives up, and leaves its page for one of its
  // own. That takes a while: whatever is looked at next is looked at in another page.
  await refused((await open(browser)).page, "1 hour");
  assert.equal(await enabled(), true);

  const guesser = await open(browser, { httpCredentials: { username: "any", password: "wrong" } });
  await refused(guesser.page, "1 hour");
  await guesser.page.getByRole("heading", { level: 1, name: "Not done" }).waitFor();
  await guesser.page.getByRole("alert").filter({ hasText: "This is not the admin token." }).waitFor();
  await picture(guesser.page, "wrong-token");
  assert.equal(await enabled(), true);

  const admin = await open(browser, { httpCredentials: { username: "any", password: token } });
  await admin.page.goto(url);
  await admin.page.getByRole("button", { name: "1 hour", exact: true }).click();
  await admin.page.getByRole("region", { name: "Result" }).filter({ hasText: "Alerts are disabled until" }).waitFor();
  assert.equal(await enabled(), false);
  assert.ok(!(await admin.page.content()).includes(token), "the token is nowhere on the page");

  await refused((await open(browser)).page, "Enable alerts");
  assert.equal(await enabled(), false);
  const stranger = await open(browser);
  await stranger.page.goto(url);
  await stranger.page.locator("#state", { hasText: "DISABLED" }).waitFor();
});

async function refused(page, button) {
  await page.goto(url);
  const answer = page.waitForResponse((response) => response.request().method() === "POST");
  await page.getByRole("button", { name: button, exact: true }).first().click();
  const { "www-authenticate": asked } = await (await answer).allHeaders();
  assert.equal((await answer).status(), 401);
  assert.match(asked, /^Basic realm="lvmbeat monitor"/);
}

async function enabled() {
  return (await (await fetch(`${url}/status`)).json()).enabled;
}
