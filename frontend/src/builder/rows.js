// The tree as a treegrid: one row per group, per condition and per place to add one. The boxes around the rows are for
// the eye only; whoever listens hears rows with levels (WAI-ARIA treegrid).
import { button, el, fill, format, icon, select, tool } from "./dom.js";
import { moreParams, paramEditors, windowEditor } from "./params.js";
import { GROUPS, leavesOf } from "./tree.js";
import { operandEditor, pickerButton } from "./values.js";

// What the editors of one row work with. `leaf` is always the condition as it is now.
export class Row {
  constructor(builder, id) {
    this.builder = builder;
    this.id = id;
    this.words = builder.words;
    this.fields = builder.fields;
  }

  get leaf() {
    return this.builder.node(this.id).leaf;
  }

  key(name) {
    return `${this.id}|${name}`;
  }

  // The controls on the page show the change already.
  change(change, control) {
    this.builder.change(this.id, change, control);
  }

  // The change needs other controls; `focus` names the one to go to.
  redraw(change, focus) {
    this.builder.redraw(this.id, change, focus && this.key(focus));
  }
}

const cell = (name, ...children) => el("div", { class: name, role: "gridcell" }, ...children);

function grip(builder, id) {
  return el("span", { class: "sb-grip", "aria-hidden": "true", title: builder.words.drag, "data-grip": id }, icon("grip-vertical"));
}

function rowOf(builder, id, place, name, ...cells) {
  return el(
    "div",
    {
      class: name,
      role: "row",
      tabindex: "-1",
      "data-row": String(id),
      "aria-level": place.level,
      "aria-posinset": place.parent ? place.index + 1 : 1,
      "aria-setsize": place.parent ? place.parent.children.length : 1,
    },
    ...cells,
  );
}

const tools = (builder, id) =>
  cell(
    "sb-tools",
    tool(icon("dots"), builder.words.actions, (event) => builder.menu.open(id, event.currentTarget), {
      "data-key": `${id}|menu`,
      "aria-haspopup": "menu",
      "aria-expanded": "false",
    }),
    builder.tree.id === id ? null : tool(icon("x"), builder.words.remove, () => builder.act("remove", id), { "data-key": `${id}|remove` }),
  );

const countCell = () => cell("sb-count", el("span", { "data-count": "" }));
const note = () => el("p", { class: "sb-note", "data-note": "", hidden: true });

// A condition.
export function leafRow(builder, place) {
  const { id } = place.node;
  const row = new Row(builder, id);
  const field = builder.fields.get(row.leaf.field);
  const chooser = pickerButton(
    row,
    "field",
    builder.words.field,
    el("span", {}, field?.label ?? `${builder.words.unknown} ${row.leaf.field ?? ""}`),
    () => ({
      choices: builder.fields.choices,
      recent: "conditions.recent",
      chosen: new Set([row.leaf.field]),
      on: (key) => {
        if (key === row.leaf.field) return;
        builder.redraw(id, () => builder.fields.fresh(key));
        builder.focusNext(id);
      },
    }),
    { class: `form-select sb-pick sb-field${field ? "" : " is-invalid"}` },
  );
  const body = el("div", { class: "sb-controls" }, chooser);
  if (field) {
    body.append(
      ...[...paramEditors(row, field), field.windowed ? windowEditor(row) : null, operatorSelect(row, field), operandEditor(row, field), moreParams(row, field)].filter(Boolean),
    );
  }
  return rowOf(builder, id, place, "sb-row", grip(builder, id), cell("sb-main", body, note()), countCell(), tools(builder, id));
}

function operatorSelect(row, field) {
  const { leaf } = row;
  const known = field.operators.some((entry) => entry.key === leaf.op);
  return select(
    [...(known ? [] : [[leaf.op ?? "", leaf.op ?? "—"]]), ...field.operators.map((entry) => [entry.key, entry.label])],
    leaf.op ?? "",
    row.words.operator,
    (op) => row.redraw((now) => row.fields.withOperator(now, op), "op"),
    { "data-key": row.key("op"), class: "form-select sb-op" },
  );
}

// The first row of a group: how its conditions combine.
export function groupRow(builder, place, folded) {
  const { node } = place;
  const { id } = node;
  const fold = tool(icon("chevron-down"), builder.words[folded ? "unfold" : "fold"], () => builder.fold(id), { "data-key": `${id}|fold`, class: "btn-bare sb-tool sb-fold" });
  const kind = select(
    GROUPS.map((op) => [op, builder.words[op]]),
    node.op,
    builder.words.group,
    (op) => builder.act("kind", id, op),
    { "data-key": `${id}|op`, class: "form-select sb-kind" },
  );
  const inside = folded ? el("span", { class: "sb-folded" }, fill(builder.words.conditions, { count: format(leavesOf(node)) })) : null;
  const row = rowOf(
    builder,
    id,
    place,
    "sb-head",
    place.parent ? grip(builder, id) : null,
    cell("sb-main", el("div", { class: "sb-controls" }, place.parent ? fold : null, kind, inside), note()),
    countCell(),
    tools(builder, id),
  );
  if (place.parent) row.setAttribute("aria-expanded", String(!folded));
  return row;
}

// The last row of a group: a condition or a group more.
export function footRow(builder, place) {
  const { node } = place;
  const row = rowOf(
    builder,
    `${node.id}+`,
    { level: place.level + 1 },
    "sb-foot",
    cell(
      "sb-adders",
      button(builder.words.add, icon("plus"), () => builder.add(node.id), { "data-key": `${node.id}|add`, "aria-haspopup": "listbox", "aria-expanded": "false" }),
      button(builder.words.addGroup, icon("folder-plus"), () => builder.add(node.id, true), { "data-key": `${node.id}|addgroup`, "aria-haspopup": "listbox", "aria-expanded": "false" }),
    ),
  );
  row.setAttribute("aria-label", fill(builder.words.addTo, { group: builder.words[node.op] }));
  row.removeAttribute("aria-posinset");
  row.removeAttribute("aria-setsize");
  return row;
}

// A group in its box, with everything inside. `reuse(place, make)` gives the row back that a node already has.
export function groupBox(builder, place, reuse) {
  const { node, level, path } = place;
  const folded = builder.folded.has(node.id);
  const box = el("div", { class: `sb-group sb-${node.op}${level % 2 ? "" : " sb-even"}`, role: "presentation", "data-box": String(node.id) }, groupRow(builder, place, folded));
  if (folded) return box;
  const joint = builder.words[`join_${node.op}`];
  const children = el("div", { class: "sb-children", role: "presentation" });
  for (const [index, child] of node.children.entries()) {
    const inner = { node: child, parent: node, index, path: `${path}/${node.op}/${index}`, level: level + 1 };
    const drawn = child.leaf ? reuse(inner) : groupBox(builder, inner, reuse);
    if (index) children.append(el("span", { class: "sb-joint", "aria-hidden": "true" }, joint));
    children.append(drawn);
  }
  if (!node.children.length) children.append(el("p", { class: "sb-empty", "aria-hidden": "true" }, builder.words.empty));
  box.append(children, footRow(builder, place));
  return box;
}

// What a row that is kept must be told anew: its place and its name.
export function updateRow(builder, row, place) {
  row.setAttribute("aria-level", place.level);
  row.setAttribute("aria-posinset", place.parent ? place.index + 1 : 1);
  row.setAttribute("aria-setsize", place.parent ? place.parent.children.length : 1);
  row.setAttribute("aria-label", builder.fields.describe(place.node));
  if (place.parent) row.setAttribute("aria-selected", String(builder.selected.has(place.node.id)));
}
