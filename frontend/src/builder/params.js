// What narrows a field down: parameters by their kind, filters over an event's properties, steps, and the time window.
import { el, icon, select, tool } from "./dom.js";
import { chips } from "./chips.js";
import { USUAL } from "./fields.js";
import { choiceBox, dateBox, durationBox, numberBox, pickerButton, textBox } from "./values.js";

const EMPTY = { ...USUAL, where: () => [{ property: "", op: "", value: "" }], step: () => ({ type: [] }) };
const fresh = (param) => EMPTY[param.kind]?.(param) ?? (param.many ? [] : "");
const isEmpty = (value) => value === "" || value == null || (Array.isArray(value) && !value.length);

// Parameters that are needed or in use …
export function paramEditors(row, field) {
  const given = row.leaf.with ?? {};
  return shown(row, field).map((param) => paramEditor(row, param, given[param.key]));
}

// … and one control that offers the rest.
export function moreParams(row, field) {
  const offered = (field.with ?? []).filter((param) => !shown(row, field).includes(param));
  return offered.length ? narrowing(row, offered) : null;
}

const shown = (row, field) => (field.with ?? []).filter((param) => param.required || param.key in (row.leaf.with ?? {}));

function put(row, key, value, control) {
  row.change((leaf) => {
    const next = { ...leaf.with, [key]: value };
    if (isEmpty(value)) delete next[key];
    const { with: _, ...rest } = leaf;
    return Object.keys(next).length ? { ...leaf, with: next } : rest;
  }, control);
}

function paramEditor(row, param, value) {
  const set = (next, control) => put(row, param.key, next, control);
  const editor = byKind(row, `with-${param.key}`, param, value ?? "", set);
  // The last filter of a list takes the list with it.
  const off = param.required || param.kind === "where" ? null : tool(icon("x"), row.words.removeFilter, () => row.redraw((leaf) => dropParam(leaf, param.key), "narrow"), { class: "btn-bare sb-tool sb-off" });
  return el("span", { class: `sb-param sb-param-${param.kind ?? "choice"}`, role: "group", "aria-label": param.label }, el("span", { class: "sb-param-name" }, param.label), editor, off);
}

function dropParam(leaf, key) {
  const { [key]: _, ...others } = leaf.with ?? {};
  const { with: __, ...rest } = leaf;
  return Object.keys(others).length ? { ...rest, with: others } : rest;
}

function byKind(row, name, param, value, set) {
  switch (param.kind) {
    case "number":
      return numberBox(row, name, value, param.label, set, { step: "any", min: param.minimum, max: param.maximum });
    case "duration":
      return durationBox(row, name, value || { n: "", unit: fresh(param).unit }, param.units?.length ? param.units : ["day", "week", "month"], set);
    case "where":
      return whereEditor(row, name, param, Array.isArray(value) ? value : [], set);
    case "step":
      return stepEditor(row, name, param, value && typeof value === "object" ? value : { type: [] }, set);
    default: {
      const open = param.kind === "text" || !param.choices;
      if (param.many) return chips(row, name, Array.isArray(value) ? value : [], { choices: param.choices ?? [], open, label: param.label, on: set });
      if (param.choices) return choiceBox(row, name, value, param.choices, param.label, set, { open });
      return textBox(row, name, value, param.label, set, { placeholder: param.label });
    }
  }
}

// [{"property", "op", "value"}, …], all of which must hold.
function whereEditor(row, name, param, value, set) {
  const box = el("span", { class: "sb-where" });
  let tests = value;
  const first = () => ({ property: "", op: param.operators[0].key, value: "" });
  const keep = (next, control) => {
    tests = next;
    set(next, control);
  };
  const draw = (focus) => {
    box.replaceChildren(...tests.map((test, index) => line(test, index)), adder);
    row.builder.retab();
    if (focus) box.querySelector(`[data-key="${CSS.escape(row.key(focus))}"]`)?.focus();
  };
  const change = (index, part, control) => keep(tests.map((test, at) => (at === index ? { ...test, ...part } : test)), control);
  const line = (test, index) => {
    const operator = param.operators.find((entry) => entry.key === test.op) ?? param.operators[0];
    const key = `${name}-${index}`;
    const editor = {
      none: () => null,
      list: () => chips(row, `${key}-value`, Array.isArray(test.value) ? test.value : [], { choices: [], open: true, label: row.words.value, on: (next) => change(index, { value: next }) }),
      number: () => numberBox(row, `${key}-value`, test.value, row.words.value, (next, control) => change(index, { value: next }, control), { step: "any" }),
    }[operator.operand];
    return el(
      "span",
      { class: "sb-where-line" },
      choiceBox(row, `${key}-property`, test.property, param.properties ?? [], row.words.property, (property) => change(index, { property }), { open: true }),
      select(
        param.operators.map((entry) => [entry.key, entry.label]),
        operator.key,
        row.words.operator,
        (op) => {
          const operand = param.operators.find((entry) => entry.key === op).operand;
          const same = operand === operator.operand;
          const { value: old, ...rest } = { ...tests[index], op };
          keep(tests.map((entry, at) => (at !== index ? entry : operand === "none" ? rest : { ...rest, value: same ? old : operand === "list" ? [] : "" })));
          draw(`${key}-op`);
        },
        { "data-key": row.key(`${key}-op`) },
      ),
      editor ? editor() : textBox(row, `${key}-value`, test.value, row.words.value, (next, control) => change(index, { value: next }, control)),
      tool(icon("x"), row.words.removeFilter, () => {
        keep(tests.filter((_, at) => at !== index));
        draw(`${name}-add`);
      }, { class: "btn-bare sb-tool sb-off" }),
    );
  };
  const adder = el(
    "button",
    {
      type: "button",
      class: "btn btn-sm sb-add",
      "data-key": row.key(`${name}-add`),
      onclick: () => {
        keep([...tests, first()]);
        draw(`${name}-${tests.length - 1}-property`);
      },
    },
    icon("plus"),
    row.words.addFilter,
  );
  tests = tests.map((test) => (test.op ? test : { ...test, op: param.operators[0].key }));
  draw();
  return box;
}

// {"type": [event types], "where": [...]}: one step of a sequence.
function stepEditor(row, name, param, value, set) {
  let step = value;
  const change = (part, control) => {
    step = { ...step, ...part };
    if (!step.where?.length) delete step.where;
    set(step, control);
  };
  return el(
    "span",
    { class: "sb-step" },
    chips(row, `${name}-type`, Array.isArray(step.type) ? step.type : [], { choices: param.choices ?? [], label: param.label, on: (type) => change({ type }) }),
    param.operators ? whereEditor(row, `${name}-where`, param, step.where ?? [], (where, control) => change({ where }, control)) : null,
  );
}

function narrowing(row, offered) {
  return pickerButton(
    row,
    "narrow",
    row.words.narrow,
    icon("filter"),
    {
      choices: offered.map((param) => ({ value: param.key, label: param.label })),
      on: (key) => {
        const param = offered.find((entry) => entry.key === key);
        row.redraw((leaf) => ({ ...leaf, with: { ...leaf.with, [key]: fresh(param) } }), `with-${key}`);
      },
    },
    { class: "btn btn-sm sb-add sb-narrow", title: row.words.narrow },
  );
}

// When it happened: ever, in the last …, or between two days.
export function windowEditor(row) {
  const { words, leaf } = row;
  const kind = !leaf.window ? "ever" : "last" in leaf.window ? "last" : "dates";
  const put = (window, control) => row.change((now) => ({ ...now, window }), control);
  const choose = (wanted) =>
    row.redraw((now) => {
      const { window: _, ...rest } = now;
      if (wanted === "ever") return rest;
      return { ...rest, window: wanted === "last" ? { last: { n: 30, unit: "day" } } : {} };
    }, "window");
  const side = (name) =>
    dateBox(row, `window-${name}`, leaf.window[name] ?? "", words[name], (day, control) => {
      const { [name]: _, ...others } = row.leaf.window;
      put(day ? { ...others, [name]: day } : others, control);
    });
  return el(
    "span",
    { class: "sb-window" },
    select(["ever", "last", "dates"].map((name) => [name, words[name]]), kind, words.window, choose, { "data-key": row.key("window") }),
    kind === "last" ? durationBox(row, "window", leaf.window.last, ["hour", "day", "week", "month"], (last, control) => put({ last }, control)) : null,
    kind === "dates" ? [side("from"), el("span", { class: "sb-between" }, "–"), side("to")] : null,
  );
}
