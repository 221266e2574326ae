// <chart-view type="line" data-source="id of a json_script">: one generic drawing per kind, redrawn with the theme.
import { BarController, BarElement, CategoryScale, Chart, Filler, Legend, LineController, LineElement, LinearScale, PointElement, Tooltip } from "chart.js";
import { SERIES, TONES, colour, formatOf } from "./chart-values.js";

Chart.register(BarController, BarElement, CategoryScale, Filler, Legend, LineController, LineElement, LinearScale, PointElement, Tooltip);

// The value at the end of each horizontal bar, in place of an axis of figures.
const endLabels = (format, ink) => ({
  id: "endLabels",
  afterDatasetsDraw(chart) {
    const { ctx, data } = chart;
    ctx.save();
    ctx.fillStyle = ink;
    ctx.font = `550 12px ${Chart.defaults.font.family}`;
    ctx.textBaseline = "middle";
    chart.getDatasetMeta(0).data.forEach((bar, index) => ctx.fillText(format.axis(data.datasets[0].data[index]), bar.x + 6, bar.y));
    ctx.restore();
  },
});

function datasets(data, line, spark) {
  const many = data.series.length > 1;
  return data.series.map((series, index) => {
    const name = TONES[series.tone] ?? (series.tone ? `--t-${series.tone}-ink` : SERIES[index % SERIES.length]);
    const tone = colour(name);
    return {
      label: series.name ?? "",
      data: series.data,
      borderColor: tone,
      ...(line
        ? {
            backgroundColor: many ? tone : colour(name, 0.1),
            fill: series.area || !many ? { target: "origin", above: colour(name, 0.1) } : false,
            borderWidth: spark ? 1.5 : 2.25,
            cubicInterpolationMode: "monotone",
            pointRadius: data.labels.length < 3 && !spark ? 4 : 0,
            pointHoverRadius: 5,
            pointBackgroundColor: tone,
          }
        : { backgroundColor: tone, borderRadius: 5, borderSkipped: "start", maxBarThickness: 22 }),
    };
  });
}

function scales(data, spark) {
  const format = formatOf(data);
  const ticks = { color: colour("--ink-2"), font: { size: 12 } };
  const hairline = colour("--line");
  const names = {
    display: !spark, stacked: Boolean(data.stacked), grid: { display: false }, border: { display: !data.horizontal, color: hairline },
    ticks: data.horizontal ? { ...ticks, color: colour("--ink"), autoSkip: false } : { ...ticks, maxRotation: 0, autoSkipPadding: 24 },
  };
  const values = {
    display: !spark && !data.horizontal, stacked: Boolean(data.stacked), beginAtZero: !spark, border: { display: false },
    grid: { color: hairline, drawTicks: false }, ticks: { ...ticks, padding: 8, maxTicksLimit: 5, callback: format.axis },
  };
  return data.horizontal ? { x: values, y: names } : { x: names, y: values };
}

function options(data, kind) {
  const format = formatOf(data);
  const ink = colour("--ink");
  const line = kind !== "bar";
  const spark = kind === "spark";
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  return {
    type: line ? "line" : "bar",
    data: { labels: data.labels, datasets: datasets(data, line, spark) },
    plugins: data.horizontal ? [endLabels(format, ink)] : [],
    options: {
      responsive: true,
      maintainAspectRatio: false,
      indexAxis: data.horizontal ? "y" : "x",
      animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? false : { duration: 300 },
      interaction: { mode: "index", axis: data.horizontal ? "y" : "x", intersect: false },
      layout: { padding: { right: data.horizontal ? 64 : 0 } },
      scales: scales(data, spark),
      plugins: {
        legend: { display: data.series.length > 1, align: "start", labels: { color: ink, boxWidth: 10, boxHeight: 10, useBorderRadius: true, borderRadius: 3 } },
        tooltip: {
          enabled: !spark, padding: 10, cornerRadius: 8, borderWidth: 1, boxPadding: 4, displayColors: data.series.length > 1,
          backgroundColor: colour("--surface"), borderColor: colour("--line-strong"), titleColor: ink, bodyColor: ink,
          callbacks: {
            label: ({ dataset, raw }) => `${dataset.label ? `${dataset.label}  ` : ""}${raw == null ? "—" : format.exact(raw)}`,
          },
        },
      },
    },
  };
}

function plot(picture, kind, data) {
  const canvas = document.createElement("canvas");
  picture.append(canvas);
  let chart;
  return {
    draw() {
      chart?.destroy();
      chart = new Chart(canvas, options(data, kind));
    },
    remove: () => chart?.destroy(),
  };
}

// The same figures for those who do not see the picture.
function table(data, label) {
  const rows = data.items
    ? data.items.map((item) => [item.name, [item.value]])
    : data.links
      ? data.links.map((link) => [`${link.source} → ${link.target}`, [link.value]])
      : data.labels.map((name, index) => [name, data.series.map((series) => series.data[index])]);
  const view = document.createElement("table");
  view.className = "visually-hidden";
  view.createCaption().textContent = label;
  const head = view.createTHead().insertRow();
  for (const text of ["", ...(data.series?.map((series) => series.name ?? "") ?? [label])]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = text;
    head.append(cell);
  }
  const body = view.createTBody();
  for (const [name, values] of rows) {
    const row = body.insertRow();
    const heading = document.createElement("th");
    heading.scope = "row";
    heading.textContent = name;
    row.append(heading);
    for (const value of values) row.insertCell().textContent = value == null ? "—" : formatOf(data).exact(value);
  }
  return view;
}

class ChartView extends HTMLElement {
  async connectedCallback() {
    const source = document.getElementById(this.dataset.source);
    if (!source || this.drawing) return;
    const data = JSON.parse(source.textContent);
    const kind = this.getAttribute("type");
    const picture = document.createElement("div");
    picture.className = "chart-picture";
    picture.setAttribute("aria-hidden", "true");
    this.setAttribute("role", "group");
    this.replaceChildren(picture, table(data, this.getAttribute("aria-label") ?? ""));
    const make = kind === "funnel" || kind === "sankey" ? (await import("./chart-diagrams.js")).diagram : plot;
    if (!this.isConnected) return;
    this.drawing = make(picture, kind, data);
    this.drawing.draw();
    document.addEventListener("themechange", this.drawing.draw);
  }

  disconnectedCallback() {
    if (!this.drawing) return;
    document.removeEventListener("themechange", this.drawing.draw);
    this.drawing.remove();
    this.drawing = null;
  }
}

customElements.define("chart-view", ChartView);
