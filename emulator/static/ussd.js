// The USSD screen of one handset: what a person would see, and under the handset why it went wrong.

import { action, ask, clone, enter, part, say, shown } from "./tools.js";

const FAILED = "Connection problem or invalid MMI code";

/** The USSD screen: dial(code), update(detail). It opens by itself for a session that began elsewhere. */
export function ussdView(phone) {
  const node = clone("ussd-template");
  const input = part(node, "ussd-input");
  const [send, cancel, ok] = ["send", "cancel", "ok"].map((name) => action(node, name));
  let session = null;
  let pending = false;
  let closed = null;
  let latest = {};

  function draw(state) {
    const focused = node.contains(document.activeElement);
    session = state.session || session;
    if (state.session) latest = state;
    say(part(node, "ussd-screen"), pending ? "USSD code running…" : state.screen || (state.open ? "" : FAILED));
    node.classList.toggle("pending", pending);
    const open = Boolean(pending || state.open);
    shown(part(node, "ussd-reply"), open);
    input.readOnly = pending;
    shown(send, open);
    send.disabled = pending;
    shown(cancel, open);
    cancel.disabled = !session;
    if (shown(ok, !open) && focused) ok.focus();
    phone.why(pending ? "" : state.why, !state.open);
  }

  async function go(doing) {
    pending = true;
    draw({ open: true });
    let failure = "";
    const state = await phone.run(async () => {
      try {
        return await doing();
      } catch (error) {
        failure = error.message;
        throw error;
      }
    });
    pending = false;
    if (state) {
      draw(state);
      if (state.open) input.value = "";
    } else if (session) {
      draw(latest);
    } else {
      phone.note("");
      draw({ screen: FAILED, open: false, why: failure });
    }
    const focused = document.activeElement;
    if (state?.open && (focused === document.body || phone.root.contains(focused))) enter(input);
  }

  function leave() {
    phone.why("");
    enter(phone.show("home").main);
  }

  const path = () => `${phone.base}/ussd/${encodeURIComponent(session)}`;
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!pending && session) go(() => ask("POST", path(), { input: input.value }));
  });
  cancel.addEventListener("click", async () => {
    closed = session;
    const state = await phone.run(() => ask("DELETE", path()));
    if (state) leave();
  });
  ok.addEventListener("click", () => {
    closed = session;
    leave();
  });

  return {
    node,
    main: input,
    dial(code) {
      session = null;
      input.value = "";
      say(part(node, "ussd-code"), code);
      return go(() => ask("POST", `${phone.base}/ussd`, { code }));
    },
    update(detail) {
      const state = detail.ussd;
      if (!state || state.session === closed) return;
      if (pending) {
        if (!session && state.open) session = state.session;
        cancel.disabled = !session;
        return;
      }
      if (state.session !== session && !state.open) return;
      if (state.session !== session) {
        say(part(node, "ussd-code"), state.code);
        if (phone.showing("home")) phone.show("ussd");
      }
      draw(state);
    },
  };
}
