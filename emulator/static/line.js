// The Line panel: every request both ways, newest last. It follows until the reader scrolls up.

import { clockTime, make, memory, say, shown, zone } from "./tools.js";

const MOST = 400;
const list = document.getElementById("line-list");
const scroll = document.getElementById("line-scroll");
const pill = document.getElementById("line-new");
const filter = document.getElementById("line-filter");

let last = 0;
let following = true;
let unseen = 0;
let open = new Set();
let app = "";

const asText = (value) => (value == null ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** A form body as `name = value` lines, JSON set in lines, anything else as it is. */
function readable(value) {
  const text = asText(value);
  if (/^\s*[[{]/.test(text)) {
    try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
  }
  if (/^[\w.[\]%-]+=[^\s<]*$/.test(text)) return [...new URLSearchParams(text)].map(([name, one]) => `${name} = ${one}`).join("\n");
  return text;
}

const TELLING = ["text", "message", "dtmfDigits", "status", "callSessionState", "hangupCause", "amount", "to"];

/** The one or two fields of a form body that tell most. */
function gist(value) {
  const fields = new Map(readable(value).split("\n").map((line) => line.split(/ = (.*)/s, 2)));
  return TELLING.filter((name) => fields.has(name)).slice(0, 2).map((name) => `${name}="${(fields.get(name) || "").slice(0, 60)}"`).join(" ");
}

function block(title, text) {
  return make("div", "", make("h3", "", title), make("pre", "", text || "(empty)"));
}

function outcome(entry) {
  if (!entry.method) return "";
  const good = entry.status >= 200 && entry.status < 300;
  const text = entry.status ? `${good ? "✓" : "✗"} ${entry.status}` : entry.explanation ? "✗" : "✗ no answer";
  return make("span", `status ${good ? "ok" : "bad"}`, text);
}

function concerns(entry) {
  if (filter.value === "all") return true;
  if (entry.phone) return open.has(entry.phone);
  const text = `${entry.address} ${asText(entry.body)} ${asText(entry.answer)}`;
  return [...open].some((number) => text.includes(number.slice(1)));
}

function row(entry) {
  const out = entry.direction === "out";
  const time = make("time", "", clockTime(entry.time));
  time.dateTime = entry.time;
  time.title = entry.time;
  const address = app && entry.address.startsWith(app) ? entry.address.slice(app.length) || "/" : entry.address;
  const where = make("span", "where", entry.method ? (out ? "→ app" : "← app") : "note");
  if (entry.method) where.title = out ? "The emulator called your app" : "Your app called the emulator";
  const answer = asText(entry.answer).replace(/\s+/g, " ").slice(0, 160);
  const summary = make("summary", "",
    make("span", "head", time, " ", where, " ", make("b", "", entry.method), " ", make("span", "address", address), " ",
      outcome(entry), " ", entry.method ? make("span", "ms", `${entry.ms ?? "–"} ms`) : ""),
    make("span", "preview", [entry.kind, entry.phone, gist(entry.body)].filter(Boolean).join(" · ")),
    answer ? make("span", "preview answer", answer) : null,
  );
  const details = make("details", "", summary, block(out ? "Sent to your app" : "Your app sent", readable(entry.body)),
    block(out ? "Your app answered" : "Answer", readable(entry.answer)));
  const item = make("li", `entry ${out ? "out" : "in"}`, details, entry.explanation ? make("p", "explanation", entry.explanation) : null);
  item.entry = entry;
  item.hidden = !concerns(entry);
  return item;
}

function toEnd() {
  following = true;
  unseen = 0;
  pill.hidden = true;
  scroll.scrollTop = scroll.scrollHeight;
}

/** Empties the panel; entries from the first one on are asked for again when `all`. */
export function clearLine(all = false) {
  if (all) last = 0;
  list.replaceChildren();
  document.getElementById("line-empty").hidden = false;
  toEnd();
}

export const lineAfter = () => last;

/** Adds what GET /control/log answered. numbers: phones that are open; appUrl: what is left out of addresses. */
export function addToLine(answer, numbers, appUrl) {
  open = new Set(numbers);
  app = appUrl.replace(/\/$/, "");
  if (answer.last < last) clearLine(true);
  const fresh = (answer.entries || []).filter((entry) => entry.id > last);
  last = answer.last ?? last;
  if (!fresh.length) return;
  const rows = fresh.map(row);
  list.append(...rows);
  while (list.children.length > MOST) list.firstElementChild.remove();
  document.getElementById("line-empty").hidden = true;
  if (following) return toEnd();
  unseen += rows.filter((one) => !one.hidden).length;
  if (shown(pill, unseen > 0)) say(pill, `${unseen} new ↓`);
}

/** Applies the filter again, when it or the open phones changed. */
export function filterLine(numbers = open) {
  open = new Set(numbers);
  for (const item of list.children) item.hidden = !concerns(item.entry);
  if (following) toEnd();
}

scroll.addEventListener("scroll", () => {
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
  if (atEnd) toEnd();
  else following = false;
});
list.addEventListener("toggle", (event) => {
  if (!event.target.open) return;
  following = following && event.target.closest("li") === list.lastElementChild;
  event.target.scrollIntoView({ block: "nearest" });
}, true);
pill.addEventListener("click", toEnd);
filter.value = memory.get("line-filter") === "open" ? "open" : "all";
filter.addEventListener("change", () => {
  memory.set("line-filter", filter.value);
  filterLine();
});
document.getElementById("line-clear").addEventListener("click", () => clearLine());
say(document.getElementById("line-zone"), `Times of the emulator's clock, shown in ${zone()}.`);
