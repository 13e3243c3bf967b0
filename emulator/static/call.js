// The call screen of one handset: what is heard, keys, recording, legs, and how the call ended.

import { action, align, announce, ask, clone, length, make, money, part, say, shown } from "./tools.js";

const CAUSES = {
  NORMAL_CLEARING: "ended normally",
  CALL_REJECTED: "rejected",
  USER_BUSY: "busy",
  NO_ANSWER: "no answer",
  ORIGINATOR_CANCEL: "the caller hung up before an answer",
  LOSE_RACE: "somebody else answered first",
  USER_NOT_REGISTERED: "the SIP user is not registered",
  NORMAL_TEMPORARY_FAILURE: "the network could not go on",
};

const cause = (code) => (code ? [CAUSES[code], `(${code})`].filter(Boolean).join(" ") : "");

function stateText(call) {
  if (call.leg_state === "active") return `In call · ${length(call.duration)}`;
  if (call.leg_state === "ringing") return call.role === "caller" ? "Calling…" : "Ringing…";
  return call.state === "ended" ? "Call ended" : "You left the call";
}

function askedText(call) {
  if (call.waiting_for === "record") return "Your app records now.";
  if (call.waiting_for !== "digits") return "";
  const { numDigits, finishOnKey } = call.asked || {};
  const keys = numDigits ? `${numDigits} ${Number(numDigits) === 1 ? "key" : "keys"}` : "keys";
  return `Your app waits for ${keys}${finishOnKey ? `, ended by ${finishOnKey}` : ""}.`;
}

/** What this phone hears of the call: one that was dialled into it nothing of what came before. */
function heardBy(call) {
  const lines = call.heard || [];
  if (call.role !== "dialled" && call.role !== "transferred") return lines;
  const from = lines.findIndex((line) => line.startsWith("[connected to"));
  return from < 0 ? [] : lines.slice(from);
}

function speak(line) {
  if (!("speechSynthesis" in window) || line.startsWith("[")) return;
  window.speechSynthesis.speak(new SpeechSynthesisUtterance(line));
}

/** Only our own recordings can be played here; an address by another name of this machine is the same file. */
function playable(url) {
  try {
    const address = new URL(url, location.href);
    return address.pathname.startsWith("/recordings/") ? address.pathname : "";
  } catch {
    return "";
  }
}

/** Keys go out in order: those pressed while one is on its way go together with the next. */
function keySender(phone) {
  let waiting = "";
  let busy = false;
  return async (id, key) => {
    waiting += key;
    if (busy) return;
    busy = true;
    while (waiting) {
      const digits = waiting;
      waiting = "";
      await phone.run(() => ask("POST", `/control/calls/${encodeURIComponent(id)}/digits`, { digits, phone: phone.number }));
    }
    busy = false;
  };
}

/** The call screen: start(number), follow(id), key(key), update(detail). */
export function callView(phone) {
  const node = clone("call-template");
  const heard = part(node, "heard");
  const body = part(node, "call-body");
  const audio = node.querySelector("audio");
  const sendKey = keySender(phone);
  let id = null;
  let pressed = "";
  let spoken = 0;

  function follow(call) {
    if (call === id) return;
    id = call;
    pressed = "";
    spoken = 0;
    heard.replaceChildren();
    draw({ call, leg_state: "ringing", role: "caller" });
  }

  function drawEnd(call) {
    const box = part(node, "call-end");
    if (!shown(box, call.leg_state === "ended")) return;
    const figures = [call.duration == null ? "" : `Duration ${length(call.duration)}`, call.amount ? money(call.amount) : ""];
    const lines = [cause(call.hangup_cause), figures.filter(Boolean).join(" · ")];
    align(box, lines.filter(Boolean), (line, index) => index, () => make("p"), say);
  }

  function drawHeard(lines) {
    align(heard, lines, (line, index) => index, (line) => make("li", line.startsWith("[") ? "aside" : ""), say);
    if (phone.speak() && !phone.fresh) lines.slice(spoken).forEach(speak);
    spoken = lines.length;
  }

  function draw(call) {
    const atEnd = body.scrollHeight - body.scrollTop - body.clientHeight < 30;
    const height = body.scrollHeight;
    say(part(node, "party"), call.with || call.number || "");
    say(part(node, "call-state"), stateText(call));
    drawHeard(heardBy(call));
    const active = call.leg_state === "active";
    const wish = active ? askedText(call) : "";
    if (shown(part(node, "asked"), Boolean(wish))) say(part(node, "asked"), wish);
    phone.root.classList.toggle("asks-keys", active && call.waiting_for === "digits");
    if (shown(part(node, "keys-line"), Boolean(pressed))) say(part(node, "keys"), pressed);
    shown(part(node, "record-form"), active && call.waiting_for === "record");
    const legs = (call.legs || []).length > 1 ? call.legs : [];
    align(part(node, "legs"), legs, (leg, index) => index, () => make("li"), (item, leg) => {
      say(item, [leg.number, leg.role, leg.state, leg.cause].filter(Boolean).join(" · "));
    });
    drawEnd(call);
    const source = call.recording ? playable(call.recording) : "";
    if (shown(part(node, "recording"), Boolean(source)) && audio.getAttribute("src") !== source) audio.src = source;
    const steps = call.steps || [];
    shown(part(node, "steps-box"), steps.length > 0);
    align(part(node, "steps"), steps, (step, index) => index, () => make("li"), (item, step) => {
      say(item, [step.what, step.text].filter(Boolean).join(": "));
    });
    shown(action(node, "hangup"), call.leg_state !== "ended" && (active || call.role === "caller"));
    if (phone.showing("call")) phone.why(call.why || (call.notes || []).join("; "), true);
    if (atEnd && body.scrollHeight !== height) body.scrollTop = body.scrollHeight;
  }

  const send = (verb, body = {}) => {
    const path = `/control/calls/${encodeURIComponent(id)}/${verb}`;
    return phone.run(() => ask("POST", path, { ...body, phone: phone.number }));
  };
  action(node, "hangup").addEventListener("click", async () => {
    window.speechSynthesis?.cancel();
    if (await send("hangup")) part(node, "call-state").focus();
  });
  part(node, "record-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send("record", { seconds: Number(part(node, "record-s").value) });
  });

  return {
    node,
    main: null,
    follow(call) {
      follow(call);
      part(node, "call-state").focus();
    },
    key(key) {
      pressed += key;
      say(part(node, "keys"), pressed);
      shown(part(node, "keys-line"), true);
      sendKey(id, key);
    },
    async start(to) {
      follow(null);
      say(part(node, "party"), to);
      say(part(node, "call-state"), "Calling…");
      const call = await phone.run(() => ask("POST", `${phone.base}/call`, { to }));
      if (call) follow(call.call);
      else say(part(node, "call-state"), "The call could not be made");
    },
    update(detail) {
      const calls = detail.calls || [];
      const live = calls.find((call) => call.leg_state === "active")
        || calls.find((call) => call.leg_state === "ringing" && call.role === "caller");
      const was = phone.inCall;
      phone.inCall = live?.leg_state === "active";
      if (live && live.call !== id) {
        follow(live.call);
        if (phone.showing("home") || !phone.typing()) phone.show("call");
      }
      const call = calls.find((one) => one.call === id);
      if (call) draw(call);
      if (was && !phone.inCall && call) announce(`${phone.number}: call ended, ${cause(call.hangup_cause)}`);
    },
  };
}
