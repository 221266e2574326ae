// Dialogs: opened by data-open-dialog="id"; a destructive one may ask for a word to be typed.
document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-open-dialog]");
  if (opener) document.getElementById(opener.dataset.openDialog)?.showModal();
  if (event.target.closest?.("[data-close-dialog]")) event.target.closest("dialog").close();
  // A click on the backdrop is a click on the dialog element itself.
  if (event.target instanceof HTMLDialogElement) event.target.close();
});

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-confirm-word]");
  if (!form || event.target.name !== "confirm") return;
  form.querySelector("[type=submit]").disabled = event.target.value.trim() !== form.dataset.confirmWord;
});

// A form in a dialog that came back with errors opens by itself.
document.querySelector("dialog[data-open-now]")?.showModal();
