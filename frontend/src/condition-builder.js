// <condition-builder>: edits a condition tree with native controls only.
//
// Attributes name the elements it works with, by id: data-fields and data-words (JSON), data-input (hidden field that
// receives the tree), data-faults (JSON, optional), data-preview (panel), data-preview-url (answers {html, faults}).

const GROUPS = ["all", "any", "none"];
const UNITS = ["day", "week", "month"];
const HISTORY = 100;

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const opOf = (node) => GROUPS.find((op) => op in node);
const copy = (value) => JSON.parse(JSON.stringify(value));

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value ?? "";
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

function icon(name) {
  const sprite = document.querySelector("svg use")?.getAttribute("href")?.split("#")[0] ?? "";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

class ConditionBuilder extends HTMLElement {
  connectedCallback() {
    if (this.fields) return;
    this.fields = new Map(read(this.dataset.fields).map((field) => [field.key, field]));
    this.words = read(this.dataset.words);
    this.input = document.getElementById(this.dataset.input);
    this.faults = new Map((this.dataset.faults ? read(this.dataset.faults) : []).map((f) => [f.path, f.message]));
    this.strict = this.faults.size > 0;
    this.tree = this.normal(this.input.value ? JSON.parse(this.input.value) : null);
    this.past = [];
    this.future = [];
    this.sequence = 0;
    this.addEventListener("keydown", (event) => this.key(event));
    this.render();
    this.preview();
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
    this.request?.abort();
  }

  normal(tree) {
    if (!tree || typeof tree !== "object") return { all: [] };
    delete tree.version;
    return opOf(tree) ? tree : { all: [tree] };
  }

  key(event) {
    // Enter in a row must not save the segment.
    if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
    if (!(event.ctrlKey || event.metaKey)) return;
    const key = event.key.toLowerCase();
    if (key === "z") {
      event.preventDefault();
      if (event.shiftKey) this.redo();
      else this.undo();
    } else if (key === "y") {
      event.preventDefault();
      this.redo();
    }
  }

  // Every change goes through here: one step to undo, one rendering, one preview.
  edit(change, focus) {
    this.remember();
    change();
    this.changed();
    this.render(focus);
  }

  // Typing: the control keeps its own caret, so nothing is rendered; one step to undo per visit of the control.
  type(control, change) {
    if (this.typing !== control) {
      this.remember();
      this.typing = control;
      this.buttons();
    }
    change();
    this.changed();
  }

  remember() {
    this.past.push(JSON.stringify(this.tree));
    if (this.past.length > HISTORY) this.past.shift();
    this.future = [];
    this.typing = null;
  }

  changed() {
    this.strict = false;
    this.input.value = JSON.stringify(this.tree);
    this.input.dispatchEvent(new Event("input", { bubbles: true }));
    this.preview();
  }

  undo() {
    if (this.past.length) this.travel(this.past, this.future);
  }

  redo() {
    if (this.future.length) this.travel(this.future, this.past);
  }

  travel(from, to) {
    to.push(JSON.stringify(this.tree));
    this.tree = JSON.parse(from.pop());
    this.typing = null;
    this.faults.clear();
    this.changed();
    this.render();
  }

  render(focus) {
    const held = focus ?? this.querySelector(":focus")?.dataset.key;
    this.input.value = JSON.stringify(this.tree);
    this.undoButton = this.tool(icon("arrow-back-up"), this.words.undo, () => this.undo());
    this.redoButton = this.tool(icon("arrow-forward-up"), this.words.redo, () => this.redo());
    this.replaceChildren(
      el("div", { class: "sb-toolbar" }, this.undoButton, this.redoButton),
      this.group(this.tree, null, ""),
    );
    this.buttons();
    if (held) this.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
  }

  buttons() {
    this.undoButton.disabled = !this.past.length;
    this.redoButton.disabled = !this.future.length;
  }

  tool(picture, label, act) {
    return el("button", { type: "button", class: "btn btn-sm sb-tool", "aria-label": label, title: label, onclick: act }, picture);
  }

  group(node, parent, path) {
    const op = opOf(node);
    const children = node[op];
    const here = path || "/";
    const add = (child) => () => this.edit(() => children.push(child()), `${path}/${op}/${children.length}|field`);
    return el(
      "fieldset",
      { class: `sb-group sb-${op}`, "data-path": path },
      el("legend", { class: "visually-hidden" }, this.words.group),
      el(
        "div",
        { class: "sb-head" },
        this.select(
          GROUPS.map((key) => [key, this.words[key]]),
          op,
          this.words.group,
          `${here}|op`,
          (value) =>
            this.edit(() => {
              delete node[op];
              node[value] = children;
            }),
        ),
        parent
          ? el(
              "span",
              { class: "sb-actions" },
              this.tool(icon("copy"), this.words.duplicate, () => this.edit(() => parent.splice(parent.indexOf(node) + 1, 0, copy(node)))),
              this.tool(icon("trash"), this.words.remove, () => this.edit(() => parent.splice(parent.indexOf(node), 1))),
            )
          : null,
      ),
      el(
        "div",
        { class: "sb-children" },
        children.map((child, index) =>
          opOf(child)
            ? this.group(child, children, `${path}/${op}/${index}`)
            : this.leaf(child, children, `${path}/${op}/${index}`),
        ),
        children.length ? null : el("p", { class: "sb-empty" }, this.words.empty),
      ),
      el(
        "div",
        { class: "sb-foot" },
        el("button", { type: "button", class: "btn btn-sm", "data-key": `${here}|add`, onclick: add(() => this.fresh()) }, icon("plus"), this.words.add),
        el(
          "button",
          { type: "button", class: "btn btn-sm", "data-key": `${here}|addgroup`, onclick: add(() => ({ any: [this.fresh()] })) },
          icon("folder-plus"),
          this.words.addGroup,
        ),
      ),
      this.note(path),
    );
  }

  fresh(key) {
    const field = this.fields.get(key) ?? this.fields.values().next().value;
    return this.reset({ field: field.key }, field.operators[0]);
  }

  // A leaf whose operator changed keeps what still fits.
  reset(leaf, operator) {
    const former = this.operand(leaf);
    leaf.op = operator.key;
    if (former === operator.operand && leaf.value != null) return leaf;
    leaf.value =
      {
        none: null,
        pair: ["", ""],
        list: [],
        months: [],
        month_days: [],
        duration: { n: 30, unit: "day" },
        days: 7,
      }[operator.operand] ?? "";
    if (operator.operand === "none") leaf.value = null;
    return leaf;
  }

  operand(leaf) {
    return this.fields.get(leaf.field)?.operators.find((entry) => entry.key === leaf.op)?.operand;
  }

  leaf(leaf, siblings, path) {
    const field = this.fields.get(leaf.field);
    const groups = new Map();
    for (const entry of this.fields.values()) {
      if (!groups.has(entry.group)) groups.set(entry.group, []);
      groups.get(entry.group).push([entry.key, entry.label]);
    }
    const chooser = this.select(
      field ? [] : [[leaf.field ?? "", `${this.words.unknown} ${leaf.field ?? ""}`]],
      leaf.field,
      this.words.field,
      `${path}|field`,
      (value) =>
        this.edit(() => {
          const chosen = this.fields.get(value);
          for (const key of Object.keys(leaf)) delete leaf[key];
          leaf.field = value;
          this.reset(leaf, chosen.operators[0]);
        }),
      [...groups],
    );
    chooser.classList.add("sb-field");
    const row = el("div", { class: "sb-row", "data-path": path, role: "group", "aria-label": field?.label ?? "" }, chooser);
    if (field) {
      // What narrows a field down is shown when it is needed or used; one control offers the rest.
      const offered = (field.with ?? []).filter((param) => !param.required && !(leaf.with && param.key in leaf.with));
      for (const param of field.with ?? []) if (!offered.includes(param)) row.append(this.param(leaf, param, path));
      if (offered.length) row.append(this.narrowing(leaf, offered, path));
      if (field.windowed) row.append(this.window(leaf, path));
      row.append(
        this.select(
          field.operators.map((entry) => [entry.key, entry.label]),
          leaf.op,
          this.words.operator,
          `${path}|op`,
          (value) => this.edit(() => this.reset(leaf, field.operators.find((entry) => entry.key === value))),
        ),
        this.value(leaf, field, path),
      );
    }
    row.append(
      el(
        "span",
        { class: "sb-actions" },
        this.tool(icon("copy"), this.words.duplicate, () => this.edit(() => siblings.splice(siblings.indexOf(leaf) + 1, 0, copy(leaf)))),
        this.tool(icon("trash"), this.words.remove, () => this.edit(() => siblings.splice(siblings.indexOf(leaf), 1))),
      ),
      this.note(path),
    );
    return row;
  }

  value(leaf, field, path) {
    const operand = this.operand(leaf);
    const set = (value) => {
      leaf.value = value;
    };
    const key = `${path}|value`;
    switch (operand) {
      case "pair": {
        const pair = Array.isArray(leaf.value) ? leaf.value : ["", ""];
        return el(
          "span",
          { class: "sb-value" },
          this.scalar(field, pair[0], `${key}0`, (value) => set([value, leaf.value[1]])),
          el("span", { class: "sb-between" }, this.words.and),
          this.scalar(field, pair[1], `${key}1`, (value) => set([leaf.value[0], value])),
        );
      }
      case "list":
        return this.chips(leaf.value ?? [], field.choices, field.open || !field.choices, this.words.value, key, set);
      case "months":
      case "month_days": {
        const last = operand === "months" ? 12 : 31;
        const choices = Array.from({ length: last }, (_, i) => ({ value: i + 1, label: String(i + 1) }));
        return this.chips(leaf.value ?? [], choices, false, this.words.value, key, set);
      }
      case "duration":
        return this.duration(leaf.value, field.type === "datetime", key, set);
      case "days":
        return el(
          "span",
          { class: "sb-value" },
          this.number(leaf.value, this.words.value, key, set),
          el("span", { class: "sb-between" }, this.words.day),
        );
      case "value":
      case "pattern":
        return this.scalar(field, leaf.value, key, set);
      default:
        return null;
    }
  }

  scalar(field, value, key, set) {
    if (field.choices && !field.open) {
      return this.choice(field.choices, value, this.words.value, key, (chosen) => this.edit(() => set(chosen)));
    }
    if (field.type === "integer") return this.number(value, this.words.value, key, set);
    if (field.type === "money") {
      const box = this.text(value, this.words.value, key, set, { inputmode: "decimal", class: "form-control sb-money" });
      return el("span", { class: "sb-value" }, el("span", { class: "sb-between" }, "¥"), box);
    }
    if (field.type === "date" || field.type === "datetime") return this.date(value, this.words.value, key, set);
    if (!field.choices) return this.text(value, this.words.value, key, set);
    const list = el("datalist", { id: `list-${key}` }, field.choices.map((entry) => el("option", { value: entry.value })));
    return el("span", { class: "sb-value" }, this.text(value, this.words.value, key, set, { list: list.id }), list);
  }

  text(value, label, key, set, more = {}) {
    return el("input", {
      type: "text",
      class: "form-control",
      maxlength: 200,
      autocomplete: "off",
      "aria-label": label,
      "data-key": key,
      ...more,
      value,
      oninput: (event) => this.type(event.target, () => set(event.target.value)),
    });
  }

  number(value, label, key, set) {
    return el("input", {
      type: "number",
      step: "1",
      class: "form-control sb-number",
      "aria-label": label,
      "data-key": key,
      value,
      oninput: (event) =>
        this.type(event.target, () => set(event.target.value === "" ? "" : Number(event.target.value))),
    });
  }

  date(value, label, key, set) {
    return el("input", {
      type: "date",
      class: "form-control sb-date",
      "aria-label": label,
      "data-key": key,
      value,
      oninput: (event) => this.type(event.target, () => set(event.target.value)),
    });
  }

  duration(value, hours, key, set) {
    const span = typeof value === "number" ? { n: value, unit: "day" } : (value ?? { n: 30, unit: "day" });
    const units = hours ? ["hour", ...UNITS] : UNITS;
    return el(
      "span",
      { class: "sb-value" },
      this.number(span.n, this.words.value, `${key}n`, (n) => {
        span.n = n;
        set(span);
      }),
      this.select(
        units.map((unit) => [unit, this.words[unit]]),
        span.unit,
        this.words.unit,
        `${key}u`,
        (unit) =>
          this.edit(() => {
            span.unit = unit;
            set(span);
          }),
      ),
    );
  }

  window(leaf, path) {
    const key = `${path}|window`;
    const kind = !leaf.window ? "ever" : "last" in leaf.window ? "last" : "dates";
    const parts = [
      this.select(
        [
          ["ever", this.words.ever],
          ["last", this.words.last],
          ["dates", this.words.dates],
        ],
        kind,
        this.words.window,
        key,
        (value) =>
          this.edit(() => {
            if (value === "ever") delete leaf.window;
            else leaf.window = value === "last" ? { last: { n: 30, unit: "day" } } : {};
          }),
      ),
    ];
    if (kind === "last") parts.push(this.duration(leaf.window.last, true, key, (span) => (leaf.window = { last: span })));
    if (kind === "dates") {
      const side = (name) =>
        this.date(leaf.window[name] ?? "", this.words[name], key + name, (day) => {
          if (day) leaf.window[name] = day;
          else delete leaf.window[name];
        });
      parts.push(el("span", { class: "sb-value" }, side("from"), el("span", { class: "sb-between" }, "–"), side("to")));
    }
    return el("span", { class: "sb-window" }, parts);
  }

  narrowing(leaf, offered, path) {
    const chooser = this.select(
      [["", `+ ${this.words.narrow}`], ...offered.map((param) => [param.key, param.label])],
      "",
      this.words.narrow,
      `${path}|narrow`,
      (key) => {
        const param = offered.find((entry) => entry.key === key);
        if (param) this.edit(() => (leaf.with = { ...leaf.with, [key]: param.many ? [] : "" }), `${path}|with-${key}`);
      },
    );
    chooser.classList.add("sb-add");
    return chooser;
  }

  param(leaf, param, path) {
    const key = `${path}|with-${param.key}`;
    const given = leaf.with?.[param.key];
    const set = (value) => {
      leaf.with = { ...leaf.with, [param.key]: value };
      if (!value?.length) delete leaf.with[param.key];
      if (!Object.keys(leaf.with).length) delete leaf.with;
    };
    if (!param.many) return this.text(given ?? "", param.label, key, set, { placeholder: param.label });
    return this.chips(given ?? [], param.choices, !param.choices, param.label, key, set);
  }

  // A list of values: each a button that takes it out again, and one control that adds the next.
  chips(values, choices, open, label, key, set) {
    const labels = new Map((choices ?? []).map((entry) => [entry.value, entry.label]));
    const add = (value) => {
      if (value !== "" && value != null && !values.includes(value)) this.edit(() => set([...values, value]), key);
    };
    const left = (choices ?? []).filter((entry) => !values.includes(entry.value));
    let adder;
    if (open) {
      const list = choices ? el("datalist", { id: `list-${key}` }, left.map((entry) => el("option", { value: entry.value }))) : null;
      const take = (event) => add(event.target.value.trim());
      const box = el("input", {
        type: "text",
        class: "form-control sb-add",
        maxlength: 200,
        autocomplete: "off",
        placeholder: `+ ${label}`,
        "aria-label": label,
        "data-key": key,
        list: list?.id,
        onchange: take,
        onkeydown: (event) => {
          if (event.key === "Enter") {
            event.preventDefault();
            take(event);
          }
        },
      });
      adder = [box, list];
    } else {
      adder = this.choice(left, "", label, key, add, `+ ${label}`);
      adder.classList.add("sb-add");
    }
    return el(
      "span",
      { class: "sb-chips" },
      values.map((value) =>
        el(
          "button",
          {
            type: "button",
            class: "sb-chip",
            title: this.words.remove,
            onclick: () => this.edit(() => set(values.filter((other) => other !== value)), key),
          },
          labels.get(value) ?? String(value),
          icon("x"),
          el("span", { class: "visually-hidden" }, this.words.remove),
        ),
      ),
      adder,
    );
  }

  // A select over typed choices: the option's text is not the value, so that numbers stay numbers.
  choice(choices, value, label, key, on, placeholder = "—") {
    const groups = new Map();
    const plain = [["", placeholder]];
    choices.forEach((entry, index) => {
      const option = [String(index), entry.label];
      if (!entry.group) plain.push(option);
      else groups.set(entry.group, [...(groups.get(entry.group) ?? []), option]);
    });
    const chosen = choices.findIndex((entry) => entry.value === value);
    return this.select(plain, chosen < 0 ? "" : String(chosen), label, key, (index) => on(index === "" ? "" : choices[index].value), [
      ...groups,
    ]);
  }

  select(options, value, label, key, on, groups = []) {
    const option = ([name, text]) => el("option", { value: name, selected: name === value }, text);
    return el(
      "select",
      { class: "form-select", "aria-label": label, "data-key": key, onchange: (event) => on(event.target.value) },
      options.map(option),
      groups.map(([name, inside]) => el("optgroup", { label: name }, inside.map(option))),
    );
  }

  note(path) {
    const message = this.faults.get(path);
    return el("p", { class: this.strict ? "sb-fault" : "sb-hint", "data-note": path, hidden: !message }, message ?? "");
  }

  notes(faults) {
    this.faults = new Map(faults.map((fault) => [fault.path, fault.message]));
    for (const note of this.querySelectorAll("[data-note]")) {
      const message = this.faults.get(note.dataset.note);
      note.textContent = message ?? "";
      note.hidden = !message;
      note.className = this.strict ? "sb-fault" : "sb-hint";
    }
  }

  preview() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), 250);
  }

  // Only the answer to the latest question is shown.
  async load() {
    const panel = document.getElementById(this.dataset.preview);
    if (!panel) return;
    this.request?.abort();
    this.request = new AbortController();
    const mine = ++this.sequence;
    const late = setTimeout(() => panel.setAttribute("aria-busy", "true"), 200);
    try {
      const answer = await fetch(this.dataset.previewUrl, {
        method: "POST",
        signal: this.request.signal,
        headers: { "Content-Type": "application/json", ...JSON.parse(document.body.getAttribute("hx-headers") ?? "{}") },
        body: this.input.value,
      });
      if (!answer.ok) throw new Error(String(answer.status));
      const { html, faults } = await answer.json();
      if (mine !== this.sequence) return;
      if (html) panel.innerHTML = html;
      panel.classList.toggle("sb-stale", !html);
      this.notes(faults);
    } catch (error) {
      if (error.name !== "AbortError" && mine === this.sequence) {
        panel.classList.add("sb-stale");
        const note = panel.querySelector("[data-preview-failed]");
        if (note) note.hidden = false;
      }
    } finally {
      clearTimeout(late);
      if (mine === this.sequence) panel.removeAttribute("aria-busy");
    }
  }
}

customElements.define("condition-builder", ConditionBuilder);
