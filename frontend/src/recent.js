// The last things that were opened, per browser. A page names itself by <body data-recent-label>; else its heading counts
// when its address ends in a number.
const KEY = "recent";
const KEPT = 5;
const block = document.querySelector("[data-recent]");

function read() {
  try {
    const items = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(items) ? items.filter((item) => typeof item?.label === "string" && /^\/(?!\/)/.test(item?.url)) : [];
  } catch {
    return [];
  }
}

if (block) {
  const items = read();
  const list = block.querySelector("ul");
  for (const item of items) {
    const link = document.createElement("a");
    link.href = item.url;
    link.textContent = item.label;
    const row = document.createElement("li");
    row.append(link);
    list.append(row);
  }
  block.hidden = !items.length;
  const heading = document.querySelector("main h1")?.textContent.trim();
  if (heading && /\/\d+\/$/.test(location.pathname)) {
    const next = [{ label: heading.slice(0, 40), url: location.pathname }, ...items.filter((item) => item.url !== location.pathname)];
    try {
      localStorage.setItem(KEY, JSON.stringify(next.slice(0, KEPT)));
    } catch {
      // Without storage there are no recent items.
    }
  }
}

// What was opened says something about members: it goes when the user logs out.
document.addEventListener("submit", (event) => {
  if (!event.target.getAttribute("action")?.includes("/logout/")) return;
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
});
