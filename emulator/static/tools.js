// What every part of the page uses: finding and filling elements, talking to /control, remembering, announcing.

/** The element with this data-part inside `root`. */
export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** The button with this data-act inside `root`. */
export const action = (root, name) => root.querySelector(`[data-act="${name}"]`);

/** The first element of a template of the page, as a copy. */
export const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

/** Sets text where it differs: an unchanged live region stays quiet, a selection stays selected. */
export function say(node, value) {
  const text = value == null ? "" : String(value);
  if (node.textContent !== text) node.textContent = text;
}

/** Shows or hides, and says whether it is shown. */
export function shown(node, yes) {
  node.hidden = !yes;
  return yes;
}

/** Moves the cursor to a field where there is a real keyboard; elsewhere it would bring up one over half the screen. */
export function enter(field) {
  if (matchMedia("(hover: hover)").matches) field.focus();
}

/** What a magic number does, in the words of the table on the page. */
export function magicWords(meaning) {
  const row = document.querySelector(`#magic [data-meaning="${CSS.escape(meaning)}"]`);
  return row ? row.lastElementChild.textContent : meaning.replaceAll("_", " ");
}

/** An element with a class and text or children; text is never read as markup. */
export function make(tag, className = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child != null));
  return node;
}

/** Brings the children of `parent` in line with `items`; what is there already stays the same element. */
export function align(parent, items, key, create, update = () => {}) {
  const there = new Map([...parent.children].map((node) => [node.dataset.id, node]));
  let last = null;
  for (const [index, item] of items.entries()) {
    const id = String(key(item, index));
    let node = there.get(id);
    if (!node) {
      node = create(item, index);
      node.dataset.id = id;
    }
    there.delete(id);
    const next = last ? last.nextElementSibling : parent.firstElementChild;
    if (next !== node) parent.insertBefore(node, next);
    update(node, item, index);
    last = node;
  }
  for (const node of there.values()) node.remove();
}

/** Sends JSON to the emulator and gives its answer; throws an Error whose message a person can read. */
export async function ask(method, path, body, seconds = 90) {
  const options = { method, headers: { Accept: "application/json" }, signal: AbortSignal.timeout(seconds * 1000) };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? `The emulator did not answer in ${seconds} s.` : "The emulator does not answer.");
  }
  const text = await response.text();
  let answer = {};
  try {
    answer = text ? JSON.parse(text) : {};
  } catch {
    throw new Error(`The emulator answered ${response.status} and no JSON.`);
  }
  if (!response.ok) throw new Error(answer.error || `The emulator answered ${response.status}.`);
  return answer;
}

/** Browser storage that may be refused. */
export const memory = {
  get(name) {
    try { return localStorage.getItem(`pokea-${name}`); } catch { return null; }
  },
  set(name, value) {
    try { localStorage.setItem(`pokea-${name}`, value); } catch { /* refused: kept until the page closes */ }
  },
};

/** A button that stays pressed, remembered under its id; gives a function that tells its state. */
export function toggle(button, turnedOn = () => {}) {
  let on = memory.get(button.id) === "on";
  const draw = () => button.setAttribute("aria-pressed", String(on));
  button.addEventListener("click", () => {
    on = !on;
    memory.set(button.id, on ? "on" : "off");
    draw();
    if (on) turnedOn();
  });
  draw();
  return () => on;
}

let waiting = [];

/** Tells a screen reader, politely; what is announced in one moment is read as one. */
export function announce(text) {
  if (!waiting.length) {
    setTimeout(() => {
      document.getElementById("announcer").textContent = waiting.join(" ");
      waiting = [];
    }, 50);
  }
  waiting.push(text);
}

const TIME = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

/** 12:04:31 in the zone of the browser; 12:04 without seconds. */
export function clockTime(iso, seconds = true) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleTimeString("en-GB", seconds ? { ...TIME, second: "2-digit" } : TIME);
}

/** The browser's zone as people say it: UTC+03:00. */
export function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const two = (n) => String(Math.floor(Math.abs(n))).padStart(2, "0");
  return minutes ? `UTC${minutes < 0 ? "−" : "+"}${two(minutes / 60)}:${two(minutes % 60)}` : "UTC";
}

/** 75 -> 1:15 */
export function length(seconds) {
  const whole = Math.max(0, Math.floor(Number(seconds) || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** "KES 100.0000" -> "KES 100", "KES 0.8000" -> "KES 0.80" */
export function money(text) {
  return String(text ?? "").replace(/(\d+)\.(\d+)$/, (_, units, rest) => {
    const cents = rest.replace(/0+$/, "");
    return cents ? `${units}.${cents.padEnd(2, "0")}` : units;
  });
}

/** +254… from what a person or an address bar made of it; an empty string if it is no number. */
export function phoneNumber(text) {
  let digits = String(text ?? "").replace(/[\s()-]/g, "").replace(/^\+/, "");
  if (/^0\d{9}$/.test(digits)) digits = `254${digits.slice(1)}`;
  return /^\d{6,15}$/.test(digits) ? `+${digits}` : "";
}
