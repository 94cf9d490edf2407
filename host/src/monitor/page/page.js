// Keeps the page true without a reload: counts the times on, and fetches the page anew and changes
// what differs. Without this script the page is complete, only not live.
"use strict";

const EVERY = 5_000; // Between two fetches, in ms.
const LIMIT = 8_000; // One fetch may take this long.
const LOST = 15_000; // Without an answer for this long, the page says that it is old.

// The monitor may be below any path of its host.
const ROOT = new URL(".", document.currentScript.src);

const live = document.getElementById("live");
const fresh = document.getElementById("fresh");
const reload = document.getElementById("reload");
const lost = document.getElementById("lost");
const lostAge = document.getElementById("lost-age");
const announce = document.getElementById("announce");
const icon = document.getElementById("icon");

// The last answer, by this machine's clock, of which only differences are used: it goes on while
// the machine sleeps.
let answered = Date.now();
let isLost = false;
let waiting;

// The same as `span` in words.rs.
function span(seconds) {
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${minutes} min` + (seconds % 60 ? ` ${two(seconds % 60)} s` : "");
  if (seconds < 86400) return `${hours} h` + (minutes % 60 ? ` ${two(minutes % 60)} min` : "");
  return `${days} d` + (hours % 24 ? ` ${hours % 24} h` : "");
}

// Counts on what was true when the monitor answered.
function tick() {
  const age = Math.max(0, Math.floor((Date.now() - answered) / 1000));
  if (age * 1000 >= LOST) {
    lose(age);
    return; // What is shown stays as the monitor said it.
  }
  fresh.textContent = "● Live";
  reload.hidden = true;
  for (const element of document.querySelectorAll(".ticking")) {
    const { age: old, left, silence, limit } = element.dataset;
    if (old !== undefined) element.textContent = span(Number(old) + age);
    else if (left !== undefined) element.textContent = span(Math.max(0, Number(left) - age));
    else if (silence !== undefined) {
      const part = Math.min(100, ((Number(silence) + age) / Number(limit)) * 100);
      element.setAttribute("width", `${part.toFixed(1)}%`);
    }
  }
}

function lose(age) {
  lostAge.textContent = `This page is ${span(age)} old. What it shows may not be true any more.`;
  fresh.textContent = `${span(age)} old.`;
  reload.hidden = false;
  if (isLost) return;
  isLost = true;
  lost.hidden = false;
  document.body.classList.add("lost");
  document.title = `NO CONTACT · ${live.dataset.subject}`;
  icon.href = new URL("page/not-alerting.svg", ROOT).href;
  announce.textContent = "No contact with the monitor.";
}

function find() {
  isLost = false;
  lost.hidden = true;
  document.body.classList.remove("lost");
}

// Makes `old` equal to `made` and keeps every element that can be kept, and with it the focus and
// what is folded open.
function morph(old, made) {
  for (const { name } of [...old.attributes]) {
    const kept = old.localName === "details" && name === "open";
    if (!kept && !made.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of made.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  let place = old.firstChild;
  for (const child of [...made.childNodes]) {
    const same = partner(place, child);
    if (!same) {
      old.insertBefore(document.importNode(child, true), place);
      continue;
    }
    while (place !== same) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
    place = same.nextSibling;
    if (child.nodeType === Node.ELEMENT_NODE) morph(same, child);
    else if (same.data !== child.data) same.data = child.data;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

// What is to become `child`, at `place` or after it: the element of the same id, or whatever is of
// its kind at that very place.
function partner(place, child) {
  if (child.id) {
    for (let node = place; node; node = node.nextSibling) if (node.id === child.id) return node;
    return null;
  }
  const fits =
    place && place.nodeType === child.nodeType && place.nodeName === child.nodeName && !place.id && kind(place) === kind(child);
  return fits ? place : null;
}

// Sections and forms are not made of one another.
function kind(node) {
  return node.getAttribute ? (node.getAttribute("action") ?? node.getAttribute("aria-labelledby")) : null;
}

async function refresh() {
  clearTimeout(waiting);
  try {
    const response = await fetch(ROOT, { cache: "no-store", signal: AbortSignal.timeout(LIMIT) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const made = new DOMParser().parseFromString(await response.text(), "text/html");
    const main = made.getElementById("live");
    if (!main) throw new Error("not the page");
    // The monitor was updated: what is drawn by this script may be drawn otherwise now.
    if (main.dataset.assets !== live.dataset.assets) return location.reload();
    apply(main, made.title, made.getElementById("icon").href);
  } catch {
    tick();
  } finally {
    waiting = setTimeout(refresh, EVERY);
  }
}

function apply(main, title, href) {
  const changed = main.dataset.state !== live.dataset.state;
  const back = isLost;
  const focused = document.activeElement;
  morph(live, main);
  document.title = title;
  if (icon.href !== href) icon.href = href;
  answered = Date.now();
  if (back) find();
  if (changed || back) announce.textContent = `${live.dataset.subject}: ${live.dataset.word}`;
  // What had the focus is gone, as a button is that has done its work: the keyboard goes on at the
  // state.
  if (focused && focused !== document.body && !focused.isConnected) live.focus({ preventScroll: true });
  tick();
}

// The confirmation is read out, and is not said again after a reload.
const done = document.getElementById("done");
if (done) {
  history.replaceState(null, "", "/");
  done.focus();
}

tick();
setInterval(tick, 1000);
waiting = setTimeout(refresh, EVERY);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
addEventListener("online", () => refresh());
