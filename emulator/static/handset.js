// One handset: its frame, home screen, ringing and payment strips, keypad and SIM card.
// What a screen shows is in ussd.js, messages.js, call.js.

import { callView } from "./call.js";
import { messagesView } from "./messages.js";
import { action, align, announce, ask, clockTime, clone, enter, magicWords, make, money, part, phoneNumber, say, shown } from "./tools.js";
import { ussdView } from "./ussd.js";

let made = 0;

function homeView(phone) {
  const node = clone("home-template");
  const code = part(node, "code");
  const callTo = part(node, "call-to");
  code.value = phone.defaults.ussdCode;
  callTo.value = phone.defaults.voiceNumber;
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === code) phone.dial();
    if (event.key === "Enter" && event.target === callTo) phone.call();
  });
  const back = action(node, "return");
  back.addEventListener("click", () => phone.show(phone.inCall ? "call" : "ussd"));
  return {
    node, code, callTo, main: code,
    update(detail) {
      const hint = detail.magic ? `A magic number: ${magicWords(detail.magic)}.` : "Dial the code, write an SMS or call your app.";
      say(part(node, "home-hint"), hint);
      const to = phone.inCall ? "the call" : detail.ussd?.open ? detail.ussd.code : "";
      if (shown(back, Boolean(to))) say(back, `Back to ${to}`);
    },
    tick(now) {
      say(part(node, "home-time"), clockTime(now, false));
    },
  };
}

function simCard(phone) {
  const box = phone.root.querySelector(".sim");
  const submit = (form, path) => form.addEventListener("submit", (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    phone.run(() => ask("POST", `${phone.base}/${path}`, values)).then((answer) => answer && form.reset());
  });
  submit(part(box, "opt-out-form"), "opt-out");
  submit(part(box, "subscribe-form"), "subscriptions");
  const subscription = ({ short_code: shortCode, keyword }) => {
    const leave = make("button", "small-button", "Leave");
    leave.type = "button";
    leave.setAttribute("aria-label", `Leave ${keyword} on ${shortCode}`);
    leave.addEventListener("click", () => {
      phone.run(() => ask("DELETE", `${phone.base}/subscriptions`, { shortCode, keyword }));
    });
    return make("li", "", `${keyword} on ${shortCode} `, leave);
  };
  return (detail) => {
    const subscriptions = detail.subscriptions || [];
    const data = (detail.data || []).join(", ");
    say(part(box, "sim-line"), [detail.carrier, money(detail.balance)].filter(Boolean).join(" · "));
    say(part(box, "sim-carrier"), [detail.carrier, detail.network_code].filter(Boolean).join(" · ") || "unknown");
    say(part(box, "sim-balance"), money(detail.balance));
    say(part(box, "sim-data"), data || "none");
    say(part(box, "sim-magic"), detail.magic ? magicWords(detail.magic) : "no");
    say(part(box, "sim-opt-outs"), (detail.opt_outs || []).join(", ") || "nothing");
    align(part(box, "subscriptions"), subscriptions, (s) => `${s.short_code} ${s.keyword}`, subscription);
  };
}

function ringing(phone) {
  const strip = part(phone.root, "ring");
  let known = null;
  const send = (verb) => phone.run(() => ask("POST", `/control/calls/${encodeURIComponent(known)}/${verb}`, { phone: phone.number }));
  action(strip, "answer").addEventListener("click", () => {
    const call = known;
    phone.show("call").follow(call);
    send("answer");
  });
  action(strip, "reject").addEventListener("click", () => send("reject"));
  return (detail) => {
    const call = (detail.calls || []).find((one) => one.leg_state === "ringing" && one.role !== "caller");
    phone.ringing = shown(strip, Boolean(call));
    if (call) say(part(strip, "ring-from"), call.with || call.number);
    if (call && call.call !== known) phone.event(`Incoming call from ${call.with || call.number}`, true);
    known = call ? call.call : null;
  };
}

function prompts(phone) {
  const strip = part(phone.root, "prompt");
  let first = null;
  let known = new Set();
  const answer = (pin) => {
    const path = `${phone.base}/payments/${encodeURIComponent(first.id)}`;
    phone.run(() => ask("POST", path, { pin }));
  };
  action(strip, "pay").addEventListener("click", () => answer(true));
  action(strip, "decline").addEventListener("click", () => answer(false));
  return (detail) => {
    const all = detail.payment_prompts || [];
    first = all[0] || null;
    if (!shown(strip, Boolean(first))) return;
    const question = `Pay ${money(first.amount)} to ${first.product}?`;
    say(part(strip, "prompt-text"), question);
    say(part(strip, "prompt-more"), all.length > 1 ? `${all.length - 1} more after this` : "Pay stands for entering the PIN");
    if (all.some((one) => !known.has(one.id))) phone.event(question);
    known = new Set(all.map((one) => one.id));
  };
}

function titleBar(phone, hooks) {
  const form = part(phone.root, "change-form");
  const input = form.elements.number;
  const change = action(phone.root, "change");
  say(part(phone.root, "number"), phone.number);
  change.setAttribute("aria-label", `Change the number ${phone.number}`);
  change.addEventListener("click", () => {
    if (!shown(form, form.hidden)) return;
    input.value = phone.number;
    input.select();
  });
  action(form, "keep").addEventListener("click", () => {
    form.hidden = true;
    change.focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const number = phoneNumber(input.value);
    if (!number) {
      return phone.note(`'${input.value}' is not a phone number. Use international form, for example ${phone.defaults.phone}.`);
    }
    form.hidden = true;
    if (number !== phone.number) hooks.change(phone, number);
  });
  const close = action(phone.root, "close");
  close.setAttribute("aria-label", `Close ${phone.number}`);
  close.addEventListener("click", () => hooks.close(phone));
  action(phone.root, "home").addEventListener("click", () => enter(phone.show("home").main));
}

function keypad(phone) {
  phone.press = (key) => {
    const button = phone.root.querySelector(`[data-key="${CSS.escape(key)}"]`);
    button.classList.add("down");
    setTimeout(() => button.classList.remove("down"), 150);
    const { view } = phone;
    if (phone.inCall) return phone.show("call").key(key);
    const field = view.node.contains(phone.field) && !phone.field.readOnly ? phone.field : view.main;
    if (!field || field.closest("[hidden]") || field.readOnly) return;
    const at = field.selectionStart ?? field.value.length;
    field.setRangeText(key, at, field.selectionEnd ?? at, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  phone.root.querySelector(".keypad").addEventListener("click", (event) => {
    const button = event.target.closest("[data-key]");
    if (button) phone.press(button.dataset.key);
  });
  part(phone.root, "screen").addEventListener("focusin", (event) => {
    if (event.target.matches("input:not([type=number]), textarea")) phone.field = event.target;
  });
}

/** Builds a handset for `number`. hooks: defaults, speak(), refresh(), event(text), change(phone, number), close(phone). */
export function handset(number, hooks) {
  const root = clone("phone-template");
  made += 1;
  root.dataset.number = number;
  root.setAttribute("aria-label", `Phone ${number}`);
  const phone = {
    number, root, defaults: hooks.defaults, speak: hooks.speak, base: `/control/phones/${encodeURIComponent(number)}`,
    version: 0, detail: null, unread: 0, ringing: false, inCall: false, field: null, view: null, fresh: true,
  };

  phone.note = (text) => say(part(root, "note"), text);
  phone.event = (text, loud) => {
    if (!phone.fresh) {
      announce(`${number}: ${text}`);
      hooks.event(phone, text);
    }
    if (!phone.fresh || loud) {
      root.classList.add("buzz");
      setTimeout(() => root.classList.remove("buzz"), 700);
    }
  };
  /** Does one thing at the emulator; says on the handset why it could not, and looks at the phone again. */
  phone.run = async (doing) => {
    phone.note("");
    try {
      return await doing();
    } catch (error) {
      phone.note(error.message);
      return null;
    } finally {
      phone.version += 1;
      hooks.refresh();
    }
  };

  const home = homeView(phone);
  const views = { home, ussd: ussdView(phone), messages: messagesView(phone), call: callView(phone) };
  phone.show = (name) => {
    const screen = part(root, "screen");
    if (phone.view !== views[name]) {
      part(root, "view").replaceChildren(views[name].node);
      phone.view = views[name];
      screen.dataset.view = name;
      action(root, "home").hidden = name === "home";
      if (phone.detail) views[name].update(phone.detail);
    }
    return phone.view;
  };
  phone.showing = (name) => phone.view === views[name];
  phone.dial = () => phone.show("ussd").dial(home.code.value.trim());
  /** Whether somebody writes on this phone: then nothing takes the screen away. */
  phone.typing = () => phone.root.contains(document.activeElement) && document.activeElement.matches("input, textarea");
  phone.call = () => {
    if (phone.inCall) return phone.show("call");
    const to = phoneNumber(home.callTo.value) || home.callTo.value.trim();
    return phone.show("call").start(to);
  };
  phone.why = (text, bad = true) => {
    const node = part(root, "why");
    if (shown(node, Boolean(text))) say(node, text);
    node.classList.toggle("bad", bad);
  };

  titleBar(phone, hooks);
  keypad(phone);
  const parts = [ringing(phone), prompts(phone), simCard(phone)];
  action(root, "dial").addEventListener("click", () => phone.dial());
  action(root, "call").addEventListener("click", () => phone.call());
  action(root, "sms").addEventListener("click", () => phone.show("messages").open());
  const labels = () => {
    say(part(root, "dial-what"), home.code.value);
    say(part(root, "call-what"), home.callTo.value);
  };
  home.node.addEventListener("input", labels);
  labels();

  phone.update = (detail, unread) => {
    phone.detail = detail;
    phone.unread = unread;
    say(part(root, "carrier"), detail.carrier || "AT-EMU");
    say(part(root, "unread"), unread ? `${unread} unread` : "messages");
    action(root, "sms").classList.toggle("has-unread", unread > 0);
    for (const update of parts) update(detail);
    for (const view of Object.values(views)) view.update(detail);
    phone.fresh = false;
  };
  phone.tick = (now) => {
    say(part(root, "time"), clockTime(now, false));
    home.tick(now);
  };
  phone.show("home");
  return phone;
}
