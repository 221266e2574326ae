// The tree as JSON, to read, to copy and to change by hand.
import { button, el, fill, icon } from "./dom.js";
import { misshapen } from "./tree.js";

export class JsonView {
  constructor(builder) {
    this.builder = builder;
    const { words } = builder;
    this.note = el("p", { class: "sb-note sb-fault", role: "alert", id: `json-note-${builder.tree.id}`, hidden: true });
    this.area = el("textarea", {
      class: "form-control sb-json",
      rows: "18",
      spellcheck: "false",
      autocomplete: "off",
      "aria-label": words.json,
      "aria-describedby": this.note.id,
      oninput: (event) => {
        // Nothing is changed until it is used.
        event.stopPropagation();
        this.check();
      },
      onkeydown: (event) => {
        event.stopPropagation();
        if (event.key === "Escape") this.close();
      },
    });
    this.apply = button(words.jsonApply, icon("check"), () => this.take(), { class: "btn btn-sm btn-primary" });
    this.panel = el("div", { class: "sb-json-panel", hidden: true }, this.area, this.note, el("div", { class: "sb-json-foot" }, this.apply, button(words.cancel, null, () => this.close())));
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  open() {
    this.area.value = JSON.stringify(JSON.parse(this.builder.json), null, 2);
    this.panel.hidden = false;
    this.builder.showJson(true);
    this.check();
    this.area.focus();
    this.area.setSelectionRange(0, 0);
  }

  close() {
    this.panel.hidden = true;
    this.builder.showJson(false);
  }

  check() {
    let problem = "";
    try {
      const at = misshapen(JSON.parse(this.area.value));
      if (at !== null) problem = fill(this.builder.words.jsonShape, { path: at || "/" });
    } catch (error) {
      problem = fill(this.builder.words.jsonSyntax, { line: this.line(error) });
    }
    this.note.textContent = problem;
    this.note.hidden = !problem;
    this.apply.disabled = Boolean(problem);
    this.area.setAttribute("aria-invalid", String(Boolean(problem)));
  }

  // Engines name the place differently; the last line when one does not.
  line(error) {
    const said = /line (\d+)/.exec(error.message)?.[1];
    if (said) return said;
    const position = /position (\d+)/.exec(error.message)?.[1] ?? this.area.value.length;
    return this.area.value.slice(0, Number(position)).split("\n").length;
  }

  take() {
    const text = this.area.value;
    this.close();
    this.builder.take(text);
    this.builder.focusFirst();
  }
}
