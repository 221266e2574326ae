// The tree that is edited. It never changes in place: each edit makes a new tree that shares the rest with the old one,
// so that undo keeps whole trees and a row is drawn again only when its node is another.
//
// A node is {id, op, children} or {id, leaf}; ids live as long as the page and follow a node wherever it moves.

export const GROUPS = ["all", "any", "none"];
let last = 0;

export const kindOf = (raw) => (raw && typeof raw === "object" ? GROUPS.find((op) => op in raw) : undefined);

export function grow(raw) {
  const op = kindOf(raw);
  if (!op) return { id: ++last, leaf: raw && typeof raw === "object" ? raw : {} };
  return { id: ++last, op, children: Array.isArray(raw[op]) ? raw[op].map(grow) : [] };
}

// The root is a group, whatever came.
export function growRoot(raw) {
  const bare = raw && typeof raw === "object" && !Array.isArray(raw) ? { ...raw } : null;
  if (!bare) return grow({ all: [] });
  delete bare.version;
  if (kindOf(bare)) return grow(bare);
  return grow({ all: Object.keys(bare).length ? [bare] : [] });
}

export const plain = (node) => (node.leaf ? node.leaf : { [node.op]: node.children.map(plain) });

// The same with new ids: a duplicate.
export const regrow = (node) => grow(structuredClone(plain(node)));

// Every node in reading order, with where it is: {node, parent, index, path, level}.
export function* walk(node, parent = null, index = 0, path = "", level = 1) {
  yield { node, parent, index, path, level };
  if (node.leaf) return;
  for (const [i, child] of node.children.entries()) yield* walk(child, node, i, `${path}/${node.op}/${i}`, level + 1);
}

export function locate(tree, id) {
  for (const place of walk(tree)) if (place.node.id === id) return place;
  return null;
}

export const leavesOf = (node) => (node.leaf ? 1 : node.children.reduce((sum, child) => sum + leavesOf(child), 0));
export const holds = (node, id) => node.id === id || (!node.leaf && node.children.some((child) => holds(child, id)));

const splice = (list, at, gone, ...come) => [...list.slice(0, at), ...come, ...list.slice(at + gone)];

// The node `id` changed by `change`; the same tree when there is no such node.
export function replace(node, id, change) {
  if (node.id === id) return change(node);
  if (node.leaf) return node;
  const children = node.children.map((child) => replace(child, id, change));
  return children.some((child, i) => child !== node.children[i]) ? { ...node, children } : node;
}

export const insert = (tree, parentId, index, ...nodes) =>
  replace(tree, parentId, (group) => ({ ...group, children: splice(group.children, index, 0, ...nodes) }));

export function remove(tree, id) {
  const { parent, index } = locate(tree, id) ?? {};
  if (!parent) return tree;
  return replace(tree, parent.id, (group) => ({ ...group, children: splice(group.children, index, 1) }));
}

// Into `parentId` before what is now at `index` there. Null when it would be inside itself, or is there already.
export function move(tree, id, parentId, index) {
  const from = locate(tree, id);
  if (!from?.parent || holds(from.node, parentId)) return null;
  const same = from.parent.id === parentId;
  if (same && (index === from.index || index === from.index + 1)) return null;
  return insert(remove(tree, id), parentId, same && index > from.index ? index - 1 : index, from.node);
}

// One step by keyboard: where `id` goes, as [parentId, index], or null.
export function step(tree, id, direction) {
  const { parent, index } = locate(tree, id) ?? {};
  if (!parent) return null;
  const [before, after] = [parent.children[index - 1], parent.children[index + 1]];
  const above = locate(tree, parent.id);
  switch (direction) {
    case "up":
      return before ? [parent.id, index - 1] : null;
    case "down":
      return after ? [parent.id, index + 2] : null;
    case "out":
      return above.parent ? [above.parent.id, above.index + 1] : null;
    default:
      if (before && !before.leaf) return [before.id, before.children.length];
      return after && !after.leaf ? [after.id, 0] : null;
  }
}

export function wrap(tree, id, op) {
  let group = null;
  const grown = replace(tree, id, (node) => (group = { id: ++last, op, children: [node] }));
  return [grown, group.id];
}

// Several nodes, wherever they are, into a group where the first of them was.
export function gather(tree, ids, op) {
  const nodes = outermost(tree, ids);
  const [grown, groupId] = wrap(tree, nodes[0].id, op);
  const others = nodes.slice(1);
  const left = others.reduce((rest, node) => remove(rest, node.id), grown);
  return [insert(left, groupId, 1, ...others), groupId];
}

// The nodes of these ids in reading order, without those inside another of them.
export function outermost(tree, ids) {
  const found = [];
  for (const { node } of walk(tree)) {
    if (ids.has(node.id) && !found.some((outer) => holds(outer, node.id))) found.push(node);
  }
  return found;
}

// The group's children in its place.
export function unwrap(tree, id) {
  const { node, parent, index } = locate(tree, id) ?? {};
  if (!parent || node.leaf) return null;
  return replace(tree, parent.id, (group) => ({ ...group, children: splice(group.children, index, 1, ...node.children) }));
}

// Whether something from outside has the shape of a condition; the JSON pointer of the first part that has not.
export function misshapen(raw, path = "") {
  if (!raw || typeof raw !== "object" || Array.isArray(raw)) return path;
  const op = kindOf(raw);
  if (!op) return typeof raw.field === "string" ? null : path;
  if (!Array.isArray(raw[op])) return path;
  for (const [i, child] of raw[op].entries()) {
    const wrong = misshapen(child, `${path}/${op}/${i}`);
    if (wrong !== null) return wrong;
  }
  return null;
}

// Exclusions stand beside the condition: {"all": [condition, {"field": "segment", "op": "none_of", "value": […]}]}.
export function splitExclusions(raw) {
  const whole = { condition: raw, excluded: [] };
  if (kindOf(raw) !== "all" || raw.all?.length !== 2) return whole;
  const [condition, leaf] = raw.all;
  if (!leaf || Object.keys(leaf).sort().join() !== "field,op,value") return whole;
  if (leaf.field !== "segment" || leaf.op !== "none_of" || !Array.isArray(leaf.value) || !leaf.value.length) return whole;
  return { condition, excluded: leaf.value };
}

export const withExclusions = (condition, excluded) =>
  excluded.length ? { all: [condition, { field: "segment", op: "none_of", value: excluded }] } : condition;
