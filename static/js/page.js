// Small conveniences. Every page works without them.
"use strict";

function currentTheme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-toggle]")) {
    const theme = currentTheme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    document.dispatchEvent(new Event("themechange"));
  }
  if (event.target.closest("[data-print]")) window.print();
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = document.getElementById(copy.dataset.copy).textContent;
    navigator.clipboard.writeText(text).then(() => {
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 2000);
    });
  }
});

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form && form.matches("[data-submit-on-change]")) form.requestSubmit();
});

// On a phone a row of tabs is wider than the window: the one that is open is in sight.
for (const open of document.querySelectorAll("nav [aria-current], .segmented [aria-current]")) {
  const row = open.closest("nav, .segmented");
  row.scrollLeft = open.offsetLeft - row.offsetLeft - (row.clientWidth - open.offsetWidth) / 2;
}

// A search field above a long list of boxes to tick: those ticked stay in sight.
for (const field of document.querySelectorAll("[data-narrows]")) field.hidden = false;

document.addEventListener("input", (event) => {
  const list = document.getElementById(event.target.dataset.narrows || "");
  if (!list) return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const label of list.querySelectorAll("label")) {
    label.hidden = !label.querySelector("input").checked && !label.textContent.toLowerCase().includes(wanted);
  }
});

// A name that is suggested for a field with one name a line.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-adds-line]");
  if (!button) return;
  const field = document.getElementById(button.dataset.addsLine);
  field.value = field.value.trimEnd() + (field.value.trim() ? "\n" : "") + button.textContent + "\n";
  button.parentElement.remove();
});

// Fields that say nothing would only lengthen the address.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "get") return;
  for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
});

// A part of a page that the server tells anew every few seconds. Only what differs is touched, so that focus, scrolling
// and opened rows stay as they are.
function bringTo(now, wanted) {
  if (now.isEqualNode(wanted)) return;
  if (now.nodeType !== Node.ELEMENT_NODE) { now.nodeValue = wanted.nodeValue; return; }
  for (const { name } of [...now.attributes]) if (name !== "open" && !wanted.hasAttribute(name)) now.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  const ids = new Set([...wanted.children].map((child) => child.id));
  for (const child of [...now.children]) if (child.id && !ids.has(child.id)) child.remove();
  let place = now.firstChild;
  for (const child of [...wanted.childNodes]) {
    let same = place;
    while (same && ((same.id || "") !== (child.id || "") || same.nodeName !== child.nodeName)) same = same.nextSibling;
    if (!same) { now.insertBefore(child, place); continue; }
    if (same === place) place = place.nextSibling;
    else now.insertBefore(same, place);
    bringTo(same, child);
  }
  while (place) { const next = place.nextSibling; place.remove(); place = next; }
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-live]")) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const shown = event.detail.target;
  if (!event.detail.shouldSwap || !shown.matches("[data-live]")) return;
  event.detail.shouldSwap = false;
  const told = new DOMParser().parseFromString(event.detail.serverResponse, "text/html").getElementById(shown.id);
  if (told) bringTo(shown, told);
  // The session has ended: the answer is the log-in page. Loading anew would send the form of a button once more.
  else location.replace(location.pathname + location.search);
});
