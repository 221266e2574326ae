// What the condition selects, asked while it is edited: the panel beside it, the faults, and a count for each row.
// Only the answer to the latest question is shown; work in progress is shown after 200 ms.
import { ask, el, fill, format } from "./dom.js";
import { plain, walk } from "./tree.js";

const PAUSE = 250;
const SLOW = 200;
const KEPT = 60_000;

export class Audience {
  constructor(builder) {
    this.builder = builder;
    this.sequence = 0;
    this.counts = new Map();
  }

  get panel() {
    return document.getElementById(this.builder.dataset.preview);
  }

  // Soon: after the last of several changes.
  refresh(pause = PAUSE) {
    this.stop();
    this.sequence += 1;
    this.timer = setTimeout(() => this.load(), pause);
  }

  stop() {
    clearTimeout(this.timer);
    this.request?.abort();
  }

  async load() {
    const { builder, panel } = this;
    const url = builder.dataset.previewUrl;
    const { signal } = (this.request = new AbortController());
    const mine = ++this.sequence;
    const current = () => mine === this.sequence;
    if (panel && url) {
      const late = setTimeout(() => panel.setAttribute("aria-busy", "true"), SLOW);
      try {
        const { html, faults, total } = await ask(url, builder.json, signal);
        if (!current()) return;
        if (html) panel.innerHTML = html;
        panel.classList.toggle("sb-stale", !html);
        builder.showFaults(faults);
        if (total !== undefined && total !== this.said) {
          if (this.said !== undefined) builder.say(fill(builder.words.total, { count: format(total) }));
          this.said = total;
        }
      } catch (error) {
        if (error.name === "AbortError" || !current()) return;
        panel.classList.add("sb-stale");
        const note = panel.querySelector("[data-preview-failed]");
        if (note) note.hidden = false;
      } finally {
        clearTimeout(late);
        if (current()) panel.removeAttribute("aria-busy");
      }
    }
    if (builder.dataset.countsUrl) await this.countRows(signal, current);
    builder.explain?.refresh();
  }

  // How many fulfil just this row. What was counted a moment ago is not asked again.
  async countRows(signal, current) {
    const { builder } = this;
    const now = Date.now();
    for (const [text, kept] of this.counts) if (now - kept.at > KEPT) this.counts.delete(text);
    const texts = this.texts();
    const wanted = [...new Set(texts.values())].filter((text) => !this.counts.has(text));
    this.show(texts);
    if (!wanted.length) return;
    try {
      const { counts } = await ask(builder.dataset.countsUrl, `{"conditions":[${wanted.join()}]}`, signal);
      for (const [index, text] of wanted.entries()) this.counts.set(text, { count: counts[index], at: Date.now() });
      if (current()) this.show(texts);
    } catch {
      // The rows stay without numbers: the panel says when the server does not answer.
    }
  }

  texts() {
    const places = [...walk(this.builder.tree)].filter(({ node, parent }) => parent && (node.leaf || node.children.length));
    return new Map(places.map(({ node }) => [node.id, JSON.stringify(plain(node))]));
  }

  show(texts = this.texts()) {
    const { builder } = this;
    for (const [id, text] of texts) {
      const row = builder.keyboard.row(String(id));
      const place = row?.querySelector("[data-count]");
      const kept = this.counts.get(text);
      if (!place) continue;
      place.replaceChildren(kept ? this.badge(kept.count, text, row.tabIndex) : "");
      place.classList.toggle("is-old", !kept);
    }
  }

  // A number; a button where counting costs more than can be done while typing; nothing for what is incomplete.
  badge(count, text, tabindex) {
    const { words } = this.builder;
    if (count === null) return "";
    if (typeof count === "number") return el("span", { class: "sb-number-of", title: words.rowCount }, format(count));
    return el("button", { type: "button", class: "btn-link sb-count-now", tabindex, "aria-label": words.countRow, onclick: () => this.countOne(text) }, words.countNow);
  }

  async countOne(text) {
    this.builder.setAttribute("aria-busy", "true");
    try {
      const { counts } = await ask(this.builder.dataset.countsUrl, `{"conditions":[${text}],"patient":true}`);
      this.counts.set(text, { count: counts[0], at: Date.now() });
      this.show();
    } catch {
      this.builder.say(this.builder.words.failed);
    } finally {
      this.builder.removeAttribute("aria-busy");
    }
  }
}
