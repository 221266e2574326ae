// What can be done with a row, for who has neither keyboard nor a steady hand: a menu (WAI-ARIA menu).
import { el, icon } from "./dom.js";
import { closePopup, isOpenAt, openPopup } from "./popup.js";
import { locate, step } from "./tree.js";

export class RowMenu {
  constructor(builder) {
    this.builder = builder;
  }

  open(id, anchor) {
    if (isOpenAt(anchor)) return closePopup({ focus: true });
    const key = anchor.dataset.key;
    const find = () => this.builder.querySelector(`[data-key="${CSS.escape(key)}"]`);
    const { words } = this.builder;
    this.box = openPopup(find, this.items(id), { label: words.actions, role: "menu", width: 240 });
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.querySelector("[role=menuitem]")?.focus();
  }

  items(id) {
    const { builder } = this;
    const { words, tree } = builder;
    const { node, parent } = locate(tree, id);
    const moves = [
      ["up", icon("arrow-up"), "Alt ↑"],
      ["down", icon("arrow-down"), "Alt ↓"],
      ["in", icon("corner-down-right"), "Alt →"],
      ["out", icon("corner-left-up"), "Alt ←"],
    ];
    const entries = [
      ["duplicate", icon("copy"), parent, "Ctrl D"],
      ["wrap", icon("folder-plus"), parent, "Ctrl G"],
      ["unwrap", icon("folder-minus"), parent && !node.leaf, "Ctrl ⇧ G"],
      ...moves.map(([direction, image, keys]) => [direction, image, step(tree, id, direction), keys]),
      ["copy", icon("clipboard"), true, "Ctrl C"],
      ["pasteAfter", icon("clipboard-plus"), true, "Ctrl V"],
      ["remove", icon("trash"), parent, "Del"],
    ];
    return entries
      .filter(([, , possible]) => possible)
      .map(([name, image, , keys]) =>
        el(
          "button",
          { type: "button", class: `sb-menu-item${name === "remove" ? " sb-menu-remove" : ""}`, role: "menuitem", tabindex: "-1", "data-act": name, onclick: () => this.choose(name, id) },
          image,
          el("span", {}, words[name]),
          el("kbd", { "aria-hidden": "true" }, keys),
        ),
      );
  }

  choose(name, id) {
    closePopup({ focus: true });
    const { builder } = this;
    if (["up", "down", "in", "out"].includes(name)) builder.act("move", id, name);
    else if (name === "copy") builder.copy(id);
    else if (name === "pasteAfter") builder.pasteKept(String(id));
    else builder.act(name, id);
  }

  key(event) {
    const items = [...this.box.querySelectorAll("[role=menuitem]")];
    const at = items.indexOf(document.activeElement);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    if (event.key in steps) {
      event.preventDefault();
      items.at(steps[event.key] % items.length).focus();
    } else if (event.key === "Tab") {
      event.preventDefault();
      closePopup({ focus: true });
    } else if (event.key.length === 1) {
      const letter = event.key.toLocaleLowerCase();
      const next = [...items.slice(at + 1), ...items].find((item) => item.querySelector("span").textContent.toLocaleLowerCase().startsWith(letter));
      next?.focus();
    }
  }
}
