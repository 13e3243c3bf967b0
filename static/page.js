// What pages do besides being read: copying, keys, following the list, fitting parts in. Each works without it in a plainer way.
"use strict";
(() => {
  const $ = (query, from = document) => from.querySelector(query);
  const $$ = (query, from = document) => [...from.querySelectorAll(query)];
  const say = (text) => { $("#said").textContent = text; };
  const cookie = (name) => (document.cookie.match(`(?:^|; )${name}=([^;]*)`) || [])[1];
  const keep = (name, value) => { document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=strict`; };
  const isNarrow = () => matchMedia("(max-width: 1150px)").matches;
  const root = document.documentElement;

  // Times: UTC as the server writes them, or this person's zone.
  const showTimes = (from) => {
    const isLocal = cookie("zone") === "local";
    for (const time of $$("time", from)) {
      const moment = new Date(time.dateTime);
      time.dataset.utc ??= time.textContent;
      const day = moment.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
      time.textContent = isLocal ? `${"day" in time.dataset ? day + " " : ""}${moment.toLocaleTimeString([], { hourCycle: "h23" })}` : time.dataset.utc;
      // The zone that the page names behind it.
      const after = time.nextSibling;
      if (after?.nodeType === 3) after.nodeValue = after.nodeValue.replace(/^ (UTC|local)\b/, isLocal ? " local" : " UTC");
    }
    const button = $('[data-do="zone"] span:last-child');
    if (button) button.textContent = isLocal ? "local" : "UTC";
  };

  const dress = (from) => {
    for (const one of $$("[data-copy], [data-copy-from], [data-do]", from)) if (one.dataset.do !== "close" || $("#lines")) one.hidden = false;
    showTimes(from);
  };

  // Copying
  const copy = async (button) => {
    let text = button.dataset.copy;
    if (text === undefined) {
      const answer = await fetch(button.dataset.copyFrom);
      if (!answer.ok) return say(`Not copied: ${answer.status}`);
      text = await answer.text();
    }
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Not offered over plain http: the text is shown, marked, to be copied by hand.
      const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, rows: 6 });
      field.setAttribute("aria-label", "Text to copy");
      button.closest("details")?.setAttribute("open", "");
      button.after(field);
      field.select();
      return say("Marked: copy it by hand.");
    }
    const label = button.firstChild;
    const before = label.nodeValue;
    label.nodeValue = "Copied";
    say("Copied");
    setTimeout(() => { label.nodeValue = before; }, 2000);
  };

  // The list and what is chosen of it
  const lines = () => $$("#lines .line");
  const chosen = () => $("#lines .line[aria-current]");
  let following = true, unread = 0, last = null;
  const title = document.title;
  const count = () => { document.title = unread ? `(${unread}) ${title}` : title; };
  const follow = (on) => {
    const button = $('[data-do="follow"]');
    if (!button) return;
    following = on;
    button.setAttribute("aria-pressed", on);
    button.textContent = on ? "Following" : "Follow";
    if (on) { bringIn(); scrollTo(0, 0); }
  };
  const MOST = 100;
  const place = (line) => line.id.split("_")[1];
  const bringIn = () => {
    const held = $$("#arrivals .line");
    for (const line of held) {
      line.classList.add("new");
      // One that was committed late belongs further down.
      const next = lines().find((one) => place(one) < place(line));
      if (next) next.before(line); else $("#lines").append(line);
      if (line.id === $("#detail .whole")?.dataset.id) line.setAttribute("aria-current", "true");
    }
    shorten();
    $("#waiting").hidden = true;
    if (held.length) $(".list .empty")?.remove();
    if (!document.hidden) { unread = 0; count(); }
  };
  // What is cut off is found where the list goes on.
  const shorten = () => {
    const all = lines(), older = $(".list .older");
    if (all.length < MOST) return;
    for (const line of all.slice(MOST)) line.remove();
    const url = new URL($("a", older).href);
    url.searchParams.set("after", place(all[MOST - 1]));
    $("a", older).href = url;
    older.hidden = false;
  };
  // What came just now, of which some may be known: an order that was under way is shown anew.
  const sortOut = () => {
    let fresh = 0;
    for (const line of $$("#arrivals .line:not([data-held])")) {
      line.dataset.held = "";
      const known = $$(`[id="${line.id}"]`).find((one) => one !== line);
      if (!known) { fresh += 1; continue; }
      known.classList.toggle("open", line.matches(".open"));
      known.classList.toggle("wrong", line.matches(".wrong"));
      if (known.textContent !== line.textContent) {
        const isFocused = known.contains(document.activeElement);
        known.replaceChildren(...line.childNodes);
        if (isFocused) $("a", known).focus();
      }
      line.remove();
    }
    for (const line of $$("#arrivals .line").slice(MOST)) line.remove();
    return fresh;
  };
  const choose = (line, opens = true) => {
    if (!line) return;
    last = line;
    chosen()?.removeAttribute("aria-current");
    line.setAttribute("aria-current", "true");
    line.scrollIntoView({ block: "nearest" });
    const link = $("a[data-part]", line);
    link.focus({ preventScroll: true });
    follow(false);
    if (!opens) return;
    // Back leads to the list once, not through every line.
    history[new URLSearchParams(location.search).has("sel") ? "replaceState" : "pushState"](null, "", link.href);
    bring(link.dataset.part);
  };
  const step = (by) => {
    // What is shown may be a replay that the list does not hold yet.
    const all = lines(), at = all.indexOf(chosen() || last);
    choose(all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))], !isNarrow());
  };
  const close = () => {
    const line = chosen() || last;
    if (!$("#lines") || !$("#detail .whole")) return;
    line?.removeAttribute("aria-current");
    $("#detail").replaceChildren(Object.assign(document.createElement("p"), { className: "muted pad", textContent: "Select a line to see it whole." }));
    if (line) $("a", line).focus();
    const url = new URL(location.href);
    url.searchParams.delete("sel");
    history.replaceState(null, "", url);
  };
  // What is shown beside the list, or alone, is what the address names and the list marks: after a replay it is another one.
  const showWhole = () => {
    const whole = $("#detail .whole[data-id]"), own = $("#detail .whole .id");
    $("#detail").scrollTop = 0;
    if (!whole || !own) return;
    if (!$("#lines")) return history.replaceState(null, "", own.href);
    const url = new URL(location.href);
    url.searchParams.set("sel", whole.dataset.id);
    history.replaceState(null, "", url);
    chosen()?.removeAttribute("aria-current");
    lines().find((line) => line.id === whole.dataset.id)?.setAttribute("aria-current", "true");
  };
  const bring = (address) => htmx.ajax("GET", address, { target: "#detail", swap: "innerHTML" });

  // Keys act on what is chosen
  const press = (key) => {
    const control = $(`#detail [data-key="${key}"]`);
    if (control) control.click(); else say("Select a line first.");
  };
  const go = (key) => { const link = $(`[data-go="${key}"]`); if (link) location.href = link.href; };
  let isGoing = false;
  const keys = {
    j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
    r: () => press("r"), e: () => press("e"), c: () => press("c"), b: () => press("b"),
    p: () => follow(!following), "/": () => $("#search").focus(), "?": () => $("#keys").showModal(), Escape: close,
    Enter: () => { const line = chosen(); if (line) location.href = $("a[data-part]", line).dataset.part; },
  };
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
    if (at.matches("input, textarea, select")) { if (event.key === "Escape") at.blur(); return; }
    if (isGoing) { isGoing = false; return go(event.key); }
    if (event.key === "g") { isGoing = true; setTimeout(() => { isGoing = false; }, 1500); return; }
    const isList = Boolean($("#lines"));
    if (["j", "k", "ArrowDown", "ArrowUp"].includes(event.key) && !isList) return;
    if (event.key.startsWith("Arrow") && (event.shiftKey || !at.matches(".line a, body"))) return;
    if (event.key === "Enter" && !(isList && at.matches(".line a, body"))) return;
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });

  document.addEventListener("click", (event) => {
    const at = event.target.closest("button, a");
    if (at?.dataset.copy !== undefined || at?.dataset.copyFrom) return copy(at);
    const act = {
      follow: () => follow(!following), help: () => $("#keys").showModal(), close,
      zone: () => { keep("zone", cookie("zone") === "local" ? "utc" : "local"); showTimes(document); },
      theme: () => {
        const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
        const next = (root.dataset.theme || system) === "dark" ? "light" : "dark";
        keep("theme", next === system ? "" : next);
        root.dataset.theme = next;
        say(`Theme: ${next}`);
      },
    }[at?.dataset.do];
    if (act) return act();
    if (at?.id === "waiting") return follow(true);
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (at?.dataset.into) { event.preventDefault(); return bring(at.href); }
    const line = event.target.closest("#lines .line");
    if (line && !isNarrow() && !getSelection().toString()) { event.preventDefault(); choose(line); }
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const ask = event.submitter?.dataset.ask || form.dataset.ask;
    if (ask && !confirm(ask)) return event.preventDefault();
    if (!form.dataset.into || form.method === "dialog") return;
    event.preventDefault();
    const values = Object.fromEntries([...new Set(new FormData(form, event.submitter).keys())].map((name) => [name, new FormData(form, event.submitter).getAll(name)]));
    htmx.ajax(form.method.toUpperCase(), form.action, { target: `#${form.dataset.into}`, values });
  });
  addEventListener("popstate", () => location.reload());
  addEventListener("scroll", () => { if (scrollY > 120 && following && $("#lines")) follow(false); }, { passive: true });

  // Polling: what is known already goes along, so that what was late is not missed
  const isPoll = (one) => one.matches('[hx-trigger^="every"]');
  const hasOwn = $$('[hx-trigger^="every"]').length > 1;
  document.addEventListener("htmx:configRequest", (event) => {
    const at = event.target;
    if (at.id !== "arrivals") return;
    const known = $$("#arrivals .line, #lines .line").sort((a, b) => (place(a) < place(b) ? 1 : -1));
    const isWhole = $(".list .older").hidden && known.length < MOST;
    Object.assign(event.detail.parameters, {
      from: at.dataset.from,
      oldest: isWhole ? "" : place(known[Math.min(known.length, MOST) - 1]),
      have: known.slice(0, MOST).filter((line) => place(line) > at.dataset.from && !line.matches(".open")).map((line) => place(line).slice(-8)).join("."),
    });
  });
  // A tab that nobody sees asks for nothing, but for what its title counts, and rarely. What it left out is asked when it is seen.
  const WAKES = '[hx-trigger*="wake"]';
  let listedAt = 0;
  document.addEventListener("htmx:beforeRequest", (event) => {
    const isList = event.target.id === "arrivals", isDue = isList && Date.now() - listedAt >= 15000;
    if (document.hidden && !isDue && event.target.matches(WAKES)) return event.preventDefault();
    if (isList) listedAt = Date.now();
  });
  let seenAt = Date.now();
  document.addEventListener("htmx:afterRequest", (event) => {
    const at = event.target, { successful, xhr } = event.detail;
    // A page that keeps itself up to date is judged by that; others by whether anybody answers.
    if (successful && isPoll(at) && (at.id !== "pulse" || !hasOwn)) seenAt = Date.now() - 1000 * xhr.getResponseHeader("Age");
    if (successful && at.id === "arrivals") at.dataset.from = xhr.getResponseHeader("X-From") || at.dataset.from;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, elt, requestConfig } = event.detail;
    // What went wrong is said where it was asked for.
    if (xhr.status >= 400 && !isPoll(requestConfig?.elt || elt)) { event.detail.shouldSwap = true; event.detail.isError = false; }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    dress(event.target);
    if (event.target.id === "arrivals") {
      const fresh = sortOut(), held = $$("#arrivals .line").length;
      if (!fresh) return;
      if (document.hidden || !following) { unread += fresh; count(); }
      say(`${fresh} new`);
      if (following) bringIn();
      else { $("#waiting").hidden = false; $("#waiting").textContent = `${held < MOST ? held : MOST + "+"} new ↑`; }
    }
    if (event.target.id === "detail") showWhole();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    if (following) { unread = 0; count(); }
    for (const one of $$(WAKES)) htmx.trigger(one, "wake");
  });
  setInterval(() => {
    const fresh = $("#fresh"), old = Math.round((Date.now() - seenAt) / 1000);
    if (!fresh) return;
    if (old >= 10) fresh.textContent = `not updating: last ${old} s ago`;
    else if (hasOwn) fresh.textContent = `updated ${old} s ago`;
    else fresh.textContent = fresh.dataset.shown ??= fresh.textContent;
    fresh.classList.toggle("stale", old >= 10);
  }, 1000);

  dress(document);
  if (chosen()) follow(false);
})();
