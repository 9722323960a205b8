// Distribution of the chosen dimension: its mean over the inputs, and log σ², each as a histogram on one scale for all steps.

import { area, canvas, html, label, polyline, svg } from "./svg.js";
import { linear, placeOf, short, ticks, whole } from "./scale.js";

const DISTRIBUTION_HIGH = 236, TOP_OF_BARS = 34, BOTTOM_OF_BARS = 196, GAP_OF_PANELS = 34;
const PANELS = [["mean", "mean μ over the inputs", -3, 3], ["log_variance", "log σ² over the inputs", -1, 0.5]];

// The histograms of a run, which come as text.
function histogramsOf(run) {
  if (typeof run.distributions === "string") run.distributions = JSON.parse(run.distributions);
  return run.distributions;
}

// The dimension that is drawn: the chosen one, else the first that fades, else the first.
function drawnDimension(state) {
  const rows = state.run.lifelines;
  return state.selected ?? (rows.find((row) => row.state === "fading") ?? rows[0])?.dimension ?? histogramsOf(state.run).dimensions[0];
}

const normal = (v) => Math.exp(-v * v / 2) / Math.sqrt(2 * Math.PI);

// The colour and pattern of a row at a step: those of its lifeline there.
function kindAt(row, step) {
  if (!row) return "unused";
  if (row.healthy !== null && step > row.healthy) return "fall";
  return row.state === "in use" || row.state === "fading" ? "used" : "unused";
}

// Shares of the inputs per unit, as points [value, density] of a staircase.
function staircase([left, size, counts]) {
  const all = counts.reduce((a, b) => a + b, 0) || 1;
  return counts.flatMap((count, i) => [[left + i * size, count / all / size], [left + (i + 1) * size, count / all / size]]);
}

export function distribution(state, width) {
  const { run } = state, holder = html("div", { class: "distribution" });
  let shown = "";
  function update() {
    if (!state.histogramsSeen) return;
    const data = histogramsOf(run), panels = PANELS.filter(([kind]) => data[kind].some((steps) => steps.some(Boolean)));
    const wide = (width - GAP_OF_PANELS * (panels.length - 1)) / panels.length;
    const j = drawnDimension(state), place = data.dimensions.indexOf(j), row = run.lifelines.find((one) => one.dimension === j);
    const at = state.step === null ? data.steps.length - 1 : placeOf(data.steps, state.step);
    const key = `${j} ${at}`;
    if (key === shown) return;
    shown = key;
    if (place < 0) {
      holder.replaceChildren(html("p", { class: "quiet" }, `No histogram of dim ${j}: the log has those of the 64 dimensions with most information.`));
      return;
    }
    const before = row?.healthy === null || row === undefined ? 0 : placeOf(data.steps, row.healthy);
    const picture = canvas(width, DISTRIBUTION_HIGH, `Distribution of dim ${j} at step ${whole(data.steps[at])}`);
    panels.forEach(([kind, title, low, high], k) => {
      picture.append(panel(data[kind][place], at, before, k * (wide + GAP_OF_PANELS), wide, title, kind, run.plane ? [low, high] : null, kindAt(row, data.steps[at])));
    });
    const outline = at === before || !panels.some(([kind]) => data[kind][place][before]) ? "" : ` · outline: step ${whole(data.steps[before])}${row?.healthy === null || row === undefined ? ", the first" : ", before the fall"}`;
    picture.append(label(0, 14, `dim ${j}${row ? `, ${row.state}` : ""} · step ${whole(data.steps[at])}${outline}`, "distributionname"));
    holder.replaceChildren(picture);
  }

  function panel(histograms, at, before, left, size, title, kind, usual, colour) {
    const known = histograms.filter(Boolean), group = svg("g", { class: `panel ${kind}` });
    if (!known.length) return group;
    const from = Math.min(...known.map(([a]) => a), usual ? usual[0] : Infinity), to = Math.max(...known.map(([a, w, c]) => a + w * c.length), usual ? usual[1] : -Infinity);
    const now = histograms[at] && staircase(histograms[at]), then = at !== before && histograms[before] ? staircase(histograms[before]) : null;
    const prior = kind === "mean" && usual;
    const most = Math.max(prior ? 0.4 : 0, ...[now, then].filter(Boolean).flatMap((curve) => curve.map(([, v]) => v))) * 1.06;
    const x = linear(from, to, left, left + size), y = linear(0, most, BOTTOM_OF_BARS, TOP_OF_BARS);
    const curve = (points) => points.map(([v, d]) => [x(v), y(d)]);
    group.append(svg("path", { d: `M${left},${BOTTOM_OF_BARS}H${left + size}`, class: "rule" }),
      ...ticks(from, to, Math.max(3, Math.floor(size / 70))).map((v) => label(x(v), BOTTOM_OF_BARS + 15, short(v), "axis", x(v) < left + 8 ? "start" : x(v) > left + size - 8 ? "end" : "middle")), label(left + size / 2, DISTRIBUTION_HIGH - 8, title, "axis", "middle"));
    if (now) group.append(svg("path", { d: area(curve(now), BOTTOM_OF_BARS), class: `${colour} bars` }));
    if (then) group.append(svg("path", { d: polyline(curve(then)), class: "then" }));
    if (prior) {
      const steps = Array.from({ length: 121 }, (_, i) => from + (i / 120) * (to - from));
      group.append(svg("path", { d: polyline(curve(steps.map((v) => [v, normal(v)]))), class: "prior" }), label(left + size, TOP_OF_BARS + 2, "dashed: N(0, 1)", "axis", "end"));
    } else if (usual && kind === "log_variance") {
      group.append(svg("path", { d: `M${x(0)},${TOP_OF_BARS}V${BOTTOM_OF_BARS}`, class: "prior" }), label(left, TOP_OF_BARS + 2, "dashed: σ² = 1", "axis"));
    }
    if (!now) group.append(label(left + size / 2, (TOP_OF_BARS + BOTTOM_OF_BARS) / 2, "no finite value at this step", "quiet", "middle"));
    return group;
  }
  const seen = () => { state.histogramsSeen = true; update(); };
  const watch = new IntersectionObserver((entries) => { if (entries.some((one) => one.isIntersecting)) { watch.disconnect(); seen(); } }, { rootMargin: "200px" });
  watch.observe(holder);
  addEventListener("beforeprint", seen, { once: true });
  update();
  state.listen(update);
  return holder;
}

export function distributionTable(run) {
  const table = [["step", "dimension", "of", "from", "to", "inputs"]], data = histogramsOf(run);
  for (const [kind] of PANELS) data.dimensions.forEach((j, place) => data.steps.forEach((step, at) => {
    const [left, size, counts] = data[kind][place][at] ?? [0, 0, []];
    counts.forEach((count, i) => table.push([step, j, kind === "mean" ? "mean" : "log σ²", left + i * size, left + (i + 1) * size, count]));
  }));
  return table;
}
