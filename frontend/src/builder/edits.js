// What can be done to the tree, as methods of the builder: each is one step to undo, and is said aloud.
import { fill, memory } from "./dom.js";
import { openPicker } from "./picker.js";
import { gather, grow, insert, locate, misshapen, move, outermost, plain, regrow, remove, replace, step, unwrap, wrap } from "./tree.js";

const CLIPBOARD = "conditions.clipboard";
const SEVERAL = new Set(["wrap", "duplicate", "remove"]);

export const edits = {
  act(name, id, more) {
    if (this.selected.size > 1 && this.selected.has(id) && SEVERAL.has(name)) return this.actOnAll(name);
    const place = locate(this.tree, id);
    if (!place || (!place.parent && name !== "kind")) return this.say(this.words.notMoved);
    const words = { name: this.fields.describe(place.node) };
    switch (name) {
      case "duplicate": {
        const twin = regrow(place.node);
        return this.editTree(insert(this.tree, place.parent.id, place.index + 1, twin), { focus: twin.id, say: fill(this.words.duplicated, words) });
      }
      case "remove": {
        const next = place.parent.children[place.index + 1] ?? place.parent.children[place.index - 1];
        return this.editTree(remove(this.tree, id), { focus: next?.id ?? `${place.parent.id}+`, say: fill(this.words.removed, words) });
      }
      case "wrap": {
        const [tree] = wrap(this.tree, id, place.parent.op === "any" ? "all" : "any");
        return this.editTree(tree, { focus: id, say: fill(this.words.wrapped, words) });
      }
      case "unwrap": {
        // On a condition: the group around it.
        const group = place.node.leaf ? place.parent : place.node;
        const tree = unwrap(this.tree, group.id);
        if (!tree) return this.say(this.words.notMoved);
        const next = place.node.leaf ? place.node : group.children[0];
        return this.editTree(tree, { focus: next?.id ?? `${place.parent.id}+`, say: fill(this.words.unwrapped, words) });
      }
      case "kind":
        return this.editTree(replace(this.tree, id, (node) => ({ ...node, op: more })), { control: `${id}|op`, say: this.words[more] });
      case "move": {
        const to = step(this.tree, id, more);
        return to ? this.place(id, ...to) : this.say(this.words.notMoved);
      }
    }
  },

  // The same for all rows that are selected.
  actOnAll(name) {
    const nodes = outermost(this.tree, this.selected);
    const words = { name: nodes.map((node) => this.fields.describe(node)).join(this.words.comma) };
    if (name === "wrap") {
      const { parent } = locate(this.tree, nodes[0].id);
      const [tree, groupId] = gather(this.tree, this.selected, parent.op === "any" ? "all" : "any");
      return this.editTree(tree, { focus: groupId, say: fill(this.words.wrapped, words) });
    }
    if (name === "duplicate") {
      const twins = nodes.map(regrow);
      const { parent, index } = locate(this.tree, nodes.at(-1).id);
      return this.editTree(insert(this.tree, parent.id, index + 1, ...twins), { focus: twins.at(-1).id, say: fill(this.words.duplicated, words) });
    }
    const { parent } = locate(this.tree, nodes[0].id);
    const tree = nodes.reduce((rest, node) => remove(rest, node.id), this.tree);
    this.editTree(tree, { focus: parent.id, say: fill(this.words.removed, words) });
  },

  // Move to a place, and say where that is.
  place(id, groupId, index) {
    const tree = move(this.tree, id, groupId, index);
    if (!tree) return this.say(this.words.notMoved);
    this.folded.delete(groupId);
    const { node, parent, index: at, level } = locate(tree, id);
    const say = fill(this.words.moved, {
      name: this.fields.describe(node),
      group: this.words[parent.op],
      position: at + 1,
      count: parent.children.length,
      level: level - 1,
    });
    this.editTree(tree, { focus: id, say });
  },

  // A new condition, or a group with one: first its field is chosen.
  add(groupId, asGroup = false, index = null, anchor = null) {
    const find = anchor ?? (() => this.querySelector(`[data-key="${groupId}|${asGroup ? "addgroup" : "add"}"]`));
    openPicker({
      anchor: find,
      label: this.words.field,
      words: this.words,
      choices: this.fields.choices,
      recent: "conditions.recent",
      on: (key) => {
        const leaf = this.fields.fresh(key);
        const group = locate(this.tree, groupId).node;
        const node = grow(asGroup ? { [group.op === "any" ? "all" : "any"]: [leaf] } : leaf);
        this.editTree(insert(this.tree, groupId, index ?? group.children.length, node), { say: fill(this.words.added, { name: this.fields.describe(node) }) });
        this.focusNext(asGroup ? node.children[0].id : node.id);
      },
    });
  },

  // Where something put in at a row lands: at the end of the group whose last row it is, or after it.
  slotAfter(key) {
    const { node, parent, index } = locate(this.tree, parseInt(key, 10));
    return key.endsWith("+") || !parent ? [node.id, node.children.length] : [parent.id, index + 1];
  },

  addAfter(key, asGroup) {
    const [groupId, index] = this.slotAfter(key);
    this.add(groupId, asGroup, index, () => this.keyboard.row(key));
  },

  // The node, or all that are selected, as JSON; kept in this browser too: the system's clipboard is not open to every page.
  copied(id) {
    const ids = this.selected.has(id) ? this.selected : new Set([id]);
    const nodes = outermost(this.tree, ids);
    const text = JSON.stringify(nodes.length > 1 ? nodes.map(plain) : plain(nodes[0]), null, 2);
    memory.set(CLIPBOARD, text);
    this.say(this.words.copied, { name: nodes.map((node) => this.fields.describe(node)).join(this.words.comma) });
    return text;
  },

  copy(id) {
    const text = this.copied(id);
    navigator.clipboard?.writeText(text).catch(() => {});
  },

  async pasteKept(key) {
    const kept = memory.get(CLIPBOARD);
    if (kept) this.paste(kept, key);
    else this.say(this.words.notPasted);
  },

  // Conditions as JSON: one, or a list of them. Whether the text was taken.
  paste(text, key) {
    let raw;
    try {
      raw = JSON.parse(text);
    } catch {
      this.say(this.words.notPasted);
      return false;
    }
    const list = (Array.isArray(raw) ? raw : [raw]).map((item) => {
      const { version, ...rest } = item && typeof item === "object" ? item : {};
      return rest;
    });
    if (!list.length || list.some((item) => misshapen(item) !== null)) {
      this.say(this.words.notPasted);
      return false;
    }
    const nodes = list.map(grow);
    const names = nodes.map((node) => this.fields.describe(node)).join(this.words.comma);
    this.editTree(insert(this.tree, ...this.slotAfter(key), ...nodes), { focus: nodes.at(-1).id, say: fill(this.words.added, { name: names }) });
    return true;
  },
};
