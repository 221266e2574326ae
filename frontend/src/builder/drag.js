// Moving rows with mouse, pen or finger: the grip lifts a condition or a group, a line shows where it would land.
import { el } from "./dom.js";
import { holds, locate } from "./tree.js";

const THRESHOLD = 4;
const EDGE = 72;
// Farther from the grid than this, letting go leaves everything as it was.
const AWAY = 240;

export class Drag {
  constructor(builder, grid) {
    Object.assign(this, { builder, grid });
    grid.addEventListener("pointerdown", (event) => this.press(event));
    // The grip must not start a selection or a native drag.
    grid.addEventListener("dragstart", (event) => event.preventDefault());
  }

  press(event) {
    const grip = event.target.closest("[data-grip]");
    if (!grip || event.button !== 0 || this.id) return;
    event.preventDefault();
    this.id = Number(grip.dataset.grip);
    this.start = { x: event.clientX, y: event.clientY };
    this.pointer = { ...this.start };
    this.ends = new AbortController();
    const listen = (name, act) => addEventListener(name, act, { signal: this.ends.signal });
    listen("pointermove", (moved) => moved.pointerId === event.pointerId && this.follow(moved));
    listen("pointerup", (up) => up.pointerId === event.pointerId && this.finish(true));
    listen("pointercancel", () => this.finish(false));
    listen("blur", () => this.finish(false));
    document.addEventListener(
      "keydown",
      (key) => {
        if (key.key !== "Escape") return;
        key.preventDefault();
        key.stopPropagation();
        this.finish(false);
      },
      { signal: this.ends.signal, capture: true },
    );
  }

  follow(event) {
    this.pointer = { x: event.clientX, y: event.clientY };
    if (!this.ghost) {
      if (Math.hypot(event.clientX - this.start.x, event.clientY - this.start.y) < THRESHOLD) return;
      this.lift();
    }
    this.ghost.style.transform = `translate(${event.clientX + 12}px, ${event.clientY + 8}px)`;
    this.aim();
  }

  lift() {
    const { node } = locate(this.builder.tree, this.id);
    this.lifted = this.grid.querySelector(`[data-box="${this.id}"]`) ?? this.grid.querySelector(`[data-row="${this.id}"]`);
    this.lifted.classList.add("sb-lifted");
    this.ghost = el("div", { class: "sb-ghost", "aria-hidden": "true" }, this.builder.fields.describe(node));
    this.marker = el("div", { class: "sb-marker", "aria-hidden": "true" });
    this.builder.append(this.ghost);
    this.grid.append(this.marker);
    this.grid.classList.add("sb-dragging");
    this.scroll();
  }

  // Near the window's edge the page scrolls, the faster the nearer.
  scroll() {
    const { y } = this.pointer;
    const speed = y < EDGE ? y - EDGE : y > innerHeight - EDGE ? y - innerHeight + EDGE : 0;
    if (speed) {
      scrollBy({ top: speed / 4, behavior: "instant" });
      this.aim();
    }
    this.frame = requestAnimationFrame(() => this.scroll());
  }

  // Every place where it could land, nearest first: before each child of each open group, and at its end.
  places() {
    const origin = this.grid.getBoundingClientRect();
    const found = [];
    const visit = (group) => {
      if (this.builder.folded.has(group.id) || holds(this.node(), group.id)) return;
      const box = this.grid.querySelector(`[data-box="${group.id}"]`);
      const foot = box.querySelector(`:scope > [data-row="${group.id}+"]`).getBoundingClientRect();
      const inside = (this.grid.querySelector(`[data-box="${group.id}"] > .sb-children`) ?? box).getBoundingClientRect();
      const at = (index, y) => found.push({ group: group.id, index, y, left: inside.left - origin.left, top: y - origin.top, width: inside.width });
      for (const [index, child] of group.children.entries()) {
        const rect = this.element(child).getBoundingClientRect();
        at(index, rect.top - 3);
        if (!child.leaf) visit(child);
        if (index === group.children.length - 1) at(index + 1, child.leaf ? rect.bottom + 3 : (rect.bottom + foot.top) / 2);
      }
      if (!group.children.length) at(0, foot.top - 3);
    };
    visit(this.builder.tree);
    return found;
  }

  node() {
    return locate(this.builder.tree, this.id).node;
  }

  element(node) {
    return this.grid.querySelector(node.leaf ? `[data-row="${node.id}"]` : `[data-box="${node.id}"]`);
  }

  aim() {
    const rect = this.grid.getBoundingClientRect();
    const { x, y } = this.pointer;
    const near = y > rect.top - AWAY && y < rect.bottom + AWAY && x > rect.left - AWAY && x < rect.right + AWAY;
    this.target = near
      ? this.places().reduce((best, place) => (!best || Math.abs(place.y - y) < Math.abs(best.y - y) ? place : best), null)
      : null;
    this.marker.hidden = !this.target;
    for (const box of this.grid.querySelectorAll(".sb-target")) box.classList.remove("sb-target");
    if (!this.target) return;
    const { left, top, width, group } = this.target;
    this.marker.style.cssText = `left:${left}px;top:${top}px;width:${width}px`;
    this.grid.querySelector(`[data-box="${group}"]`).classList.add("sb-target");
  }

  finish(drop) {
    this.ends.abort();
    cancelAnimationFrame(this.frame);
    const { id, target, ghost } = this;
    this.ghost?.remove();
    this.marker?.remove();
    this.lifted?.classList.remove("sb-lifted");
    this.grid.classList.remove("sb-dragging");
    for (const box of this.grid.querySelectorAll(".sb-target")) box.classList.remove("sb-target");
    this.id = this.ghost = this.marker = this.target = this.lifted = null;
    if (!ghost) this.builder.menu.open(id, this.grid.querySelector(`[data-key="${id}|menu"]`));
    else if (drop && target) this.builder.place(id, target.group, target.index);
    else this.builder.say(this.builder.words.notMoved);
  }
}
