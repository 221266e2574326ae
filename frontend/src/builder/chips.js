// A list of values: each a button that takes it out again, and a picker that adds more.
import { el, fill, format, icon } from "./dom.js";
import { pickerButton } from "./values.js";

const SHOWN = 8;

// options: choices, open (other values are taken), label, recent, on(values).
export function chips(row, name, values, options) {
  const { words, fields } = row;
  const box = el("span", { class: "sb-chips" });
  const numeric = options.choices?.length && options.choices.every((entry) => typeof entry.value === "number");
  let all = false;

  const put = (next) => {
    values = numeric && !options.choices[0].group && options.choices.length <= 31 ? next.sort((a, b) => a - b) : next;
    options.on(values);
    draw();
  };
  const without = (value, index) => {
    put(values.filter((other) => other !== value));
    const buttons = box.querySelectorAll(".sb-chip[data-value]");
    (buttons[Math.min(index, buttons.length - 1)] ?? adder).focus();
  };
  const adder = pickerButton(
    row,
    name,
    options.label,
    [icon("plus"), el("span", {}, words.choose)],
    () => ({
      choices: options.choices ?? [],
      open: options.open,
      recent: options.recent,
      many: true,
      chosen: new Set(values),
      on: (chosen) => put([...chosen]),
    }),
    { class: "btn btn-sm sb-add" },
  );

  function draw() {
    const shown = all ? values : values.slice(0, SHOWN);
    box.replaceChildren(
      ...shown.map((value, index) => {
        const label = fields.label(options.choices, value);
        return el(
          "button",
          {
            type: "button",
            class: "sb-chip",
            "data-value": String(value),
            title: words.remove,
            "aria-label": fill(words.removeNamed, { name: label }),
            onclick: () => without(value, index),
            tabindex: adder.tabIndex,
          },
          el("span", {}, label),
          icon("x"),
        );
      }),
    );
    if (values.length > shown.length) {
      const rest = fill(words.more, { count: format(values.length - shown.length) });
      const more = () => {
        all = true;
        draw();
      };
      box.append(el("button", { type: "button", class: "sb-chip sb-chip-more", tabindex: adder.tabIndex, onclick: more }, rest));
    }
    box.append(adder);
  }

  draw();
  return box;
}
