// Why is this member in it, or not: every row true or false, with what was found.
import { ask, button, el, fill, icon, tool } from "./dom.js";
import { openPicker } from "./picker.js";
import { walk } from "./tree.js";

export class Explain {
  constructor(builder) {
    this.builder = builder;
    this.bar = el("div", { class: "sb-explain", role: "region", "aria-label": builder.words.explain, hidden: true });
  }

  choose(anchor) {
    const { builder } = this;
    openPicker({
      anchor: () => anchor,
      label: builder.words.explain,
      words: { ...builder.words, search: builder.words.searchMember },
      search: async (query) => (await ask(builder.dataset.membersUrl, { query })).members,
      on: (id) => {
        this.member = id;
        this.refresh();
      },
    });
  }

  close() {
    this.member = null;
    this.bar.hidden = true;
    this.mark({});
  }

  async refresh() {
    if (this.member == null) return;
    const { builder } = this;
    const { member } = this;
    const mine = (this.asked = (this.asked ?? 0) + 1);
    let answer;
    try {
      answer = await ask(builder.dataset.explainUrl, { condition: JSON.parse(builder.json), member });
    } catch {
      answer = { failed: true };
    }
    if (mine !== this.asked || this.member !== member) return;
    this.show(answer);
  }

  show({ name, url, holds, nodes, reason, failed }) {
    const { words } = this.builder;
    const known = typeof holds === "boolean";
    const verdict = failed ? words.failed : known ? fill(words[holds ? "isIn" : "isOut"], { name }) : (reason ?? words.notYet);
    this.bar.className = `sb-explain ${known ? (holds ? "sb-yes" : "sb-no") : ""}`;
    this.bar.replaceChildren(
      known ? (holds ? icon("circle-check") : icon("circle-x")) : icon("info-circle"),
      el("strong", {}, url ? el("a", { href: url, target: "_blank", rel: "noopener" }, verdict) : verdict),
      button(words.otherMember, icon("search"), (event) => this.choose(event.currentTarget)),
      tool(icon("x"), words.close, () => this.close()),
    );
    if (this.bar.hidden || this.said !== verdict) this.builder.say(verdict);
    this.said = verdict;
    this.bar.hidden = false;
    this.mark(nodes ?? {});
  }

  mark(nodes) {
    const { builder } = this;
    const { words } = builder;
    this.nodes = nodes;
    for (const old of builder.querySelectorAll(".sb-answer")) old.remove();
    for (const { node, path } of walk(builder.tree)) {
      const answer = nodes[builder.base + path];
      const row = answer && builder.keyboard.row(String(node.id))?.querySelector(".sb-main");
      if (!row) continue;
      const found = node.leaf ? fill(words.found, { value: answer.found || words.nothingFound }) : "";
      row.append(
        el(
          "p",
          { class: `sb-answer ${answer.holds ? "sb-yes" : "sb-no"}` },
          answer.holds ? icon("check") : icon("x"),
          el("span", {}, [answer.holds ? words.isTrue : words.isFalse, found].filter(Boolean).join(" · ")),
        ),
      );
    }
  }
}
