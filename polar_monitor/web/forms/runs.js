// Runs side by side: a sortable table with verdict, use, nats, spectrum, course and alerts.

import { html, polyline, svg } from "./svg.js";
import { linear, short, whole } from "./scale.js";
import { pill } from "./headline.js";
import { loggedBy } from "./contrast.js";

const TINY = 120, LOW = 26;

function bars(run, top) {
  const list = run.spectrum.nats.slice(0, 16), used = run.spectrum.dimensions.map((j) => "am".includes(run.letters[j])), wide = TINY / Math.max(list.length, 8);
  return svg("svg", { width: TINY, height: LOW, "aria-hidden": "true" }, list.map((v, i) => {
    const height = Math.max(((v ?? 0) / top) * (LOW - 2), 1);
    return svg("rect", { x: (i * wide).toFixed(1), y: (LOW - height).toFixed(1), width: Math.max(wide - 2, 1).toFixed(1), height: height.toFixed(1), class: used[i] ? "own" : "gone" });
  }));
}

function spark(run, top) {
  const x = linear(run.steps[0], run.step, 1, TINY - 1), y = linear(0, top, LOW - 2, 2);
  return svg("svg", { width: TINY, height: LOW, "aria-hidden": "true" }, svg("path", { d: polyline(run.total.map((v, i) => (v === null ? null : [x(run.steps[i]), y(v)]))), class: "spark" }));
}

// `open(place)` shows a run below; `place` is that of the run in the list.
export function runsTable(runs, place, open) {
  const drawable = runs.filter((run) => !run.problem); // one scale for all runs
  const top = Math.max(0.1, ...drawable.map((run) => run.spectrum.nats[0] ?? 0)), most = Math.max(0.1, ...drawable.flatMap((run) => run.total.map((v) => v ?? 0)));
  const columns = [
    ["run", (run) => run.title, (run, k) => html("button", { class: "link", onclick: () => open(k) }, run.title)],
    ...loggedBy(runs).map(([key, name]) => [name, (run) => run.context?.[key] ?? -Infinity, (run) => short(run.context?.[key] ?? null), "number"]),
    ["verdict", (run) => run.verdict, (run) => pill(run.verdict)],
    ["in use", (run) => run.in_use, (run) => `${run.in_use} of ${run.dimensions}`, "number"],
    ["nats", (run) => run.nats ?? -1, (run) => (run.nats === null ? "–" : run.nats.toFixed(2)), "number"],
    ["spectrum", (run) => run.nats ?? -1, (run) => bars(run, top)],
    ["nats over steps", (run) => run.step, (run) => spark(run, most)],
    ["step", (run) => run.step, (run) => whole(run.step), "number"],
    ["alerts", (run) => run.alerts.length, (run) => String(run.alerts.filter((a) => a.kind !== "settling").length), "number"],
  ];
  let sorted = null, down = false;
  const body = html("tbody", {}), heads = columns.map(([name, , , kind], c) => html("th", { scope: "col", class: kind }, html("button", { onclick: () => { down = sorted === c ? !down : false; sorted = c; fillRows(); } }, name)));
  function fillRows() {
    const order = runs.map((_, k) => k).filter((k) => !runs[k].problem);
    if (sorted !== null) order.sort((a, b) => { const [p, q] = [columns[sorted][1](runs[a]), columns[sorted][1](runs[b])]; return (p < q ? -1 : p > q ? 1 : a - b) * (down ? -1 : 1); });
    heads.forEach((head, c) => head.setAttribute("aria-sort", sorted === c ? (down ? "descending" : "ascending") : "none"));
    body.replaceChildren(...order.map((k) => html("tr", { class: `s${k % 8}${k === place ? " open" : ""}`, onclick: () => open(k) }, columns.map(([, , cell, kind]) => html("td", { class: kind }, cell(runs[k], k))))),
      ...runs.filter((run) => run.problem).map((run) => html("tr", {}, html("td", {}, run.title), html("td", { colspan: columns.length - 1, class: "quiet" }, run.problem))));
  }
  fillRows();
  return html("div", { class: "scroll" }, html("table", { class: "runs" }, html("thead", {}, html("tr", {}, heads)), body));
}

export function runsList(runs) {
  const names = ["title", "verdict", "in_use", "dimensions", "nats", "step", "evaluations"];
  return [[...names, "beta", "alerts"], ...runs.filter((run) => !run.problem).map((run) => [...names.map((name) => run[name]), run.context.beta ?? "", run.alerts.length])];
}
