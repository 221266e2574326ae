// <details class="menu"> closes on a click outside and on Escape; the sidebar becomes a drawer on phones.
const openMenus = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
  if (event.target.closest?.("[data-drawer-open]")) drawer(true);
  else if (event.target.closest?.("[data-drawer-close]")) drawer(false);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  if (document.documentElement.classList.contains("drawer-is-open")) drawer(false);
});

const narrow = matchMedia("(max-width: 991px)");

function drawer(open) {
  const sidebar = document.getElementById("sidebar");
  const opener = document.querySelector("[data-drawer-open]");
  if (!sidebar || !opener) return;
  document.documentElement.classList.toggle("drawer-is-open", open);
  document.querySelector(".drawer-shade").hidden = !open;
  opener.setAttribute("aria-expanded", String(open));
  document.querySelector(".shell-page").inert = open;
  if (open) sidebar.querySelector("[data-drawer-close]").focus();
  else opener.focus();
}

narrow.addEventListener("change", () => {
  if (document.documentElement.classList.contains("drawer-is-open")) drawer(false);
});
