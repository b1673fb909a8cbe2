// The page works without this script. The script adds downloads, sorting and filtering of tables, a table of contents that
// highlights the current section, and charts for chosen initializers. It loads nothing.

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

for (const element of $$("[data-live]")) element.hidden = false;
for (const element of $$("[data-static]")) element.hidden = true;

// ---- Files

const STUDY = document.body.dataset.study;
const INK = JSON.parse($("#page-ink").textContent); // the variables' colours in a file: dark ink on white

/** Return the text that winit.report.explorer.packed has stored in an element. */
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

function save(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Return an SVG of the page as the text of an SVG file, and its size. */
function standalone(svg) {
  const copy = svg.cloneNode(true);
  const [, , width, height] = (svg.getAttribute("viewBox") ?? `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`)
    .split(/[ ,]+/).map(Number);
  const scale = (parseFloat(svg.getAttribute("width")) || width) / width;
  copy.setAttribute("width", Math.round(width * scale));
  copy.setAttribute("height", Math.round(height * scale));
  copy.setAttribute("style", "background:#fff");
  copy.setAttribute("xmlns:xlink", "http://www.w3.org/1999/xlink"); // older programs know no other href
  const source = new XMLSerializer().serializeToString(copy)
    .replace(/var\((--\w+)\)/g, (_, name) => INK[name] ?? "#000")
    .replaceAll(' href="#', ' xlink:href="#');
  return { source, width: width * scale, height: height * scale };
}

async function png({ source, width, height }) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * width, 2 * height];
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

async function saveDrawing(kind, name, svg) {
  const drawing = standalone(svg);
  if (kind === "svg") save(`${name}.svg`, drawing.source, "image/svg+xml");
  else save(`${name}.png`, await png(drawing), "image/png");
}

for (const button of $$("[data-save]")) {
  button.addEventListener("click", async () => {
    const figure = button.closest("figure");
    const name = figure.id.replace(/^fig-/, "");
    if (button.dataset.save === "csv") save(`${name}.csv`, await unpacked(`csv-${name}`), "text/csv");
    else saveDrawing(button.dataset.save, name, $("svg", figure));
  });
}

// ---- Tables

/** Return the sort key of a cell: its number if it begins with one, else its text; ∞ sorts last, a dash first. */
function sortKey(cell) {
  const words = cell.textContent.trim().replace("−", "-");
  if (words === "∞") return Infinity;
  if (words === "–" || words === "") return -Infinity;
  const value = parseFloat(words);
  return Number.isNaN(value) ? words : value;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b || 0; // ∞ − ∞ is NaN
  if (typeof a === "number") return -1;
  if (typeof b === "number") return 1;
  return a.localeCompare(b);
}

function makeSortable(table) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      // Ascending, descending, and the original order in turn.
      const next = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
      const order = next === undefined ? "ascending" : next;
      for (const other of heads) other.removeAttribute("aria-sort");
      if (order === null) return body.append(...original);
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const keyed = original.map((row) => [sortKey(row.cells[column]), row]);
      body.append(...keyed.sort((a, b) => sign * compare(a[0], b[0])).map(([, row]) => row));
    });
  });
}

const shownRows = (table) => [...table.tBodies[0].rows].filter((row) => !row.hidden);

function asText(table, separator) {
  const quoted = (words) => (separator === "," && /[",\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words);
  return [table.tHead.rows[0], ...shownRows(table)]
    .map((row) => [...row.cells].map((cell) => quoted(cell.textContent.trim())).join(separator) + "\n").join("");
}

function makeFilterable(controls) {
  const table = document.getElementById(controls.dataset.for);
  const rows = [...table.tBodies[0].rows];
  const columns = [...table.tHead.rows[0].cells].map((cell) => cell.dataset.name);
  const words = rows.map((row) => [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase());
  const search = $("input", controls);
  const selects = $$("select", controls);
  for (const select of selects) {
    const column = columns.indexOf(select.dataset.column);
    for (const value of new Set(rows.map((row) => row.cells[column].textContent))) select.add(new Option(value));
    select.column = column;
  }
  const apply = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row, i) => {
      const isPicked = selects.every((s) => s.value === "" || row.cells[s.column].textContent === s.value);
      row.hidden = !isPicked || !wanted.every((word) => words[i].includes(word));
    });
    $("output", controls).value = `${shownRows(table).length} of ${rows.length} rows`;
  };
  search.addEventListener("input", apply);
  for (const select of selects) select.addEventListener("change", apply);
  apply();
  const copy = $('[data-table="copy"]', controls);
  copy.hidden = !navigator.clipboard; // not available in every browser
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(asText(table, "\t"));
    $("output", controls).value = `${shownRows(table).length} rows copied`;
  });
  $('[data-table="csv"]', controls).addEventListener("click", () => save(`${STUDY}-${table.id}.csv`, asText(table, ","), "text/csv"));
}

$$("table.sortable").forEach(makeSortable);
$$(".filters").forEach(makeFilterable);

// ---- Contents

const links = $$("nav a").filter((link) => !link.closest("[hidden]"));

/** Mark the current section: the last one that begins above the upper third of the window, or the last one at the end of the page. */
function follow() {
  const isEnd = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
  const begun = links.filter((link) => $(link.hash).getBoundingClientRect().top < innerHeight / 3);
  const current = isEnd ? links.at(-1) : begun.at(-1);
  for (const link of links) {
    if (link !== current) link.removeAttribute("aria-current");
    else link.setAttribute("aria-current", "true");
  }
}

let isWaiting = false;
addEventListener("scroll", () => {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => { isWaiting = false; follow(); });
}, { passive: true });
follow();

// ---- Charts for chosen initializers

/** Return the rows of a table of numbers; an empty field is a missing value. */
async function numbers(id) {
  const [head, ...lines] = (await unpacked(id)).trim().split("\n");
  const names = head.split(",");
  return lines.map((line) => Object.fromEntries(line.split(",").map((word, i) => [names[i], word === "" ? null : Number(word)])));
}

/** Load Vega when a chart scrolls into view: it is a megabyte of code, stored compressed. The security policy allows it by its hash. */
let vega;
function loadVega() {
  vega ??= (async () => {
    const script = document.createElement("script"); // a classic script, because Vega defines globals
    script.textContent = await unpacked("vega");
    document.head.append(script);
    return window.vegaEmbed;
  })();
  return vega;
}

async function explore(state) {
  const arms = await numbers("explore-arms");
  const byArm = (rows) => rows.reduce((all, row) => all.set(row.arm, [...(all.get(row.arm) ?? []), row]), new Map());
  const curves = byArm(await numbers("explore-rows-curves"));
  const layers = byArm(await numbers("explore-rows-layers"));
  const choice = (name) => $(`#explore-${name}`);
  const boxes = $$("#explore input[type=checkbox]");
  const charts = {
    curves: { spec: state.specs.curves, rows: curves, x: "step" },
    h_variance: { spec: state.specs.signals, rows: layers, x: "layer", value: "h_variance", title: "variance of activations h" },
    delta_variance: { spec: state.specs.signals, rows: layers, x: "layer", value: "delta_variance", title: "variance of ∂ℓ/∂z" },
  };
  const visible = new Set();
  const views = {};

  /** Return the chosen arms, with the initializer's name. */
  function chosen() {
    const picked = new Set(boxes.filter((box) => box.checked).map((box) => Number(box.value)));
    const [setting, activation, depth] = ["setting", "activation", "depth"].map((name) => Number(choice(name).value));
    return arms
      .filter((a) => a.setting === setting && a.activation === activation && a.depth === depth && picked.has(a.initializer))
      .sort((a, b) => a.initializer - b.initializer)
      .map((a) => ({ ...a, ...state.initializers[a.initializer] }));
  }

  function chartRows(name) {
    const { rows, x, value = choice("metric").value } = charts[name];
    return chosen().flatMap((arm) => (rows.get(arm.arm) ?? []).filter((row) => row[value] !== null).map((row) => ({
      initializer: arm.label, [x]: row[x], value: row[value], ...(x === "layer" && { theory: row[`${value}_theory`] }),
    })));
  }

  function specification(name, look) {
    const { spec: plain, value = choice("metric").value, title = state.metrics[choice("metric").value] } = charts[name];
    const spec = structuredClone(plain);
    const isShare = value.includes("accuracy");
    for (const layer of spec.layer) {
      layer.encoding.y.title = title;
      layer.encoding.y.scale = isShare ? { domain: [0, 1], clamp: true } : { type: "log" };
      if (!isShare) layer.encoding.y.axis = { format: ".1~e", tickCount: 6 };
    }
    const rows = chartRows(name);
    if (!isShare) for (const row of rows) { row.value ||= null; row.theory ||= null; } // a log scale has no 0
    spec.datasets = { rows };
    const names = [...new Set(rows.map((row) => row.initializer))];
    spec.description = `${title} against ${charts[name].x} for ${names.join(", ") || "no initializer"}.`;
    const axis = { labelColor: look.muted, titleColor: look.fg, gridColor: look.grid, domainColor: look.muted, tickColor: look.muted,
      titleFontWeight: "normal", labelFontSize: 12, titleFontSize: 13 };
    spec.config = { background: null, font: look.font, axis, view: { stroke: null }, style: { theory: { color: look.muted } } };
    return spec;
  }

  const LIGHT = { fg: INK["--fg"], muted: INK["--muted"], grid: INK["--grid"], font: "sans-serif" };
  function pageLook() {
    const style = getComputedStyle(document.body);
    const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    return { fg: variable("--fg"), muted: variable("--muted"), grid: variable("--grid"), font: style.fontFamily };
  }

  // With ast, Vega interprets its expressions instead of compiling them to functions, which the policy forbids. logLevel 1
  // suppresses warnings about empty charts, which a reader may choose.
  const embed = async (element, spec) => (await loadVega())(element, spec, { renderer: "svg", actions: false, ast: true, logLevel: 1 });

  async function draw(name) {
    const turn = (views[name]?.turn ?? 0) + 1;
    views[name]?.result?.finalize();
    views[name] = { turn };
    const element = $(`#explore-${name} .plot`);
    const result = await embed(element, specification(name, pageLook()));
    if (views[name].turn !== turn) return result.finalize(); // a later choice was faster
    views[name].result = result;
    element.dataset.drawn = Number(element.dataset.drawn ?? 0) + 1;
  }

  function update() {
    const shown = chosen();
    const rates = shown.map((a) => `${a.label} at rate ${a.learning_rate}`);
    choice("status").textContent = shown.length === 0
      ? "This study has no such arm: choose another initializer or setting."
      : `${shown.length} of ${boxes.length} initializers, ${shown[0].runs} replicates: ${rates.join(", ")}.`;
    for (const name of visible) draw(name);
  }

  for (const control of [...boxes, ...["setting", "activation", "depth", "metric"].map(choice)]) control.addEventListener("change", update);
  for (const [name, isChecked] of [["all", true], ["none", false]]) {
    choice(name).addEventListener("click", () => { for (const box of boxes) box.checked = isChecked; update(); });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
  const lazy = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const name = target.id.slice("explore-".length);
      if (!isIntersecting || visible.has(name)) continue;
      visible.add(name);
      draw(name);
    }
  }, { rootMargin: "300px" });
  for (const name of Object.keys(charts)) lazy.observe(choice(name));

  for (const button of $$("[data-chart]")) {
    button.addEventListener("click", async () => {
      const name = button.closest("figure").id.slice("explore-".length);
      const file = `${STUDY}-${name}`;
      if (button.dataset.chart === "csv") {
        const rows = chartRows(name);
        const columns = Object.keys(rows[0] ?? { initializer: "" });
        const quoted = (word) => (/[",\n]/.test(word) ? `"${word.replaceAll('"', '""')}"` : word);
        const lines = [columns, ...rows.map((row) => columns.map((c) => row[c] ?? ""))].map((line) => line.map((w) => quoted(String(w))).join(",") + "\n");
        return save(`${file}.csv`, lines.join(""), "text/csv");
      }
      // Files are drawn dark on white, whatever the theme of the page.
      const spec = { ...specification(name, LIGHT), width: 760 };
      const result = await embed(document.createElement("div"), spec);
      const holder = document.createElement("div");
      holder.innerHTML = await result.view.toSVG();
      result.finalize();
      saveDrawing(button.dataset.chart, file, $("svg", holder));
    });
  }
  update();
}

const state = $("#explore-state");
if (state && "DecompressionStream" in window) explore(JSON.parse(state.textContent));
else if (state) for (const dead of $$('#explore, li:has([href="#explore"])')) dead.hidden = true; // a browser before 2023
