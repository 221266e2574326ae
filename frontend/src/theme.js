// The light/dark switch; charts listen to "themechange".
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-theme-toggle]")) return;
  const html = document.documentElement;
  const next = html.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
  html.setAttribute("data-bs-theme", next);
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Without storage the choice lasts for this page.
  }
  document.dispatchEvent(new CustomEvent("themechange"));
});
