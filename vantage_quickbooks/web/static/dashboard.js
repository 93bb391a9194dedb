// Keeps a part of the page up to date. Everything works without this script.
"use strict";

// Replace the content of an element by HTML of this server: focus, scroll position and open details stay, and what has
// another text than before gets the class `changed` (live.css). Elements are recognized by their id or `data-live-key`.
const replaceContent = (box, html) => {
  const keyed = (root) => new Map([...root.querySelectorAll("[data-live-key]")].map((it) => [it.dataset.liveKey, it]));
  const texts = new Map([...keyed(box)].map(([key, it]) => [key, it.textContent]));
  const open = [...box.querySelectorAll("details[open][id]")].map((it) => it.id);
  const active = box.contains(document.activeElement) ? document.activeElement : null;
  const place = active && (active.id || active.closest("[data-live-key]")?.dataset.liveKey);
  const loading = new Set([...box.querySelectorAll("[data-tile]:has(.waiting)")].map((it) => it.dataset.tile));
  const content = document.createElement("template");
  content.innerHTML = html;
  const found = keyed(content.content);
  for (const [key, it] of found) {
    const isNew = loading.has(it.closest("[data-tile]")?.dataset.tile);
    if (!isNew && texts.get(key) !== it.textContent) it.classList.add("changed");
  }
  for (const id of open) content.content.getElementById(id)?.setAttribute("open", "");
  const { scrollX, scrollY } = window;
  box.replaceChildren(content.content);
  window.scrollTo(scrollX, scrollY);
  if (!place) return;
  const kept = document.getElementById(place) ?? found.get(place);
  const target = kept?.matches("a, button, summary") ? kept : kept?.closest("a") ?? kept?.querySelector("a, button");
  target?.focus({ preventScroll: true });
};

// While the server reads, ask for the figures again.
const board = document.getElementById("dashboard");
if (board) {
  const DELAY_MS = 400, PATIENCE_MS = 10_000;
  let isAsking = false;
  const update = async () => {
    if (isAsking || !board.querySelector("[data-updating]")) return;
    isAsking = true;
    let delay = DELAY_MS;
    try {
      const answer = await fetch(board.dataset.live, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      replaceContent(board, await answer.text());
    } catch { delay = PATIENCE_MS; /* the server may be restarting: try again */ }
    isAsking = false;
    setTimeout(update, delay);
  };
  // Another script may have replaced the content.
  new MutationObserver(() => setTimeout(update, DELAY_MS)).observe(board, { childList: true });
  document.addEventListener("live:updated", update);
  update();

  // Refresh without leaving the page.
  board.addEventListener("submit", async (event) => {
    if (!event.target.action.endsWith("/dashboard/refresh")) return;
    event.preventDefault();
    const body = new URLSearchParams(new FormData(event.target));
    const answer = await fetch(event.target.action, { method: "POST", body, redirect: "manual" }).catch(() => null);
    if (!answer) { event.target.submit(); return; }
    board.firstElementChild.setAttribute("data-updating", "");
    update();
  });
}
