// Let the keyboard reach an equation that is wider than its column, so that its arrows scroll it. The theme does so for code
// and tables alone, and a stop at each equation that is whole would only be in the way.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const reach = () =>
    document.querySelectorAll(":is(div, span).math").forEach((equation) => {
      if (equation.scrollWidth > equation.clientWidth && getComputedStyle(equation).display !== "inline") equation.tabIndex = 0;
      else equation.removeAttribute("tabindex");
    });
  window.addEventListener("resize", reach);
  reach();
});
