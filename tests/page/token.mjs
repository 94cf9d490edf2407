// With an admin token, a form needs it as the password of any user, which the browser asks for.
import assert from "node:assert/strict";
import { given, inBrowser, open, picture } from "./browser.mjs";

const { url, token } = given;

await inBrowser(async (browser) => {
  const stranger = await open(browser);
  await send(stranger.page, 401);
  await stranger.page.getByRole("heading", { name: "Not done" }).waitFor();
  await stranger.page.getByRole("alert").filter({ hasText: "admin token" }).waitFor();
  await picture(stranger.page, "without-token");

  const guesser = await open(browser, { httpCredentials: { username: "any", password: "wrong" } });
  await guesser.page.goto(url);
  await guesser.page.getByRole("button", { name: "1 hour", exact: true }).click();
  // The browser gives up a password that was refused: with a person it would ask again.
  await guesser.page.getByText("admin token").first().waitFor();
  assert.equal(await enabled(), true);

  const admin = await open(browser, { httpCredentials: { username: "any", password: token } });
  await admin.page.goto(url);
  await admin.page.getByRole("button", { name: "1 hour", exact: true }).click();
  await admin.page.getByRole("region", { name: "Result" }).filter({ hasText: "Alerts are disabled until" }).waitFor();
  assert.equal(await enabled(), false);
  assert.ok(!(await admin.page.content()).includes(token), "the token is nowhere on the page");

  await stranger.page.goto(url);
  await stranger.page.locator("#state", { hasText: "DISABLED" }).waitFor();
  await stranger.page.getByRole("button", { name: "Enable alerts" }).click();
  await stranger.page.getByRole("heading", { name: "Not done" }).waitFor();
  assert.equal(await enabled(), false);
});

async function send(page, status) {
  await page.goto(url);
  const answer = page.waitForResponse((response) => response.url().endsWith("/disable"));
  await page.getByRole("button", { name: "1 hour", exact: true }).click();
  assert.equal((await answer).status(), status);
  assert.equal(await enabled(), true);
}

async function enabled() {
  return (await (await fetch(`${url}/status`)).json()).enabled;
}
