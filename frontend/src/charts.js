// <chart-view type="line" data-source="id of a json_script">: one generic option builder per kind, redrawn with the theme.
import { BarChart, FunnelChart, LineChart, SankeyChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

echarts.use([BarChart, FunnelChart, LineChart, SankeyChart, AriaComponent, GridComponent, LegendComponent, TooltipComponent, SVGRenderer]);

const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });

// ECharts cannot read oklch() or color-mix(): one canvas pixel turns any colour into rgba().
function colour(name) {
  const probe = document.createElement("i");
  probe.className = "visually-hidden";
  document.body.append(probe);
  probe.style.color = `var(${name})`;
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = getComputedStyle(probe).color;
  probe.remove();
  pixel.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
  return `rgba(${red},${green},${blue},${alpha / 255})`;
}

const chinese = document.documentElement.lang.startsWith("zh");
const grouped = (value, places = 0) => value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
const UNITS = chinese ? [[1e8, "亿"], [1e4, "万"]] : [[1e9, "B"], [1e6, "M"], [1e3, "K"]];

function short(value) {
  for (const [size, unit] of UNITS)
    if (Math.abs(value) >= size) return `${(value / size).toLocaleString("en-US", { maximumFractionDigits: 1 })}${unit}`;
  return value.toLocaleString("en-US", { maximumFractionDigits: 1 });
}

// Money arrives in 分.
const FORMATS = {
  money: { axis: (value) => `¥${short(value / 100)}`, exact: (value) => `¥${grouped(value / 100, 2)}` },
  count: { axis: short, exact: (value) => grouped(value) },
  percent: { axis: (value) => `${Math.round(value * 100)}%`, exact: (value) => `${grouped(value * 100, 1)}%` },
};
const formatOf = (data) => FORMATS[data.format] ?? FORMATS.count;

const palette = () => ["--chart-1", "--chart-2", "--chart-3", "--chart-4", "--chart-5", "--chart-6"].map(colour);

function base() {
  const ink = colour("--ink");
  return {
    color: palette(),
    backgroundColor: "transparent",
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 300,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
    tooltip: {
      renderMode: "richText",
      confine: true,
      backgroundColor: colour("--surface"),
      borderColor: colour("--line"),
      textStyle: { color: ink, fontSize: 12 },
    },
  };
}

function axes(data) {
  const format = formatOf(data);
  const label = { color: colour("--ink-2"), fontSize: 12 };
  const names = { type: "category", data: data.labels, axisLabel: { ...label, hideOverlap: true }, axisTick: { show: false }, axisLine: { lineStyle: { color: colour("--line") } } };
  const values = { type: "value", axisLabel: { ...label, formatter: format.axis }, splitLine: { lineStyle: { color: colour("--line") } }, splitNumber: 4 };
  return data.horizontal
    ? { xAxis: { ...values, axisLabel: { show: false }, splitLine: { show: false } }, yAxis: { ...names, inverse: true, axisLine: { show: false }, axisLabel: { color: colour("--ink") } } }
    : { xAxis: names, yAxis: values };
}

function grid(data) {
  return { left: 4, right: data.horizontal ? 56 : 12, top: data.series.length > 1 ? 36 : 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" };
}

function plot(data, kind) {
  const format = formatOf(data);
  const options = base();
  const many = data.series.length > 1;
  return {
    ...options,
    tooltip: { ...options.tooltip, trigger: "axis", valueFormatter: (value) => (value == null ? "—" : format.exact(value)), axisPointer: { type: kind === "bar" ? "shadow" : "line" } },
    legend: many ? { top: 0, left: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, textStyle: { color: colour("--ink") } } : undefined,
    grid: grid(data),
    ...axes(data),
    series: data.series.map((series) => ({
      name: series.name,
      type: kind,
      data: series.data,
      stack: data.stacked ? "all" : undefined,
      ...(kind === "line"
        ? { smooth: 0.25, symbol: "circle", symbolSize: 6, showSymbol: data.labels.length < 3, lineStyle: { width: 2.25 }, areaStyle: series.area || !many ? { opacity: 0.1 } : undefined }
        : {
            barMaxWidth: 22,
            itemStyle: { borderRadius: data.horizontal ? [0, 5, 5, 0] : [5, 5, 0, 0] },
            label: data.horizontal ? { show: true, position: "right", color: colour("--ink"), formatter: ({ value }) => format.axis(value) } : undefined,
          }),
    })),
  };
}

const BUILDERS = {
  line: (data) => plot(data, "line"),
  bar: (data) => plot(data, "bar"),
  spark: (data) => ({
    ...base(),
    tooltip: { show: false },
    grid: { left: 0, right: 0, top: 3, bottom: 3 },
    xAxis: { type: "category", show: false, data: data.labels },
    yAxis: { type: "value", show: false, scale: true },
    series: [{ type: "line", data: data.series[0].data, symbol: "none", smooth: 0.25, areaStyle: { opacity: 0.14 } }],
  }),
  funnel: (data) => {
    const options = base();
    return {
      ...options,
      tooltip: { ...options.tooltip, trigger: "item", valueFormatter: formatOf(data).exact },
      series: [
        {
          type: "funnel", left: 0, right: 0, top: 4, bottom: 4, gap: 3, minSize: "12%",
          itemStyle: { borderWidth: 0, borderRadius: 4 },
          label: { position: "inside", color: colour("--surface"), fontWeight: 600, formatter: ({ name, value }) => `${name}  ${formatOf(data).axis(value)}` },
          data: data.items,
        },
      ],
    };
  },
  sankey: (data) => {
    const options = base();
    return {
      ...options,
      tooltip: { ...options.tooltip, trigger: "item", valueFormatter: formatOf(data).exact },
      series: [{ type: "sankey", left: 4, right: 96, top: 8, bottom: 8, nodeGap: 12, draggable: false, label: { color: colour("--ink") }, lineStyle: { color: "gradient", opacity: 0.35 }, data: data.nodes, links: data.links }],
    };
  },
};

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
  connectedCallback() {
    const source = document.getElementById(this.dataset.source);
    if (!source || this.chart) return;
    this.data = JSON.parse(source.textContent);
    const label = this.getAttribute("aria-label") ?? "";
    const picture = document.createElement("div");
    picture.className = "chart-picture";
    picture.setAttribute("aria-hidden", "true");
    this.setAttribute("role", "group");
    this.replaceChildren(picture, table(this.data, label));
    this.chart = echarts.init(picture, null, { renderer: "svg" });
    this.draw = () => this.chart.setOption(BUILDERS[this.getAttribute("type")](this.data), true);
    this.draw();
    document.addEventListener("themechange", this.draw);
    this.sizes = new ResizeObserver(() => this.chart.resize());
    this.sizes.observe(picture);
  }

  disconnectedCallback() {
    document.removeEventListener("themechange", this.draw);
    this.sizes?.disconnect();
    this.chart?.dispose();
    this.chart = null;
  }
}

customElements.define("chart-view", ChartView);
