// <rule-form>: shows the fields of the chosen form. <decay-curve>: how the weight of an interest fades.
class RuleForm extends HTMLElement {
  connectedCallback() {
    this.addEventListener("change", (event) => {
      if (event.target.matches("[name=form], [name=tag]")) this.show();
    });
    this.show();
  }

  show() {
    const form = this.querySelector("[name=form]:checked")?.value ?? "condition";
    for (const part of this.querySelectorAll("[data-form]")) part.hidden = !part.dataset.form.split(" ").includes(form);
    const tag = this.querySelector("select[name=tag]");
    const fresh = this.querySelector("[data-new-tag]");
    if (tag && fresh) fresh.hidden = tag.value !== "";
  }
}

const WIDTH = 400;
const HEIGHT = 120;

class DecayCurve extends HTMLElement {
  connectedCallback() {
    this.inputs = ["halfLife", "threshold"].map((name) => document.getElementById(this.dataset[name]));
    for (const input of this.inputs) input?.addEventListener("input", () => this.draw());
    this.draw();
  }

  draw() {
    const [halfLife, threshold] = this.inputs.map((input) => Number.parseFloat(input?.value));
    if (!(halfLife > 0) || !(threshold > 0)) {
      this.replaceChildren();
      return;
    }
    // As many events on one day as the tag takes, and twice as many: that shows how long it then lasts.
    const needed = Math.max(1, Math.ceil(threshold - 1e-9));
    const events = needed * 2;
    const days = halfLife * 4;
    const x = (day) => (day / days) * WIDTH;
    const y = (weight) => HEIGHT - (weight / (events * 1.08)) * HEIGHT;
    const points = Array.from({ length: 81 }, (_, step) => (step / 80) * days).map((day) => `${x(day).toFixed(1)},${y(events * 2 ** (-day / halfLife)).toFixed(1)}`);
    const lasts = Math.round(halfLife * Math.log2(events / threshold) * 10) / 10;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "decay");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", this.dataset.label);
    const path = (shape, name) => {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
      line.setAttribute("d", shape);
      if (name) line.setAttribute("class", name);
      svg.append(line);
    };
    path(`M0,${HEIGHT} L${points.join(" L")} L${WIDTH},${HEIGHT} Z`, "decay-area");
    path(`M${points.join(" L")}`);
    path(`M0,${y(threshold).toFixed(1)} H${WIDTH}`, "decay-line");
    const said = (words, values) => Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), words);
    const note = document.createElement("p");
    note.className = "decay-note";
    note.textContent = `${said(this.dataset.needed, { n: needed })} ${said(this.dataset.words, { n: events, days: lasts })}`;
    this.replaceChildren(svg, note);
  }
}

customElements.define("rule-form", RuleForm);
customElements.define("decay-curve", DecayCurve);
