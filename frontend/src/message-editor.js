// Writing a message: buttons that insert a field at the cursor, and a picker that fills in a template.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-insert]");
  if (!button) return;
  const area = document.getElementById(button.dataset.insertInto);
  area.setRangeText(button.dataset.insert, area.selectionStart, area.selectionEnd, "end");
  area.focus();
  area.dispatchEvent(new Event("input", { bubbles: true }));
});

document.addEventListener("change", (event) => {
  if (!event.target.matches?.("[data-template-picker]")) return;
  const source = document.querySelector(`template[data-template="${CSS.escape(event.target.value)}"]`);
  if (!source) return;
  const form = event.target.form;
  form.elements.subject.value = source.dataset.subject;
  form.elements.body.value = source.content.textContent;
  form.elements.body.dispatchEvent(new Event("input", { bubbles: true }));
});
