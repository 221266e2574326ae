// One box at a time, beside the control it belongs to; on a phone a sheet at the bottom of the window.
import { el } from "./dom.js";

const NARROW = "(max-width: 700px)";
const GAP = 4;
let open = null;

// `anchor()` finds the control, which may have been drawn again meanwhile.
export function openPopup(anchor, content, { label, role = "dialog", width = 320, onclose } = {}) {
  closePopup();
  const box = el("div", { class: "sb-popup", role, "aria-label": label, tabindex: "-1" }, content);
  const host = anchor()?.closest("condition-builder") ?? document.body;
  host.append(box);
  open = { box, anchor, width, onclose };
  expanded(anchor(), true);
  place();
  addEventListener("resize", place);
  addEventListener("scroll", place, true);
  document.addEventListener("pointerdown", outside, true);
  box.addEventListener("keydown", escape);
  box.addEventListener("focusout", left);
  // A search is no change of the form around it.
  box.addEventListener("input", (event) => event.stopPropagation());
  return box;
}

export function closePopup({ focus = false } = {}) {
  if (!open) return;
  const { box, anchor, onclose } = open;
  open = null;
  removeEventListener("resize", place);
  removeEventListener("scroll", place, true);
  document.removeEventListener("pointerdown", outside, true);
  box.removeEventListener("focusout", left);
  box.remove();
  const control = anchor();
  expanded(control, false);
  onclose?.();
  if (focus) anchor()?.focus();
}

const expanded = (control, is) => control?.hasAttribute("aria-haspopup") && control.setAttribute("aria-expanded", String(is));

export const isOpenAt = (control) => open?.anchor() === control;

function place(event) {
  if (!open || (event?.target instanceof Node && open.box.contains(event.target))) return;
  const { box, anchor, width } = open;
  if (matchMedia(NARROW).matches) {
    box.classList.add("sb-sheet");
    box.style.cssText = "";
    return;
  }
  box.classList.remove("sb-sheet");
  const at = anchor()?.getBoundingClientRect();
  if (!at) return;
  const wide = Math.min(Math.max(width, at.width), innerWidth - 16);
  const below = innerHeight - at.bottom - GAP - 8;
  const above = at.top - GAP - 8;
  const up = below < 260 && above > below;
  box.style.width = `${wide}px`;
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - wide - 8))}px`;
  box.style.maxHeight = `${Math.max(160, Math.min(420, up ? above : below))}px`;
  box.style.top = up ? "auto" : `${at.bottom + GAP}px`;
  box.style.bottom = up ? `${innerHeight - at.top + GAP}px` : "auto";
}

function outside(event) {
  if (!open.box.contains(event.target) && !open.anchor()?.contains(event.target)) closePopup();
}

function escape(event) {
  if (event.key !== "Escape") return;
  event.preventDefault();
  event.stopPropagation();
  closePopup({ focus: true });
}

// Tab leads out of the box: it closes. (What is drawn again inside loses the focus to nothing, which does not count.)
function left(event) {
  if (event.relatedTarget && open && !open.box.contains(event.relatedTarget)) closePopup();
}
