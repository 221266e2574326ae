// Builds dist/console/: bundles, one pruned stylesheet, a sprite of the icons that the templates use.
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { browserslistToTargets, transform } from "lightningcss";
import { PurgeCSS } from "purgecss";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);
const final = path.join(here, "dist");
// Built beside and swapped in at the end: a server that reads dist/ meanwhile finds the old files or the new ones.
const staging = path.join(here, `.dist-${process.pid}`);
const out = path.join(staging, "console");

const walk = (folder, wanted) =>
  fs.existsSync(folder)
    ? fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const file = path.join(folder, entry.name);
        if (entry.isDirectory()) return entry.name === "node_modules" ? [] : walk(file, wanted);
        return wanted.test(entry.name) ? [file] : [];
      })
    : [];

const apps = ["scrm", "members", "tags", "analytics", "campaigns"];
const templates = walk(path.join(root, "templates"), /\.html$/);
const python = apps.flatMap((app) => walk(path.join(root, app), /\.py$/));
const scripts = walk(path.join(here, "src"), /\.js$/);

async function bundle() {
  await build({
    entryPoints: {
      console: path.join(here, "src/console.js"),
      charts: path.join(here, "src/charts.js"),
      "theme-init": path.join(here, "src/theme-init.js"),
    },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    splitting: true,
    chunkNames: "[name]-[hash]",
    outdir: out,
    logLevel: "warning",
    legalComments: "none",
  });
}

async function styles() {
  const tabler = fs.readFileSync(path.join(here, "node_modules/@tabler/core/dist/css/tabler.min.css"), "utf8");
  const own = walk(path.join(here, "src/styles"), /\.css$/).sort().map((file) => fs.readFileSync(file, "utf8")).join("\n");
  const words = [...templates, ...scripts, ...python].map((file) => ({
    raw: fs.readFileSync(file, "utf8"),
    extension: path.extname(file).slice(1),
  }));
  // Tabler is pruned to the classes that occur as words anywhere in templates, scripts and Python; ours is kept whole.
  const [{ css: used }] = await new PurgeCSS().purge({
    content: words,
    css: [{ raw: tabler }],
    defaultExtractor: (text) => text.match(/[A-Za-z0-9_-]+/g) ?? [],
    // States that widgets and browsers add, and the elements that have no class at all.
    safelist: { standard: ["is-invalid", "active", "disabled", "show", "html", "body", /^:/, /^data-bs-theme/] },
    blocklist: [/^navbar/, /^apexcharts/, /^ts-/, /^litepicker/, /^flag/, /^payment/, /^noUi/, /^jvm-/, /^fslightbox/],
    variables: false,
    keyframes: true,
    fontFace: true,
  });
  const { code } = transform({
    filename: "console.css",
    code: Buffer.from(`${used}\n${own}`),
    minify: true,
    targets: browserslistToTargets(["chrome 111", "edge 111", "firefox 113", "safari 16.4"]),
    errorRecovery: true,
  });
  fs.writeFileSync(path.join(out, "console.css"), code);
  // The members' own pages have a sheet of their own, which a phone loads in one packet or two.
  const mine = transform({
    filename: "my.css",
    code: fs.readFileSync(path.join(here, "src/my.css")),
    minify: true,
    targets: browserslistToTargets(["chrome 111", "edge 111", "firefox 113", "safari 16.4"]),
  });
  fs.writeFileSync(path.join(out, "my.css"), mine.code);
}

function icons() {
  const names = new Set();
  const find = (files, patterns) => {
    for (const file of files) {
      const text = fs.readFileSync(file, "utf8");
      for (const pattern of patterns) for (const match of text.matchAll(pattern)) names.add(match[1]);
    }
  };
  const attribute = /\bicon["']?\s*[=:]\s*["']([a-z0-9-]+)["']/g;
  find(templates, [/\{%\s*icon\s+["']([a-z0-9-]+)["']/g, attribute]);
  find([...python, ...scripts], [attribute, /\bicon\(["']([a-z0-9-]+)["']/g]);
  const missing = [];
  const symbols = [...names].sort().flatMap((name) => {
    const file = path.join(here, "node_modules/@tabler/icons/icons/outline", `${name}.svg`);
    if (!fs.existsSync(file)) {
      missing.push(name);
      return [];
    }
    const source = fs.readFileSync(file, "utf8").replace(/<!--[\s\S]*?-->/g, "");
    const inner = source.replace(/^[\s\S]*?<svg[^>]*>/, "").replace("</svg>", "").replace(/\n\s*/g, "");
    return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">${inner}</symbol>`;
  });
  if (missing.length) throw new Error(`No such icon: ${missing.join(", ")}`);
  fs.writeFileSync(path.join(out, "icons.svg"), `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`);
  return symbols.length;
}

fs.mkdirSync(out, { recursive: true });
try {
  await bundle();
  await styles();
  const count = icons();
  fs.copyFileSync(path.join(here, "src/mark.svg"), path.join(out, "mark.svg"));
  const old = path.join(here, `.old-${process.pid}`);
  if (fs.existsSync(final)) fs.renameSync(final, old);
  fs.renameSync(staging, final);
  fs.rmSync(old, { recursive: true, force: true });
  for (const name of fs.readdirSync(path.join(final, "console")).sort()) {
    const data = fs.readFileSync(path.join(final, "console", name));
    const digest = createHash("sha256").update(data).digest("hex").slice(0, 8);
    console.log(`${name.padEnd(16)} ${String(data.length).padStart(8)} B  ${digest}`);
  }
  console.log(`${count} icons`);
} finally {
  fs.rmSync(staging, { recursive: true, force: true });
}
