// What a browser can add; every page works without it.
"use strict";

// A long read: show how far it has come, and the result as soon as it is there.
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
      if (now.total) { bar.max = now.total; bar.value = now.done; }
    } catch { /* the server may be busy: ask again */ }
    setTimeout(follow, 700);
  };
  setTimeout(follow, 500);
}

// A table that is on the page whole is sorted in place; the links do the same by way of the server.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, index) => head.querySelector("a").addEventListener("click", (event) => {
    event.preventDefault();
    const isDown = head.getAttribute("aria-sort") === "ascending";
    const key = (row) => row.cells[index].dataset.sort;
    const rows = [...table.tBodies[0].rows];
    const isNumber = rows.every((row) => key(row) === "" || !Number.isNaN(Number(key(row))));
    const compare = (a, b) => isNumber ? Number(key(a)) - Number(key(b)) : key(a).localeCompare(key(b));
    const unit = (row) => row.cells[index].dataset.unit ?? "";  // amounts of two currencies are not compared
    const filled = rows.filter((row) => key(row) !== "").sort((a, b) =>
      unit(a) !== unit(b) ? (unit(a) < unit(b) ? -1 : 1) : isDown ? compare(b, a) : compare(a, b));
    table.tBodies[0].append(...filled, ...rows.filter((row) => key(row) === ""));
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
  }));
}

// A field that is left wrong says so at once; the server has the last word. Its help turns into the complaint, and
// nothing moves: a button that moves away under a pointer is not pressed.
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
