// Lifelines: one row a dimension on a true step axis; the height is nats, on one scale for all rows.

import { area, canvas, html, label, polyline, svg } from "./svg.js";
import { linear, nats, nearest, placeOf, ticks, whole } from "./scale.js";
import { besideText, columnsOf, nextText } from "./columns.js";

const TOP = 44, MARKS = { fading: "M-5,-10h10l-5,8z", lost: "M-4,-8l8,8m0,-8l-8,8", revived: "M-5,-2h10l-5,-8z", settling: "M-4,-5a4,4 0 1 0 8,0a4,4 0 1 0 -8,0" };

// Width of the names: "dim 511" and "1,024 more" are as wide as they are.
function leftOf(run, width) {
  const names = [...run.lifelines.map((row) => `dim ${row.dimension}`), ...run.folded.map((group) => `▸ ${whole(group.dimensions.length)} more`)];
  return Math.max(width < 900 ? 58 : 72, ...names.map((name) => 14 + 7.6 * name.length));
}

export function lifelines(state, width) {
  const run = state.run, rows = run.lifelines, LEFT = leftOf(run, width);
  const height = rows.length > 24 ? 17 : rows.length > 12 ? 24 : 34, gap = rows.length > 12 ? 5 : 9;
  const top = Math.max(0.05, ...rows.flatMap((r) => r.nats.map((v) => v ?? 0)));
  const { right, left: columns, cells, heads: headings } = columnsOf(run, width, top, height);
  const first = run.steps[0], now = run.step, reach = Math.max(now - first, 1);
  const ends = rows.filter((r) => r.forecast).map((r) => Math.min(r.forecast[2] ?? Infinity, now + reach * 0.35));
  const end = Math.max(now + reach * 0.02, ...ends);
  const x = linear(first, end, LEFT, width - right), xs = run.steps.map(x);
  const open = new Set();
  const holder = html("div", { class: "lifelines", tabindex: 0, role: "group", "aria-label": `Lifelines. ${run.text} Arrow keys move the step and choose a dimension${run.folded.length ? ", Enter lists the folded ones" : ""}.` });
  let cursor, heads, numbers, marks;

  function mark(y, alert) {
    const at = placeOf(run.steps, alert.step);
    return svg("path", { d: MARKS[alert.kind], class: `mark ${alert.kind}`, transform: `translate(${x(alert.step)},${y(at)})` },
      svg("title", {}, `${alert.kind.toUpperCase()} at step ${whole(alert.step)}: ${alert.message}`));
  }

  function wedge(row, y0, y) {
    const [step, low, high] = row.forecast, from = y(run.steps.length - 1), bottom = y0 + height;
    const far = Math.min(high ?? end, end);
    return [svg("path", { d: `M${x(now)},${from}L${x(far)},${bottom}L${x(low)},${bottom}Z`, class: "wedge" }),
      svg("path", { d: `M${x(now)},${from}L${x(Math.min(step, end))},${bottom}`, class: "expected" }),
      svg("path", { d: `M${x(low)},${bottom}H${x(far)}`, class: "interval" }, svg("title", {}, row.detail)),
      step <= end ? svg("circle", { cx: x(step), cy: bottom, r: 4, class: "forecast" }) : null];
  }

  function line(row, y0) {
    const y = (i) => y0 + height - (Math.max(row.nats[i] ?? 0, 0) / top) * height;
    const points = row.nats.map((v, i) => (v === null ? null : [xs[i], y(i).toFixed(1)]));
    const turn = row.healthy === null ? points.length : placeOf(run.steps, row.healthy);
    const alive = row.state === "in use" || row.state === "fading";
    const [number, beside] = cells(row, y0 + height, row.state === "fading" ? "fall" : alive ? "used" : "unused");
    numbers.push([row, number]);
    const text = `dim ${row.dimension}, ${row.state}, ${nats(row.nats.at(-1))} nats${besideText(run, row)}, since step ${whole(row.since)}, ${nextText(row)}`;
    const own = run.alerts.filter((a) => MARKS[a.kind] && a.dimensions.includes(row.dimension) && a.step <= now);
    return svg("g", { class: `row ${row.state.replace(" ", "-")}`, "data-dimension": row.dimension, onclick: () => state.select(row.dimension) },
      svg("title", {}, text),
      svg("rect", { x: 0, y: y0 - gap / 2, width, height: height + gap, class: "hit" }),
      label(LEFT - 10, y0 + height - 3, `dim ${row.dimension}`, alive ? "name alive" : "name", "end"),
      svg("path", { d: `M${LEFT},${y0 + height}H${width - right}`, class: "rule" }),
      svg("path", { d: area(points.slice(0, turn + 1), y0 + height), class: alive ? "used" : "unused" }),
      turn < points.length ? svg("path", { d: area(points.slice(turn), y0 + height), class: "fall" }) : null,
      svg("path", { d: polyline(points), class: `edge ${alive ? "" : "faint"}` }),
      row.forecast && row.state === "fading" ? wedge(row, y0, y) : null,
      own.map((alert) => mark(y, alert)),
      beside);
  }

  function fold(group, place, y) {
    const frames = run.frames.map(x), all = group.dimensions.map((dimension, k) => [dimension, group.nats[k]]).filter(([, curve]) => curve);
    const most = frames.map((_, i) => Math.max(0, ...all.map(([, curve]) => curve[i] ?? 0)));
    const trace = (curve, base, size) => area(curve.map((v, i) => [frames[i], (base - (Math.max(v ?? 0, 0) / top) * size).toFixed(1)]), base);
    const kind = group.state === "in use" ? "used" : "unused", count = `${whole(group.dimensions.length)} more`, listed = open.has(place) ? all.slice(0, 200) : [];
    const toggle = () => { open.has(place) ? open.delete(place) : open.add(place); draw(); };
    const names = group.dimensions.slice(0, 12).join(", ") + (group.dimensions.length > 12 ? ", …" : "");
    const words = width >= 640 ? [label(columns, y + height - 15, group.text.split(", ")[0] + ",", "quiet"), label(columns, y + height - 1, group.text.split(", ").slice(1).join(", "), "quiet")] : [];
    return svg("g", { class: "fold", onclick: toggle }, svg("title", {}, `${count}: ${group.text}. dims ${names}. Click to ${open.has(place) ? "fold" : "show"} them.`),
      svg("rect", { x: 0, y: y - gap / 2, width, height: height + gap, class: "hit" }),
      label(LEFT - 10, y + height - 3, `${open.has(place) ? "▾" : "▸"} ${count}`, "quiet", "end"),
      svg("path", { d: `M${LEFT},${y + height}H${width - right}`, class: "rule" }), svg("path", { d: trace(most, y + height, height), class: kind }), words,
      listed.map(([dimension, curve], k) => svg("g", {}, svg("title", {}, `dim ${dimension}`), label(LEFT - 10, y + height + 13 + 11 * k, `dim ${dimension}`, "small", "end"),
        svg("path", { d: trace(curve, y + height + 14 + 11 * k, 10), class: kind }), label(columns, y + height + 13 + 11 * k, nats(curve.at(-1)), "small"))));
  }

  function draw() {
    numbers = []; marks = [];
    let y = TOP;
    const parts = rows.map((row) => { const part = line(row, y); y += height + gap; return part; });
    for (const [place, group] of run.folded.entries()) {
      y += Math.max(30 - height, 0); // two lines of text
      parts.push(fold(group, place, y));
      y += height + gap + (open.has(place) ? 11 * Math.min(group.nats.length, 200) + 4 : 0);
    }
    const bottom = y, picture = canvas(width, bottom + 36, `Information of each dimension over the steps. ${run.text}`);
    const flags = run.alerts.filter((a) => !MARKS[a.kind] && a.step <= now).map((a) => svg("g", {}, svg("title", {}, `step ${whole(a.step)}: ${a.message}`),
      svg("path", { d: `M${x(a.step)},${TOP - 10}V${bottom}`, class: "flag" }), label(x(a.step), TOP - 14, a.kind.replace("_", " ").toUpperCase(), "flagname", x(a.step) > width - right - 90 ? "end" : "start")));
    const axis = ticks(first, end, Math.max(4, Math.floor((width - right - LEFT) / 80))).map((s) => label(x(s), bottom + 14, whole(s), "axis", "middle"));
    const [changing, texts] = headings();
    heads = changing;
    cursor = svg("g", { class: "cursor" }, svg("path", { d: `M0,${TOP - 10}V${bottom}` }));
    picture.append(label(LEFT, 12, `${width < 900 ? "nats" : `${run.unit} of each dimension`} · one scale, 0 to ${top.toFixed(2)}${width < 600 ? "" : " · over steps"}`, "axis"), ...texts.filter(Boolean),
      ...parts, ...flags, ...axis, svg("path", { d: `M${x(now)},${TOP - 10}V${bottom}`, class: "now" }), label(x(now), bottom + 30, `now: step ${whole(now)}`, "nowname", x(now) > width - right - 50 ? "end" : "middle"), cursor);
    holder.replaceChildren(picture);
    update();
  }

  function update() {
    const at = state.step === null ? run.steps.length - 1 : nearest(run.steps, state.step);
    cursor.setAttribute("transform", `translate(${xs[at]},0)`);
    cursor.setAttribute("visibility", state.step === null ? "hidden" : "visible");
    heads.textContent = state.step === null ? "now" : `${width < 900 ? "" : "at "}step ${whole(run.steps[at])}`;
    for (const [row, number] of numbers) number.textContent = nats(row.nats[at]);
    for (const row of holder.querySelectorAll(".row")) row.classList.toggle("selected", Number(row.dataset.dimension) === state.selected);
  }

  holder.addEventListener("pointermove", (event) => {
    const box = holder.firstChild.getBoundingClientRect(), at = ((event.clientX - box.left) / box.width) * width;
    state.setStep(at < LEFT || at > width - right ? null : run.steps[nearest(xs, at)]);
  });
  holder.addEventListener("pointerleave", () => state.setStep(null));
  holder.addEventListener("keydown", (event) => {
    const at = state.step === null ? run.steps.length - 1 : nearest(run.steps, state.step), row = rows.findIndex((r) => r.dimension === state.selected);
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: run.steps.length - 1 };
    if (event.key in moves) state.setStep(run.steps[Math.max(0, Math.min(moves[event.key], run.steps.length - 1))]);
    else if (event.key === "ArrowDown" && row + 1 < rows.length) state.select(rows[row + 1].dimension);
    else if (event.key === "ArrowUp" && row > 0) state.select(rows[row - 1].dimension);
    else if (event.key === "Enter" && run.folded.length) { if (open.size) open.clear(); else run.folded.forEach((_, place) => open.add(place)); draw(); }
    else if (event.key === "Escape") { state.setStep(null); if (state.selected !== null) state.select(state.selected); }
    else return;
    event.preventDefault();
  });
  draw();
  state.listen(update);
  return holder;
}

export function lifelinesTable(run) {
  const table = [["step", ...run.lifelines.flatMap((r) => [`dim ${r.dimension}`, `dim ${r.dimension} error`])]];
  run.steps.forEach((step, i) => table.push([step, ...run.lifelines.flatMap((r) => [r.nats[i], r.errors[i]])]));
  return table;
}
