// Funnels and flows: loaded only by a page that shows one, because ECharts weighs more than the rest of the console.
import { FunnelChart, SankeyChart } from "echarts/charts";
import { TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { SERIES, colour, formatOf } from "./chart-values.js";

echarts.use([FunnelChart, SankeyChart, TooltipComponent, SVGRenderer]);

const SHAPES = {
  funnel: (data) => ({
    type: "funnel", left: 0, right: 0, top: 4, bottom: 4, gap: 3, minSize: "12%",
    itemStyle: { borderWidth: 0, borderRadius: 4 },
    label: { position: "inside", color: colour("--surface"), fontWeight: 600, formatter: ({ name, value }) => `${name}  ${formatOf(data).axis(value)}` },
    data: data.items,
  }),
  sankey: (data) => ({
    type: "sankey", left: 4, right: 96, top: 8, bottom: 8, nodeGap: 12, draggable: false,
    label: { color: colour("--ink") },
    lineStyle: { color: "gradient", opacity: 0.35 },
    data: coloured(data.nodes), links: data.links,
  }),
};

// The same name left and right (told apart by an invisible character at its end) has the same colour.
function coloured(nodes) {
  const names = [...new Set(nodes.map(({ name }) => name.replace("\u200b", "")))];
  return nodes.map((node) => ({
    ...node,
    itemStyle: { color: colour(SERIES[names.indexOf(node.name.replace("\u200b", "")) % SERIES.length]) },
  }));
}

// Draws into `picture`; answers {draw, remove}, as charts.js does for its own kinds.
export function diagram(picture, kind, data) {
  const chart = echarts.init(picture, null, { renderer: "svg" });
  const sizes = new ResizeObserver(() => chart.resize());
  sizes.observe(picture);
  return {
    draw() {
      const ink = colour("--ink");
      chart.setOption(
        {
          color: SERIES.map((name) => colour(name)),
          backgroundColor: "transparent",
          animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
          textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
          tooltip: {
            trigger: "item", renderMode: "richText", confine: true, valueFormatter: formatOf(data).exact,
            backgroundColor: colour("--surface"), borderColor: colour("--line"), textStyle: { color: ink, fontSize: 12 },
          },
          series: [SHAPES[kind](data)],
        },
        true,
      );
    },
    remove() {
      sizes.disconnect();
      chart.dispose();
    },
  };
}
