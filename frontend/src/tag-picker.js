// <tag-picker>: a search over many checkboxes; what is checked always stays in sight.
class TagPicker extends HTMLElement {
  connectedCallback() {
    const field = this.querySelector("[data-picker-search]");
    const input = field?.querySelector("input");
    // A handful needs no search.
    if (!input || this.querySelectorAll("input[type=checkbox]").length < 24) return;
    field.hidden = false;
    input.addEventListener("input", () => this.narrow(input.value.trim().toLowerCase()));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }

  narrow(text) {
    for (const set of this.querySelectorAll("fieldset")) {
      const whole = set.querySelector("legend").textContent.toLowerCase().includes(text);
      let left = 0;
      for (const choice of set.querySelectorAll("label")) {
        const shown = whole || choice.textContent.toLowerCase().includes(text) || choice.querySelector("input").checked;
        choice.hidden = !shown;
        left += shown;
      }
      set.hidden = !left;
    }
  }
}

customElements.define("tag-picker", TagPicker);
