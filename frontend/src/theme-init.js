// Runs before the first paint, so that a dark console never flashes white.
let stored = null;
try {
  stored = localStorage.getItem("theme");
} catch {
  // Storage may be forbidden: the system's preference decides.
}
const theme = stored ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
document.documentElement.setAttribute("data-bs-theme", theme);
