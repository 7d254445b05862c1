// The screen of a review by keyboard. Without this script it is a form with checkboxes, and says the same.
(() => {
  "use strict";
  const WITH_A_KEY_OF_ITS_OWN = "a, button, summary, textarea, select";
  const STEPS = { ArrowLeft: -1, h: -1, ArrowRight: 1, l: 1 };
  const ROWS = { ArrowUp: -1, k: -1, ArrowDown: 1, j: 1 };

  const form = () => document.getElementById("screen");
  const pictures = () => [...form().querySelectorAll("input[type=checkbox]")];

  function tell() {
    const all = pictures();
    const count = all.filter((one) => one.checked).length;
    const place = form().querySelector(".taken");
    place.textContent = count ? place.dataset.some.replace("0", count) : place.dataset.none;
    const verb = form().querySelector(".verb");
    verb.textContent = verb.dataset.some.replace("0", all.length - count);
  }

  function columns(all) {
    const top = all[0].closest("li").offsetTop;
    const second = all.findIndex((one) => one.closest("li").offsetTop !== top);
    return second < 0 ? all.length : second;
  }

  function move(step) {
    const all = pictures();
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1);
    all[next].focus();
    all[next].closest("li").scrollIntoView({ block: "nearest" });
  }

  function pressed(event) {
    if (!form() || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "Enter") {
      if (event.target.closest(WITH_A_KEY_OF_ITS_OWN)) return;
      form().requestSubmit();
    } else if (key in STEPS) {
      move(STEPS[key]);
    } else if (key in ROWS) {
      move(ROWS[key] * columns(pictures()));
    } else if (key === "Backspace") {
      document.querySelector("a[data-undo]")?.click();
    } else {
      const one = pictures().find((box) => box.dataset.key === key);
      if (!one) return;
      one.checked = !one.checked;
      one.focus({ preventScroll: true });
      tell();
    }
    event.preventDefault();
  }

  // While the person looks, the browser gets the pictures that probably come next.
  function loadNext() {
    const shown = form().querySelector(".glance img");
    for (const task of form().dataset.next.split(" ").filter(Boolean)) {
      const address = new URL(shown.src);
      address.searchParams.set("task", task);
      new Image().src = address.href;
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!form()) return;
    tell();
    document.addEventListener("keydown", pressed);
    form().addEventListener("change", tell);
    form().addEventListener("submit", (event) => {
      // A second press, before the next screen is there, sends nothing.
      if (form().dataset.sent) event.preventDefault();
      form().dataset.sent = "yes";
    });
    window.addEventListener("load", loadNext);
    // The browser may bring the screen back, ticks and all.
    window.addEventListener("pageshow", () => {
      delete form().dataset.sent;
      tell();
    });
  });
})();
