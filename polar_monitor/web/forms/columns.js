// Columns beside the lifelines: nats now, worth, drift, since when, what comes next. All numbers of a column end at one place.

import { label, svg } from "./svg.js";
import { nats, short, whole } from "./scale.js";

const COLUMN_GAP = 14, WORDS_WIDE = 132, ONE_LINE_WIDE = 176, MAX_UNIT = 9;
// From a width on: that of the bar, and of each column.
const SIZES = [[900, { bar: 46, nats: 44, worth: 54, drift: 50, since: 56, next: 1 }], [600, { bar: 28, nats: 40, worth: 46, drift: 44, since: 50, next: 1 }], [0, { bar: 18, nats: 42 }]];

const two = (value) => short(value === null || value === undefined ? null : Number(value.toPrecision(2)));
const BESIDE = { worth: two, drift: nats };
const HEADS = { nats: () => "nats", worth: (run) => (run.beside.unit.length > MAX_UNIT ? "of loss" : run.beside.unit), drift: () => "of μ", since: () => "step" };

// Sentences on worth and drift of a run, as far as they are known.
export function besideWords(run) {
  const { columns, unit, step } = run.beside;
  const worth = `worth: rise of the loss${unit ? `, ${unit},` : ""} if the dimension is replaced${step === null ? "" : ` (probe at step ${whole(step)})`}, grey if it is no more than twice its error`;
  return [columns.includes("worth") ? worth : null, columns.includes("drift") ? "drift: how far the weights moved the mean within the window, in units of μ" : null].filter(Boolean);
}

// Worth and drift of a row as far as they are known, for a sentence.
export function besideText(run, row) {
  const known = Object.keys(BESIDE).filter((name) => (row[name] ?? null) !== null), unit = (name) => (name === "worth" && run.beside.unit ? ` ${run.beside.unit}` : "");
  return known.map((name) => `, ${name} ${two(row[name])}${(row[`${name}_se`] ?? null) === null ? "" : ` ± ${two(row[`${name}_se`])}`}${unit(name)}`).join("");
}

// What comes next for a row, with the interval of its forecast.
export const nextText = (row) => (row.detail ? `${row.next} (${row.detail})` : row.next);

// Two lines of words; a forecast has its interval in the second one.
function twoLines(row) {
  if (row.detail) return [row.next, row.detail];
  const cut = row.next.length > 20 ? row.next.search(/[,:] /) + 1 : 0;
  return cut ? [row.next.slice(0, cut), row.next.slice(cut + 1)] : [row.next, ""];
}

// The columns for a width: `right` is what they take of it, `top` the highest nats, `height` that of a row.
export function columnsOf(run, width, top, height) {
  const sizes = SIZES.find(([from]) => width >= from)[1], several = height > 20, ends = {};
  let at = sizes.bar;
  for (const name of ["nats", "worth", "drift", "since"].filter((one) => sizes[one] && (!(one in BESIDE) || run.beside.columns.includes(one)))) ends[name] = at += sizes[name];
  const nextAt = sizes.next ? at + COLUMN_GAP : null, right = COLUMN_GAP + (sizes.next ? nextAt + (several ? WORDS_WIDE : ONE_LINE_WIDE) : at), left = width - right + COLUMN_GAP;

  function cells(row, bottom, kind) {
    const share = Math.max(row.nats.at(-1) ?? 0, 0) / top, number = label(left + ends.nats, bottom - 3, nats(row.nats.at(-1)), "number", "end");
    const beside = Object.keys(BESIDE).filter((name) => ends[name]).map((name) => {
      const unsure = name === "worth" && row.worth !== null && row.worth_se !== null && Math.abs(row.worth) <= 2 * row.worth_se;
      return label(left + ends[name], bottom - 3, BESIDE[name](row[name]), unsure ? "number quiet" : "number", "end");
    });
    const [first, second] = twoLines(row), lines = several && second;
    const words = nextAt === null ? null : [label(left + nextAt, bottom - (lines ? 13 : 3), first.length && !several ? row.next : first, `next ${row.state}`), lines ? label(left + nextAt, bottom, second, "small") : null];
    return [number, [svg("rect", { x: left, y: bottom - 13, width: Math.max(share * (sizes.bar - 4), 1).toFixed(1), height: 10, class: kind }), number, beside, ends.since ? label(left + ends.since, bottom - 3, whole(row.since), "number", "end") : null, words].flat()];
  }

  // The headings; the first one is that of the step under the cursor.
  function heads() {
    const now = label(left, 12, "now", "axis");
    const others = Object.entries(ends).flatMap(([name, end]) => [name === "nats" ? null : label(left + end, 12, name, "axis", "end"), label(left + end, 25, HEADS[name](run), "unit", "end")]);
    return [now, [now, ...others, nextAt === null ? null : label(left + nextAt, 12, "what comes next", "axis")]];
  }
  return { right, left, cells, heads };
}
