// Views answer `HX-Trigger: {"undo": {"text", "label", "url", "values", "target"}}`: a toast with a button that posts.
import htmx from "htmx.org";

const region = document.getElementById("toasts");
const SHOWN_MS = 10_000;

document.addEventListener("undo", (event) => {
  const { text, label, url, values, target } = event.detail ?? {};
  if (!region || !url) return;
  const item = document.createElement("div");
  item.className = "toast-line toast-info toast-undo";
  const words = document.createElement("span");
  words.textContent = text;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-sm";
  button.textContent = label;
  let timer = setTimeout(() => item.remove(), SHOWN_MS);
  // Whoever is about to press it is given the time.
  for (const name of ["pointerenter", "focusin"]) item.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) item.addEventListener(name, () => (timer = setTimeout(() => item.remove(), SHOWN_MS)));
  button.addEventListener("click", () => {
    clearTimeout(timer);
    item.remove();
    htmx.ajax("POST", url, { target, swap: "outerHTML", values });
  });
  item.append(words, button);
  region.append(item);
});
