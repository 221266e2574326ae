// Short messages at the edge. htmx's failures are told here: a silent one looks like a click that missed.
const region = document.getElementById("toasts");

export function toast(text, tone = "info") {
  if (!region || !text) return;
  const item = document.createElement("div");
  item.className = `toast-line toast-${tone}`;
  item.textContent = text;
  region.append(item);
  setTimeout(() => item.remove(), 6000);
}

document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 401) location.reload();
  else if (status !== 422) toast(status === 403 ? region?.dataset.denied : region?.dataset.failed, "error");
});
document.addEventListener("htmx:sendError", () => toast(region?.dataset.offline, "error"));
// A form with errors answers 422: show it like any other answer.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 422) event.detail.shouldSwap = true;
});
// Views may answer with `HX-Trigger: {"toast": {"text": "…", "tone": "success"}}`.
document.addEventListener("toast", (event) => toast(event.detail?.text, event.detail?.tone));
