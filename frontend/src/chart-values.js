// What every chart shares: theme colours that a canvas can read, and numbers as the pages write them.
const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });

// A custom property may hold color-mix() or oklch(): one canvas pixel turns any colour into rgba().
export function colour(name, opacity = 1) {
  const probe = document.createElement("i");
  probe.className = "visually-hidden";
  document.body.append(probe);
  probe.style.color = `var(${name})`;
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = getComputedStyle(probe).color;
  probe.remove();
  pixel.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
  return `rgba(${red},${green},${blue},${(alpha / 255) * opacity})`;
}

export const SERIES = ["--chart-1", "--chart-2", "--chart-3", "--chart-4", "--chart-5", "--chart-6"];
// What is known by a tone on the page keeps it in a chart; other tones have their ink.
export const TONES = { jade: "--chart-1", amber: "--chart-2", blue: "--chart-3", violet: "--chart-4", red: "--chart-5", green: "--chart-6" };

const chinese = document.documentElement.lang.startsWith("zh");
const grouped = (value, places = 0) => value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
const UNITS = chinese ? [[1e8, "亿"], [1e4, "万"]] : [[1e9, "B"], [1e6, "M"], [1e3, "K"]];

function short(value) {
  for (const [size, unit] of UNITS)
    if (Math.abs(value) >= size) return `${(value / size).toLocaleString("en-US", { maximumFractionDigits: 1 })}${unit}`;
  return value.toLocaleString("en-US", { maximumFractionDigits: 1 });
}

const SIGNS = { CNY: "¥", GBP: "£", USD: "$", EUR: "€" };
// Money arrives in minor units (分).
const money = (currency = "CNY") => {
  const sign = SIGNS[currency] ?? `${currency} `;
  return { axis: (value) => `${sign}${short(value / 100)}`, exact: (value) => `${sign}${grouped(value / 100, 2)}` };
};
const FORMATS = {
  count: { axis: short, exact: (value) => grouped(value) },
  percent: { axis: (value) => `${Math.round(value * 100)}%`, exact: (value) => `${grouped(value * 100, 1)}%` },
};
export const formatOf = (data) => (data.format === "money" ? money(data.currency) : (FORMATS[data.format] ?? FORMATS.count));
