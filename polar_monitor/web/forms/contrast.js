// One sentence over several runs: what the code carries along a hyper-parameter, or from the least to the most.

import { html } from "./svg.js";
import { short } from "./scale.js";

const LOGGED = { beta: "β", learning_rate: "learning rate", reconstruction: "reconstruction" }, SAME = 0.05;

// Hyper-parameters that a run logged, with their names.
export function loggedBy(runs) {
  return Object.entries(LOGGED).filter(([key]) => runs.some((run) => run.context?.[key] !== undefined));
}

const strong = (text) => html("b", {}, text);
const one = (value) => (value ?? 0).toFixed(1);

// How a number changes: "falls from 9.8 to 2.1".
function change(before, after) {
  if (Math.abs(after - before) <= SAME * Math.max(before, after, 0.1)) return ["stays at ", strong(one(after))];
  return [after < before ? "falls from " : "rises from ", strong(one(before)), " to ", strong(one(after))];
}

export function contrast(runs) {
  const list = runs.filter((run) => !run.problem && run.verdict !== "not_estimable");
  if (list.length < 2) return null;
  const axis = loggedBy(list).find(([key]) => new Set(list.map((run) => run.context[key])).size === list.length && list.every((run) => run.context[key] !== undefined));
  const collapsed = list.filter((run) => run.verdict === "collapsed").map((run) => run.title);
  const end = collapsed.length ? [" Collapsed: ", html("b", { class: "alarm" }, collapsed.slice(0, 4).join(", ")), collapsed.length > 4 ? ` and ${collapsed.length - 4} more.` : "."] : [];
  if (!axis) {
    const order = [...list].sort((a, b) => (a.nats ?? 0) - (b.nats ?? 0)), [least, most] = [order[0], order.at(-1)], used = list.map((run) => run.in_use).sort((a, b) => a - b);
    return html("p", { class: "sentence" }, "The codes carry ", strong(one(least.nats)), ` (${least.title}) to `, strong(one(most.nats)), ` nats (${most.title}), in `, strong(used[0] === used.at(-1) ? String(used[0]) : `${used[0]} to ${used.at(-1)}`), used.at(-1) === 1 ? " dimension." : " dimensions.", end);
  }
  const [key, name] = axis, order = [...list].sort((a, b) => a.context[key] - b.context[key]), [first, last] = [order[0], order.at(-1)];
  const inside = order.slice(1, -1), above = inside.filter((run) => run.nats > (1 + SAME) * Math.max(first.nats, last.nats)), below = inside.filter((run) => run.nats < (1 - SAME) * Math.min(first.nats, last.nats));
  const turn = [...above.slice(0, 1), ...below.slice(0, 1)].map((run) => `, with ${one(run.nats)} at ${short(run.context[key])}`);
  const are = (count) => [strong(String(count)), count === 1 ? " dimension is in use" : " dimensions are in use"];
  const used = ["; ", are(last.in_use), first.in_use === last.in_use ? " at both ends" : ` instead of ${first.in_use}`];
  return html("p", { class: "sentence" }, `From ${name} = ${short(first.context[key])} to ${short(last.context[key])} the code `, change(first.nats ?? 0, last.nats ?? 0), " nats", turn, used, ".", end);
}
