// Renews the part "now" twice a second, and the whole page when the rest of it is out of date.
// Without this script the pages show the same after a reload.
(() => {
  "use strict";
  const PAUSE_MS = 500;
  let shown = "";

  // Replace an element, and put the focus back on what had it.
  function replace(old, fresh) {
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const mark = focused && (focused.id ? `#${CSS.escape(focused.id)}` : focused.getAttribute("href"));
    old.replaceWith(fresh);
    if (!mark) return;
    const again = mark.startsWith("#")
      ? fresh.querySelector(mark)
      : [...fresh.querySelectorAll("a")].find((link) => link.getAttribute("href") === mark);
    again?.focus({ preventScroll: true });
  }

  async function page(address) {
    const answer = await fetch(address, { cache: "no-store", credentials: "same-origin" });
    // Nobody is signed in any more: the reload leads to the sign-in page.
    if (answer.status === 401 || answer.status === 404) location.reload();
    return answer.ok ? answer.text() : "";
  }

  async function look() {
    const part = document.getElementById("now");
    if (!part || document.hidden) return;
    const text = await page(part.dataset.source);
    if (!text || text === shown) return;
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("now");
    if (!fresh) return;
    if (fresh.dataset.stamp === part.dataset.stamp) {
      shown = text;
      replace(part, document.adoptNode(fresh));
      return;
    }
    const whole = await page(location.href);
    const main = whole && new DOMParser().parseFromString(whole, "text/html").getElementById("main");
    if (main?.querySelector("#now")) replace(document.getElementById("main"), document.adoptNode(main));
  }

  async function again() {
    try {
      await look();
    } catch {
      // The backend starts anew, or the network is away: the next look follows.
    }
    setTimeout(again, PAUSE_MS);
  }

  document.addEventListener("DOMContentLoaded", again);
})();
