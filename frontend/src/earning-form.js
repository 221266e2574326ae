// <row-list>: rows that are added from a template and removed. <earning-form>: shows what belongs to what is chosen.
class RowList extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", (event) => {
      if (event.target.closest("[data-add]")) this.add();
      const remove = event.target.closest("[data-remove]");
      if (remove) this.remove_(remove.closest("[data-row]"));
    });
    this.addEventListener("change", (event) => {
      if (event.target.matches("[data-kind]")) this.show(event.target.closest("[data-row]"));
    });
    for (const row of this.querySelectorAll("[data-row]")) this.show(row);
  }

  add() {
    const row = this.querySelector("template").content.firstElementChild.cloneNode(true);
    this.querySelector("[data-rows]").append(row);
    this.show(row);
    row.querySelector("select, input").focus();
    this.tell();
  }

  remove_(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector("select, input") ?? this.querySelector("[data-add]")).focus();
    this.tell();
  }

  show(row) {
    const kind = row.querySelector("[data-kind]")?.value;
    if (kind) for (const part of row.querySelectorAll("[data-of]")) part.hidden = part.dataset.of !== kind;
  }

  tell() {
    this.dispatchEvent(new CustomEvent("rows-changed", { bubbles: true }));
  }
}

class EarningForm extends HTMLElement {
  connectedCallback() {
    this.addEventListener("change", () => this.show());
    this.show();
  }

  chosen(name) {
    return this.querySelector(`[name=${name}]:checked`)?.value;
  }

  show() {
    const by = { triggerIs: this.chosen("trigger") ?? this.dataset.trigger, baseIs: this.chosen("base_kind"), stackingIs: this.chosen("stacking") };
    for (const [key, value] of Object.entries(by)) {
      const attribute = `data-${key.replace("Is", "-is")}`;
      for (const part of this.querySelectorAll(`[${attribute}]`)) part.hidden = part.dataset[key] !== value;
    }
  }
}

customElements.define("row-list", RowList);
customElements.define("earning-form", EarningForm);
