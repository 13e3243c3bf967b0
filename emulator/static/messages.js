// The messages of one handset: conversations by the other party, bubbles with their states, writing.

import { action, align, ask, clockTime, clone, enter, make, money, part, say, shown } from "./tools.js";

const other = (message) => (message.direction === "in" ? message.from : message.to);

function bubble(message) {
  const meta = make("small", "meta");
  const node = make("li", `bubble ${message.direction}`, make("strong", "who"), make("span", "text"), meta);
  say(node.querySelector(".text"), message.text);
  return node;
}

function redraw(node, message, all) {
  say(node.querySelector(".who"), all ? `${message.direction === "in" ? "from" : "to"} ${other(message)}` : "");
  const cost = message.cost && !/\s0(\.0+)?$/.test(message.cost) ? money(message.cost) : "";
  const linked = message.link_id ? `linkId ${message.link_id}` : "";
  const channel = message.channel === "sms" ? "" : message.channel;
  say(node.querySelector(".meta"), [clockTime(message.at, false), channel, message.status, cost, linked].filter(Boolean).join(" · "));
  node.dataset.status = message.status || "";
}

/** The messages screen: open(), update(detail). While it is looked at, what came is read. */
export function messagesView(phone) {
  const node = clone("messages-template");
  const list = part(node, "messages");
  const scroll = part(node, "bubbles");
  const to = part(node, "sms-to");
  const text = part(node, "sms-text");
  let chosen = null;
  let known = new Set();
  let reading = false;
  let newest = null;
  to.value = phone.defaults.shortCode;

  function choose(party) {
    chosen = party;
    if (party) to.value = party;
    update(phone.detail || {});
    scroll.scrollTop = scroll.scrollHeight;
  }

  function threads(messages) {
    const parties = [...new Set(messages.map(other).reverse())];
    const unread = messages.filter((message) => message.direction === "in" && !message.is_read);
    const create = (party) => {
      const button = make("button", "thread");
      button.type = "button";
      button.addEventListener("click", () => choose(party));
      return button;
    };
    const draw = (button, party) => {
      const count = unread.filter((message) => party === null || other(message) === party).length;
      say(button, `${party ?? "All"}${count ? ` (${count})` : ""}`);
      button.setAttribute("aria-pressed", String(party === chosen));
    };
    align(part(node, "threads"), parties.length ? [null, ...parties] : [], (party) => party ?? "", create, draw);
  }

  async function read() {
    if (reading || !phone.unread || document.hidden || !node.isConnected) return;
    reading = true;
    // A failure shows as "not updating"; the next look at the phone tries again.
    await ask("POST", `${phone.base}/messages/read`, {}).catch(() => null);
    reading = false;
  }

  function update(detail) {
    const messages = (detail.messages || []).filter((message) => message.on_phone);
    const shownOnes = chosen === null ? messages : messages.filter((message) => other(message) === chosen);
    const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 30;
    threads(messages);
    align(list, shownOnes, (message) => message.id, bubble, (one, message) => redraw(one, message, chosen === null));
    part(node, "no-messages").hidden = messages.length > 0;
    const last = shownOnes.at(-1)?.id ?? null;
    if (last !== newest && atEnd) scroll.scrollTop = scroll.scrollHeight;
    newest = last;
    if (shown(part(node, "thread-tools"), chosen !== null)) {
      const out = (detail.opt_outs || []).includes(chosen);
      const button = action(node, "opt-out-thread");
      say(button, out ? `You opted out of ${chosen}` : `Opt out of ${chosen}`);
      button.disabled = out;
    }
    for (const message of messages) {
      if (message.direction === "in" && !known.has(message.id)) phone.event(`SMS from ${message.from}: ${message.text}`);
    }
    known = new Set(messages.map((message) => message.id));
    setTimeout(read, 0);
  }

  action(node, "opt-out-thread").addEventListener("click", () => {
    const senderId = chosen;
    phone.run(() => ask("POST", `${phone.base}/opt-out`, { senderId }));
  });
  node.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { to: to.value.trim(), text: text.value };
    const sent = await phone.run(() => ask("POST", `${phone.base}/sms`, body));
    if (!sent) return;
    if (text.value === body.text) text.value = "";
    if (chosen !== null) choose(body.to);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) node.querySelector("form").requestSubmit();
  });

  return {
    node, update,
    main: text,
    open() {
      update(phone.detail || {});
      scroll.scrollTop = scroll.scrollHeight;
      enter(text);
    },
  };
}
