// Statements: sections fold. Without this script all rows are shown.
"use strict";

// On a phone the amounts come first, and the parameters are folded unless one has an error.
const params = document.querySelector(".params");
if (params && matchMedia("(max-width: 40rem)").matches && document.querySelector(".statement")) params.open = false;

const rowsOf = (section) => {
  const depth = Number(section.dataset.depth), inside = [];
  let row = section.nextElementSibling;
  for (; row && Number(row.dataset.depth) > depth; row = row.nextElementSibling) inside.push(row);
  return { inside, sum: row && "end" in row.dataset && Number(row.dataset.depth) === depth ? row : null };
};

for (const table of document.querySelectorAll(".statement")) {
  const sections = [...table.querySelectorAll("tr.section")];
  if (!sections.length) continue;
  table.classList.add("can-fold");
  const folded = new Set();
  // The amounts of a folded section stand beside its name, in place of the row with its sum.
  const draw = () => {
    for (const row of table.tBodies[0].rows) row.hidden = false;
    for (const section of sections) {
      const { inside, sum } = rowsOf(section), isFolded = folded.has(section);
      section.querySelector(".fold").setAttribute("aria-expanded", String(!isFolded));
      for (const lent of section.querySelectorAll("td[data-lent]")) { lent.textContent = ""; delete lent.dataset.lent; }
      if (!isFolded) continue;
      for (const row of inside) row.hidden = true;
      if (!sum) continue;
      sum.hidden = true;
      [...sum.cells].forEach((cell, at) => {
        if (!at || section.cells[at].textContent.trim()) return;
        section.cells[at].textContent = cell.textContent;
        section.cells[at].dataset.lent = "";
      });
    }
    // A section within a folded one stays hidden, with its sum.
    for (const section of folded) for (const row of rowsOf(section).inside) row.hidden = true;
  };
  for (const section of sections) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fold";
    button.setAttribute("aria-label", section.cells[0].textContent.trim());
    button.addEventListener("click", () => {
      if (!folded.delete(section)) folded.add(section);
      draw();
    });
    section.cells[0].prepend(button);
  }
  const bar = document.createElement("p");
  bar.className = "folds";
  for (const [text, wanted] of [["Collapse all", sections], ["Expand all", []]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => {
      folded.clear();
      for (const section of wanted) folded.add(section);
      draw();
    });
    bar.append(button);
  }
  table.closest(".statement-box").before(bar);
  draw();
}
