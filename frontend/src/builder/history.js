// Undo and redo over whole states. Typing into one control is one step, however many keys it took.
const STEPS = 100;

export class History {
  past = [];
  future = [];
  typing = null;

  // Before a change. `control`: the one that is typed into; its next keys belong to the same step.
  record(state, control = null) {
    if (control && this.typing === control) return;
    this.typing = control;
    this.past.push(state);
    if (this.past.length > STEPS) this.past.shift();
    this.future = [];
  }

  undo(state) {
    return this.#travel(this.past, this.future, state);
  }

  redo(state) {
    return this.#travel(this.future, this.past, state);
  }

  #travel(from, to, state) {
    if (!from.length) return null;
    this.typing = null;
    to.push(state);
    return from.pop();
  }
}
