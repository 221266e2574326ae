// The controls that hold a value. Each takes `set(value, control)`: with the control while it is typed into, so that
// undo takes the typing back as one step.
import { el, select } from "./dom.js";
import { chips } from "./chips.js";
import { openPicker } from "./picker.js";
import { closePopup, isOpenAt } from "./popup.js";

// Up to here a plain list is quicker than a search.
const FEW = 12;

export function textBox(row, name, value, label, set, more = {}) {
  return el("input", {
    type: "text",
    class: "form-control",
    maxlength: 200,
    autocomplete: "off",
    "aria-label": label,
    "data-key": row.key(name),
    ...more,
    value: Array.isArray(value) || typeof value === "object" ? "" : value,
    oninput: (event) => set(event.target.value, event.target),
  });
}

export function numberBox(row, name, value, label, set, more = {}) {
  const read = (text) => (text === "" ? "" : Number(text));
  return textBox(row, name, value, label, (text, control) => set(read(text), control), {
    type: "number",
    step: "1",
    inputmode: "decimal",
    class: "form-control sb-number",
    ...more,
  });
}

export const dateBox = (row, name, value, label, set) =>
  textBox(row, name, value, label, set, { type: "date", class: "form-control sb-date" });

export function durationBox(row, name, value, units, set) {
  const span = () => (typeof value === "number" ? { n: value, unit: "day" } : (value ?? { n: "", unit: units[0] }));
  const change = (part, control) => {
    value = { ...span(), ...part };
    set(value, control);
  };
  return el(
    "span",
    { class: "sb-value" },
    numberBox(row, `${name}-n`, span().n, row.words.value, (n, control) => change({ n }, control), { min: 1 }),
    select(
      units.map((unit) => [unit, row.words[unit] ?? unit]),
      span().unit,
      row.words.unit,
      (unit) => change({ unit }),
      { "data-key": row.key(`${name}-unit`) },
    ),
  );
}

// One of the choices: a native list when they are few, a search when they are many.
export function choiceBox(row, name, value, choices, label, set, { open = false, recent } = {}) {
  if (!open && choices.length <= FEW) {
    const groups = new Map();
    const bare = [["", "—"]];
    // The option's text is not the value, so that numbers stay numbers.
    for (const [index, entry] of choices.entries()) {
      if (entry.group) groups.set(entry.group, [...(groups.get(entry.group) ?? []), [String(index), entry.label]]);
      else bare.push([String(index), entry.label]);
    }
    const at = choices.findIndex((entry) => entry.value === value);
    if (at < 0 && value !== "" && value != null) bare.push(["?", String(value)]);
    const chosen = at < 0 ? (bare.at(-1)[0] === "?" ? "?" : "") : String(at);
    return select(bare, chosen, label, (index) => index !== "?" && set(index === "" ? "" : choices[index].value), { "data-key": row.key(name) }, [...groups]);
  }
  const text = el("span", {}, value === "" || value == null ? "—" : row.fields.label(choices, value));
  return pickerButton(row, name, label, text, {
    choices,
    open,
    recent,
    chosen: new Set([value]),
    on: (picked) => {
      text.textContent = row.fields.label(choices, picked);
      set(picked);
    },
  });
}

// A button that opens a picker; the picker stays with it when the row is drawn again.
export function pickerButton(row, name, label, content, options, more = {}) {
  const key = row.key(name);
  const find = () => row.builder.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const open = () => openPicker({ anchor: find, label, words: row.words, ...(typeof options === "function" ? options() : options) });
  return el(
    "button",
    {
      type: "button",
      class: "form-select sb-pick",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      "aria-label": label,
      "data-key": key,
      onclick: (event) => (isOpenAt(event.currentTarget) ? closePopup({ focus: true }) : open()),
      onkeydown: (event) => {
        if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
        event.preventDefault();
        event.stopPropagation();
        open();
      },
      ...more,
    },
    content,
  );
}

// What stands to the right of the operator.
export function operandEditor(row, field) {
  const { leaf } = row;
  const set = (value, control) => row.change((now) => ({ ...now, value }), control);
  const words = row.words;
  switch (row.fields.operator(leaf)?.operand) {
    case "none":
    case undefined:
      return null;
    case "pair": {
      const pair = Array.isArray(leaf.value) ? [...leaf.value] : ["", ""];
      const side = (at) => (value, control) => {
        pair[at] = value;
        set([...pair], control);
      };
      return el(
        "span",
        { class: "sb-value" },
        scalar(row, "value-0", field, pair[0], words.from, side(0)),
        el("span", { class: "sb-between" }, words.and),
        scalar(row, "value-1", field, pair[1], words.to, side(1)),
      );
    }
    case "list":
      return chips(row, "value", Array.isArray(leaf.value) ? leaf.value : [], {
        choices: field.choices ?? [],
        open: field.open || !field.choices,
        label: field.label,
        recent: field.choices && `conditions.recent.${field.key}`,
        on: set,
      });
    case "months":
    case "month_days": {
      const length = row.fields.operator(leaf).operand === "months" ? 12 : 31;
      const choices = Array.from({ length }, (_, index) => ({ value: index + 1, label: String(index + 1) }));
      return chips(row, "value", Array.isArray(leaf.value) ? leaf.value : [], { choices, label: words.value, on: set });
    }
    case "duration":
      return durationBox(row, "value", leaf.value, [...(field.type === "datetime" ? ["hour"] : []), "day", "week", "month"], set);
    case "days":
      return el("span", { class: "sb-value" }, numberBox(row, "value", leaf.value, words.value, set, { min: 1, max: 366 }), el("span", { class: "sb-between" }, words.day));
    case "pattern":
      return textBox(row, "value", leaf.value, words.value, set, { class: "form-control sb-pattern", spellcheck: "false" });
    default:
      return scalar(row, "value", field, leaf.value, words.value, set);
  }
}

function scalar(row, name, field, value, label, set) {
  if (field.choices) {
    return choiceBox(row, name, value, field.choices, label, set, { open: field.open, recent: `conditions.recent.${field.key}` });
  }
  switch (field.type) {
    case "integer":
      return numberBox(row, name, value, label, set);
    case "decimal":
      return numberBox(row, name, value, label, set, { step: "any" });
    case "money":
      return el(
        "span",
        { class: "sb-value" },
        el("span", { class: "sb-between" }, "¥"),
        textBox(row, name, value, label, (text, control) => set(text.replace(/[,，\s]/g, ""), control), { inputmode: "decimal", class: "form-control sb-money" }),
      );
    case "date":
    case "datetime":
      return dateBox(row, name, value, label, set);
    default:
      return textBox(row, name, value, label, set);
  }
}
