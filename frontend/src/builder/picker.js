// Choosing among many: a search field over a grouped list (ARIA combobox with a listbox), for one value or several.
import { el, fill, format, icon, memory } from "./dom.js";
import { closePopup, openPopup } from "./popup.js";

const SHOWN = 200;
const RECENT = 5;
const SEPARATORS = /[\n\r\t,;，；、]+/;
let sequence = 0;

const fold = (text) => text.toLocaleLowerCase().normalize("NFKC");

// Every word of the query, anywhere in label, group or value; those whose label begins with it come first.
function matching(choices, query) {
  const words = fold(query).split(/\s+/).filter(Boolean);
  if (!words.length) return choices;
  const found = choices.filter((entry) => {
    const text = fold(`${entry.label} ${entry.group ?? ""} ${entry.value}`);
    return words.every((word) => text.includes(word));
  });
  const first = (entry) => (fold(entry.label).startsWith(words[0]) ? 0 : 1);
  return found.sort((one, other) => first(one) - first(other));
}

export function openPicker({ anchor, label, words, choices = [], ...options }) {
  new Picker(anchor, label, words, choices, options);
}

class Picker {
  // options: chosen (Set), many, open (other values are taken), recent (key of what to remember), search (async, over
  // the server), on(value) for one or on(Set) for many, after() when it has closed.
  constructor(anchor, label, words, choices, options) {
    Object.assign(this, { anchor, label, words, choices, options, chosen: new Set(options.chosen ?? []) });
    this.id = `picker-${++sequence}`;
    this.input = el("input", {
      type: "text",
      class: "form-control",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      maxlength: 200,
      placeholder: words.search,
      "aria-label": fill(words.searchIn, { label }),
      "aria-expanded": "true",
      "aria-controls": this.id,
      "aria-autocomplete": "list",
      oninput: () => this.refresh(),
      onkeydown: (event) => this.key(event),
      onpaste: (event) => this.paste(event),
    });
    this.list = el("div", {
      id: this.id,
      class: "sb-options",
      role: "listbox",
      tabindex: "-1",
      "aria-label": label,
      "aria-multiselectable": options.many ? "true" : null,
      // The search field keeps the focus.
      onpointerdown: (event) => event.preventDefault(),
      onclick: (event) => this.take(event.target.closest("[role=option]")),
    });
    this.note = el("p", { class: "sb-popup-note", role: "status" });
    const foot = options.many ? this.foot() : null;
    const box = openPopup(anchor, [el("div", { class: "sb-popup-search" }, icon("search"), this.input), this.list, this.note, foot], {
      label,
      onclose: () => {
        clearTimeout(this.timer);
        options.after?.();
      },
    });
    this.refresh();
    // A finger points at once; the keyboard on the screen would cover the list.
    (matchMedia("(pointer: coarse)").matches ? box : this.input).focus();
  }

  foot() {
    const pasteList = el("textarea", { class: "form-control", rows: "4", "aria-label": this.words.pasteList, placeholder: this.words.pasteHint, hidden: true });
    const act = (button) => {
      if (pasteList.hidden) {
        pasteList.hidden = false;
        button.textContent = this.words.pasteAdd;
        pasteList.focus();
      } else this.addMany(pasteList.value);
    };
    return el(
      "div",
      { class: "sb-popup-foot" },
      pasteList,
      el("button", { type: "button", class: "btn btn-sm", onclick: (event) => act(event.target) }, this.words.pasteList),
      el("button", { type: "button", class: "btn btn-sm btn-primary", onclick: () => closePopup({ focus: true }) }, this.words.done),
    );
  }

  async refresh() {
    const query = this.input.value.trim();
    if (this.options.search) {
      clearTimeout(this.timer);
      const mine = (this.asked = (this.asked ?? 0) + 1);
      this.timer = setTimeout(async () => {
        const found = await this.options.search(query).catch(() => null);
        if (mine !== this.asked) return;
        this.draw(found ?? [], found ? "" : this.words.failed);
      }, 200);
      return;
    }
    this.draw(matching(this.choices, query), "", query);
  }

  draw(found, problem, query = "") {
    const groups = new Map();
    const put = (group, entry) => groups.set(group, [...(groups.get(group) ?? []), entry]);
    if (!query) for (const entry of this.remembered()) put(this.words.recent, entry);
    for (const entry of found.slice(0, SHOWN)) put(entry.group ?? "", entry);
    let index = 0;
    const option = (entry) =>
      el(
        "div",
        {
          class: "sb-option",
          role: "option",
          id: `${this.id}-${index++}`,
          "data-value": JSON.stringify(entry.value),
          "aria-selected": String(this.chosen.has(entry.value)),
        },
        el("span", {}, entry.label),
        entry.hint ? el("small", {}, entry.hint) : null,
        icon("check"),
      );
    this.list.replaceChildren(
      ...[...groups].map(([name, inside], at) =>
        name
          ? el("div", { role: "group", "aria-labelledby": `${this.id}-g${at}` }, el("div", { class: "sb-option-group", id: `${this.id}-g${at}` }, name), inside.map(option))
          : el("div", { role: "group", "aria-label": this.label }, inside.map(option)),
      ),
    );
    const typed = this.input.value.trim();
    if (this.options.open && typed && !this.choices.some((entry) => String(entry.value) === typed)) {
      this.list.append(option({ value: typed, label: fill(this.words.addValue, { value: typed }) }));
    }
    const hidden = found.length - SHOWN;
    this.say(problem || (hidden > 0 ? fill(this.words.narrowDown, { count: format(hidden) }) : index || this.options.open ? "" : this.words.nothing));
    const options = this.all();
    this.activate(options.find((item) => !query && item.getAttribute("aria-selected") === "true") ?? options[0]);
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  remembered() {
    if (!this.options.recent || this.choices.length <= 2 * RECENT) return [];
    const kept = memory.get(this.options.recent, []);
    const byValue = new Map(this.choices.map((entry) => [entry.value, entry]));
    return kept.filter((value) => byValue.has(value)).map((value) => ({ ...byValue.get(value), hint: byValue.get(value).group }));
  }

  remember(value) {
    if (!this.options.recent) return;
    const kept = memory.get(this.options.recent, []).filter((other) => other !== value);
    memory.set(this.options.recent, [value, ...kept].slice(0, RECENT));
  }

  all() {
    return [...this.list.querySelectorAll("[role=option]")];
  }

  activate(option) {
    this.list.querySelector(".is-active")?.classList.remove("is-active");
    this.active = option ?? null;
    if (!option) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    option.classList.add("is-active");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  key(event) {
    const options = this.all();
    const now = options.indexOf(this.active);
    const go = (index) => {
      event.preventDefault();
      this.activate(options[(index + options.length) % options.length]);
    };
    if (event.isComposing) return;
    if (event.key === "ArrowDown") go(now + 1);
    else if (event.key === "ArrowUp") go(now - 1);
    else if (event.key === "PageDown") go(Math.min(now + 8, options.length - 1));
    else if (event.key === "PageUp") go(Math.max(now - 8, 0));
    else if (event.key === "Enter") {
      event.preventDefault();
      this.take(this.active);
    } else if (event.key === "Tab" && !this.options.many) {
      event.preventDefault();
      closePopup({ focus: true });
    } else if (event.key === "Backspace" && this.options.many && !this.input.value && this.chosen.size) {
      this.toggle([...this.chosen].at(-1));
    }
  }

  take(option) {
    if (!option) return;
    const value = JSON.parse(option.dataset.value);
    this.remember(value);
    if (!this.options.many) {
      closePopup({ focus: true });
      this.options.on(value, option.querySelector("span").textContent);
      return;
    }
    this.toggle(value);
    if (this.input.value) {
      this.input.value = "";
      this.refresh();
      return;
    }
    for (const same of this.all()) same.setAttribute("aria-selected", String(this.chosen.has(JSON.parse(same.dataset.value))));
  }

  toggle(value) {
    if (!this.chosen.delete(value)) this.chosen.add(value);
    this.options.on(new Set(this.chosen));
    if (this.active) for (const same of this.all()) same.setAttribute("aria-selected", String(this.chosen.has(JSON.parse(same.dataset.value))));
  }

  // A list pasted into the search field is a list of values; a single word is a search.
  paste(event) {
    const text = event.clipboardData?.getData("text") ?? "";
    if (!this.options.many || text.split(SEPARATORS).filter((part) => part.trim()).length < 2) return;
    event.preventDefault();
    this.addMany(text);
  }

  addMany(text) {
    const known = new Map();
    for (const entry of this.choices) for (const name of [entry.label, String(entry.value)]) known.set(fold(name.trim()), entry.value);
    const parts = [...new Set(text.split(SEPARATORS).map((part) => part.trim()).filter(Boolean))];
    const missing = [];
    for (const part of parts) {
      const value = known.get(fold(part)) ?? (this.options.open ? part.slice(0, 200) : undefined);
      if (value === undefined) missing.push(part);
      else this.chosen.add(value);
    }
    this.options.on(new Set(this.chosen));
    this.input.value = "";
    this.refresh();
    const said = fill(this.words.pasted, { count: format(parts.length - missing.length) });
    this.say(missing.length ? `${said} ${fill(this.words.notFound, { count: format(missing.length), values: missing.slice(0, 5).join(", ") })}` : said);
  }
}
