// Let a reader sort a long table by a column: book/_ext/shown.py marks such tables. Without scripts they stay as they are.
"use strict";

/** The number that a cell begins with, or NaN: "−421 to 248" is −421, "300 000" with thin spaces is 300000. */
function numberOf(text) {
  return parseFloat(text.replace(/\u2212/g, "-").replace(/[\u202f\u00a0]/g, "").replace(/^at (least|most) /, ""));
}

function compare(a, b) {
  const [x, y] = [numberOf(a), numberOf(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
}

function sortBy(table, head, column) {
  const ascending = head.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const textOf = (row) => row.cells[column].textContent.trim();
  const rows = [...body.rows].sort((one, other) => {
    const [a, b] = [textOf(one), textOf(other)];
    if (!a || !b) return Number(!a) - Number(!b); // empty cells stay last
    return ascending ? compare(a, b) : compare(b, a);
  });
  body.append(...rows);
  table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("table.sortable").forEach((table) => {
    [...table.tHead.rows].at(-1).querySelectorAll("th").forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.querySelector("p").childNodes);
      head.querySelector("p").append(button);
      button.addEventListener("click", () => sortBy(table, head, column));
    });
  });
});
