// Facts about the numbers: how old, of how many rows, at what cost; and the same as a table for screen readers.

import { html } from "./svg.js";
import { nats, short, whole } from "./scale.js";
import { besideText } from "./lifelines.js";

export function details(run) {
  const facts = [
    ["step", whole(run.step)], ["evaluations", whole(run.evaluations)], ["rows", whole(run.rows)],
    ["age of the newest row", run.age === null ? "not known" : `${whole(run.age)} steps`],
    ["overhead", run.overhead === null ? "not known" : `${(100 * run.overhead).toFixed(2)} % of the loop's time`],
    ["errors", whole(run.errors)], ["mode", run.mode], ["written", new Date(run.time * 1000).toLocaleString("en-GB")],
    ...Object.entries(run.context).map(([name, value]) => [name.replace("_", " "), short(value)]),
  ];
  return html("div", {}, html("dl", { class: "facts" }, facts.map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value)))),
    html("p", { class: "quiet" }, run.reasons.join("; "), "."), html("p", { class: "quiet path" }, run.path));
}

export function spokenTable(run) {
  const row = (r) => html("tr", {}, [`dim ${r.dimension}`, r.state, `${nats(r.nats.at(-1))} nats${besideText(run, r)}`, `since step ${whole(r.since)}`, `${r.next} ${r.detail}`].map((text) => html("td", {}, text)));
  return html("div", { class: "spoken" }, html("table", {}, html("caption", {}, run.text), html("tbody", {}, run.lifelines.map(row),
    run.folded.map((group) => html("tr", {}, html("td", {}, `${group.dimensions.length} more`), html("td", {}, group.text))))));
}
