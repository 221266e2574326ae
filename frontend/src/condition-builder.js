// <condition-builder>: edits a condition tree. What its attributes mean is told in templates/console/README.md.
import { Audience } from "./builder/audience.js";
import { bar, exclusions, shortcuts } from "./builder/chrome.js";
import { el, fill } from "./builder/dom.js";
import { Draft, tidyDrafts } from "./builder/draft.js";
import { Drag } from "./builder/drag.js";
import { edits } from "./builder/edits.js";
import { Explain } from "./builder/explain.js";
import { Faults } from "./builder/faults.js";
import { Fields } from "./builder/fields.js";
import { History } from "./builder/history.js";
import { JsonView } from "./builder/json-view.js";
import { Keyboard } from "./builder/keyboard.js";
import { RowMenu } from "./builder/menu.js";
import { closePopup } from "./builder/popup.js";
import { groupBox, leafRow, updateRow } from "./builder/rows.js";
import { growRoot, locate, plain, replace, splitExclusions, walk, withExclusions } from "./builder/tree.js";

const read = (id) => JSON.parse(document.getElementById(id).textContent);

class ConditionBuilder extends HTMLElement {
  connectedCallback() {
    if (this.fields) return;
    this.words = read(this.dataset.words);
    this.fields = new Fields(read(this.dataset.fields), this.words);
    this.input = document.getElementById(this.dataset.input);
    this.history = new History();
    this.rows = new Map();
    this.folded = new Set();
    this.selected = new Set();
    this.load(this.input.value);
    if (!this.input.value) this.input.value = this.json;
    this.frame();
    this.render();
    this.faults.begin(this.dataset.faults ? read(this.dataset.faults) : []);
    if (this.dataset.draft && this.closest("form")) {
      this.draft = new Draft(this);
      this.draft.begin();
    }
    this.audience.refresh(0);
  }

  disconnectedCallback() {
    closePopup();
    this.audience?.stop();
  }

  // What is always there; only the grid is drawn again.
  frame() {
    this.live = el("div", { class: "visually-hidden", role: "status" });
    this.grid = el("div", { class: "sb-grid", role: "treegrid", "aria-multiselectable": "true", "aria-label": this.words.tree });
    this.exclude = "exclude" in this.dataset && this.fields.get("segment") ? el("section", { class: "sb-exclude", "aria-label": this.words.exclude }) : null;
    this.faults = new Faults(this);
    this.menu = new RowMenu(this);
    this.jsonView = new JsonView(this);
    this.explain = this.dataset.explainUrl ? new Explain(this) : null;
    this.audience = new Audience(this);
    this.keyboard = new Keyboard(this, this.grid);
    this.drag = new Drag(this, this.grid);
    this.dialog = shortcuts(this.words);
    this.bar = bar(this);
    this.replaceChildren(
      ...[this.bar, this.faults.summary, this.explain?.bar, this.grid, this.jsonView.panel, this.exclude, this.live, this.dialog].filter(Boolean),
    );
    this.addEventListener("keydown", (event) => this.key(event));
    // What is typed on the next visit of a control is another step to undo.
    this.addEventListener("change", () => (this.history.typing = null));
  }

  load(text) {
    const raw = text ? JSON.parse(text) : null;
    const { condition, excluded } = "exclude" in this.dataset ? splitExclusions(raw) : { condition: raw, excluded: [] };
    this.state = { tree: growRoot(condition), excluded };
  }

  get tree() {
    return this.state.tree;
  }

  get json() {
    return JSON.stringify(withExclusions(plain(this.tree), this.state.excluded));
  }

  // Where the tree is inside the JSON.
  get base() {
    return this.state.excluded.length ? "/all/0" : "";
  }

  node(id) {
    return locate(this.tree, id).node;
  }

  key(event) {
    if (event.target.closest(".sb-popup, .sb-json-panel, dialog") || event.isComposing) return;
    const key = event.key.toLowerCase();
    const typing = event.target.matches("input, textarea, select");
    const held = event.ctrlKey || event.metaKey;
    const act =
      held && key === "z" ? (event.shiftKey ? "redo" : "undo") : held && key === "y" ? "redo" : event.key === "?" && !typing && !held ? "help" : null;
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    this[act]();
  }

  help() {
    this.dialog.showModal();
  }

  // One step to undo, drawn again. `focus` is the key of a row; `control` that of a control.
  edit(state, { focus, control, say } = {}) {
    this.history.record(this.state);
    this.put(state);
    this.render();
    if (control) this.focusControl(control);
    else if (focus != null) this.keyboard.focus(String(focus));
    if (say) this.say(say);
  }

  editTree(tree, more) {
    this.edit({ ...this.state, tree }, more);
  }

  // The controls show it already: nothing is drawn. Typing into `control` is one step.
  change(id, change, control = null) {
    this.history.record(this.state, control);
    this.put({ ...this.state, tree: replace(this.tree, id, (node) => ({ ...node, leaf: change(node.leaf) })) });
    const kept = this.rows.get(id);
    if (!kept) return;
    kept.node = this.node(id);
    kept.row.setAttribute("aria-label", this.fields.describe(kept.node));
  }

  redraw(id, change, control) {
    this.editTree(replace(this.tree, id, (node) => ({ ...node, leaf: change(node.leaf) })), { control });
  }

  put(state) {
    this.state = state;
    this.select();
    this.input.value = this.json;
    this.input.dispatchEvent(new Event("input", { bubbles: true }));
    this.explain?.mark({});
    this.bar.update();
    this.audience.refresh();
  }

  undo() {
    this.travel(this.history.undo(this.state), this.words.undone);
  }

  redo() {
    this.travel(this.history.redo(this.state), this.words.redone);
  }

  travel(state, said) {
    if (!state) return;
    const control = this.querySelector(":focus")?.dataset.key;
    const row = this.keyboard.active;
    this.put(state);
    this.render();
    if (!(control && this.focusControl(control))) this.keyboard.focus(this.keyboard.row(row) ? row : String(this.tree.id));
    this.say(said);
  }

  // Rows whose node is the same stay as they are, with what is typed in them.
  render() {
    const former = this.rows;
    this.rows = new Map();
    const held = this.querySelector(".sb-grid :focus")?.dataset;
    const reuse = (place) => {
      const kept = former.get(place.node.id);
      const row = kept?.node === place.node ? kept.row : leafRow(this, place);
      this.rows.set(place.node.id, { node: place.node, row });
      return row;
    };
    this.grid.replaceChildren(groupBox(this, { node: this.tree, parent: null, index: 0, path: "", level: 1 }, reuse));
    this.keyboard.retab();
    for (const place of walk(this.tree)) {
      const row = this.keyboard.row(String(place.node.id));
      if (row) updateRow(this, row, place);
    }
    if (this.exclude) exclusions(this, this.exclude);
    this.faults.draw();
    this.audience.show();
    this.bar.update();
    if (held?.key) this.focusControl(held.key);
    else if (held?.row) this.keyboard.row(held.row)?.focus();
  }

  // Which rows the next act is for, besides the one that has the focus. An edit clears it.
  select(ids = new Set()) {
    if (!ids.size && !this.selected.size) return;
    this.selected = ids;
    for (const { node } of walk(this.tree)) {
      this.keyboard.row(String(node.id))?.setAttribute("aria-selected", String(ids.has(node.id)));
    }
    if (ids.size) this.say(this.words.selected, { count: ids.size });
  }

  retab() {
    this.keyboard.retab();
  }

  fold(id) {
    if (!this.folded.delete(id)) this.folded.add(id);
    this.render();
    this.keyboard.focus(String(id));
  }

  focusControl(key) {
    const control = this.querySelector(`[data-key="${CSS.escape(key)}"]`);
    const row = control?.closest("[role=row]");
    if (row) this.keyboard.activate(row.dataset.row);
    control?.focus();
    return Boolean(control);
  }

  // Where a condition whose field was just chosen goes on.
  focusNext(id) {
    const row = this.keyboard.row(String(id));
    const next = row.querySelector(".sb-param [data-key]") ?? row.querySelector(".sb-op");
    this.focusControl(next.dataset.key);
  }

  focusFirst() {
    this.keyboard.focus(String(this.tree.id));
  }

  // JSON from elsewhere takes the place of everything.
  take(text) {
    const before = this.state;
    this.load(text);
    const after = this.state;
    this.state = before;
    this.edit(after, { say: this.words.replaced });
  }

  showJson(is) {
    this.grid.hidden = is;
    if (this.exclude) this.exclude.hidden = is;
    this.bar.update();
  }

  showFaults(faults) {
    this.faults.take(faults);
  }

  // Said twice in a row, it is heard twice.
  say(text, values) {
    const said = fill(text, values);
    this.live.textContent = this.live.textContent === said ? `${said}\u00a0` : said;
  }
}

Object.assign(ConditionBuilder.prototype, edits);
customElements.define("condition-builder", ConditionBuilder);
tidyDrafts();
