// Progressive enhancement: every page works without this script.
"use strict";

// Progress page: show the progress, and the result as soon as it is available.
const progress = document.getElementById("progress");
if (progress) {
  const bar = progress.querySelector("progress");
  const follow = async () => {
    try {
      const answer = await fetch(progress.dataset.status, { cache: "no-store" });
      const now = await answer.json();
      if (now.state !== "running") { location.reload(); return; }
      document.getElementById("progress-done").textContent = now.done.toLocaleString("en");
      document.getElementById("progress-seconds").textContent = now.seconds;
      const note = document.getElementById("progress-note");
      if (note) note.textContent = now.note;
      if (now.total) { bar.max = now.total; bar.value = now.done; }
    } catch { /* the server may be busy: try again */ }
    setTimeout(follow, 700);
  };
  setTimeout(follow, 500);
}

// Popovers: one is open at a time; Escape and a click elsewhere close it.
const boxes = [...document.querySelectorAll("details.pop-box")];
document.addEventListener("click", (event) => {
  for (const box of boxes) if (box.open && !box.contains(event.target)) box.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const box = boxes.find((it) => it.open);
  if (!box || document.querySelector(".options:not([hidden])")) return;
  box.open = false;
  box.querySelector("summary").focus();
});
for (const box of boxes) {
  box.addEventListener("toggle", () => {
    if (!box.open) return;
    for (const other of boxes) if (other !== box) other.open = false;
    box.querySelector(".presets a, form input:not([type=hidden], [type=checkbox]), form select")?.focus();
  });
}

// Links to other records say what they lead to: one request after the other, as each is an API call.
const describeLinks = async () => {
  for (const link of document.querySelectorAll("a[data-summary]")) {
    if (link.nextElementSibling.textContent) continue;
    try {
      const answer = await (await fetch(link.dataset.summary, { cache: "no-store" })).json();
      link.nextElementSibling.textContent = answer.text;
    } catch { return; /* the link works without it */ }
  }
};
describeLinks();
document.addEventListener("live:updated", describeLinks);

// An invalid number is marked when its field is left; the server validates again. The help text turns into the error
// message, so that nothing moves: a button that moves away under the pointer would not be clicked.
const isWrong = (input) => {
  const value = input.value.trim();
  if (!value || (input.dataset.min === undefined && input.dataset.max === undefined)) return false;
  const number = Number(value);
  return !Number.isInteger(number) || number < Number(input.dataset.min ?? -Infinity) || number > Number(input.dataset.max ?? Infinity);
};
for (const input of document.querySelectorAll("input[data-hint]")) {
  input.addEventListener("change", () => {
    if (isWrong(input)) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  });
}

// Menu of actions: filter while typing. Groups with a match open, and return to their state when the filter is empty.
const filter = document.getElementById("filter");
const menu = document.getElementById("menu");
if (filter && menu) {
  const form = filter.form;
  const isFiltered = new URLSearchParams(location.search).get("q");  // then the page has the matching actions only
  if (!isFiltered) {
    const status = document.getElementById("filter-status");
    const groups = [...menu.querySelectorAll(".menu-group")].map((group) => ({ group, isOpen: group.open, size: group.querySelector(".size") }));
    form.querySelector("button").hidden = true;
    form.addEventListener("submit", (event) => event.preventDefault());
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let found = 0;
      for (const { group, isOpen, size } of groups) {
        let shown = 0;
        for (const item of group.querySelectorAll("[data-search]")) {
          item.hidden = !words.every((word) => item.dataset.search.includes(word));
          shown += item.hidden ? 0 : 1;
        }
        group.hidden = shown === 0;
        if (size) size.textContent = shown;
        if ("open" in group) group.open = words.length ? shown > 0 : isOpen;
        found += shown;
      }
      status.textContent = words.length ? `${found} action${found === 1 ? "" : "s"} found` : "";
    });
  }
}

// Lookup field: a combobox (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/) that searches 300 ms after the last
// keystroke. The chosen value is in a hidden input of the field's name; text that was not chosen is submitted as typed.
const DELAY_MS = 300;
for (const box of document.querySelectorAll(".lookup[data-url]")) {
  const input = box.querySelector(".lookup-input");
  if (!input) continue;
  const name = input.name;
  const status = document.getElementById(`${input.id}-status`);
  const value = Object.assign(document.createElement("input"), { type: "hidden" });
  const list = Object.assign(document.createElement("ul"), { id: `${input.id}-list`, hidden: true, className: "options" });
  const found = new Map();  // by text
  let active = -1, timer = 0, request = null;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Matches");
  for (const [key, text] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id }))
    input.setAttribute(key, text);
  const button = box.querySelector("button");
  if (button) button.hidden = true;
  input.placeholder = "Type to search";
  box.append(value, list);

  const choose = (option) => {
    value.name = name;
    value.value = option.value;
    input.removeAttribute("name");
    input.value = option.label;
    status.textContent = `Selected: ${option.label} (${option.value})`;
    close();
  };
  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const activate = (index) => {
    const items = [...list.children];
    if (!items.length) return;
    active = (index + items.length) % items.length;
    items.forEach((item, at) => item.setAttribute("aria-selected", String(at === active)));
    items[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[active].id);
  };
  const show = (answer) => {
    list.replaceChildren(...answer.options.map((option, at) => {
      const item = Object.assign(document.createElement("li"), { id: `${list.id}-${at}` });
      const id = Object.assign(document.createElement("span"), { className: "quiet", textContent: option.value });
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      item.append(option.label, " ", ...(option.label === option.value ? [] : [id]));
      item.addEventListener("mousedown", (event) => { event.preventDefault(); choose(option); });
      return item;
    }));
    close();
    const count = answer.options.length;
    list.hidden = count === 0;
    input.setAttribute("aria-expanded", String(count > 0));
    status.textContent = answer.error ? `The search failed: ${answer.error}`
      : count === 0 ? "No matches."
      : `${count} match${count === 1 ? "" : "es"}${answer.hasMore ? "; enter more letters to narrow the search" : ""}.`;
  };
  const search = async () => {
    const text = input.value.trim();
    if (text.length < Number(box.dataset.min)) return;
    request?.abort();
    request = new AbortController();
    try {
      if (!found.has(text)) {
        const answer = await fetch(`${box.dataset.url}?q=${encodeURIComponent(text)}`, { cache: "no-store", signal: request.signal });
        if (!answer.ok) throw new Error(answer.statusText);
        const body = await answer.json();
        if (!body.error) found.set(text, body); else { show(body); return; }
      }
      if (document.activeElement === input) show(found.get(text));
    } catch (error) {
      if (error.name !== "AbortError") status.textContent = "The search failed. Try again, or enter the ID.";
    }
  };

  const wasEdited = input.value !== input.defaultValue;  // before this script was loaded
  if (input.dataset.label && !wasEdited) choose({ value: input.value, label: input.dataset.label });
  if (wasEdited) timer = setTimeout(search, DELAY_MS);
  input.addEventListener("input", () => {
    input.name = name;  // what is typed counts until a match is chosen
    value.removeAttribute("name");
    status.textContent = "";
    close();
    clearTimeout(timer);
    timer = setTimeout(search, DELAY_MS);
  });
  input.addEventListener("focus", () => { if (box.dataset.min === "0" && !input.value) search(); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") activate(active + (event.key === "ArrowDown" ? 1 : active < 0 ? 0 : -1));
    else if (event.key === "Enter" && active >= 0) list.children[active].dispatchEvent(new MouseEvent("mousedown"));
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
}
