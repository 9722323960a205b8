// Nats over steps, with the interval of each dimension, and the total: drawn by uPlot where it is installed.

import { canvas, html, label, polyline, svg } from "./svg.js";
import { linear, nearest, short, spread, ticks, whole } from "./scale.js";

const SHOWN = 8, Z_INTERVAL = 1.96, DASHES = [[], [8, 3], [2, 3], [10, 3, 2, 3]];

// The dimensions of the picture: the first rows, and the chosen one.
export function shownRows(state) {
  const rows = state.run.lifelines.slice(0, SHOWN), chosen = state.run.lifelines.find((row) => row.dimension === state.selected);
  return chosen && !rows.includes(chosen) ? [...rows, chosen] : rows;
}

// True if the total can share an axis with the dimensions: that of hundreds hides them all.
function totalFits(run, rows) {
  const top = Math.max(0.05, ...rows.flatMap((row) => row.nats.map((v) => v ?? 0)));
  return Math.max(...run.total.map((v) => v ?? 0)) <= 8 * top;
}

export function timeline(state, width) {
  const holder = html("div", { class: "timeline" });
  if (!window.uPlot) holder.append(timelinePicture(state, width));
  else {
    let plot = null, drawn = null;
    const update = () => {
      if (!plot || shownRows(state).length !== drawn) { plot?.destroy(); drawn = shownRows(state).length; plot = makePlot(state, width, holder); }
      if (state.step === null) { plot.setCursor({ left: -10, top: -10 }, false); plot.setLegend({ idx: state.run.steps.length - 1 }, false); }
      else plot.setCursor({ left: plot.valToPos(state.step, "x"), top: 20 }, false);
      shownRows(state).forEach((row, k) => { plot.series[k + 2].width = row.dimension === state.selected ? 4 : 2; });
      if (state.selected !== plot.chosen) { plot.chosen = state.selected; plot.redraw(false); }
    };
    update();
    state.listen(update);
  }
  return holder;
}

function makePlot(state, width, holder) {
  const run = state.run, rows = shownRows(state), fits = totalFits(run, rows), style = getComputedStyle(holder.isConnected ? holder : document.body);
  const colour = (name) => style.getPropertyValue(name).trim() || "#888", ink = colour("--ink"), rule = colour("--rule");
  const series = rows.map((row, k) => ({ label: `dim ${row.dimension}`, stroke: colour(`--s${k % 8}`), width: 2, dash: DASHES[Math.floor(k / 4) % 4], points: { show: run.steps.length < 3 }, value: (_, v) => (v == null ? "–" : v.toFixed(3)) }));
  const axis = { stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1 } };
  const plot = new window.uPlot({
    width, height: 330, padding: [8, 28, 0, 0], scales: { x: { time: false } }, legend: { live: true }, cursor: { points: { size: 6 }, drag: { x: true, y: false } },
    axes: [{ ...axis, values: (_, list) => list.map(whole) }, { ...axis, label: run.unit, labelSize: 20 }],
    series: [{ label: "step", value: (_, v) => (v == null ? "–" : whole(v)) }, { label: fits ? "total" : "total (click to draw)", show: fits, stroke: ink, width: 1, dash: [4, 3], value: (_, v) => (v == null ? "–" : v.toFixed(2)) }, ...series],
    hooks: { draw: [(u) => drawAlerts(u, run, colour("--alarm"))], drawSeries: [(u, k) => k > 1 && drawInterval(u, rows[k - 2], series[k - 2].stroke)], setCursor: [(u) => { if (u.cursor.event && u.cursor.idx != null && u.cursor.left >= 0) state.setStep(run.steps[u.cursor.idx]); }] },
  }, [run.steps, run.total, ...rows.map((row) => row.nats)], holder);
  plot.over.addEventListener("pointerleave", () => state.setStep(null));
  return plot;
}

function drawAlerts(u, run, colour) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.globalAlpha = 0.5;
  for (const alert of run.alerts) {
    const at = Math.round(u.valToPos(alert.step, "x", true));
    if (alert.kind === "settling" || at < bbox.left || at > bbox.left + bbox.width) continue;
    ctx.setLineDash(alert.kind === "lost" || alert.kind === "collapse" ? [] : [4, 4]);
    ctx.beginPath(); ctx.moveTo(at, bbox.top); ctx.lineTo(at, bbox.top + bbox.height); ctx.stroke();
  }
  ctx.restore();
}

function drawInterval(u, row, colour) {
  const { ctx } = u, steps = u.data[0], edge = (sign) => steps.map((s, i) => (row.nats[i] === null || row.errors[i] === null ? null : [u.valToPos(s, "x", true), u.valToPos(row.nats[i] + sign * Z_INTERVAL * row.errors[i], "y", true)])).filter(Boolean);
  const outline = [...edge(1), ...edge(-1).reverse()];
  if (outline.length < 4) return;
  ctx.save(); ctx.globalAlpha = 0.2; ctx.fillStyle = colour; ctx.beginPath();
  for (const [x, y] of outline) ctx.lineTo(x, y);
  ctx.closePath(); ctx.fill(); ctx.restore();
}

// The same as SVG: for export, and where uPlot is not installed.
export function timelinePicture(state, width) {
  const run = state.run, high = 320, left = 52, base = high - 36, right = width - 74, rows = shownRows(state), fits = totalFits(run, rows);
  const most = Math.max(0.1, ...(fits ? run.total : rows.flatMap((row) => row.nats)).map((v) => v ?? 0)) * 1.05, now = run.step;
  const x = linear(run.steps[0], Math.max(now, run.steps[0] + 1), left, right), y = linear(0, most, base, 22), picture = canvas(width, high, `${run.unit} of each dimension over the steps`);
  const points = (values) => values.map((v, i) => (v === null ? null : [x(run.steps[i]), y(v)]));
  const interval = (row) => {
    const edge = (sign) => row.nats.map((v, i) => (v === null || row.errors[i] === null ? null : [x(run.steps[i]), y(Math.max(v + sign * Z_INTERVAL * row.errors[i], 0))])).filter(Boolean);
    return svg("path", { d: `${polyline([...edge(1), ...edge(-1).reverse()])}Z`, class: "own band" });
  };
  picture.append(label(left, 12, run.unit, "axis"), label(right, high - 4, "step", "axis", "end"),
    ...ticks(0, most, 6).flatMap((v) => [svg("path", { d: `M${left},${y(v)}H${right}`, class: "rule" }), label(left - 8, y(v) + 4, short(v), "axis", "end")]),
    ...ticks(run.steps[0], now, 6).map((s) => label(x(s), base + 16, whole(s), "axis", "middle")),
    ...run.alerts.filter((a) => a.kind !== "settling" && a.step <= now).map((a) => svg("path", { d: `M${x(a.step)},22V${base}`, class: "flag" }, svg("title", {}, `step ${whole(a.step)}: ${a.message}`))));
  const ends = spread([...(fits ? [run.total] : []), ...rows.map((row) => row.nats)].map((values) => y(values.at(-1) ?? 0) + 4), 13, 26, base + 4);
  if (fits) picture.append(svg("path", { d: polyline(points(run.total)), class: "totalline" }), label(right + 6, ends.shift(), "total", "axis"));
  rows.forEach((row, k) => picture.append(svg("g", { class: `series s${k % 8}` }, interval(row),
    svg("path", { d: polyline(points(row.nats)), class: "line", "stroke-dasharray": DASHES[Math.floor(k / 4) % 4].join(" ") || null }), label(right + 6, ends[k], `dim ${row.dimension}`, "seriesname"))));
  const cursor = svg("path", { d: `M0,22V${base}`, class: "now", visibility: "hidden" });
  picture.append(cursor);
  state.listen(() => {
    cursor.setAttribute("visibility", state.step === null ? "hidden" : "visible");
    if (state.step !== null) cursor.setAttribute("transform", `translate(${x(run.steps[nearest(run.steps, state.step)])},0)`);
  });
  return picture;
}

export function timelineTable(run) {
  const table = [["step", "total", ...run.lifelines.map((row) => `dim ${row.dimension}`)]];
  run.steps.forEach((step, i) => table.push([step, run.total[i], ...run.lifelines.map((row) => row.nats[i])]));
  return table;
}
