// Each state, by day and by night, on a desk and on a phone.
import assert from "node:assert/strict";
import { fits, given, inBrowser, open, picture, showsState, suitsAxe } from "./browser.mjs";

const DESK = { width: 1280, height: 900 };
const PHONES = [
  { width: 320, height: 640 },
  { width: 375, height: 740 },
];

// Amber between up and down, and a tab that is drawn in the same tone.
const BETWEEN = ["LATE", "HELD", "NOT ARRIVING", "CLOSING", "CLOSED BY WATCHDOG", "BYPASSED", "STOPPED", "UNKNOWN"];

await inBrowser(async (browser) => {
  for (const colorScheme of ["light", "dark"]) {
    const { page, complaints } = await open(browser, { colorScheme });
    for (const { name, word, url } of given) {
      const where = `${name}, ${colorScheme}`;
      await page.setViewportSize(DESK);
      await page.goto(url);
      await showsState(page, word);
      await fits(page, where);
      await suitsItsTone(page, word);
      await picture(page, `${name}-${colorScheme}`);
      await unfold(page);
      await suitsAxe(page, where);
      for (const phone of PHONES) {
        await page.setViewportSize(phone);
        await fits(page, `${where}, ${phone.width} px`);
      }
      await picture(page, `${name}-${colorScheme}-phone`);
      await suitsAxe(page, `${where}, phone`);
    }
    assert.deepEqual(complaints, []);
    await beside(page, given[0].url, colorScheme);
  }
});

async function suitsItsTone(page, word) {
  const isBetween = BETWEEN.includes(word);
  assert.equal(await page.locator(".hero.between").count(), isBetween ? 1 : 0, word);
  const icon = await page.locator("#icon").getAttribute("href");
  const drawn = await (await fetch(new URL(icon, page.url()))).text();
  assert.equal(drawn.includes("#a86200"), isBetween, `${word}: ${drawn}`);
  const todo = await page.locator(".todo").innerText();
  assert.ok(todo.length > "What to do: ".length + 5, todo);
}

// The pages beside it: the interface, and what became of a form that was refused.
async function beside(page, url, colorScheme) {
  const look = async (name) => {
    for (const viewport of [DESK, ...PHONES]) {
      await page.setViewportSize(viewport);
      await fits(page, `${name}, ${viewport.width} px`);
    }
    await picture(page, `${name}-${colorScheme}-phone`);
    await page.setViewportSize(DESK);
    await picture(page, `${name}-${colorScheme}`);
    await suitsAxe(page, `${name}, ${colorScheme}`);
  };
  await page.goto(`${url}/docs`);
  await unfold(page);
  await look("docs");
  await page.goto(url);
  await page.getByRole("button", { name: "1 hour", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "Not done" }).waitFor();
  await page.getByRole("alert").filter({ hasText: "It may be done later" }).waitFor();
  await look("not-done");
  await page.getByRole("link", { name: "Back to the monitor" }).click();
  await page.waitForURL(`${url}/`);
}

async function unfold(page) {
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
}
