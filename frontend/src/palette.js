// Keyboard: Ctrl-K or ⌘K opens the palette, "/" goes to the list's search, "?" shows the shortcuts.
const palette = document.getElementById("palette");
const field = palette?.querySelector("input");
const results = palette?.querySelector("#palette-results");

function open() {
  if (!palette || palette.open) return;
  palette.showModal();
  field.value = "";
  field.focus();
  window.htmx.trigger(field, "palette-open");
}

const options = () => [...results.querySelectorAll("[role=option]")];

function choose(step) {
  const all = options();
  if (!all.length) return;
  const now = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
  const next = (now + step + all.length) % all.length;
  for (const [index, option] of all.entries()) {
    option.id = `palette-option-${index}`;
    option.setAttribute("aria-selected", String(index === next));
  }
  field.setAttribute("aria-activedescendant", all[next].id);
  all[next].scrollIntoView({ block: "nearest" });
}

field?.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter") {
    event.preventDefault();
    const chosen = results.querySelector("[aria-selected=true]") ?? options()[0];
    chosen?.click();
  }
});

results?.addEventListener("htmx:afterSwap", () => {
  field.removeAttribute("aria-activedescendant");
  choose(1);
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-palette-open]")) open();
  if (event.target.closest?.("[data-shortcuts-open]")) document.getElementById("shortcuts")?.showModal();
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    open();
    return;
  }
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    const search = document.querySelector("[data-search]");
    if (search) search.focus();
    else open();
  } else if (event.key === "?") {
    document.getElementById("shortcuts")?.showModal();
  }
});
