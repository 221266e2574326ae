// The treegrid by keyboard: one row is in the tab order, with its controls; arrows go from row to row.
import { locate } from "./tree.js";

const CONTROLS = "button, input, select, textarea";
const MOVES = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "out", ArrowRight: "in" };

export class Keyboard {
  constructor(builder, grid) {
    Object.assign(this, { builder, grid, active: null, index: new Map() });
    grid.addEventListener("keydown", (event) => this.key(event));
    grid.addEventListener("focusin", (event) => {
      const row = event.target.closest("[role=row]");
      if (row) this.activate(row.dataset.row);
    });
    // A press beside the controls of a row is a press on the row.
    grid.addEventListener("click", (event) => {
      const row = event.target.closest("[role=row]");
      if (!row || event.target.closest(`${CONTROLS}, [data-grip]`)) return;
      if (event.shiftKey || event.ctrlKey || event.metaKey) this.extend(row, event.shiftKey);
      else this.builder.select();
      row.focus();
    });
    for (const name of ["copy", "cut", "paste"]) grid.addEventListener(name, (event) => this.clipboard(event, name));
  }

  rows() {
    return [...this.grid.querySelectorAll("[role=row]")];
  }

  row(key) {
    return this.index.get(key);
  }

  activate(key) {
    const row = this.row(key);
    if (!row) return;
    if (this.active !== key) this.tabs(this.row(this.active), false);
    this.active = key;
    this.tabs(row, true);
  }

  // After drawing: exactly one row with its controls can be reached with Tab.
  retab() {
    const rows = this.rows();
    this.index = new Map(rows.map((row) => [row.dataset.row, row]));
    const active = this.row(this.active) ?? rows[0];
    this.active = active?.dataset.row ?? null;
    for (const row of rows) this.tabs(row, row === active);
  }

  tabs(row, reachable) {
    if (!row) return;
    row.tabIndex = reachable ? 0 : -1;
    for (const control of row.querySelectorAll(CONTROLS)) control.tabIndex = reachable ? 0 : -1;
  }

  focus(key) {
    this.activate(key);
    this.row(key)?.focus();
  }

  key(event) {
    const row = event.target.closest("[role=row]");
    if (!row || event.isComposing) return;
    const done = event.target === row ? this.onRow(event, row) : this.inside(event, row);
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
  }

  // In a control: what the control itself does not need.
  inside(event, row) {
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape") return row.focus(), true;
    if (event.key === "Enter" && event.target.matches("input")) return true;
    return this.withControl(event, row) || (!typing && event.altKey && this.move(event, row));
  }

  withControl(event, row) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return false;
    const acts = { d: "duplicate", g: event.shiftKey ? "unwrap" : "wrap" };
    const act = acts[event.key.toLowerCase()];
    if (!act || row.dataset.row.endsWith("+")) return false;
    this.builder.act(act, Number(row.dataset.row));
    return true;
  }

  onRow(event, row) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey) return this.withControl(event, row);
    if (event.altKey) return this.move(event, row);
    const rows = this.rows();
    const at = rows.indexOf(row);
    const go = (next) => {
      if (next && event.shiftKey) this.extend(next, true);
      else this.builder.select();
      if (next) this.focus(next.dataset.row);
      return true;
    };
    switch (key) {
      case "ArrowUp":
        return go(rows[at - 1]);
      case "ArrowDown":
        return go(rows[at + 1]);
      case "Home":
        return go(rows[0]);
      case "End":
        return go(rows.at(-1));
      case "ArrowLeft":
        return this.left(row);
      case "ArrowRight":
        if (row.getAttribute("aria-expanded") === "false") return this.builder.fold(Number(row.dataset.row)), true;
        return this.enter(row);
      case "Enter":
      case "F2":
        return this.enter(row);
      case "Escape":
        if (!this.builder.selected.size) return false;
        return this.builder.select(), true;
    }
    const id = parseInt(row.dataset.row, 10);
    if (key === "Delete" || key === "Backspace") return this.foot(row) || (this.builder.act("remove", id), true);
    if (key === "Insert" || key === "+") return this.builder.addAfter(row.dataset.row, event.shiftKey && key === "Insert"), true;
    if (key === " ") return this.foot(row) ? false : (this.builder.menu.open(id, row.querySelector("[data-key$='|menu']")), true);
    return false;
  }

  // Select a row too; with `through`, all rows from the active one to it.
  extend(row, through) {
    const chosen = new Set(this.builder.selected);
    const rows = this.rows().filter((one) => !this.foot(one) && Number(one.dataset.row) !== this.builder.tree.id);
    const id = Number(row.dataset.row);
    if (through) {
      const ends = [rows.indexOf(this.row(this.active)), rows.indexOf(row)].filter((at) => at >= 0).sort((a, b) => a - b);
      for (const one of rows.slice(ends[0], ends.at(-1) + 1)) chosen.add(Number(one.dataset.row));
    } else if (rows.includes(row) && !chosen.delete(id)) {
      if (!chosen.size && rows.includes(this.row(this.active))) chosen.add(Number(this.active));
      chosen.add(id);
    }
    this.builder.select(chosen);
  }

  foot(row) {
    return row.dataset.row.endsWith("+");
  }

  enter(row) {
    (row.querySelector(".sb-main :is(button, input, select):not(.sb-fold)") ?? row.querySelector("button"))?.focus();
    return true;
  }

  left(row) {
    const id = parseInt(row.dataset.row, 10);
    if (this.foot(row)) return this.focus(String(id)), true;
    const { parent } = locate(this.builder.tree, id);
    if (row.getAttribute("aria-expanded") === "true" && parent) return this.builder.fold(id), true;
    if (parent) this.focus(String(parent.id));
    return true;
  }

  move(event, row) {
    const direction = MOVES[event.key];
    if (!direction || this.foot(row)) return false;
    this.builder.act("move", Number(row.dataset.row), direction);
    return true;
  }

  clipboard(event, name) {
    if (event.target.closest("input, textarea") || !event.clipboardData) return;
    const row = event.target.closest("[role=row]");
    if (!row) return;
    if (name === "paste") {
      if (this.builder.paste(event.clipboardData.getData("text"), row.dataset.row)) event.preventDefault();
      return;
    }
    if (this.foot(row)) return;
    event.clipboardData.setData("text/plain", this.builder.copied(Number(row.dataset.row)));
    event.preventDefault();
    if (name === "cut") this.builder.act("remove", Number(row.dataset.row));
  }
}
