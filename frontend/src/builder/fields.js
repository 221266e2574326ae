// What can be asked about a member: the fields, their operators and choices, and a leaf put into a few words.
import { fill, format } from "./dom.js";

const EMPTY = {
  pair: () => ["", ""],
  list: () => [],
  months: () => [],
  month_days: () => [],
  duration: () => ({ n: 30, unit: "day" }),
  days: () => 7,
};
export const USUAL = {
  duration: (param) => ({ n: 7, unit: !param.units?.length || param.units.includes("day") ? "day" : param.units[0] }),
  number: (param) => Math.max(param.minimum ?? 0, Math.min(30, param.maximum || 30)),
};
const SHOWN = 3;

export class Fields {
  constructor(described, words) {
    this.words = words;
    this.byKey = new Map(described.map((field) => [field.key, field]));
    this.labels = new WeakMap();
  }

  get(key) {
    return this.byKey.get(key);
  }

  // As choices of a picker.
  get choices() {
    return [...this.byKey.values()].map((field) => ({ value: field.key, label: field.label, group: field.group }));
  }

  operator(leaf) {
    return this.get(leaf.field)?.operators.find((entry) => entry.key === leaf.op);
  }

  // A new condition on a field: its first operator, nothing filled in yet.
  fresh(key) {
    const field = this.get(key);
    if (!field) return { field: key };
    const leaf = this.withOperator({ field: key }, field.operators[0].key);
    // What is needed and has a usual value is there at once: what the controls show is what is meant.
    const usual = (field.with ?? []).filter((param) => param.required && USUAL[param.kind]).map((param) => [param.key, USUAL[param.kind](param)]);
    return usual.length ? { ...leaf, with: Object.fromEntries(usual) } : leaf;
  }

  // The leaf with another operator; its value stays when that still fits.
  withOperator(leaf, key) {
    const wanted = this.get(leaf.field).operators.find((entry) => entry.key === key);
    const former = this.operator(leaf)?.operand;
    const { value, with: given, window, ...rest } = leaf;
    const kept = former === wanted.operand && value != null ? value : (EMPTY[wanted.operand]?.() ?? "");
    return { ...rest, op: key, ...(wanted.operand === "none" ? {} : { value: kept }), ...(given && { with: given }), ...(window && { window }) };
  }

  // The label of a value among choices.
  label(choices, value) {
    if (!choices) return String(value);
    if (!this.labels.has(choices)) this.labels.set(choices, new Map(choices.map((entry) => [entry.value, entry.label])));
    return this.labels.get(choices).get(value) ?? String(value);
  }

  list(choices, values) {
    const shown = values.slice(0, SHOWN).map((value) => this.label(choices, value));
    if (values.length > SHOWN) shown.push(fill(this.words.more, { count: format(values.length - SHOWN) }));
    return shown.join(this.words.comma);
  }

  span(duration) {
    const { n, unit } = typeof duration === "number" ? { n: duration, unit: "day" } : (duration ?? {});
    return `${n ?? ""} ${this.words[unit] ?? unit ?? ""}`;
  }

  // What a row says to who hears it, and what follows the pointer while it is dragged.
  summary(leaf) {
    const field = this.get(leaf.field);
    if (!field) return `${this.words.unknown} ${leaf.field ?? ""}`;
    const operator = this.operator(leaf);
    return [field.label, operator?.label, this.value(field, operator?.operand, leaf.value)].filter(Boolean).join(" ");
  }

  value(field, operand, value) {
    if (value == null || value === "") return "";
    switch (operand) {
      case "pair":
        return Array.isArray(value) ? value.join(` ${this.words.and} `) : "";
      case "duration":
        return this.span(value);
      case "days":
        return this.span(Number(value) || "");
      default:
        return Array.isArray(value) ? this.list(field.choices, value) : this.label(field.choices, value);
    }
  }

  // What a group says.
  group(node) {
    return `${this.words[node.op]} (${fill(this.words.conditions, { count: format(node.children.length) })})`;
  }

  describe(node) {
    return node.leaf ? this.summary(node.leaf) : this.group(node);
  }
}
