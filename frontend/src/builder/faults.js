// What is missing, said at its row; after a refused save also in a list that leads there.
import { el, icon } from "./dom.js";
import { walk } from "./tree.js";

export class Faults {
  constructor(builder) {
    this.builder = builder;
    this.byRow = new Map();
    this.others = [];
    // Until something is refused, what is missing is a hint.
    this.strict = false;
    this.summary = el("div", { class: "notice notice-error sb-summary", tabindex: "-1", hidden: true });
  }

  begin(faults) {
    this.strict = faults.length > 0;
    if (this.strict) this.summary.setAttribute("data-autofocus", "");
    this.take(faults);
  }

  take(faults) {
    const { builder } = this;
    const ids = new Map([...walk(builder.tree)].map(({ node, path }) => [builder.base + path, node.id]));
    this.byRow = new Map();
    this.others = [];
    for (const { path, message } of faults) {
      const id = ids.get(path);
      if (id === undefined) this.others.push(message);
      else this.byRow.set(id, message);
    }
    if (!faults.length) this.strict = false;
    this.draw();
  }

  draw() {
    const { builder } = this;
    for (const { node } of walk(builder.tree)) {
      const row = builder.keyboard.row(String(node.id));
      if (row) this.at(row, node, this.byRow.get(node.id));
    }
    this.list();
  }

  at(row, node, message) {
    const note = row.querySelector("[data-note]");
    note.id = `note-${node.id}`;
    note.textContent = message ?? "";
    // An empty group says already that it has no condition.
    note.hidden = !message || (!this.strict && !node.leaf && !node.children.length);
    note.className = `sb-note ${this.strict ? "sb-fault" : "sb-hint"}`;
    row.classList.toggle("sb-wrong", Boolean(message) && this.strict);
    if (message) row.setAttribute("aria-describedby", note.id);
    else row.removeAttribute("aria-describedby");
  }

  list() {
    const { builder } = this;
    const items = [...walk(builder.tree)]
      .filter(({ node }) => this.byRow.has(node.id))
      .map(({ node }) => {
        const text = `${builder.fields.describe(node)}: ${this.byRow.get(node.id)}`;
        return el("li", {}, el("button", { type: "button", class: "btn-link", onclick: () => this.lead(node.id) }, text));
      });
    const general = [...new Set(this.others)].map((message) => el("li", {}, message));
    const shown = this.strict ? [...items, ...general] : general;
    this.summary.hidden = !shown.length;
    if (!shown.length) return this.summary.replaceChildren();
    this.summary.replaceChildren(icon("alert-circle"), el("div", {}, el("strong", {}, this.strict ? builder.words.incomplete : builder.words.notCounted), el("ul", {}, shown)));
  }

  // To the row, out of any folded group.
  lead(id) {
    const { builder } = this;
    for (const { node } of walk(builder.tree)) {
      if (!node.leaf && builder.folded.has(node.id) && [...walk(node)].some((place) => place.node.id === id)) builder.folded.delete(node.id);
    }
    builder.render();
    builder.keyboard.focus(String(id));
    builder.keyboard.row(String(id))?.scrollIntoView({ block: "center" });
  }
}
