// <tag-groups>: groups fold, each browser remembers which; a jump to a folded group opens it.
const KEY = "folded-tag-groups";

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return new Set(Array.isArray(kept) ? kept.map(String) : []);
  } catch {
    return new Set();
  }
}

class TagGroups extends HTMLElement {
  connectedCallback() {
    this.folded = read();
    for (const group of this.groups) this.show(group, !this.folded.has(group.dataset.group));
    if (this.ready) return;
    this.ready = true;
    this.addEventListener("click", (event) => {
      const one = event.target.closest("[data-fold]");
      const all = event.target.closest("[data-fold-all]");
      const jump = event.target.closest(".tag-index a");
      if (one) this.fold([one.closest("[data-group]")], one.getAttribute("aria-expanded") === "false");
      else if (all) this.fold(this.groups, all.dataset.foldAll === "open");
      else if (jump) this.fold([this.querySelector(jump.hash)], true);
    });
  }

  get groups() {
    return [...this.querySelectorAll("[data-group]")];
  }

  show(group, open) {
    group.querySelector("[data-fold]").setAttribute("aria-expanded", String(open));
    group.querySelector(":scope > .card-body").hidden = !open;
  }

  fold(groups, open) {
    for (const group of groups) {
      this.show(group, open);
      if (open) this.folded.delete(group.dataset.group);
      else this.folded.add(group.dataset.group);
    }
    try {
      localStorage.setItem(KEY, JSON.stringify([...this.folded]));
    } catch {
      // Without storage they are open again next time.
    }
  }
}

customElements.define("tag-groups", TagGroups);
