// Published criteria side by side, folded: the label of each row by each of them, where it differs from ours in bold.

import { html } from "./svg.js";
import { whole } from "./scale.js";

const WORDS = { a: "active", p: "passive", m: "mixed", u: "undecided" };

function cell(letter, ours) {
  const differs = letter !== "u" && ours !== "u" && letter !== ours;
  return html("td", { class: `label ${WORDS[letter]}` }, differs ? html("b", {}, `${WORDS[letter]} ≠`) : WORDS[letter]);
}

export function criteria(run) {
  const { dimensions, columns, step } = run.criteria, own = dimensions.map((j) => run.letters[j]);
  const head = html("tr", {}, html("th", {}, "dim"), html("th", {}, "here"), columns.map((c) => html("th", { title: c.source }, c.name.replaceAll("_", " "))));
  const rows = dimensions.map((j, i) => html("tr", {}, html("td", {}, String(j)), cell(own[i], own[i]), columns.map((c) => cell(c.letters[i], own[i]))));
  const count = html("tr", {}, html("td", {}, "active in all"), html("td", {}, String([...run.letters].filter((l) => l === "a").length)), columns.map((c) => html("td", {}, String(c.active))));
  return html("details", {}, html("summary", {}, `Labels of ${columns.length} criteria at step ${whole(step)}, beside ours now`),
    html("div", { class: "scroll" }, html("table", { class: "criteria" }, html("thead", {}, head), html("tbody", {}, rows, count))));
}

export function criteriaTable(run) {
  const { dimensions, columns } = run.criteria;
  return [["dimension", "here", ...columns.map((c) => c.name)], ...dimensions.map((j, i) => [j, WORDS[run.letters[j]], ...columns.map((c) => WORDS[c.letters[i]])])];
}
