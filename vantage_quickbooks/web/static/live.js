// Live pages. An event of the server says that the data or the state of a connection changed; the page then reads its
// regions again and changes only what differs, so focus, selection, scroll position and open details stay.
//
//   <body data-events=URL data-since=POSITION>  the stream of events, and the position at which the page was read
//   data-live=URL          after a change of data or state, take the element of the same id from that page or, if the
//                          URL answers with a fragment, all of it
//   data-live-state=URL    the same after a change of state only
//   data-live-key=KEY      recognizes an element that may move, such as a row
//   data-live-keep         leave this element as it is;  data-live-quiet: do not mark what changes in it
//   data-live-polite       ask before rows move while the user is in the middle of them
//   data-live-form=ID      always ask; the button submits this form: reading again is expensive
//   data-live-error=TEXT   in the answer: it has no content, keep what is shown
//   data-live-shape=NAME   if "none" is shown and the answer has another one, the whole page is loaded; "rows" stay if
//                          the answer has "none"
"use strict";
{
  const PING_TIMEOUT_MS = 45_000;   // the server pings every 15 seconds
  const MIN_GAP_MS = 1_500, MAX_GAP_MS = 30_000;  // between two updates of a company that changes all the time
  const ANNOUNCE_GAP_MS = 30_000, LOST_MS = 5_000;
  const RETRY_MS = 60_000;  // after the first update that failed
  const body = document.body;
  const streamUrl = body.dataset.events;
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // ---- the state in the header, and what screen readers hear -------------------------------------------------------

  const WORDS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", off: "Not live" };
  const badge = Object.assign(document.createElement("p"), { className: "live" });
  const word = document.createElement("span");
  const ago = Object.assign(document.createElement("span"), { className: "live-ago" });
  const dot = Object.assign(document.createElement("span"), { className: "dot" });
  const spoken = Object.assign(document.createElement("span"), { className: "sr" });
  dot.setAttribute("aria-hidden", "true");
  spoken.setAttribute("role", "status");
  badge.append(dot, word, ago, spoken);
  let updatedAt = null, problem = "", announcedAt = -Infinity, lostTimer = 0, wasLost = false;

  const say = (text) => { spoken.textContent = text; };
  const showAge = () => {
    const seconds = updatedAt === null ? 0 : Math.round((Date.now() - updatedAt) / 1000);
    const text = updatedAt === null ? "" : seconds < 10 ? "updated just now" : seconds < 60 ? `updated ${seconds} s ago`
      : seconds < 3600 ? `updated ${Math.floor(seconds / 60)} min ago` : `updated ${Math.floor(seconds / 3600)} h ago`;
    ago.textContent = problem || text;
  };
  const show = (state, text = "") => {
    if (badge.dataset.state !== state) word.textContent = WORDS[state];
    badge.dataset.state = state;
    problem = text;
    showAge();
    if (state === "live") {
      clearTimeout(lostTimer);
      lostTimer = 0;
      if (wasLost) say("Live updates work again.");
      wasLost = false;
    } else if (state === "reconnecting" && !lostTimer && !wasLost) {
      lostTimer = setTimeout(() => { wasLost = true; say("Live updates are interrupted. Reconnecting."); }, LOST_MS);
    } else if (state === "off" && text) {
      say(text);
    }
  };
  const announceUpdate = () => {
    const now = Date.now();
    if (now - announcedAt < ANNOUNCE_GAP_MS) return;
    announcedAt = now;
    say("Updated.");
  };

  // ---- changing what differs ---------------------------------------------------------------------------------------

  const ours = new Set(["open"]);  // attributes that the user has changed
  let marked = new Set();

  const keyOf = (node) => node.nodeType === Node.ELEMENT_NODE ? node.dataset?.liveKey || node.id || null : null;
  const mark = (node) => {
    const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    if (!element || element instanceof SVGElement || element.closest("[data-live-quiet], svg")) return;
    marked.add(element.matches("tr, li, dd, td") ? element : element.closest("td, dd, li") ?? element);
  };
  const morphAttributes = (old, fresh) => {
    const isMarked = old.classList.contains("changed");  // by an update shortly before
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !ours.has(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !ours.has(name)) old.setAttribute(name, value);
    }
    if (isMarked) old.classList.add("changed");
  };
  const morph = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue === fresh.nodeValue) return;
      old.nodeValue = fresh.nodeValue;
      if (old.nodeType === Node.TEXT_NODE && fresh.nodeValue.trim()) mark(old);
    } else if (!("liveKeep" in (old.dataset ?? {})) && !old.isEqualNode(fresh)) {
      morphAttributes(old, fresh);
      morphChildren(old, fresh);
    }
  };
  const morphChildren = (old, fresh) => {
    const wanted = new Set([...fresh.childNodes].map(keyOf).filter(Boolean));
    const keyed = new Map();
    for (const child of [...old.childNodes]) {
      const key = keyOf(child);
      if (key && (!wanted.has(key) || keyed.has(key))) child.remove();
      else if (key) keyed.set(key, child);
    }
    let cursor = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const key = keyOf(child);
      let match = key ? keyed.get(key) : cursor;
      if (!key) while (match && (keyOf(match) || match.nodeName !== child.nodeName)) match = match.nextSibling;
      if (key) keyed.delete(key);
      if (match && match.nodeName === child.nodeName) {
        if (match === cursor) cursor = cursor.nextSibling;
        else old.insertBefore(match, cursor);  // it moved
        morph(match, child);
      } else {
        const added = document.importNode(child, true);
        old.insertBefore(added, cursor);
        if (added.nodeType === Node.ELEMENT_NODE || added.nodeValue.trim()) mark(added);
      }
    }
    while (cursor) {
      const passed = cursor;
      cursor = cursor.nextSibling;
      passed.remove();
    }
  };
  window.morphChildren = morphChildren;  // for other scripts
  const unmark = (elements) => { for (const element of elements) element.classList.remove("changed"); };
  const highlight = () => {
    const isInner = (it) => [...marked].some((other) => other !== it && other.contains(it));
    const elements = [...marked].filter((it) => it.isConnected && !isInner(it));
    unmark(elements);
    if (elements.length) void elements[0].offsetWidth;  // restarts the animation
    for (const element of elements) element.classList.add("changed");
    setTimeout(unmark, 6_000, elements);
    marked = new Set();
  };

  // ---- reading regions again ---------------------------------------------------------------------------------------

  class Gone extends Error {}
  const get = async (url) => {
    const answer = await fetch(url, { cache: "no-store" });
    if (answer.status === 401) throw new Gone("Signed out. Reload the page to sign in.");
    if (answer.status === 404) throw new Gone("This page does not exist any more.");
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) found.failure = found.querySelector("main h1")?.textContent ?? answer.statusText;
    return found;
  };
  const getWhenRead = async (url) => {  // a page that still reads its rows has none
    for (;;) {
      const found = await get(url);
      const progress = found.querySelector("[data-status]");
      if (!progress) return found;
      for (let isRunning = true; isRunning;) {
        await sleep(500);
        const answer = await fetch(progress.dataset.status, { cache: "no-store" });
        if (!answer.ok) break;
        isRunning = (await answer.json()).state === "running";
      }
    }
  };
  const urlOf = (region) => region.dataset.live ?? region.dataset.liveState;
  const replace = (region, found) => {
    const isPage = Boolean(found.querySelector("main"));
    const fresh = region.id ? found.getElementById(region.id) : null;
    if (fresh === null && isPage) return found.failure ?? "";  // such as an error page
    if (fresh?.dataset.liveError !== undefined) return fresh.dataset.liveError;
    if (region.dataset.liveShape === "none" && fresh?.dataset.liveShape !== "none") location.reload();
    if (region.dataset.liveShape === "rows" && fresh?.dataset.liveShape === "none") return "";
    if (fresh) morphAttributes(region, fresh);
    morphChildren(region, fresh ?? found.body);
    return "";
  };

  let isUpdating = false, isAsking = false, failures = 0;
  let pending = new Set(), gap = MIN_GAP_MS, lastEnd = -Infinity, gapTimer = 0;

  const isBusyWith = (region) => {
    const selection = document.getSelection();
    const isSelecting = selection && !selection.isCollapsed && region.contains(selection.anchorNode);
    return isSelecting || "livePage" in region.dataset || region.getBoundingClientRect().top < -60;
  };
  const regionsOf = (kinds) => all(kinds.has("state") ? "[data-live-state], [data-live]" : "[data-live]")
    .filter((it) => !it.querySelector("[data-status]"));  // it is about to be replaced by the whole page
  const mustAsk = (regions) => regions.find((it) => it.dataset.liveForm)
    ?? regions.find((it) => "livePolite" in it.dataset && isBusyWith(it));

  const update = async ({ isAsked = false } = {}) => {
    if (isUpdating || !pending.size || document.hidden || badge.dataset.state === "off") return;
    const kinds = pending;
    let regions = regionsOf(kinds);
    const asking = isAsked ? null : mustAsk(regions);
    if (asking && kinds.has("changes")) ask(asking);
    if (asking) regions = regions.filter((it) => !it.dataset.live || it.dataset.live !== asking.dataset.live);
    isUpdating = true;
    pending = new Set();
    let text = "";
    try {
      const urls = [...new Set(regions.map(urlOf))];
      const pages = new Map(await Promise.all(urls.map(async (url) => [url, await getWhenRead(url)])));
      for (const region of regions) if (region.isConnected) text = replace(region, pages.get(urlOf(region))) || text;
      highlight();
      failures = text ? failures + 1 : 0;
      if (text) setTimeout(() => { pending.add("changes"); later(); }, RETRY_MS * 2 ** Math.min(failures - 1, 5));
      else if (regions.length && !asking) {
        updatedAt = Date.now();
        announceUpdate();
        isAsking = false;
        newer.remove();
      }
      show(badge.dataset.state, text && `could not update: ${text}`);
      document.dispatchEvent(new CustomEvent("live:updated"));
    } catch (error) {
      if (error instanceof Gone) stop(error.message);
      else { for (const kind of kinds) pending.add(kind); show("reconnecting"); }
    } finally {
      isUpdating = false;
      lastEnd = Date.now();
      if (pending.size) later();
    }
  };
  // The first change is shown at once. While changes go on, the pauses between updates grow: each may cost API calls.
  const later = () => {
    if (gapTimer) return;
    const now = Date.now();
    if (now - lastEnd > 2 * gap) gap = MIN_GAP_MS;
    const wait = Math.max(0, lastEnd + gap - now);
    if (wait === 0) { update(); return; }
    gapTimer = setTimeout(() => { gapTimer = 0; gap = Math.min(gap * 1.5, MAX_GAP_MS); update(); }, wait);
  };

  // ---- asking ------------------------------------------------------------------------------------------------------

  const newer = Object.assign(document.createElement("div"), { className: "newer" });
  const newerButton = Object.assign(document.createElement("button"), { type: "button", className: "primary small" });
  newer.append(newerButton);
  const ask = (region) => {
    if (isAsking) return;
    isAsking = true;
    const form = document.getElementById(region.dataset.liveForm ?? "");
    newerButton.textContent = form ? "Records changed. Read all again" : "Records changed. Show";
    newerButton.onclick = async () => {
      if (form) { form.requestSubmit(); return; }
      newerButton.disabled = true;
      pending.add("changes");
      await update({ isAsked: true });
      newerButton.disabled = false;
      if (region.getBoundingClientRect().top < 0) region.scrollIntoView({ block: "start" });
    };
    region.before(newer);
    say("Records changed since this list was read.");
  };

  // ---- the stream --------------------------------------------------------------------------------------------------

  let stream = null, position = body.dataset.since ?? "", heardAt = 0, retryTimer = 0, retries = 0;

  const close = () => {
    clearTimeout(retryTimer);
    retryTimer = 0;
    stream?.close();
    stream = null;
  };
  const stop = (text) => { close(); pending = new Set(); show("off", text); };
  const retry = () => {
    close();
    show("reconnecting");
    retries += 1;
    retryTimer = setTimeout(open, Math.min(1000 * 2 ** Math.min(retries, 5), 30_000));
  };
  const refused = async () => {  // the browser gives up when the answer is not a stream; find out why
    try {
      const answer = await fetch(streamUrl, { method: "HEAD", cache: "no-store" });
      if (answer.status === 401) { stop("Signed out. Reload the page to sign in."); return; }
      if (answer.status === 404) { stop("This connection was removed."); return; }
    } catch { /* no connection */ }
    retry();
  };
  const receive = (kind) => (event) => {
    heardAt = Date.now();
    if (event.lastEventId) position = event.lastEventId;
    pending.add(kind);
    later();
  };
  function open() {
    close();
    if (document.hidden) return;
    heardAt = Date.now();
    const opened = stream = new EventSource(`${streamUrl}?since=${encodeURIComponent(position)}`);
    opened.addEventListener("open", () => { heardAt = Date.now(); retries = 0; show("live"); if (pending.size) later(); });
    opened.addEventListener("ping", () => { heardAt = Date.now(); });
    for (const kind of ["state", "changes"]) opened.addEventListener(kind, receive(kind));
    opened.addEventListener("error", () => {
      if (opened !== stream) return;
      if (opened.readyState === EventSource.CLOSED) refused();
      else show("reconnecting");
    });
  }

  if (all("[data-live], [data-live-state]").length) {
    document.querySelector("header.top > div")?.append(badge);
    show("connecting");
    // A hidden tab holds no connection: browsers open six to one server. What it missed comes when it is visible again.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) close();
      else if (badge.dataset.state !== "off") open();
    });
    addEventListener("pagehide", close);
    addEventListener("pageshow", (event) => { if (event.persisted && badge.dataset.state !== "off") open(); });
    addEventListener("online", () => { if (badge.dataset.state === "reconnecting") open(); });
    setInterval(showAge, 10_000);
    setInterval(() => { if (stream && Date.now() - heardAt > PING_TIMEOUT_MS) retry(); }, 5_000);
    open();
  }
}
