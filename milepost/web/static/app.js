// A little comfort; every page works without it.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("form.step")) {
    let changed = false;
    form.addEventListener("input", () => { changed = true; });
    form.addEventListener("submit", () => {
      changed = false;
      // Pressed twice is asked once; the server would answer the second with the first receipt anyway.
      setTimeout(() => { for (const b of form.querySelectorAll("button")) b.disabled = true; }, 0);
    });
    window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
    window.addEventListener("pageshow", () => { for (const b of form.querySelectorAll("button")) b.disabled = false; });
  }
  for (const b of document.querySelectorAll("button[data-print]")) { b.hidden = false; b.addEventListener("click", () => window.print()); }
  const wrong = document.querySelector(".field.wrong input, .field.wrong textarea, .field.wrong select");
  if (wrong) wrong.focus();
});
