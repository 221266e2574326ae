// Around the grid: the tools, the segments to exclude, the list of keys.
import { chips } from "./chips.js";
import { button, el, icon, tool } from "./dom.js";

export function bar(builder) {
  const { words } = builder;
  const undo = tool(icon("arrow-back-up"), words.undo, () => builder.undo(), { "aria-keyshortcuts": "Control+Z", "data-tool": "undo" });
  const redo = tool(icon("arrow-forward-up"), words.redo, () => builder.redo(), { "aria-keyshortcuts": "Control+Shift+Z", "data-tool": "redo" });
  const toggle = () => (builder.jsonView.isOpen ? builder.jsonView.close() : builder.jsonView.open());
  const json = tool(icon("braces"), words.json, toggle, { "aria-pressed": "false", "data-tool": "json" });
  const why = builder.explain
    ? button(words.explainShort, icon("user-question"), (event) => builder.explain.choose(event.currentTarget), {
        "data-tool": "explain",
        "aria-haspopup": "listbox",
        "aria-expanded": "false",
      })
    : null;
  const element = el(
    "div",
    { class: "sb-toolbar", role: "toolbar", "aria-label": words.tools },
    undo,
    redo,
    el("span", { class: "sb-space" }),
    why,
    json,
    tool(icon("keyboard"), words.shortcuts, () => builder.help(), { "data-tool": "keys" }),
  );
  element.update = () => {
    undo.disabled = !builder.history.past.length;
    redo.disabled = !builder.history.future.length;
    json.setAttribute("aria-pressed", String(builder.jsonView.isOpen));
  };
  return element;
}

export function exclusions(builder, section) {
  const { words, fields } = builder;
  const row = { builder, words, fields, key: (name) => `exclude|${name}` };
  const held = section.querySelector(":focus")?.dataset.key;
  section.replaceChildren(
    el("h3", {}, icon("user-minus"), words.exclude),
    el("p", { class: "muted small" }, words.excludeHint),
    chips(row, "value", builder.state.excluded, {
      choices: fields.get("segment").choices ?? [],
      label: words.exclude,
      on: (excluded) => {
        builder.history.record(builder.state);
        builder.put({ ...builder.state, excluded });
      },
    }),
  );
  if (held) builder.focusControl(held);
}

const KEYS = [
  ["keyRows", ["↑"], ["↓"]],
  ["keySelect", ["Shift", "↑"], ["Shift", "↓"]],
  ["keyEnter", ["Enter"], ["Esc"]],
  ["keyFold", ["←"], ["→"]],
  ["keyInsert", ["Insert"], ["+"]],
  ["keyMove", ["Alt", "↑"], ["Alt", "↓"]],
  ["keyLevel", ["Alt", "→"], ["Alt", "←"]],
  ["keyMenu", ["Space"]],
  ["remove", ["Delete"]],
  ["duplicate", ["Ctrl", "D"]],
  ["wrap", ["Ctrl", "G"]],
  ["unwrap", ["Ctrl", "Shift", "G"]],
  ["keyClipboard", ["Ctrl", "C"], ["Ctrl", "X"], ["Ctrl", "V"]],
  ["undo", ["Ctrl", "Z"]],
  ["redo", ["Ctrl", "Shift", "Z"]],
  ["shortcuts", ["?"]],
];

export function shortcuts(words) {
  const dialog = el("dialog", { class: "dialog sb-keys", "aria-label": words.shortcuts });
  const close = tool(icon("x"), words.close, () => dialog.close());
  const combination = (keys) => el("span", {}, keys.map((key) => el("kbd", {}, key)));
  dialog.append(
    el("div", { class: "dialog-head" }, el("h2", {}, words.shortcuts), close),
    el(
      "dl",
      { class: "keys" },
      KEYS.map(([name, ...combinations]) => el("div", {}, el("dt", {}, combinations.map(combination)), el("dd", {}, words[name]))),
    ),
  );
  return dialog;
}
