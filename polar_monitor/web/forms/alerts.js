// Alerts, newest first. A click moves the cursor of all views to the step.

import { html } from "./svg.js";
import { whole } from "./scale.js";

export function alertList(state) {
  const list = [...state.run.alerts].reverse().slice(0, 200);
  if (!list.length) return html("p", { class: "quiet" }, "No alert so far.");
  return html("ol", { class: "alerts" }, list.map((alert) => html("li", { class: alert.kind },
    html("button", { onclick: () => { state.setStep(alert.step); if (alert.dimensions.length && state.selected !== alert.dimensions[0]) state.select(alert.dimensions[0]); } }, `step ${whole(alert.step)}`),
    html("b", {}, ` ${alert.kind.replace("_", " ").toUpperCase()} `), alert.message, alert.healthy === null ? "" : `; last healthy step ${whole(alert.healthy)}`)));
}

export function alertsTable(run) {
  return [["step", "kind", "dimensions", "message", "last healthy step"], ...run.alerts.map((a) => [a.step, a.kind, a.dimensions.join(" "), a.message, a.healthy])];
}
