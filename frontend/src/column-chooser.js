// <column-chooser name="members">: hides columns by data-col, remembered per list. A constructed sheet passes the CSP.
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);

class ColumnChooser extends HTMLElement {
  connectedCallback() {
    this.key = `columns:${this.getAttribute("name") ?? ""}`;
    this.hiddenColumns = new Set(this.read());
    for (const box of this.querySelectorAll("input")) box.checked = !this.hiddenColumns.has(box.value);
    if (!this.ready)
      this.addEventListener("change", (event) => {
        this.hiddenColumns[event.target.checked ? "delete" : "add"](event.target.value);
        try {
          localStorage.setItem(this.key, JSON.stringify([...this.hiddenColumns]));
        } catch {
          // Without storage the choice lasts for this page.
        }
        this.apply();
      });
    this.ready = true;
    this.apply();
  }

  read() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key) ?? "[]");
      return Array.isArray(kept) ? kept.map(String) : [];
    } catch {
      return [];
    }
  }

  apply() {
    sheet.replaceSync([...this.hiddenColumns].map((name) => `[data-col="${CSS.escape(name)}"]{display:none}`).join(""));
  }
}

customElements.define("column-chooser", ColumnChooser);
