// The page: which phones are open (the address says it), asking the emulator every second, what the tab and the notices say.

import { clearLine, addToLine, filterLine, lineAfter } from "./line.js";
import { drawClock, drawFaults, drawSettings, startControls } from "./controls.js";
import { handset } from "./handset.js";
import { startRinging } from "./ring.js";
import { align, announce, ask, clockTime, make, phoneNumber, say, shown, toggle } from "./tools.js";

const EVERY_MS = 1000;
const HIDDEN_MS = 15000;
const TITLE = document.title;
const byId = (id) => document.getElementById(id);
const defaults = document.body.dataset;
const box = byId("phones");

const phones = [];
let known = [];
let appUrl = defaults.appUrl;
let goodAt = null;
let timer = 0;
let polling = false;
let again = false;
let editedNumber = false;

const speaks = toggle(byId("speak"), () => announce("What a call says is spoken."));
const sounds = toggle(byId("sound"), () => announce("Incoming calls are heard."));
const notifies = toggle(byId("notify"), () => window.Notification?.requestPermission());
const ring = startRinging(sounds);

const numbers = () => phones.map((phone) => phone.number);
const isOpen = (number) => numbers().includes(number);

const hooks = {
  defaults,
  speak: speaks,
  refresh: poll,
  event(phone, text) {
    navigator.vibrate?.(200);
    if (document.hidden && notifies() && window.Notification?.permission === "granted") new Notification(phone.number, { body: text });
  },
  change(phone, number) {
    if (isOpen(number)) return phone.note(`${number} is open already.`);
    const next = handset(number, hooks);
    phone.root.replaceWith(next.root);
    phones.splice(phones.indexOf(phone), 1, next);
    opened();
  },
  close(phone) {
    phone.root.remove();
    phones.splice(phones.indexOf(phone), 1);
    opened();
    (phones.at(-1)?.root.querySelector("[data-act=change]") || byId("no-phones").querySelector("button")).focus();
  },
  settings(answer) {
    appUrl = drawSettings(answer);
  },
  async reset() {
    try {
      await ask("POST", "/control/reset", {});
    } catch (error) {
      return notice(`Not reset: ${error.message}`);
    }
    clearLine(true);
    for (const phone of phones.splice(0)) {
      const next = handset(phone.number, hooks);
      phone.root.replaceWith(next.root);
      phones.push(next);
    }
    announce("Everything is as new.");
    settings();
    opened();
  },
};

function notice(text) {
  if (shown(byId("stale"), Boolean(text))) say(byId("stale"), text);
}

/** The next number that is not open, offered unless somebody wrote another one. */
function offerNumber() {
  const input = byId("add-number");
  if (editedNumber || input === document.activeElement) return;
  let next = BigInt(defaults.phone.slice(1));
  while (isOpen(`+${next}`)) next += 1n;
  input.value = `+${next}`;
}

function opened() {
  const query = numbers().map((number) => `phone=${number}`).join("&");
  history.replaceState(null, "", query ? `?${query}` : "?phone=");
  byId("no-phones").hidden = phones.length > 0;
  box.dataset.count = phones.length;
  offerNumber();
  filterLine(numbers());
  poll();
}

function open(number) {
  if (!isOpen(number)) {
    const phone = handset(number, hooks);
    phones.push(phone);
    box.append(phone.root);
    opened();
  }
  const phone = phones.find((one) => one.number === number);
  return phone;
}

function drawKnown() {
  const option = ({ number }) => Object.assign(make("option"), { value: number });
  align(byId("known-phones"), known.slice(-50), ({ number }) => number, option);
  const elsewhere = known.filter((one) => !isOpen(one.number) && (one.ringing || one.unread || one.asked_to_pay));
  const line = byId("elsewhere");
  const key = JSON.stringify(elsewhere.map((one) => [one.number, one.ringing, one.unread, one.asked_to_pay]));
  if (!shown(line, elsewhere.length > 0) || line.dataset.key === key) return;
  line.dataset.key = key;
  const buttons = elsewhere.slice(0, 6).map((one) => {
    const button = make("button", "small-button", `${one.number} ${one.ringing ? "rings" : one.asked_to_pay ? "is asked to pay" : `(${one.unread} unread)`}`);
    button.type = "button";
    button.addEventListener("click", () => open(one.number));
    return button;
  });
  const more = elsewhere.length - buttons.length;
  line.replaceChildren("On phones that are not open: ", ...buttons.flatMap((button) => [button, " "]), more ? `and ${more} more` : "");
}

function drawTitle() {
  const unread = known.filter((one) => isOpen(one.number)).reduce((sum, one) => sum + one.unread, 0);
  const rings = phones.some((phone) => phone.ringing);
  const title = `${rings ? "☎ Ringing · " : ""}${unread ? `(${unread}) ` : ""}${TITLE}`;
  if (document.title !== title) document.title = title;
  ring(rings);
}

async function updatePhone(phone) {
  const { version } = phone;
  if (!known.some((one) => one.number === phone.number)) await ask("POST", "/control/phones", { number: phone.number }, 5);
  const detail = await ask("GET", phone.base, undefined, 5);
  // What was asked before something was done here would show the past.
  if (version === phone.version && phones.includes(phone)) {
    phone.update(detail, known.find((one) => one.number === phone.number)?.unread || 0);
  }
}

async function updateAll() {
  known = (await ask("GET", "/control/phones", undefined, 5)).phones || [];
  drawKnown();
  const jobs = [
    ask("GET", "/control/clock", undefined, 5).then((answer) => {
      drawClock(answer);
      for (const phone of phones) phone.tick(answer.now);
    }),
    ask("GET", `/control/log?after=${lineAfter()}`, undefined, 5).then((answer) => addToLine(answer, numbers(), appUrl)),
    ask("GET", "/control/faults", undefined, 5).then(drawFaults),
    ...phones.map(updatePhone),
  ];
  const failed = (await Promise.allSettled(jobs)).find((job) => job.status === "rejected");
  drawTitle();
  if (failed) throw failed.reason;
}

/** Asks for everything, now; while that is under way once more after it. */
async function poll() {
  if (polling) {
    again = true;
    return;
  }
  polling = true;
  clearTimeout(timer);
  try {
    await updateAll();
    if (!goodAt || !byId("stale").hidden) settings();
    goodAt = new Date();
    notice("");
    live("ok", "connected");
  } catch (error) {
    const since = goodAt ? ` Last update ${clockTime(goodAt)}.` : "";
    notice(`Not updating: ${error.message}${since} It is tried again every second.`);
    live("bad", "not updating");
  }
  polling = false;
  const next = again ? 0 : document.hidden ? HIDDEN_MS : EVERY_MS;
  again = false;
  timer = setTimeout(poll, next);
}

function live(state, text) {
  byId("live").dataset.state = state;
  say(byId("live"), text);
}

function settings() {
  ask("GET", "/control/settings", undefined, 5).then(hooks.settings, () => {});
}

/** Digits typed outside a field go to the phone that is in a call. */
function physicalKey(event) {
  if (!/^[0-9*#]$/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, dialog, audio")) return;
  const talking = phones.filter((phone) => phone.inCall);
  const phone = talking.find((one) => one.root.contains(document.activeElement))
    || talking.find((one) => one.root.classList.contains("asks-keys")) || talking[0];
  if (!phone) return;
  event.preventDefault();
  phone.press(event.key);
}

byId("add-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("add-number");
  const number = phoneNumber(input.value);
  input.setCustomValidity(number ? "" : `This is not a phone number. Use international form, for example ${defaults.phone}.`);
  if (!input.reportValidity()) return;
  editedNumber = false;
  document.body.classList.remove("menu-open");
  byId("menu-button").setAttribute("aria-expanded", "false");
  const phone = open(number);
  phone.root.scrollIntoView({ block: "nearest", inline: "nearest" });
  announce(`Phone ${number} is open.`);
  offerNumber();
});
byId("add-number").addEventListener("input", (event) => {
  editedNumber = true;
  event.target.setCustomValidity("");
});
byId("no-phones").querySelector("button").addEventListener("click", () => open(phoneNumber(defaults.phone)));
document.addEventListener("keydown", physicalKey);
document.addEventListener("visibilitychange", () => document.hidden || poll());

startControls(hooks);
const wanted = new URLSearchParams(location.search).getAll("phone");
const valid = [...new Set((wanted.length ? wanted : [defaults.phone]).map(phoneNumber).filter(Boolean))];
for (const number of valid) open(number);
if (!valid.length) opened();
