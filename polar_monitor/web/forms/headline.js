// The sentence on top; under it why, what to do, and the last healthy step of the newest alert.

import { html } from "./svg.js";
import { whole } from "./scale.js";

export function pill(verdict) {
  return html("span", { class: `pill ${verdict}` }, verdict.replace("_", " "));
}

export function headline(run) {
  const words = run.sentence.map(([text, kind]) => (kind ? html("b", { class: kind }, text) : text));
  const parts = [html("p", { class: "sentence" }, pill(run.verdict), " ", words)];
  const reason = run.reason;
  if (reason) {
    const lines = [html("div", {}, html("b", {}, `Newest alert: ${reason.kind}, step ${whole(reason.step)}. `), reason.message, ".")];
    if (reason.why) lines.push(html("div", {}, html("b", {}, "Why "), reason.why, "."));
    if (reason.do) lines.push(html("div", {}, html("b", {}, "Do "), reason.do, "."));
    if (reason.healthy !== null) lines.push(html("div", {}, html("b", {}, "Last healthy step "), whole(reason.healthy), "."));
    parts.push(html("div", { class: "reason" }, lines));
  }
  for (const note of run.notes) parts.push(html("p", { class: "note" }, "Note: ", note, "."));
  return html("header", {}, parts);
}
