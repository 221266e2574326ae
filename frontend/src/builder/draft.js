// What was typed is kept in this browser until it is saved: a closed tab or a lost session loses nothing.
import { el, fill, button, icon, language, memory } from "./dom.js";

const PREFIX = "draft.";
const PAUSE = 400;
const KEPT = 14 * 86_400_000;
const SECRET = new Set(["csrfmiddlewaretoken", "version"]);

export class Draft {
  constructor(builder) {
    this.builder = builder;
    this.key = PREFIX + builder.dataset.draft;
    this.form = builder.closest("form");
    this.first = JSON.stringify(this.values());
    this.form.addEventListener("input", () => this.soon());
    // Whoever leaves in the middle of a word has typed it all the same.
    addEventListener("pagehide", () => this.timer && this.save());
    this.form.addEventListener("submit", () => {
      this.settle();
      if (memory.get(this.key)) memory.set(this.key, { ...memory.get(this.key), sent: true });
    });
  }

  values() {
    const kept = {};
    for (const [name, value] of new FormData(this.form)) if (!SECRET.has(name) && typeof value === "string") kept[name] = value;
    // As the builder writes it, however it came.
    const { input } = this.builder;
    if (kept[input.name]) kept[input.name] = JSON.stringify(JSON.parse(kept[input.name]));
    return kept;
  }

  soon() {
    this.settle();
    this.timer = setTimeout(() => this.save(), PAUSE);
  }

  settle() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  save() {
    this.settle();
    const values = this.values();
    const note = document.querySelector("[data-draft-note]");
    if (JSON.stringify(values) === this.first) memory.delete(this.key);
    else memory.set(this.key, { at: Date.now(), version: this.form.elements.version?.value ?? "", values });
    if (note) note.textContent = JSON.stringify(values) === this.first ? "" : fill(this.builder.words.draftSaved, { time: clock(Date.now()) });
  }

  // The page shows what was refused: that is the draft now. Else an older one is offered.
  begin() {
    if ("unsaved" in this.builder.dataset) {
      this.first = "";
      this.save();
      // The page must not be left silently either; who guards it listens in a moment.
      setTimeout(() => this.builder.input.dispatchEvent(new Event("input", { bubbles: true })));
      return;
    }
    const kept = memory.get(this.key);
    if (!kept?.values || Date.now() - kept.at > KEPT || JSON.stringify(kept.values) === this.first) return memory.delete(this.key);
    this.offer(kept);
  }

  offer(kept) {
    const { words } = this.builder;
    const stale = kept.version !== (this.form.elements.version?.value ?? "");
    const bar = el(
      "div",
      { class: "notice notice-info sb-draft", role: "status" },
      icon("history"),
      el("div", {}, fill(words.draftFound, { time: clock(kept.at) }), stale ? ` ${words.draftStale}` : null),
      button(words.draftRestore, null, () => {
        bar.remove();
        this.restore(kept.values);
      }),
      button(words.draftDiscard, null, () => {
        bar.remove();
        memory.delete(this.key);
        this.builder.focusFirst();
      }),
    );
    this.builder.prepend(bar);
  }

  restore(values) {
    const { builder } = this;
    for (const [name, value] of Object.entries(values)) {
      const control = this.form.elements[name];
      if (control && control !== builder.input && "value" in control) {
        control.value = value;
        control.dispatchEvent(new Event("input", { bubbles: true }));
      }
    }
    if (builder.input.name in values) builder.take(values[builder.input.name]);
    builder.focusFirst();
  }
}

// The time of today, or day and time.
function clock(at) {
  const today = new Date(at).toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(language, today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" }).format(at);
}

function keys() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  } catch {
    return [];
  }
}

// A draft that was sent and led to another page is saved. What is typed may name members: it goes with the log-out.
export function tidyDrafts() {
  if (!document.querySelector("condition-builder[data-draft]")) {
    for (const key of keys()) if (memory.get(key)?.sent) memory.delete(key);
  }
  document.addEventListener("submit", (event) => {
    if (event.target.getAttribute("action")?.includes("/logout/")) for (const key of keys()) memory.delete(key);
  });
}
