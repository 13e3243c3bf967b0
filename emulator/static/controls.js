// What changes the network: faults, clock, target, reset. Fields that somebody is in are never written over.

import { action, align, ask, clockTime, make, memory, part, say, shown } from "./tools.js";

const byId = (id) => document.getElementById(id);
const REPORTS = ["Failed", "Rejected", "never"];
// Faults with a number: least, most, usual, unit. What is not here and is no choice is on or off.
const NUMBERS = {
  duplicate: [1, 20, 1, "more"],
  late: [0.01, 86400, 30, "s"],
  retry_storm: [1, 200, 20, "copies"],
  slow: [0.01, 86400, 5, "s"],
  server_error: [500, 599, 503, "status"],
  drop_session: [1, 50, 2, "hops"],
  app_slow: [0.01, 86400, 12, "s"],
};

const plain = (value) => (value !== null && typeof value === "object" ? value.value : value);

/** Runs a change and writes its refusal into the box. */
async function change(box, doing) {
  const error = part(byId(box), "error");
  say(error, "");
  try {
    return await doing();
  } catch (failure) {
    say(error, failure.message);
    return null;
  }
}

function valueField(name, usual) {
  if (name === "report") {
    const select = make("select");
    select.append(...REPORTS.map((one) => make("option", "", one)));
    return [select, ""];
  }
  if (!NUMBERS[name] && typeof usual !== "number") return [null, ""];
  const [min, max, value, unit] = NUMBERS[name] || [0, "", usual, ""];
  const input = make("input");
  Object.assign(input, { type: "number", min, max, step: min >= 1 ? 1 : "any", value: typeof usual === "number" ? usual : value });
  return [input, unit];
}

function faultRow(name, meaning, usual) {
  const box = make("input");
  box.type = "checkbox";
  const [field, unit] = valueField(name, usual);
  const text = meaning.charAt(0).toUpperCase() + meaning.slice(1);
  const node = make("div", "fault", make("label", "check", box, make("span", "", text, " ", make("code", "", name))));
  node.dataset.fault = name;
  if (field) {
    field.setAttribute("aria-label", `${name}: ${unit || "which"}`);
    node.append(make("span", "value", field, unit ? ` ${unit}` : ""));
  }
  const value = () => (field ? (field.type === "number" ? Number(field.value) : field.value) : true);
  const put = async () => {
    const answer = await change("faults", () => ask("PUT", "/control/faults", { [name]: box.checked ? value() : false }));
    if (answer) drawFaults(answer);
  };
  box.addEventListener("change", put);
  field?.addEventListener("change", () => box.checked && field.checkValidity() && put());
  node.draw = (on, now) => {
    if (box !== document.activeElement || box.checked !== on) box.checked = on;
    if (field && on && field !== document.activeElement && typeof now !== "boolean" && now != null) field.value = now;
  };
  return node;
}

function wording(name, raw) {
  const value = plain(raw);
  const bounds = raw !== null && typeof raw === "object" ? [raw.only?.join(", "), raw.times && `${raw.times} more`] : [];
  const limits = bounds.filter(Boolean).join("; ");
  return [name, value === true ? "" : value, NUMBERS[name]?.[3] === "s" ? "s" : "", limits && `(${limits})`].filter(Boolean).join(" ");
}

/** Shows what GET /control/faults answered. */
export function drawFaults(answer) {
  const box = byId("faults");
  const on = answer.on || [];
  align(part(box, "faults-list"), Object.entries(answer.known || {}), ([name]) => name,
    ([name, meaning]) => faultRow(name, meaning, answer.usual?.[name]),
    (node, [name]) => node.draw(on.includes(name), plain((answer.faults || {})[name])));
  say(part(box, "faults-state"), on.length ? `${on.length} on` : "off");
  box.classList.toggle("on", on.length > 0);
  const banner = byId("faults-banner");
  const words = on.map((name) => wording(name, answer.faults[name]));
  if (shown(banner, on.length > 0)) say(part(banner, "faults-on"), `Faults on: ${words.join(" · ")}`);
  banner.names = on;
}

/** Shows what GET /control/clock answered. */
export function drawClock(answer) {
  const box = byId("clock");
  const now = part(box, "now");
  say(now, clockTime(answer.now));
  now.dateTime = answer.now;
  now.title = answer.now;
  const ahead = Math.round((new Date(answer.now) - Date.now()) / 60000);
  const hours = Math.floor(Math.abs(ahead) / 60);
  const offset = Math.abs(ahead) < 1 ? "" : `${ahead < 0 ? "−" : "+"}${hours ? `${hours} h ` : ""}${Math.abs(ahead) % 60} min`;
  say(part(box, "scale"), [`×${answer.scale}`, offset].filter(Boolean).join(" · "));
  for (const button of box.querySelectorAll("[data-scale]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.scale) === answer.scale));
  }
}

/** Shows what GET /control/settings answered, and gives the URL of the app. */
export function drawSettings(answer) {
  const box = byId("target");
  const url = answer.app_url || document.body.dataset.appUrl;
  const input = box.querySelector("input");
  say(part(box, "app-url"), url);
  if (input !== document.activeElement) input.value = url;
  shown(action(box, "target-back"), url !== document.body.dataset.appUrl);
  return url;
}

/** Wires the controls. hooks: refresh(), settings(answer), reset(). */
export function startControls(hooks) {
  const setTarget = async (app_url) => {
    const answer = await change("target", () => ask("PUT", "/control/settings", { app_url }));
    byId("target").querySelector("input").blur();
    if (answer) hooks.settings(answer);
  };
  const target = byId("target");
  target.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    setTarget(event.target.elements.app_url.value.trim());
  });
  action(target, "target-back").addEventListener("click", () => setTarget(document.body.dataset.appUrl));

  byId("clock").addEventListener("click", async (event) => {
    const { advance, scale, clock } = event.target.dataset;
    const body = advance ? { advance: Number(advance) } : scale ? { scale: Number(scale) } : clock ? { reset: true } : null;
    if (!body) return;
    const answer = await change("clock", () => ask("POST", "/control/clock", body));
    if (answer) drawClock(answer);
    hooks.refresh();
  });

  const banner = byId("faults-banner");
  action(banner, "faults-off").addEventListener("click", async () => {
    const off = Object.fromEntries(banner.names.map((name) => [name, false]));
    const answer = await change("faults", () => ask("PUT", "/control/faults", off));
    if (answer) drawFaults(answer);
    byId("faults").querySelector("summary").focus();
  });

  const dialog = byId("reset-dialog");
  byId("reset-all").addEventListener("click", () => {
    dialog.returnValue = "";
    dialog.showModal();
  });
  dialog.addEventListener("close", () => dialog.returnValue === "reset" && hooks.reset());

  const theme = byId("theme");
  theme.value = memory.get("theme") || "auto";
  theme.addEventListener("change", () => {
    memory.set("theme", theme.value);
    if (theme.value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
  });

  const menu = byId("menu-button");
  menu.addEventListener("click", () => {
    const open = document.body.classList.toggle("menu-open");
    menu.setAttribute("aria-expanded", String(open));
  });
}
