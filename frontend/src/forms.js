// Error summaries take the focus; <form data-guard> warns before unsaved changes are lost; data-submit-once stops doubles.
document.querySelector("[data-autofocus]")?.focus();
document.addEventListener("htmx:afterSwap", (event) => event.target.querySelector?.("[data-autofocus]")?.focus());

let changed = false;
document.addEventListener("input", (event) => {
  if (event.target.closest?.("form[data-guard]")) changed = true;
});
document.addEventListener("submit", (event) => {
  changed = false;
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
addEventListener("beforeunload", (event) => {
  if (changed) event.preventDefault();
});

// <select data-autosubmit> or any control: its form is sent when it changes.
document.addEventListener("change", (event) => {
  if (event.target.matches?.("[data-autosubmit]")) event.target.form?.requestSubmit();
});

// <button data-copy="id">: copies the text of an element.
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  await navigator.clipboard?.writeText(document.getElementById(button.dataset.copy)?.textContent.trim() ?? "");
  button.dataset.copied = "1";
});
