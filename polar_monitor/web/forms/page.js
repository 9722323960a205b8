// The page: one run with all its views, under the table of all runs if there are several.

import { html } from "./svg.js";
import { whole, nats, nearest } from "./scale.js";
import { makeState } from "./state.js";
import { headline } from "./headline.js";
import { besideText, besideWords, nextText } from "./columns.js";
import { lifelines, lifelinesTable } from "./lifelines.js";
import { timeline, timelinePicture, timelineTable } from "./timeline.js";
import { plane, planeTable } from "./plane.js";
import { spectrum, spectrumTable } from "./spectrum.js";
import { distribution, distributionTable } from "./distribution.js";
import { contrast } from "./contrast.js";
import { runsTable, runsList } from "./runs.js";
import { alertList, alertsTable } from "./alerts.js";
import { criteria, criteriaTable } from "./criteria.js";
import { age, details, spokenTable } from "./details.js";
import { exportButtons } from "./export.js";

function card(name, title, body, table, picture = () => body.querySelector("svg")) {
  return html("section", { class: `card ${name}`, "aria-label": title }, html("div", { class: "top" }, html("h2", {}, title), exportButtons(name, picture, table)), body);
}

// Draws runs into `root`; returns the state of the one that is shown. `kept` has the choices of an earlier drawing.
export function drawPage(root, runs, kept = {}) {
  const whichOpen = runs[kept.place ?? 0] ? kept.place ?? 0 : 0, run = runs[whichOpen];
  const state = Object.assign(makeState(run), { histogramsSeen: kept.histogramsSeen ?? false }), drawable = runs.filter((one) => !one.problem);
  const width = Math.max(280, Math.min(root.clientWidth || 1200, 1500) - 66), wide = width >= 914;
  const open = (place) => drawPage(root, runs, { place, live: kept.live });
  const parts = [html("h1", {}, html("span", {}, runs.length > 1 ? `${runs.length} runs` : run.title), html("span", { class: "quiet" }, " Polar Monitor"), run.problem || runs.length > 1 ? null : age(run, kept.live))];
  if (runs.length > 1) parts.push(contrast(runs), card("runs", "Runs side by side", runsTable(runs, whichOpen, open), () => runsList(runs), null));
  if (drawable.length > 1) parts.push(card("spectra", "Nats by rank of all runs: the gap is the regime", spectrum(drawable, makeState(run), width), () => spectrumTable(drawable)));
  if (run.problem) {
    parts.push(html("p", { class: "problem", role: "alert" }, run.problem, "."), html("p", { class: "quiet path" }, run.path), ...run.notes.map((note) => html("p", { class: "note" }, note)));
    root.replaceChildren(...parts.filter(Boolean));
    return state;
  }
  const half = wide ? width - 506 : width;
  const status = html("p", { class: "status", "aria-live": "polite" });
  if (runs.length > 1) parts.push(html("h2", { class: "which" }, run.title, age(run, kept.live)));
  parts.push(headline(run), card("lifelines", "Lifelines", lifelines(state, width), () => lifelinesTable(run)), legend(run), status,
    html("div", { class: "pair" }, card("timeline", "Nats over steps, with 95 % intervals", timeline(state, half), () => timelineTable(run), () => timelinePicture(state, 900)),
      card("plane", "The split: mean against noise", plane(state, 460), () => planeTable(run), run.plane ? undefined : null)),
    run.distributions ? card("distribution", "Distribution of the chosen dimension", distribution(state, width), () => distributionTable(run)) : null,
    html("div", { class: "pair" }, run.dimensions > 1 ? card("spectrum", "Nats by rank", spectrum([run], state, half), () => spectrumTable([run])) : null, card("alerts", "Alerts", alertList(state), () => alertsTable(run), null)),
    run.criteria ? card("criteria", "Published criteria side by side", criteria(run), () => criteriaTable(run), null) : null,
    html("section", { class: "card" }, html("div", { class: "top" }, html("h2", {}, "About these numbers")), details(run)), spokenTable(run));
  const speak = () => {
    const row = run.lifelines.find((one) => one.dimension === state.selected), at = state.step === null ? run.steps.length - 1 : nearest(run.steps, state.step);
    status.textContent = row ? `dim ${row.dimension}: ${nats(row.nats[at])} ± ${row.errors[at] === null ? "–" : row.errors[at].toFixed(3)} nats at step ${whole(run.steps[at])}${besideText(run, row)}; ${row.state} since step ${whole(row.since)}; ${nextText(row)}` : "Click a row or a point to follow a dimension through all views.";
  };
  state.listen(speak);
  speak();
  root.replaceChildren(...parts.filter(Boolean));
  if (kept.selected !== undefined && kept.selected !== null) state.select(kept.selected);
  if (kept.step !== undefined && kept.step !== null) state.setStep(kept.step);
  state.place = whichOpen;
  return state;
}

function legend(run) {
  const item = (kind, text) => html("span", {}, html("i", { class: `swatch ${kind}` }), text);
  return html("p", { class: "legend" }, item("used", "in use"), item("fall", "falling since the last healthy step"), item("unused", "out of use"),
    html("span", {}, "▼ fading"), html("span", {}, "✕ lost"), html("span", {}, "▲ back"), html("span", {}, "○ others took over"), html("span", {}, "bar: 80 % of losses"), besideWords(run).map((words) => html("span", {}, words)));
}

// Draws again when the width or the theme changes.
export function keepFitting(root, redraw) {
  let width = root.clientWidth;
  new ResizeObserver(() => { if (Math.abs(root.clientWidth - width) > 8) { width = root.clientWidth; redraw(); } }).observe(root);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}
