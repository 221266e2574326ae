// <bulk-picker>: choose rows, the page, or everything that matches (which sends the query, not the ids).
class BulkPicker extends HTMLElement {
  connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.addEventListener("change", (event) => {
      if (event.target.matches("[data-bulk-page]")) for (const box of this.boxes) box.checked = event.target.checked;
      if (event.target.matches("[data-bulk-page], input[name=id]")) this.show(false);
    });
    this.addEventListener("click", (event) => {
      if (event.target.closest("[data-bulk-all]")) {
        for (const box of this.boxes) box.checked = true;
        this.show(true);
      } else if (event.target.closest("[data-bulk-clear]")) {
        for (const box of this.boxes) box.checked = false;
        this.show(false);
      }
    });
    // Rows that "load more" adds belong to "everything that matches", but not to "this page" as it was chosen.
    this.addEventListener("htmx:afterSwap", () => this.show(this.all));
    this.show(false);
  }

  get boxes() {
    return [...this.querySelectorAll("input[name=id]")];
  }

  get all() {
    return this.querySelector("[name=all_matching]")?.value === "1";
  }

  show(all) {
    const boxes = this.boxes;
    if (all) for (const box of boxes) box.checked = true;
    const chosen = boxes.filter((box) => box.checked).length;
    const flag = this.querySelector("[name=all_matching]");
    if (flag) flag.value = all ? "1" : "";
    const everything = this.querySelector("[data-bulk-all]");
    const count = all ? Number(everything?.dataset.total ?? chosen) : chosen;
    const bar = this.querySelector("[data-bulk-bar]");
    if (bar) bar.hidden = count === 0;
    const text = this.querySelector("[data-bulk-count]");
    if (text) text.textContent = count.toLocaleString("en-US");
    if (everything) everything.hidden = all;
    const page = this.querySelector("[data-bulk-page]");
    if (page) {
      page.checked = boxes.length > 0 && chosen === boxes.length;
      page.indeterminate = chosen > 0 && chosen < boxes.length;
    }
  }
}

customElements.define("bulk-picker", BulkPicker);
