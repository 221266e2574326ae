// Elements without a framework, and the words and numbers of the page's language.

export const language = document.documentElement.lang || "en";
const numbers = new Intl.NumberFormat(language);
export const format = (number) => numbers.format(number);

// "{name} moved" with {name: "City"}.
export const fill = (text, values = {}) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value ?? "";
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(2).filter((child) => child != null && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const sprite = document.querySelector("svg use")?.getAttribute("href")?.split("#")[0] ?? "";
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

// A button that shows only a picture.
export function tool(picture, label, act, more = {}) {
  return el("button", { type: "button", class: "btn-bare sb-tool", "aria-label": label, title: label, onclick: act, ...more }, picture);
}

export function button(label, picture, act, more = {}) {
  return el("button", { type: "button", class: "btn btn-sm", onclick: act, ...more }, picture, label);
}

// A <select> over [value, text] pairs and over [group, pairs] groups.
export function select(options, value, label, on, more = {}, groups = []) {
  const option = ([name, text]) => el("option", { value: name, selected: name === value }, text);
  return el(
    "select",
    { class: "form-select", "aria-label": label, onchange: (event) => on(event.target.value), ...more },
    options.map(option),
    groups.map(([name, inside]) => el("optgroup", { label: name }, inside.map(option))),
  );
}

// What this browser remembers; private windows may refuse, and then nothing is remembered.
export const memory = {
  get(key, otherwise = null) {
    try {
      return JSON.parse(localStorage.getItem(key)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // Full or forbidden.
    }
  },
  delete(key) {
    try {
      localStorage.removeItem(key);
    } catch {
      // Nothing was kept.
    }
  },
};

// POST of JSON to this server; the answer's JSON. Rejects on any other answer, and when `signal` aborts.
export async function ask(url, body, signal) {
  const answer = await fetch(url, {
    method: "POST",
    signal,
    headers: { "Content-Type": "application/json", ...JSON.parse(document.body.getAttribute("hx-headers") ?? "{}") },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}
