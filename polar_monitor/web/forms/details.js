// Facts about the numbers: how old, of how many rows, at what cost; and the same as a table for screen readers.

import { html } from "./svg.js";
import { nats, short, whole } from "./scale.js";
import { besideText, nextText } from "./columns.js";

// Seconds in the largest unit that they fill.
export function ageText(seconds) {
  const units = [[86400, "days"], [3600, "h"], [60, "min"], [1, "s"]], [size, name] = units.find(([least]) => seconds >= 2 * least) ?? [1, "s"];
  return `${whole(Math.max(seconds, 0) / size)} ${name}`;
}

// How old the numbers are: in a report when it was made, in the tab as the seconds pass.
export function age(run, live) {
  const words = html("span", { class: "quiet age" });
  const tell = () => {
    const seconds = (live ? Date.now() / 1000 : run.made) - run.time, rows = run.age ? `, of rows up to step ${whole(run.step - run.age)}` : "";
    words.textContent = ` · numbers of step ${whole(run.step)}${rows}, ${ageText(seconds)} old${live ? "" : " when this report was made"}`;
    if (live && words.isConnected) setTimeout(tell, 1000);
  };
  tell();
  if (live) setTimeout(tell, 1000);
  return words;
}

export function details(run) {
  const facts = [
    ["step", whole(run.step)], ["evaluations", whole(run.evaluations)], ["rows", run.rows ? whole(run.rows) : "not known"],
    ["newest row", run.age === null ? "not known" : run.age === 0 ? "of this step" : `${whole(run.age)} steps before`],
    ["overhead", run.overhead === null ? "not known" : `${(100 * run.overhead).toFixed(2)} % of the loop's time${run.allowance >= 0.005 ? `, ${run.allowance.toFixed(2)} s of it from the start allowance` : ""}`],
    ["errors", whole(run.errors)], ["mode", run.mode], ["written", new Date(run.time * 1000).toLocaleString("en-GB")],
    ...Object.entries(run.context).map(([name, value]) => [name.replace("_", " "), short(value)]),
  ];
  return html("div", {}, html("dl", { class: "facts" }, facts.map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value)))),
    html("p", { class: "quiet" }, run.reasons.join("; "), "."), html("p", { class: "quiet path" }, run.path));
}

export function spokenTable(run) {
  const row = (r) => html("tr", {}, [`dim ${r.dimension}`, r.state, `${nats(r.nats.at(-1))} nats${besideText(run, r)}`, `since step ${whole(r.since)}`, nextText(r)].map((text) => html("td", {}, text)));
  return html("div", { class: "spoken" }, html("table", {}, html("caption", {}, run.text), html("tbody", {}, run.lifelines.map(row),
    run.folded.map((group) => html("tr", {}, html("td", {}, `${group.dimensions.length} more`), html("td", {}, group.text))))));
}
